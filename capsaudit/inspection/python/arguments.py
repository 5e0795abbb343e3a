"""Parsing `--kwarg` and `--input`. This needs no torch, so mistakes are reported before a slow import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError
from capsaudit.inspection.process import Input
from capsaudit.knobs import parse_setting
from capsaudit.validation import nearest

FLOAT = "float32"

DTYPES = (
    *("float64", FLOAT, "float16", "bfloat16", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)
"""Dtypes of an input, as torch names them."""

_PYTHON_LITERALS = {
    "True": 'write true, or "True" for a string',
    "False": 'write false, or "False" for a string',
    "None": "omit the argument, or name a function that builds the model",
}
"""Python literals that TOML does not have. Read as bare strings they would all be truthy: bias=False would enable the bias."""


def parse_kwargs(texts: Iterable[str]) -> dict[str, object]:
    """Parse `name=value` arguments. The value is TOML; a bare word is a string.

    >>> parse_kwargs(["hidden=64", "sizes=1,2", "bias=false", "kind=relu"])
    {'hidden': 64, 'sizes': [1, 2], 'bias': False, 'kind': 'relu'}

    Raises:
        CapsauditError: with one line for each invalid argument.
    """
    texts = list(texts)
    if faults := [fault for index, text in enumerate(texts) for fault in _kwarg_faults(text, texts[:index])]:
        raise CapsauditError(*faults)
    return dict(parse_setting(text, "--kwarg") for text in texts)


def _kwarg_faults(text: str, before: Iterable[str]) -> Iterator[str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        yield f"--kwarg {text}: expected name=value with the name of an argument, such as hidden=64"
    elif any(name == other.partition("=")[0].strip() for other in before):
        yield f"--kwarg {text}: {name} is given twice"
    elif value in _PYTHON_LITERALS:
        yield f"--kwarg {text}: values are TOML, not Python; {_PYTHON_LITERALS[value]}"


def parse_inputs(texts: Iterable[str]) -> list[Input]:
    """Parse inputs: the shape of one example, without the batch, and optionally a dtype after a colon, and a name before an equals sign.

    >>> parse_inputs(["1,28,28", "mask=16:int64", ":int64"])  # the last one is a scalar
    [Input(shape=(1, 28, 28), dtype='float32', name=''), Input(shape=(16,), dtype='int64', name='mask'), Input(shape=(), dtype='int64', name='')]

    Raises:
        CapsauditError: with one line for each invalid name, shape or dtype.
    """
    texts = list(texts)
    named = [(text, *text.rpartition("=")) for text in texts]
    parts = [(text, name.strip() if equals else None, *rest.partition(":")) for text, name, equals, rest in named]
    faults = list(_name_faults([(text, name) for text, name, *_ in parts]))
    faults += [fault for text, _, sizes, colon, dtype in parts for fault in _input_faults(text, sizes, colon + dtype)]
    if faults:
        raise CapsauditError(*faults)
    return [Input(_shape(sizes), dtype.strip() or FLOAT, name or "") for _, name, sizes, _, dtype in parts]


def _name_faults(inputs: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    for index, (text, name) in enumerate(inputs):
        if name is not None and not name.isidentifier():
            yield f"--input {text}: expected the name of an argument of forward before =, such as input_ids=16:int64"
        elif name is not None and name in (other for _, other in inputs[:index]):
            yield f"--input {text}: {name} is given twice"


def _input_faults(text: str, sizes: str, dtype: str) -> Iterator[str]:
    if sizes.strip() or not dtype:
        wrong = [size.strip() for size in sizes.split(",") if not _is_size(size.strip())]
        if wrong:
            yield f"--input {text}: {', '.join(map(repr, wrong))}: expected positive sizes, such as 1,28,28 or 16:int64"
    if dtype and (name := dtype[1:].strip()) not in DTYPES:
        yield f"--input {text}: unknown dtype {name!r}; {nearest(name, DTYPES)}"


def _shape(sizes: str) -> Shape:
    return tuple(int(size) for size in sizes.split(",")) if sizes.strip() else ()


def _is_size(text: str) -> bool:
    """Whether it is a positive integer that torch accepts. Any 18 digits are below 2^63."""
    return text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0
