"""Packed weights by policy `logical`: the values that they stand for, and what is said where no rule is known."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from capsaudit import api
from capsaudit.arithmetic import Shape
from capsaudit.inspection.files.packed import awq, gptq, unpacked
from capsaudit.inspection.files.parts import Contents
from capsaudit.inspection.files.rows import file_row
from tests.processes import invoke

I32, F16, U8, I8, F8, F32 = torch.int32, torch.float16, torch.uint8, torch.int8, torch.float8_e4m3fn, torch.float32
Shapes = dict[str, tuple[Shape, torch.dtype]]

GPTQ: Shapes = {  # 64 inputs and 32 outputs of 4 bits, in groups of 32 inputs
    "q.qweight": ((8, 32), I32), "q.qzeros": ((2, 4), I32), "q.scales": ((2, 32), F16), "q.g_idx": ((64,), I32), "q.bias": ((32,), F16),
}  # fmt: skip
AWQ: Shapes = {
    "q.qweight": ((64, 4), I32),
    "q.qzeros": ((2, 4), I32),
    "q.scales": ((2, 32), F16),
    "q.bias": ((32,), F16),
}
NF4: Shapes = {  # 64·32 values, in blocks of 64
    "q.weight": ((1024, 1), U8), "q.weight.absmax": ((32,), U8), "q.weight.quant_map": ((16,), F32),
    "q.weight.nested_absmax": ((1,), F32), "q.weight.nested_quant_map": ((256,), F32),
    "q.weight.quant_state.bitsandbytes__nf4": ((90,), U8), "q.bias": ((32,), F16),
}  # fmt: skip
INT8: Shapes = {"q.weight": ((32, 64), I8), "q.SCB": ((32,), F32), "q.weight_format": ((), U8), "q.bias": ((32,), F16)}
FP8: Shapes = {
    "q.weight": ((32, 64), F8),
    "q.weight_scale_inv": ((1, 1), F32),
    "q.input_scale": ((), F32),
    "q.bias": ((32,), F16),
}


def saved(path: Path, shapes: Shapes) -> str:
    save_file({name: zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}, path)
    return str(path)


def zeros(shape: Shape, dtype: torch.dtype) -> Tensor:
    return torch.zeros(shape).to(dtype)


@pytest.mark.parametrize(
    ("shapes", "stored", "apart", "rule"),
    [
        pytest.param(GPTQ, 8 * 32 + 8 + 64 + 64 + 32, 8 + 64 + 64, "GPTQ, 4 bits, int32 [inputs·4/32, outputs]", id="GPTQ"),
        pytest.param(AWQ, 64 * 4 + 8 + 64 + 32, 8 + 64, "AWQ, 4 bits, int32 [inputs, outputs·4/32]", id="AWQ"),
        pytest.param(NF4, 1024 + 32 + 16 + 1 + 256 + 90 + 32, 32 + 16 + 1 + 256 + 90, "bitsandbytes, 4 bits, [values/2, 1] bytes", id="nf4"),
        pytest.param(INT8, 2048 + 32 + 1 + 32, 32 + 1, "bitsandbytes, 8 bits, int8 [outputs, inputs]", id="int8"),
        pytest.param(FP8, 2048 + 1 + 1 + 32, 1 + 1, "fp8, 8 bits, float8, the weight's own shape", id="fp8"),
    ],
)  # fmt: skip
def test_the_values_that_a_packed_layer_stands_for(
    tmp_path: Path, shapes: Shapes, stored: int, apart: int, rule: str
) -> None:
    """A linear layer from 64 to 32, with a bias of 32 that is not packed: 64·32 + 32."""
    target = saved(tmp_path / "net.safetensors", shapes)
    assert api.audit_target(target).trainable == stored
    found = api.audit_target(target, policy="logical")
    assert found.trainable == 2080
    name = next(iter(shapes))
    assert found.notes[:2] == (
        f'by policy logical, "{name}" stands for 2,048 values: {rule}',
        f"scales, zero points and codebooks have {apart:,} values, which policy logical leaves out",
    )
    assert found.warnings == ()


def test_layers_of_one_rule_are_named_together(tmp_path: Path) -> None:
    target = saved(
        tmp_path / "net.safetensors", GPTQ | {name.replace("q.", "k.", 1): each for name, each in GPTQ.items()}
    )
    found = api.audit_target(target, policy="logical")
    assert (found.trainable, found.notes[0].partition(":")[0]) == (
        4160,  # 2·2080
        'by policy logical, 2 tensors such as "k.qweight" stand for 4,096 values',
    )


def test_the_packed_weight_may_have_the_type_of_other_bytes(tmp_path: Path) -> None:
    """512 values of bfloat16 are 1024 bytes, of two values each."""
    shapes = NF4 | {"q.weight": ((512, 1), torch.bfloat16)}
    assert api.audit_target(saved(tmp_path / "net.safetensors", shapes), policy="logical").trainable == 2080


def test_the_command_line_names_the_rule(tmp_path: Path) -> None:
    run = invoke("audit", saved(tmp_path / "net.safetensors", GPTQ), columns=200)
    assert "All parameters by policy: stored 424 · logical 2,080. Used here: stored." in run.stdout
    assert 'by policy logical, "q.qweight" stands for 2,048 values: GPTQ, 4 bits' in run.stdout


@pytest.mark.parametrize(
    ("shapes", "name"),
    [
        pytest.param({"q.weight_packed": ((32, 8), I32), "q.weight_scale": ((32, 1), F16)}, "q.weight_packed", id="compressed-tensors"),
        pytest.param({"q.weight": ((32, 8), torch.uint32), "q.scales": ((32, 1), F16)}, "q.weight", id="MLX"),
        pytest.param({"e.gate_blocks": ((4, 8, 16), U8), "e.gate_scales": ((4, 8), U8)}, "e.gate_blocks", id="MXFP4"),
        pytest.param(GPTQ | {"q.scales": ((2, 33), F16)}, "q.qweight", id="shapes that do not belong together"),
        pytest.param(NF4 | {"q.weight.absmax": ((5,), U8)}, "q.weight", id="blocks of no size that is known"),
        pytest.param({"q.qweight": ((8, 32), I32)}, "q.qweight", id="no scales"),
    ],
)  # fmt: skip
def test_what_looks_packed_by_no_known_rule_is_warned_of(tmp_path: Path, shapes: Shapes, name: str) -> None:
    target = saved(tmp_path / "net.safetensors", shapes)
    found = api.audit_target(target)
    (warning, *_) = found.warnings
    assert (warning.kind, warning.path) == ("packed", name)
    assert warning.message.startswith(f'"{name}"')
    assert "packed integers are counted as they are stored" in warning.message
    assert found.trainable == api.audit_target(target, policy="logical").trainable


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param({"attn.bias": ((1, 1, 8, 8), U8), "attn.weight": ((8, 8), F32)}, id="a mask of GPT-2"),
        pytest.param({"w.relative_position_index": ((4, 4), torch.int64), "w.logit_scale": ((4, 1), F32)}, id="indices of Swin"),
        pytest.param({"q.weight": ((4, 4), F8)}, id="fp8 without scales"),
        pytest.param({"q.scales": ((4,), I32), "q.weight": ((4, 4), F32)}, id="one axis"),
    ],
)  # fmt: skip
def test_other_integers_are_not_warned_of(tmp_path: Path, shapes: Shapes) -> None:
    found = api.audit_target(saved(tmp_path / "net.safetensors", shapes))
    assert (found.warnings, list(found.policies)) == ((), ["stored"])


@pytest.mark.parametrize(
    ("quantization", "shapes", "note", "warning"),
    [
        pytest.param({"quant_method": "gptq", "bits": 4}, GPTQ, 'quant_method "gptq", bits 4', "", id="agrees"),
        pytest.param({"bits": 8}, GPTQ, "bits 8", "states bits 8; the tensors have 4 bits", id="bits"),
        pytest.param({"quant_method": "awq"}, GPTQ, 'quant_method "awq"', "the tensors are GPTQ", id="method"),
        pytest.param({"quant_method": "modelopt"}, FP8, 'quant_method "modelopt"', "", id="a method without a rule of its own"),
        pytest.param({"quant_method": ["x"]}, FP8, 'quant_method ["x"]', "", id="no name"),
        pytest.param({"quant_method": "mxfp4"}, {"q.bias": ((3,), F32)}, 'quant_method "mxfp4"', "packed by no rule", id="none"),
    ],
)  # fmt: skip
def test_the_configuration_is_compared(
    tmp_path: Path, quantization: object, shapes: Shapes, note: str, warning: str
) -> None:
    saved(tmp_path / "model.safetensors", shapes)
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": quantization}))
    found = api.audit_target(str(tmp_path))
    assert f"config.json, quantization_config: {note}" in found.notes
    assert [warning in each.message for each in found.warnings] == ([True] if warning else [])


@pytest.mark.parametrize("content", [{}, {"quantization_config": None}, {"quantization_config": "x"}])
def test_a_configuration_without_quantization_says_nothing(tmp_path: Path, content: object) -> None:
    saved(tmp_path / "model.safetensors", GPTQ)
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = api.audit_target(str(tmp_path))
    assert (found.warnings, any("quantization_config" in note for note in found.notes)) == ((), False)


@given(
    bits=st.sampled_from([2, 3, 4, 8]),
    inputs=st.integers(1, 8).map(lambda n: 32 * n),
    outputs=st.integers(1, 8).map(lambda n: 32 * n),
    groups=st.integers(1, 4),
)
def test_a_layer_of_any_size_is_recognised_as_one_format_only(
    bits: int, inputs: int, outputs: int, groups: int
) -> None:
    zeros, scales = (groups, outputs * bits // 32), (groups, outputs)
    for made, rule, other in (((inputs * bits // 32, outputs), gptq, awq), ((inputs, outputs * bits // 32), awq, gptq)):
        found = rule(made, zeros, scales)
        assert found is not None
        assert (found.values, found.bits, other(made, zeros, scales)) == (inputs * outputs, bits, None)


SHAPES = st.lists(st.integers(0, 64), max_size=3).map(tuple)


NAMES = st.sampled_from(sorted({*GPTQ, *NF4, *INT8, *FP8}))
DTYPES = st.sampled_from(["int32", "uint8", "int8", "float8_e5m2", "float16"])


@given(st.dictionaries(NAMES, st.tuples(SHAPES, DTYPES)))
def test_any_shapes_are_counted_or_warned_of(tensors: dict[str, tuple[Shape, str]]) -> None:
    """A packed value takes two bits at least."""
    rows = tuple(
        file_row(name, shape, dtype, 4 * torch.Size(shape).numel()) for name, (shape, dtype) in tensors.items()
    )
    for row in unpacked(Contents(rows), {}).tensors:
        assert 0 <= row.by("logical") <= 16 * max(row.count, 1)
