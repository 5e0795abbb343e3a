"""Parsing targets: every form, and what is reported about other texts."""

from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.targets import FORMS, Kind, Target, find_target, parse_target


@pytest.mark.parametrize(
    ("text", "kind", "source", "name"),
    [
        pytest.param("zoo.models:Net", "python module", "zoo.models", "Net", id="module"),
        pytest.param("net:make.small", "python module", "net", "make.small", id="dotted name"),
        pytest.param("nets:best.pt", "python module", "nets", "best.pt", id="a name that ends like a file"),
        pytest.param("zoo/net.py:Net", "python file", "zoo/net.py", "Net", id="file"),
        pytest.param("C:\\zoo\\net.py:Net", "python file", "C:\\zoo\\net.py", "Net", id="a drive has a colon too"),
        pytest.param("net.safetensors", "weights", "net.safetensors", "", id="safetensors"),
        pytest.param("a/b:c/net.PT", "weights", "a/b:c/net.PT", "", id="capitals, and a colon in a directory"),
        pytest.param("net.pth", "weights", "net.pth", "", id="pth"),
        pytest.param("pytorch_model.bin", "weights", "pytorch_model.bin", "", id="bin"),
        pytest.param("last.ckpt", "weights", "last.ckpt", "", id="ckpt"),
        pytest.param("a/model.safetensors.index.json", "weights", "a/model.safetensors.index.json", "", id="index"),
        pytest.param("models/llama/", "weights", "models/llama/", "", id="folder"),
    ],
)
def test_every_form_is_parsed(text: str, kind: Kind, source: str, name: str) -> None:
    assert parse_target(text) == Target(text=text, kind=kind, source=source, name=name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "'' is not a valid target", id="empty"),
        pytest.param("net", "is not a valid target", id="bare word"),
        pytest.param("config.json", "is not a valid target", id="JSON that is no index"),
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


def test_a_path_of_any_form_is_a_target_if_something_lies_there(tmp_path: Path) -> None:
    (tmp_path / "llama").mkdir()
    (tmp_path / "sha256-0a1b").write_bytes(b"")
    for text in ("llama", "sha256-0a1b", str(tmp_path / "llama")):
        assert find_target(text, tmp_path) == Target(text=text, kind="weights", source=text)
    assert find_target("llama:Net", tmp_path).kind == "python module"  # its text has a meaning already


@pytest.mark.parametrize("text", ["", " ", "absent", "a\0b", "x" * 5000])
def test_other_texts_are_refused_where_nothing_lies(tmp_path: Path, text: str) -> None:
    with pytest.raises(CapsauditError, match="is not a valid target"):
        find_target(text, tmp_path)
