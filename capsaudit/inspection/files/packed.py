"""Packed weights: how many values the integers in a file stand for, by the names, types and shapes that the formats of quantisation have.

A rule is a function of shapes. It gives None where they do not belong together, so that nothing is counted by a rule that only its name fits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.inspection.files.parts import Contents
from capsaudit.inventory import LOGICAL, Finding, InventoryTensor
from capsaudit.validation import shown

_WORD = 32
"""The bits of an integer that GPTQ and AWQ pack values into."""

_BITS = (2, 3, 4, 8)
_BLOCK_SIZES = tuple(2**n for n in range(5, 13))
"""How many values have a scale of their own in bitsandbytes: 64 by default, up to 4096."""

_METHODS = {"gptq": "GPTQ", "awq": "AWQ", "bitsandbytes": "bitsandbytes", "fp8": "fp8"}
"""What config.json calls the methods that there are rules for."""

_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32"})
_PACKED_NAME = re.compile(r"qweight|packed|_blocks$|quantized", re.IGNORECASE)
_SCALE_NAME = re.compile(r"scale|absmax|qzeros|zero_point|codebook|quant_map|SCB", re.IGNORECASE)


class Packed(Struct, frozen=True):
    """A packed weight. `values`: how many it stands for. `layout`: the type and shape that it has by the rule."""

    method: str
    bits: int
    values: int
    layout: str


def gptq(qweight: Shape, qzeros: Shape, scales: Shape) -> Packed | None:
    """GPTQ: 32 bits have some inputs of one output. Of the zero points, 32 bits have some outputs, which says how many bits a value has.

    >>> gptq((2, 8), (2, 1), (2, 8)).values  # 1·32 bits of zeros for 8 outputs: 4 bits. 2·32/4 = 16 inputs; 16·8
    128
    >>> gptq((3, 32), (1, 3), (1, 32)).values  # 3·32/32 = 3 bits. 3·32/3 = 32 inputs; 32·32
    1024
    >>> gptq((2, 7), (2, 1), (2, 8)), gptq((2, 8), (3, 1), (2, 8))  # 7 outputs, and scales of 8; zeros of 3 groups, and scales of 2
    (None, None)
    """
    if not len(qweight) == len(qzeros) == len(scales) == 2 or qweight[1] != scales[1] or qzeros[0] != scales[0]:
        return None
    bits = _quotient(_WORD * qzeros[1], scales[1])
    inputs = _quotient(_WORD * qweight[0], bits)
    if bits not in _BITS or inputs == 0:
        return None
    return Packed("GPTQ", bits, inputs * scales[1], f"int32 [inputs·{bits}/32, outputs]")


def awq(qweight: Shape, qzeros: Shape, scales: Shape) -> Packed | None:
    """AWQ: 32 bits have some outputs of one input.

    >>> awq((16, 1), (2, 1), (2, 8)).values  # 1·32 bits for 8 outputs: 4 bits. 16 inputs; 16·8
    128
    >>> awq((16, 1), (2, 2), (2, 8)), awq((16, 1), (3, 1), (2, 8))  # twice as many zeros; zeros of 3 groups, and scales of 2
    (None, None)
    """
    if not len(qweight) == len(qzeros) == len(scales) == 2 or qweight[1] != qzeros[1] or qzeros[0] != scales[0]:
        return None
    bits = _quotient(_WORD * qweight[1], scales[1])
    return Packed("AWQ", bits, qweight[0] * scales[1], f"int32 [inputs, outputs·{bits}/32]") if bits in _BITS else None


def bitsandbytes_4bit(size: int, blocks: int) -> Packed | None:
    """The 4-bit formats of bitsandbytes: two values a byte. `blocks`: how many have an absolute maximum. Of an odd number the last is padding.

    >>> bitsandbytes_4bit(64, 2).values  # 64·2 values, in 2 blocks of 64
    128
    >>> bitsandbytes_4bit(64, 3)
    """
    values = 2 * size
    if not any(-(-values // length) == blocks for length in _BLOCK_SIZES):
        return None
    return Packed("bitsandbytes", 4, values, "[values/2, 1] bytes")


def bitsandbytes_int8(weight: Shape, maxima: Shape) -> Packed | None:
    """The 8-bit format of bitsandbytes: a value a byte, and a maximum for each output.

    >>> bitsandbytes_int8((3, 5), (3,)).values  # 3·5
    15
    >>> bitsandbytes_int8((3, 5), (5,))
    """
    fits = len(weight) == 2 and math.prod(maxima) == weight[0]
    return Packed("bitsandbytes", 8, math.prod(weight), "int8 [outputs, inputs]") if fits else None


def fp8(weight: Shape, scale: Shape) -> Packed | None:
    """8-bit floating-point numbers: a value a byte, and a scale for all, for each output, or for each block of the last two axes.

    >>> fp8((256, 384), (2, 3)).values  # 256·384, in 2·3 blocks of 128×128
    98304
    >>> fp8((2, 3), ()).values, fp8((2, 3), (2, 1)).values
    (6, 6)
    >>> fp8((2, 3), (3, 2))
    """
    fits = math.prod(scale) == 1 or all(s <= w for s, w in zip(scale, weight, strict=False))
    return Packed("fp8", 8, math.prod(weight), "float8, the weight's own shape") if fits else None


def _quotient(number: int, divisor: int) -> int:
    """0 where there is a remainder."""
    return 0 if not divisor or number % divisor else number // divisor


Tensors = Mapping[str, InventoryTensor]


class _Found(Struct, frozen=True):
    """A packed weight by its name. `apart`: the names of what is only stored to unpack it."""

    name: str
    packed: Packed
    apart: tuple[str, ...]


def unpacked(found: Contents, quantization: Mapping[str, object]) -> Contents:
    """The same tensors with their counts by the policy `logical`, and what was recognised. `quantization`: that of config.json; empty without."""
    tensors = {tensor.name: tensor for tensor in found.tensors}
    packed = [each for tensor in found.tensors if (each := _recognised(tensor, tensors))]
    counts = {name: 0 for each in packed for name in each.apart} | {each.name: each.packed.values for each in packed}
    rows = tuple(_counted(tensor, counts) for tensor in found.tensors) if counts else found.tensors
    notes = (*_rule_notes(packed), *_apart_note(packed, tensors), *_stated_note(quantization))
    warnings = (*_unknown(tensors, counts), *_contradictions(packed, quantization))
    return msgspec.structs.replace(found, tensors=rows, notes=(*notes, *found.notes), warnings=warnings)


def _counted(tensor: InventoryTensor, counts: Mapping[str, int]) -> InventoryTensor:
    count = counts.get(tensor.name, tensor.count)
    if count == tensor.count or tensor.same_as is not None:
        return tensor
    return msgspec.structs.replace(tensor, counts=tensor.counts | {LOGICAL: count})


def _recognised(tensor: InventoryTensor, tensors: Tensors) -> _Found | None:
    """The first rule whose names, types and shapes fit the tensor and what lies beside it."""
    layer, _, own = tensor.name.rpartition(".")
    beside = f"{layer}." if layer else ""
    if own == "qweight" and tensor.dtype == "int32":
        return _words(tensor, beside, tensors)
    if f"{tensor.name}.absmax" in tensors:
        return _four_bits(tensor, tensors)
    if tensor.dtype == "int8" and f"{beside}SCB" in tensors:
        packed = bitsandbytes_int8(tensor.shape, tensors[f"{beside}SCB"].shape)
        return _found(tensor, packed, [f"{beside}SCB", f"{beside}weight_format"], tensors)
    if tensor.dtype.startswith("float8"):
        return _scaled(tensor, beside, tensors)
    return None


def _words(tensor: InventoryTensor, beside: str, tensors: Tensors) -> _Found | None:
    zeros, scales = tensors.get(f"{beside}qzeros"), tensors.get(f"{beside}scales")
    if zeros is None or scales is None:
        return None
    shapes = tensor.shape, zeros.shape, scales.shape
    return _found(tensor, gptq(*shapes) or awq(*shapes), [zeros.name, scales.name, f"{beside}g_idx"], tensors)


def _four_bits(tensor: InventoryTensor, tensors: Tensors) -> _Found | None:
    """Whatever the type of the weight: it may be one in which other libraries move bytes, such as bfloat16."""
    ends = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"]
    ends += [f"quant_state.bitsandbytes__{kind}" for kind in ("nf4", "fp4")]
    packed = bitsandbytes_4bit(tensor.bytes, tensors[f"{tensor.name}.absmax"].count)
    return _found(tensor, packed, [f"{tensor.name}.{end}" for end in ends], tensors)


def _scaled(tensor: InventoryTensor, beside: str, tensors: Tensors) -> _Found | None:
    names = [f"{tensor.name}_scale", f"{tensor.name}_scale_inv"]
    scale = next((tensors[name] for name in names if name in tensors), None)
    packed = fp8(tensor.shape, scale.shape) if scale else None
    return _found(tensor, packed, [*names, f"{beside}input_scale"], tensors)


def _found(tensor: InventoryTensor, packed: Packed | None, apart: Sequence[str], tensors: Tensors) -> _Found | None:
    return _Found(tensor.name, packed, tuple(name for name in apart if name in tensors)) if packed else None


def _rule_notes(packed: Sequence[_Found]) -> Iterator[str]:
    by_rule: dict[tuple[str, int, str], list[_Found]] = {}
    for each in packed:
        by_rule.setdefault((each.packed.method, each.packed.bits, each.packed.layout), []).append(each)
    for (method, bits, layout), found in by_rule.items():
        values, first = sum(each.packed.values for each in found), shown(found[0].name)
        who = f"{first} stands" if len(found) == 1 else f"{len(found):,} tensors such as {first} stand"
        yield f"by policy logical, {who} for {values:,} values: {method}, {bits} bits, {layout}"


def _apart_note(packed: Sequence[_Found], tensors: Tensors) -> Iterator[str]:
    if count := sum(tensors[name].count for name in {name for each in packed for name in each.apart}):
        yield f"scales, zero points and codebooks have {count:,} values, which policy logical leaves out"


def _stated_note(quantization: Mapping[str, object]) -> Iterator[str]:
    stated = [f"{key} {shown(quantization[key])}" for key in ("quant_method", "bits", "fmt") if key in quantization]
    if stated:
        yield f"config.json, quantization_config: {', '.join(stated)}"


def _contradictions(packed: Sequence[_Found], quantization: Mapping[str, object]) -> Iterator[Finding]:
    """What config.json states otherwise than the tensors. A method that no rule is of may write tensors as another one does."""
    methods, bits = {each.packed.method for each in packed}, {each.packed.bits for each in packed}
    stated, stated_bits = quantization.get("quant_method"), quantization.get("bits")
    expected = _METHODS.get(stated) if isinstance(stated, str) else None
    if stated is not None and (not packed or expected not in {None, *methods}):
        by_tensors = ", ".join(sorted(methods)) or "packed by no rule that is known"
        yield _warning("", f"config.json states quant_method {shown(stated)}; the tensors are {by_tensors}", 0)
    if packed and stated_bits is not None and stated_bits not in bits:
        by_tensors = ", ".join(map(str, sorted(bits)))
        yield _warning("", f"config.json states bits {shown(stated_bits)}; the tensors have {by_tensors} bits", 0)


def _unknown(tensors: Tensors, known: Mapping[str, int]) -> Iterator[Finding]:
    """Integers that look packed, by their names or by scales beside them, and belong to no rule."""
    scaled = {tensor.layer for tensor in tensors.values() if _SCALE_NAME.search(tensor.name.rpartition(".")[2])}
    found = [
        each
        for each in tensors.values()
        if each.dtype in _INTEGERS
        and each.name not in known
        and len(each.shape) > 1
        and (not scaled.isdisjoint((each.layer, each.name)) or _PACKED_NAME.search(each.name.rpartition(".")[2]))
    ]
    if found:
        more = f" and {len(found) - 1:,} more look" if len(found) > 1 else " looks"
        count = sum(each.count for each in found)
        message = f"{shown(found[0].name)}{more} packed, by no rule that is known; {count:,} packed integers are counted as they are stored"
        yield _warning(found[0].name, message, count)


def _warning(path: str, message: str, count: int) -> Finding:
    return Finding(kind="packed", path=path, message=message, count=count)
