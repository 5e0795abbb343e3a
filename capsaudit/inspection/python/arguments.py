"""What a person gives a model on the command line: keyword arguments to build it with, and the sizes of one example to feed it.

Neither needs torch, so that a slip of the pen is told before anything slow is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError
from capsaudit.knobs import parse_setting
from capsaudit.validation import nearest

FLOAT = "float32"

DTYPES = (
    *("float64", FLOAT, "float16", "bfloat16", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)
"""Dtypes of an input, as torch names them."""

_PYTHON_WORDS = {
    "True": "write true, or quote it where the text is meant",
    "False": "write false, or quote it where the text is meant",
    "None": "leave the argument away, or name a function that builds the model",
}
"""Words that are no TOML. As texts they would be true to any `if`, so that bias=False turned a bias on."""


def parse_kwargs(texts: Iterable[str]) -> dict[str, object]:
    """`name=value` each, the value by the rules of TOML, a bare word as a text.

    >>> parse_kwargs(["hidden=64", "sizes=1,2", "bias=false", "kind=relu"])
    {'hidden': 64, 'sizes': [1, 2], 'bias': False, 'kind': 'relu'}

    Raises:
        CapsauditError: with a line for each that is no such setting.
    """
    given = list(texts)
    if faults := [fault for place, text in enumerate(given) for fault in _kwarg_faults(text, given[:place])]:
        raise CapsauditError("\n".join(faults))
    return dict(parse_setting(text) for text in given)


def parse_inputs(texts: Iterable[str]) -> list[tuple[Shape, str]]:
    """Each the shape of one example, without the batch, and the name of its dtype behind a colon; `:int64` is a single number.

    >>> parse_inputs(["1,28,28", "16:int64", ":int64"])
    [((1, 28, 28), 'float32'), ((16,), 'int64'), ((), 'int64')]

    Raises:
        CapsauditError: with a line for each that is no such shape.
    """
    parted = [(text, *text.partition(":")) for text in texts]
    if faults := [fault for text, sizes, colon, dtype in parted for fault in _input_faults(text, sizes, colon + dtype)]:
        raise CapsauditError("\n".join(faults))
    return [(_shape(sizes), dtype.strip() or FLOAT) for _, sizes, _, dtype in parted]


def _kwarg_faults(text: str, before: Iterable[str]) -> Iterator[str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        yield f"--kwarg {text}: expected name=value with the name of an argument, such as hidden=64"
    elif any(name == other.partition("=")[0].strip() for other in before):
        yield f"--kwarg {text}: {name} is given twice"
    elif value in _PYTHON_WORDS:
        yield f"--kwarg {text}: {value} is Python, and values are TOML: {_PYTHON_WORDS[value]}"


def _input_faults(text: str, sizes: str, dtype: str) -> Iterator[str]:
    if sizes.strip() or not dtype:
        wrong = [size.strip() for size in sizes.split(",") if not _is_size(size.strip())]
        if wrong:
            yield f"--input {text}: {', '.join(map(repr, wrong))}: expected positive sizes, such as 1,28,28 or 16:int64"
    if dtype and (name := dtype[1:].strip()) not in DTYPES:
        yield f"--input {text}: there is no dtype {name!r}; {nearest(name, DTYPES)}"


def _shape(sizes: str) -> Shape:
    return tuple(int(size) for size in sizes.split(",")) if sizes.strip() else ()


def _is_size(text: str) -> bool:
    """A positive integer that torch can take: below 2^63, which 18 digits are."""
    return text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0
