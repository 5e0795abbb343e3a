"""What can be named for an audit, and what can be given to it: every form is read, every slip is told with what would have worked."""

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.arguments import parse_inputs, parse_kwargs
from capsaudit.inspection.targets import FORMS, Target, parse_target


@pytest.mark.parametrize(
    ("text", "kind", "source", "name"),
    [
        pytest.param("zoo.models:Net", "python module", "zoo.models", "Net", id="module"),
        pytest.param("net:make.small", "python module", "net", "make.small", id="dotted name"),
        pytest.param("nets:best.pt", "python module", "nets", "best.pt", id="a name that ends as a file does"),
        pytest.param("zoo/net.py:Net", "python file", "zoo/net.py", "Net", id="file"),
        pytest.param("C:\\zoo\\net.py:Net", "python file", "C:\\zoo\\net.py", "Net", id="a drive has a colon too"),
        pytest.param("net.safetensors", "safetensors", "net.safetensors", "", id="safetensors"),
        pytest.param("a/b:c/net.PT", "checkpoint", "a/b:c/net.PT", "", id="capitals, and a colon in a folder"),
        pytest.param("net.pth", "checkpoint", "net.pth", "", id="pth"),
        pytest.param("pytorch_model.bin", "checkpoint", "pytorch_model.bin", "", id="bin"),
    ],
)
def test_every_form(text: str, kind: str, source: str, name: str) -> None:
    assert parse_target(text) == Target(text=text, kind=kind, source=source, name=name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "'' is nothing that can be audited", id="empty"),
        pytest.param("net", "is nothing that can be audited", id="bare word"),
        pytest.param("net.onnx", "is nothing that can be audited", id="another format"),
        pytest.param("some/folder", "is nothing that can be audited", id="folder"),
        pytest.param("my-package:Net", "is nothing that can be audited", id="no module name"),
        pytest.param("net.py", "does not say which model of the file is meant", id="file alone"),
        pytest.param("net.py:", "has no name behind its colon", id="file and colon"),
        pytest.param("net.py:Net()", "has no name behind its colon", id="a call"),
        pytest.param("zoo.models:", "has no name behind its colon", id="module and colon"),
        pytest.param("a\nb.py", "'a\\nb.py' does not say", id="two lines are shown on one"),
        pytest.param("a\0.pt", "is nothing that can be audited", id="a path that cannot be"),
    ],
)
def test_other_texts_are_told_all_forms(text: str, reason: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_target(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(f"; expected {FORMS}")
    assert len(str(caught.value).splitlines()) == 1


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
        pytest.param("a.b=1", "expected name=value with the name of an argument", id="no argument's name"),
        pytest.param("bias=True", "True is Python, and values are TOML: write true", id="True"),
        pytest.param("bias= False ", "False is Python, and values are TOML: write false", id="False"),
        pytest.param("init=None", "None is Python, and values are TOML: leave the argument away", id="None"),
    ],
)
def test_faulty_kwargs(text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_kwargs([text])
    assert message in str(caught.value)


def test_all_faulty_kwargs_are_told_at_once() -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_kwargs(["a=1", "b", "c=None", "a=2"])
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "--kwarg b",
        "--kwarg c=None",
        "--kwarg a=2",
    ]
    assert "a is given twice" in str(caught.value)


def test_inputs() -> None:
    assert parse_inputs([]) == []
    assert parse_inputs([" 3 , 32,32", "16:int64", ":bool", "1: float16 "]) == [
        ((3, 32, 32), "float32"),
        ((16,), "int64"),
        ((), "bool"),
        ((1,), "float16"),
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
        pytest.param("1_0", "'1_0': expected positive sizes", id="underscore, which int() takes"),
        pytest.param("١", "expected positive sizes", id="other digits, which int() takes"),
        pytest.param("9" * 5000, "expected positive sizes", id="more digits than int() takes"),
        pytest.param("16:int46", "there is no dtype 'int46'; did you mean 'int64'?", id="dtype"),
        pytest.param("16:", "there is no dtype ''; expected one of: bfloat16, bool", id="no dtype"),
    ],
)
def test_faulty_inputs(text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_inputs([text])
    assert message in str(caught.value)


def test_all_faults_of_inputs_are_told_at_once() -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_inputs(["1,x:int46", "3", "0"])
    assert len(str(caught.value).splitlines()) == 3  # x, int46 and 0
