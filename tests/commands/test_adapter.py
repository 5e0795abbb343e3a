"""LoRA adapters with the model that they adapt: what PEFT's `print_trainable_parameters()` prints for the two."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit import api
from capsaudit.arithmetic import Shape
from capsaudit.commands.adapter import Configuration, adapted
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.rows import file_row
from capsaudit.inventory import Inventory
from tests.processes import invoke

BASE: dict[str, Shape] = {
    "model.q.weight": (6, 4),
    "model.q.bias": (6,),
    "head.weight": (3, 6),
    "head.bias": (3,),
}  # 24 + 6 + 18 + 3 = 51
LORA: dict[str, Shape] = {"model.q.lora_A.weight": (2, 4), "model.q.lora_B.weight": (6, 2)}  # r = 2: 2·4 + 6·2 = 20
HEAD: dict[str, Shape] = {"head.weight": (3, 6), "head.bias": (3,)}  # 18 + 3 = 21

LINE = "trainable params: 20 || all params: 71 || trainable%: 28.1690\n"  # 51 + 20; 100·20/71


def inventory(shapes: dict[str, Shape], prefix: str = "", incomplete: str | None = None) -> Inventory:
    rows = tuple(file_row(f"{prefix}{name}", shape, "float32", 0) for name, shape in shapes.items())
    return Inventory(target="base", tensors=rows, incomplete=incomplete)


def counts(adapter: dict[str, Shape], base: dict[str, Shape] = BASE, **config: object) -> tuple[int, int]:
    settings = Configuration("LORA", **config)  # type: ignore[arg-type]
    found = adapted(inventory(adapter, "base_model.model."), settings, inventory(base))
    return found.trainable, found.parameters


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of an adapter, beside base.safetensors and net.py:Net, which both are its base model."""
    save_file({name: torch.zeros(shape) for name, shape in BASE.items()}, tmp_path / "base.safetensors")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.model = nn.ModuleDict({'q': nn.Linear(4, 6)})\n        self.head = nn.Linear(6, 3)\n"
        "        self.register_buffer('positions', __import__('torch').zeros(9))\n"
    )
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    tensors = {f"base_model.model.{name}": torch.zeros(shape) for name, shape in LORA.items()}
    save_file(tensors, adapter / "adapter_model.safetensors")
    configure(adapter, peft_type="LORA", r=2, bias="none", modules_to_save=None)
    return adapter


