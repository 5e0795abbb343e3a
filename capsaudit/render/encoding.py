"""What becomes of signs that a terminal's encoding does not have: the nearest sign that it has, of the same width, never a `?`
where a minus was meant.
"""

from __future__ import annotations

import codecs

SUBSTITUTES = {"−": "-", "—": "-", "·": "*", "×": "x", "→": ">", "≠": "!", "━": "=", "█": "#", "▒": ":", "│": "|"} | {
    **dict.fromkeys("─⌊⌋⌈⌉", "-"),
    "±": "~",
    "²": "2",
    "û": "u",
    "λ": "l",
    "…": ".",
}
ERRORS = "capsaudit.nearest"


def nearest_sign(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`.

    >>> codecs.register_error(ERRORS, nearest_sign)
    >>> "−11,520 → 6×6 ☃".encode("ascii", ERRORS)
    b'-11,520 > 6x6 ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(sign, "?") for sign in missing), error.end


codecs.register_error(ERRORS, nearest_sign)
