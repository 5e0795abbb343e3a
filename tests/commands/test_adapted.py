"""Adapters beside the models that they adapt. The figures of both were compared with what PEFT 0.21 prints."""

import json
from pathlib import Path

import pytest

from capsaudit import api
from tests.commands.test_audit import write_zeros
from tests.processes import invoke

R, IN, OUT, CLASSES = 4, 64, 192, 3

BASE = {
    "bert.query.weight": [OUT, IN],
    "bert.query.bias": [OUT],
    "bert.norm.running_mean": [OUT],  # a buffer, no parameter
    "classifier.weight": [CLASSES, OUT],
    "classifier.bias": [CLASSES],
}
OWN = OUT * IN + OUT + CLASSES * OUT + CLASSES
LORA = {
    "base_model.model.bert.query.lora_A.weight": [R, IN],
    "base_model.model.bert.query.lora_B.weight": [OUT, R],
}
ADDED = R * IN + OUT * R
COPIED = {"base_model.model.classifier.weight": [CLASSES, OUT], "base_model.model.classifier.bias": [CLASSES]}
COPY = CLASSES * OUT + CLASSES
REPEATED = {f"base_model.model.classifier.{part}.bias": [CLASSES] for part in ("original_module", "modules_to_save")}
"""PEFT saves these too if all biases are trained."""


def saved(folder: Path, shapes: dict[str, list[int]], **stated: object) -> str:
    """The folder of an adapter, and its model beside it in base.safetensors."""
    adapter = folder / "adapter"
    adapter.mkdir()
    write_zeros(adapter / "adapter_model.safetensors", shapes)
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": R} | stated))
    write_zeros(folder / "base.safetensors", BASE)
    return str(adapter)


@pytest.mark.parametrize(
    ("shapes", "stated", "trainable", "whole"),
    [
        pytest.param(LORA, {}, ADDED, OWN + ADDED, id="LoRA"),
        pytest.param(LORA | COPIED, {"modules_to_save": ["classifier"]}, ADDED + COPY, OWN + ADDED + COPY, id="copy"),
        pytest.param(
            LORA | {"base_model.model.bert.query.bias": [OUT]},
            {"bias": "lora_only"},
            ADDED + OUT,
            OWN + ADDED,
            id="bias in place",
        ),
        pytest.param(
            LORA | COPIED | REPEATED | {"base_model.model.bert.query.bias": [OUT]},
            {"bias": "all", "modules_to_save": ["classifier"]},
            ADDED + COPY + OUT,
            OWN + ADDED + COPY,
            id="biases and a copy",
        ),
    ],
)
def test_the_counts_of_both(
    shapes: dict[str, list[int]], stated: dict[str, object], trainable: int, whole: int, tmp_path: Path
) -> None:
    """Biases that are trained in place are no further parameters; a copied module is there twice."""
    adapter, base = saved(tmp_path, shapes, **stated), str(tmp_path / "base.safetensors")
    found = api.audit_target(adapter, base=base)
    assert found.base == api.AdaptedModel(target=base, parameters=OWN, trainable=trainable, all=whole)
    line = f"trainable params: {trainable:,} || all params: {whole:,} || trainable%: {100 * trainable / whole:.4f}"
    assert line in invoke("audit", adapter, "--base", base).stdout.splitlines()


def test_the_base_may_be_the_body_alone_or_python_code(tmp_path: Path) -> None:
    """A file of the body has no `bert.` before its names. 3·5 + 5 values in code."""
    adapter = saved(tmp_path, LORA)
    write_zeros(tmp_path / "body.safetensors", {"query.weight": [OUT, IN], "query.bias": [OUT]})
    found = api.audit_target(adapter, base=str(tmp_path / "body.safetensors")).base
    assert found is not None
    assert (found.parameters, found.all) == (OUT * IN + OUT, OUT * IN + OUT + ADDED)
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    return nn.ModuleDict({'query': nn.Linear(3, 5)})\n"
    )
    found = api.audit_target(adapter, base=f"{tmp_path}/net.py:net").base
    assert found is not None
    assert found.parameters == 20


def test_another_model_is_refused(tmp_path: Path) -> None:
    adapter = saved(tmp_path, LORA)
    write_zeros(tmp_path / "other.safetensors", {"bert.key.weight": [OUT, IN]})
    done = invoke("audit", adapter, "--base", str(tmp_path / "other.safetensors"))
    assert done.returncode == 2
    assert f'other.safetensors: has no layer "bert.query", which {adapter} adapts' in done.stderr


def test_what_is_no_adapter_has_no_base(tmp_path: Path) -> None:
    saved(tmp_path, LORA)
    base = str(tmp_path / "base.safetensors")
    done = invoke("audit", base, "--base", base)
    assert done.returncode == 2
    assert f"{base}: is no folder with an adapter_config.json; --base is the model" in done.stderr
