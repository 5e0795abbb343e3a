"""Arguments of the command line for a user's model: keyword arguments as TOML, and inputs as shapes."""

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.arguments import parse_inputs, parse_kwargs


def test_kwargs_are_read_as_toml() -> None:
    given = ["hidden=64", "rate=0.5", "bias=false", "kind=relu", "sizes=[1,2]", "pair=1,2", 'quoted="False"', "empty="]
    assert parse_kwargs(given) == {
        "hidden": 64,
        "rate": 0.5,
        "bias": False,
        "kind": "relu",
        "sizes": [1, 2],
        "pair": [1, 2],
        "quoted": "False",
        "empty": "",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("hidden", "--kwarg hidden: expected name=value", id="no equals sign"),
        pytest.param("=64", "expected name=value", id="no name"),
        pytest.param("a.b=1", "expected name=value with the name of an argument", id="not an identifier"),
        pytest.param("bias=True", "--kwarg bias=True: values are TOML, not Python; write true", id="True"),
        pytest.param("bias= False ", "values are TOML, not Python; write false", id="False"),
        pytest.param("init=None", "values are TOML, not Python; omit the argument", id="None"),
    ],
)
def test_faulty_kwargs_are_refused(text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_kwargs([text])
    assert message in str(caught.value)


def test_all_faulty_kwargs_are_reported_at_once() -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_kwargs(["a=1", "b", "c=None", "a=2"])
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "--kwarg b",
        "--kwarg c=None",
        "--kwarg a=2",
    ]
    assert "a is given twice" in str(caught.value)


def test_inputs_have_a_shape_and_a_dtype() -> None:
    assert parse_inputs([]) == []
    assert parse_inputs([" 3 , 32,32", "16:int64", ":bool", "1: float16 "]) == [
        ((3, 32, 32), "float32", ""),
        ((16,), "int64", ""),
        ((), "bool", ""),
        ((1,), "float16", ""),
    ]
    assert parse_inputs(["9" * 18]) == [((10**18 - 1,), "float32", "")]


def test_inputs_may_have_names() -> None:
    assert parse_inputs(["input_ids=16:int64", "3", " mask = :bool"]) == [
        ((16,), "int64", "input_ids"),
        ((3,), "float32", ""),
        ((), "bool", "mask"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "--input : '': expected positive sizes, such as 1,28,28 or 16:int64", id="empty"),
        pytest.param("1,,28", "'': expected positive sizes", id="nothing between commas"),
        pytest.param("1,0,28", "'0': expected positive sizes", id="zero"),
        pytest.param("-1,28", "'-1': expected positive sizes", id="negative"),
        pytest.param("1x28x28", "'1x28x28': expected positive sizes", id="crosses"),
        pytest.param("1.5", "'1.5': expected positive sizes", id="fraction"),
        pytest.param("1_0", "'1_0': expected positive sizes", id="underscore, which int() accepts"),
        pytest.param("١", "expected positive sizes", id="other digits, which int() accepts"),
        pytest.param("9" * 19, "expected positive sizes", id="beyond 2^63"),
        pytest.param("9" * 5000, "expected positive sizes", id="more digits than int() accepts"),
        pytest.param("16:int46", "unknown dtype 'int46'; did you mean 'int64'?", id="dtype"),
        pytest.param("=16", "--input =16: expected the name of an argument of forward before =", id="no name"),
        pytest.param("a.b=16", "expected the name of an argument of forward before =", id="not an identifier"),
        pytest.param("a=b=16", "expected the name of an argument of forward before =", id="two equals signs"),
        pytest.param("a=x", "--input a=x: 'x': expected positive sizes", id="named, no size"),
        pytest.param("16:", "unknown dtype ''; expected one of: bfloat16, bool", id="no dtype"),
    ],
)
def test_faulty_inputs_are_refused(text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_inputs([text])
    assert message in str(caught.value)


def test_all_faulty_inputs_are_reported_at_once() -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_inputs(["1,x:int46", "3", "0", "a=1", "a=2"])
    assert len(str(caught.value).splitlines()) == 4  # a again, x, int46 and 0
    assert "--input a=2: a is given twice" in str(caught.value)