def configure(folder: Path, **config: object) -> None:
    (folder / "adapter_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("base", ["base.safetensors", "net.py:Net"])
def test_the_line_is_that_of_peft(folder: Path, base: str) -> None:
    run = invoke("audit", "adapter", "--base", base, cwd=folder.parent)
    assert run.returncode == 0, run.stderr
    assert f"With the base model {base} (51 parameters), PEFT prints:\n{LINE}" in run.stdout
    assert run.stdout.startswith("adapter: 20 trainable\n")  # its own count is as without --base


def test_the_counts_are_in_the_result(folder: Path) -> None:
    result = api.audit_target(str(folder), base=str(folder.parent / "base.safetensors"))
    assert result.adapted is not None
    assert (result.adapted.base_parameters, result.adapted.trainable, result.adapted.parameters) == (51, 20, 71)
    assert api.audit_target(str(folder)).adapted is None


def test_a_module_to_save_is_trained_as_a_copy() -> None:
    assert counts(LORA | HEAD, modules_to_save=("head",)) == (41, 92)  # 20 + 21; 51 + 41, the original stays


def test_biases_that_are_trained_are_the_base_models_own() -> None:
    bias: dict[str, Shape] = {"model.q.bias": (6,)}
    assert counts(LORA | bias, bias="all") == (26, 71)  # 20 + 6; 51 + 20
    assert counts(LORA | bias) == (20, 71)  # stored, and not trained
    assert counts(LORA | bias | HEAD, bias="all", modules_to_save=("head",)) == (47, 92)  # 20 + 6 + 21; 51 + 20 + 21


def test_what_is_saved_twice_counts_once() -> None:
    """PEFT 0.21 writes these too, and prints the same as without them."""
    bias: dict[str, Shape] = {"model.q.bias": (6,)}
    twice: dict[str, Shape] = {f"head.{name}.bias": (3,) for name in ("original_module", "modules_to_save")}
    assert counts(LORA | bias | HEAD | twice, bias="all", modules_to_save=("head",)) == (47, 92)  # 20 + 6 + 21; 51 + 41


def test_embeddings_that_are_only_stored_are_not_trained() -> None:
    assert counts(LORA | {"model.q.base_layer.weight": (6, 4)}) == (20, 71)


def test_tokens_and_magnitudes_are_added() -> None:
    more: dict[str, Shape] = {"head.trainable_tokens_delta": (5,), "model.q.lora_magnitude_vector": (6,)}
    assert counts(LORA | more) == (31, 82)  # 20 + 5 + 6; 51 + 31


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_a_base_may_be_the_network_inside_or_around(prefix: str) -> None:
    """The file of GPT-2 has `h.0…` where its class with a head, which adapters are of, has `transformer.h.0…`."""
    inside, outside = (("", prefix), (prefix, ""))
    for own, other in (inside, outside):
        adapter: dict[str, Shape] = {f"{own}{name}": shape for name, shape in LORA.items()}
        assert counts(adapter, {f"{other}{name}": shape for name, shape in BASE.items()}) == (20, 71)


def mt0_large() -> dict[str, Shape]:
    """Width 1024, 16 heads of 64, 2816 wide between, vocabulary 250,112 with a head of its own, 24 blocks on each side."""
    shapes: dict[str, Shape] = {"shared.weight": (250_112, 1024), "lm_head.weight": (250_112, 1024)}
    for side, attentions in (("encoder", ["SelfAttention"]), ("decoder", ["SelfAttention", "EncDecAttention"])):
        shapes[f"{side}.block.0.relative_attention_bias.weight"] = (32, 16)
        shapes[f"{side}.final_layer_norm.weight"] = (1024,)
        for block in range(24):
            for attention in attentions:
                shapes |= {f"{side}.block.{block}.{attention}.{name}.weight": (1024, 1024) for name in "qkvo"}
                shapes[f"{side}.block.{block}.{attention}.layer_norm.weight"] = (1024,)
            shapes |= {f"{side}.block.{block}.{name}.weight": (2816, 1024) for name in ("wi_0", "wi_1")}
            shapes[f"{side}.block.{block}.wo.weight"] = (1024, 2816)
            shapes[f"{side}.block.{block}.layer_norm.weight"] = (1024,)
    return shapes


def test_the_published_counts_of_mt0_large() -> None:
    """PEFT's README: `trainable params: 2359296 || all params: 1231940608`, with r = 8 on every q and v.

    (24 + 2·24)·2 weights of 1024 × 1024 get 8·1024 + 1024·8 each.
    """
    base = mt0_large()
    adapted_names = [name.removesuffix(".weight") for name in base if name.endswith(("q.weight", "v.weight"))]
    factors: dict[str, Shape] = {"lora_A": (8, 1024), "lora_B": (1024, 8)}
    adapter = {f"{name}.{factor}.weight": shape for name in adapted_names for factor, shape in factors.items()}
    assert counts(adapter, base) == (2_359_296, 1_231_940_608)


def test_a_packed_base_counts_as_the_values_that_it_stands_for(folder: Path) -> None:
    """PEFT counts two values for each byte of bitsandbytes: 8·8 values are 32 bytes, in one block."""
    packed = {"q.weight": torch.zeros(32, 1, dtype=torch.uint8), "q.weight.absmax": torch.zeros(1)}
    packed["q.weight.quant_map"] = torch.zeros(16)
    save_file(packed, folder.parent / "packed.safetensors")
    save_file(
        {"base_model.model.q.lora_A.weight": torch.zeros(2, 8), "base_model.model.q.lora_B.weight": torch.zeros(8, 2)},
        folder / "adapter_model.safetensors",
    )
    found = api.audit_target(str(folder), base=str(folder.parent / "packed.safetensors")).adapted
    assert found is not None
    assert (found.trainable, found.parameters) == (32, 96)  # 2·8 + 8·2; 64 + 32


@pytest.mark.parametrize(
    ("adapter", "base", "message"),
    [
        pytest.param({"q.lora_A.weight": (2, 5), "q.lora_B.weight": (6, 2)}, BASE,
                     r'base: has a weight of shape \[6, 4\], where the adapter changes "q" of shape \[6, 5\]', id="inputs"),
        pytest.param({"k.lora_A.weight": (2, 4), "k.lora_B.weight": (6, 2)}, BASE, 'base: has no such weight, .* changes "k"', id="layer"),
        pytest.param({"model.q.bias": (7,)}, BASE, r"has one of shape \[6\], where .* of shape \[7\]", id="bias"),
        pytest.param({"model.k.bias": (6,)}, BASE, "has no such tensor, where the adapter has", id="no bias"),
        pytest.param(LORA, BASE | {"model.k.qweight": (2, 8)}, "as by GPTQ or AWQ, in buffers", id="GPTQ"),
    ],
)  # fmt: skip
def test_another_base_is_refused(adapter: dict[str, Shape], base: dict[str, Shape], message: str) -> None:
    with pytest.raises(CapsauditError, match=message):
        counts(adapter, base, bias="all")


def test_a_shard_is_no_base() -> None:
    base = inventory(BASE, incomplete="is one shard of four")
    with pytest.raises(CapsauditError, match="base: is one shard of four; --base needs whole models"):
        adapted(inventory(LORA), Configuration("LORA"), base)


def test_only_folders_of_lora_adapters_have_a_base(folder: Path) -> None:
    base = ("--base", "base.safetensors")
    run = invoke("audit", "base.safetensors", *base, cwd=folder.parent)
    assert (run.returncode, "has no adapter_config.json; --base needs the folder" in run.stderr) == (2, True)
    configure(folder, peft_type="IA3")
    run = invoke("audit", "adapter", *base, cwd=folder.parent)
    assert (run.returncode, 'peft_type is "IA3"; --base can add only LoRA' in run.stderr) == (2, True)
    configure(folder, bias="none")
    assert invoke("audit", "adapter", *base, cwd=folder.parent).returncode == 2
    run = invoke("audit", *base, cwd=folder.parent)
    assert (run.returncode, "apply without TARGET" in run.stderr) == (2, True)
