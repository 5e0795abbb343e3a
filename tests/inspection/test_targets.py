"""Parsing targets: every form, and what is reported about other texts."""

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.targets import FORMS, Kind, Target, parse_target


@pytest.mark.parametrize(
    ("text", "kind", "source", "name"),
    [
        pytest.param("zoo.models:Net", "python module", "zoo.models", "Net", id="module"),
        pytest.param("net:make.small", "python module", "net", "make.small", id="dotted name"),
        pytest.param("nets:best.pt", "python module", "nets", "best.pt", id="a name that ends like a file"),
        pytest.param("zoo/net.py:Net", "python file", "zoo/net.py", "Net", id="file"),
        pytest.param("C:\\zoo\\net.py:Net", "python file", "C:\\zoo\\net.py", "Net", id="a drive has a colon too"),
        pytest.param("net.safetensors", "safetensors", "net.safetensors", "", id="safetensors"),
        pytest.param("a/b:c/net.PT", "checkpoint", "a/b:c/net.PT", "", id="capitals, and a colon in a directory"),
        pytest.param("net.pth", "checkpoint", "net.pth", "", id="pth"),
        pytest.param("pytorch_model.bin", "checkpoint", "pytorch_model.bin", "", id="bin"),
    ],
)
def test_every_form_is_parsed(text: str, kind: Kind, source: str, name: str) -> None:
    assert parse_target(text) == Target(text=text, kind=kind, source=source, name=name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "'' is not a valid target", id="empty"),
        pytest.param("net", "is not a valid target", id="bare word"),
        pytest.param("net.onnx", "is not a valid target", id="another format"),
        pytest.param("some/folder", "is not a valid target", id="directory"),
        pytest.param("my-package:Net", "is not a valid target", id="not a module name"),
        pytest.param("net.py", "does not name a model in the file", id="file alone"),
        pytest.param("net.py:", "has no valid name after the colon", id="file and colon"),
        pytest.param("net.py:Net()", "has no valid name after the colon", id="a call"),
        pytest.param("zoo.models:", "has no valid name after the colon", id="module and colon"),
        pytest.param("net.ipynb:Net", "is a notebook; export it with jupyter nbconvert --to script", id="notebook"),
        pytest.param("a\nb.py", "'a\\nb.py' does not name", id="two lines are shown on one"),
        pytest.param("a\0.pt", "is not a valid target", id="an impossible path"),
    ],
)
def test_other_texts_are_refused_with_all_forms(text: str, reason: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        parse_target(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(f"; expected {FORMS}")
    assert len(str(caught.value).splitlines()) == 1
