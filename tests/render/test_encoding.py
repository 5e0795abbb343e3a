"""Signs that a terminal does not have."""

import codecs

import pytest

from capsaudit.render.encoding import ERRORS, SUBSTITUTES, nearest_sign
from tests.render.samples import SAMPLES


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("−11,520", b"-11,520"),
        ("28×28 → 36×36", b"28x28 > 36x36"),
        ("(9·9·1 + 1)·256", b"(9*9*1 + 1)*256"),
        ("—", b"-"),
        ("≠8", b"!8"),
        ("û ±1 ⌊x⌋ m²", b"u ~1 -x- m2"),
        ("☃é", b"??"),
        ("plain", b"plain"),
    ],
)
def test_the_nearest_sign_of_the_same_width(text: str, encoded: bytes) -> None:
    assert text.encode("ascii", ERRORS) == encoded
    assert len(encoded) == len(text)


def test_what_an_encoding_has_is_kept() -> None:
    assert "×·é→".encode("latin-1", ERRORS) == "×·é>".encode("latin-1")


def test_substitutes_are_ascii_and_one_sign_wide() -> None:
    assert all(len(sign) == len(other) == 1 and other.isascii() for sign, other in SUBSTITUTES.items())


def test_other_errors_are_passed_on() -> None:
    assert codecs.lookup_error(ERRORS) is nearest_sign
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", ERRORS)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sign_that_is_shown_has_a_substitute(name: str) -> None:
    """A question mark would be read as doubt."""
    shown = str(SAMPLES[name]())
    assert shown.encode("ascii", ERRORS).count(b"?") == shown.count("?")
