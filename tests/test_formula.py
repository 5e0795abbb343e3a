"""The formula that is shown is the formula that is evaluated."""

import ast

import pytest
from hypothesis import given

from capsaudit.catalogue import load_variant, shipped
from capsaudit.errors import CapsauditError
from capsaudit.families import layers
from capsaudit.formula import Number, parse_formula, product
from capsaudit.spec import Spec
from tests.strategies import specs


def read_aloud(text: str) -> int:
    """What a reader makes of a formula's text: an evaluator that knows nothing of `capsaudit.formula`."""

    def value(node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return value(left) * value(right)
        raise AssertionError(ast.dump(node))

    return value(ast.parse(text.replace("·", "*"), mode="eval").body)


@pytest.mark.parametrize("variant", shipped())
def test_every_shipped_formula_reads_as_its_value(variant: str) -> None:
    for layer in layers(load_variant(variant).spec):
        assert read_aloud(str(layer.formula)) == layer.formula.value
        if layer.frozen_formula:
            assert read_aloud(str(layer.frozen_formula)) == layer.frozen_formula.value


@given(specs())
def test_any_formula_reads_as_its_value(spec: Spec) -> None:
    for layer in layers(spec):
        assert read_aloud(str(layer.formula)) == layer.formula.value


@given(specs())
def test_formula_is_the_sum_of_the_tensors(spec: Spec) -> None:
    for layer in layers(spec):
        assert layer.formula.value == sum(p.count for p in layer.parameters if p.trainable)
        frozen = layer.frozen_formula.value if layer.frozen_formula else 0
        assert frozen == sum(p.count for p in layer.parameters if not p.trainable)


def test_a_sum_within_a_product_stands_in_parentheses() -> None:
    assert str((Number(2) + 3) * 4) == "(2 + 3)·4"
    assert str(Number(2) * 4 + 3) == "2·4 + 3"


def test_reading_aloud_can_tell_a_wrong_text() -> None:
    """2 + 3·4 is 14, (2 + 3)·4 is 20: lost parentheses would be noticed."""
    assert read_aloud("2 + 3·4") == 14
    assert read_aloud("(2 + 3)·4") == 20
    assert read_aloud(str(product(1152, 10, 8, 16))) == 1_474_560


@pytest.mark.parametrize(
    ("text", "value"),
    [("(9·9 + 1)·256", 20_992), ("1152×8×16 + 1152 + 1152", 149_760), ("((2))", 2), ("2 + 3·4", 14), ("(2 + 3)·4", 20)],
)
def test_formulas_are_read_as_people_write_them(text: str, value: int) -> None:
    assert parse_formula(text).value == value


@pytest.mark.parametrize(
    "text", ["", "1 - 1", "-1", "2**3", "x", "f(1)", "1.5", "True", "1 +", "9" * 5000, "(" * 1000, "1; 2"]
)
def test_anything_else_is_not_a_formula(text: str) -> None:
    with pytest.raises(CapsauditError, match="is not a formula; expected one such as"):
        parse_formula(text)


def test_long_sums_and_deep_products() -> None:
    with pytest.raises(CapsauditError, match="is not a formula"):
        parse_formula("1 + " * 100_000 + "1")
    assert parse_formula("+".join(["1"] * 200)).value == 200
