"""Expressions that are shown and evaluated from one tree, so that the text and the number cannot drift apart.

>>> kernel, channels = Number(9), Number(256)
>>> formula = (kernel * kernel * 1 + 1) * channels
>>> str(formula), formula.value
('(9·9·1 + 1)·256', 20992)
"""

from __future__ import annotations

import ast
import math

from msgspec import Struct

from capsaudit.errors import CapsauditError


class Formula(Struct, frozen=True):
    """A sum, a product or a number. `+` and `*` build larger ones; `str` shows it, `value` is what it comes to."""

    @property
    def value(self) -> int:
        """What it comes to."""
        raise NotImplementedError

    def __add__(self, other: Formula | int) -> Sum:
        return Sum((*_terms(self), *_terms(_formula(other))))

    def __mul__(self, other: Formula | int) -> Product:
        return Product((*_factors(self), *_factors(_formula(other))))


class Number(Formula, frozen=True):
    """A whole number."""

    number: int

    @property
    def value(self) -> int:
        """What it comes to."""
        return self.number

    def __str__(self) -> str:
        return str(self.number)


class Sum(Formula, frozen=True):
    """Terms added up."""

    terms: tuple[Formula, ...]

    @property
    def value(self) -> int:
        """What it comes to."""
        return sum(term.value for term in self.terms)

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms))


class Product(Formula, frozen=True):
    """Factors multiplied; a sum among them is put in parentheses."""

    factors: tuple[Formula, ...]

    @property
    def value(self) -> int:
        """What it comes to."""
        return math.prod(factor.value for factor in self.factors)

    def __str__(self) -> str:
        return "·".join(f"({factor})" if isinstance(factor, Sum) else str(factor) for factor in self.factors)


def product(*numbers: int) -> Product:
    """The product of these numbers.

    >>> str(product(1152, 10, 8, 16))
    '1152·10·8·16'
    """
    return Product(tuple(map(Number, numbers)))


def parse_formula(text: str) -> Formula:
    """Read an expression of whole numbers, `+`, `·`, `×` and parentheses.

    >>> parse_formula("(9×9 + 1)·256").value
    20992

    Raises:
        CapsauditError: it is anything else.
    """
    try:
        return _read(ast.parse(text.replace("·", "*").replace("×", "*"), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise CapsauditError(f"{text!r} is not a formula; expected one such as (9·9 + 1)·256") from None


def _read(node: ast.expr) -> Formula:
    match node:
        case ast.Constant(value=int(number)) if type(number) is int:
            return Number(number)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _read(left) + _read(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _read(left) * _read(right)
    raise ValueError


def _formula(value: Formula | int) -> Formula:
    return value if isinstance(value, Formula) else Number(value)


def _terms(formula: Formula) -> tuple[Formula, ...]:
    return formula.terms if isinstance(formula, Sum) else (formula,)


def _factors(formula: Formula) -> tuple[Formula, ...]:
    return formula.factors if isinstance(formula, Product) else (formula,)
