"""Drawings as SVG, from a few shapes with fixed looks: ink on paper in daylight, light ink on dark paper where that is preferred.

They are written by hand and not by a plotting library, so that their bytes depend on the numbers alone and not on what is installed;
text stays text. A drawing is narrow enough to be read on a phone, and scales up.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from msgspec import Struct

from capsaudit.text import escaped

WIDTH = 440
MARGIN = 12
INNER = WIDTH - 2 * MARGIN

PALETTE = (
    *("#e69f00", "#56b4e9", "#f0e442", "#0072b2", "#d55e00", "#999999", "#009e73", "#cc79a7"),
    *("#f2cf80", "#aad9f4", "#f7f1a0", "#80b8d8", "#eaaf80", "#cccccc", "#80ceb9", "#e5bcd3"),
)
"""Okabe and Ito, Color Universal Design, 2008: distinguishable with any colour vision; grey replaces black. Then each half mixed with white."""

_STYLE = """
text{font:13px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;fill:#1b1f24}
.small{font-size:12px;fill:#4b535d}
.strong{font-weight:600}
.over{paint-order:stroke;stroke:#ffffff;stroke-width:4px}
.paper{fill:#ffffff}
.bar{fill:#5b6673}
.up,.agreed{fill:#0072b2}
.down,.missed{fill:#b36b00}
.band{fill:#56b4e9;fill-opacity:.35}
.rule{stroke:#8a939e;stroke-width:1}
.dashed{stroke:#8a939e;stroke-width:1;stroke-dasharray:2 3}
.outlined{stroke:#1b1f24;stroke-width:.6}
@media (prefers-color-scheme:dark){
text{fill:#e8ebef}
.small{fill:#b4bcc6}
.paper{fill:#14181d}
.over{stroke:#14181d}
.bar{fill:#97a3b0}
.up,.agreed{fill:#56b4e9}
.down,.missed{fill:#f0b95a}
.outlined{stroke:#e8ebef}
}
""".strip()


class Picture(Struct, frozen=True):
    """A drawing as a file. `description` says in words and numbers what it shows; `caption` what it is."""

    file: str
    caption: str
    description: str
    height: int
    svg: str


def picture(file: str, caption: str, description: str, height: int, shapes: Iterable[str]) -> Picture:
    """Shapes on paper, with title and description for those who do not see them."""
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(caption)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f"<style>{_STYLE}</style>",
        rect(0, 0, WIDTH, height, "paper", rounded=6),
        *shapes,
        "</svg>",
    )
    return Picture(file, caption, description, height, "\n".join(lines) + "\n")


def text(x: float, y: float, content: str, look: str = "", *, end: bool = False, middle: bool = False) -> str:
    """A line of text on its base line, from `x` on, up to it or around it."""
    anchor = ' text-anchor="end"' if end else ' text-anchor="middle"' if middle else ""
    return f'<text x="{_short(x)}" y="{_short(y)}"{_look(look)}{anchor}>{escape(content)}</text>'


def rect(x: float, y: float, width: float, height: float, look: str = "", *, fill: str = "", rounded: float = 0) -> str:
    """A bar; `fill` is a colour of the palette."""
    corners = f' rx="{_short(rounded)}"' if rounded else ""
    paint = f' fill="{fill}"' if fill else ""
    place = f'x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" height="{_short(height)}"'
    return f"<rect {place}{corners}{paint}{_look(look)}/>"


def line(x1: float, y1: float, x2: float, y2: float, look: str = "rule") -> str:
    """A straight line."""
    return f'<line x1="{_short(x1)}" y1="{_short(y1)}" x2="{_short(x2)}" y2="{_short(y2)}"{_look(look)}/>'


def disc(x: float, y: float, look: str) -> str:
    """A mark for what is inside."""
    return f'<circle cx="{_short(x)}" cy="{_short(y)}" r="4.5"{_look(look)}/>'


def diamond(x: float, y: float, look: str) -> str:
    """A mark for what is outside: distinguished from a disc by its shape, not only by its colour."""
    points = " ".join(f"{_short(x + dx)},{_short(y + dy)}" for dx, dy in ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)))
    return f'<polygon points="{points}"{_look(look)}/>'


def escape(content: str) -> str:
    r"""Text that cannot become markup or make the file unreadable: XML has no control characters.

    >>> print(escape("a < b\x1b"))
    a &lt; b\x1b
    """
    return html.escape(escaped(content))


def _look(look: str) -> str:
    return f' class="{look}"' if look else ""


def _short(value: float) -> str:
    """At most one decimal.

    >>> _short(12.0), _short(12.345), _short(-0.01)
    ('12', '12.3', '0')
    """
    return f"{round(value, 1) + 0:.1f}".removesuffix(".0")
