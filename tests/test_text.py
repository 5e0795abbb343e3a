"""What is escaped and what stays; documents keep their strings."""

import json
import tomllib
import unicodedata

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.text import escaped, json_escaped, toml_escaped, valid

COMMANDS = ("::", "##[", "##vso[")
ANY = st.text(
    st.characters() | st.sampled_from(":#[\n\r\x1b\x7f\x85\u2028\u202e\u200d\ufe0f\ud800\U000e0100"), max_size=12
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x7f\x85\x9b", r"\x7f\x85\x9b"),
        ("\u202eabc\u2066\u200b\u200d\ufeff", r"\u202eabc\u2066\u200b\u200d\ufeff"),
        ("\u2028\u2029\xa0\xad", r"\u2028\u2029\xa0\xad"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("a\ufe0f\U000e0100\u3164\u034f", r"a\ufe0f\U000e0100\u3164\u034f"),
        ("::error::x", r":\x3aerror:\x3ax"),
        ("##[error]x ###vso[y]", r"#\x23[error]x #\x23\x23vso[y]"),
        (":", r"\x3a"),
        ("layer:", r"layer\x3a"),
    ],
)
def test_what_could_hide_move_or_forge_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    "text",
    ["conv1.weight", "net.py:Net", r"C:\nets\a.pt", "重み", "وزن", "משקל", "e\u0301", "🧪", "#1 [x] a:b", "", " "],
)
def test_what_is_seen_stays(text: str) -> None:
    assert escaped(text) == text


@given(ANY)
def test_escaped_text_is_one_visible_line_without_commands(text: str) -> None:
    shown = escaped(text)
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not any(command in f"{shown}: " for command in COMMANDS)
    assert escaped(shown) == shown


@given(ANY, ANY)
def test_json_and_toml_contain_the_same_strings(key: str, value: str) -> None:
    content = {valid(key): valid(value)}
    for escape, write, read in (
        (json_escaped, lambda data: json.dumps(data, ensure_ascii=False, indent=2), json.loads),
        (toml_escaped, tomli_w.dumps, tomllib.loads),
    ):
        document = escape(write(content))
        assert read(document) == content
        assert all(line.isprintable() for line in document.split("\n"))
    assert "##[" not in json_escaped(json.dumps(content, ensure_ascii=False))


@given(ANY)
def test_valid_text_can_be_written(text: str) -> None:
    assert valid(text).encode().decode() == valid(text)
    assert valid(text) == text or any("\ud800" <= sign <= "\udfff" for sign in text)
