"""Drawings by hand: well-formed whatever the text, and short."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.reporting.svg import PALETTE, WIDTH, diamond, disc, escape, line, picture, rect, text
from capsaudit.text import escaped
from tests.reporting.drawings import SVG, texts


@given(st.text(max_size=30))
def test_any_text_is_drawn_as_it_is_or_with_escapes(said: str) -> None:
    root = ET.fromstring(picture("a.svg", said, said, 50, [text(1, 2, said)]).svg)
    assert texts(root) == [escaped(said)]


def test_a_picture_names_itself_and_says_what_it_shows() -> None:
    made = picture("a.svg", "caption", "in words", 50, [disc(1, 1, "agreed")])
    root = ET.fromstring(made.svg)
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")) == ("caption", "in words")
    assert (root.get("viewBox"), root.get("height")) == (f"0 0 {WIDTH} 50", "50")
    assert (made.file, made.height) == ("a.svg", 50)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (rect(1.04, 2, 3.55, 4, "bar"), '<rect x="1" y="2" width="3.5" height="4" class="bar"/>'),
        (rect(0, 0, 1, 1, fill="#000", rounded=6), '<rect x="0" y="0" width="1" height="1" rx="6" fill="#000"/>'),
        (line(0, 1, 2, 3), '<line x1="0" y1="1" x2="2" y2="3" class="rule"/>'),
        (disc(1, 2, "agreed"), '<circle cx="1" cy="2" r="4.5" class="agreed"/>'),
        (diamond(10, 10, "missed"), '<polygon points="10,4.5 15.5,10 10,15.5 4.5,10" class="missed"/>'),
        (text(1, 2, "a<b", "small", end=True), '<text x="1" y="2" class="small" text-anchor="end">a&lt;b</text>'),
        (text(1, 2, "x", middle=True), '<text x="1" y="2" text-anchor="middle">x</text>'),
    ],
)
def test_shapes(shape: str, expected: str) -> None:
    assert shape == expected


def test_what_is_escaped_cannot_end_an_attribute() -> None:
    assert escape("\"'<>&\x1b") == "&quot;&#x27;&lt;&gt;&amp;\\x1b"


def test_colours_are_distinct() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
