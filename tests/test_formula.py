"""The formula that is shown is the formula that is evaluated."""

import ast

import pytest
from hypothesis import given

from capsaudit.catalogue import load_variant, shipped
from capsaudit.families import layers
from capsaudit.formula import Number, product
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
