"""The page as a browser shows it: at the width of a phone and of a desk, by day and by night, without scripts, on paper."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.writing import write, written
from tests.reporting.browser import NAMES, Page, browser, installed
from tests.reporting.hostile import poisoned

pytestmark = pytest.mark.skipif(
    installed() is None, reason=f"there is no browser to open the page with: none of {', '.join(NAMES)}"
)
SHOWN = """
[...document.querySelectorAll("SELECTOR")].map(each => {
  const box = each.getBoundingClientRect();
  return [box.x + scrollX, box.y + scrollY, box.width, box.height, each.checkVisibility()];
})
"""
WIDE = "[...document.querySelectorAll('.table')].filter(t => t.scrollWidth > t.clientWidth).length"
BROKEN = """
[...document.querySelectorAll("tbody .number")].filter(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell.querySelector("span") ?? cell);
  return new Set([...range.getClientRects()].map(box => box.y)).size > 1;
}).map(cell => cell.textContent)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    write(folder, files)
    return folder / "audit.html"


def shown(page: Page, selector: str) -> list[tuple[float, float, float, float]]:
    """The boxes of all elements, each of which is visible."""
    boxes = page.evaluate(SHOWN.replace("SELECTOR", selector))
    assert all(visible for *_, visible in boxes)
    return [tuple(box) for *box, _ in boxes]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_tables_and_pictures_are_visible_and_nothing_is_logged(page: Page, path: Path, width: int, scheme: str) -> None:
    page.open(path, width=width, scheme=scheme)
    assert page.said == []
    assert {address.partition(":")[0] for address in page.asked} == {"file", "data"}
    assert sum(address.startswith("file:") for address in page.asked) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tables, images = shown(page, "table"), shown(page, "img")
    assert len(tables) == path.read_text(encoding="utf-8").count("<table>") > 10
    assert len(images) == 3
    assert all(box_width > 150 and height > 80 for _, _, box_width, height in (*tables, *images))
    assert all(x >= 0 and x + box_width <= width for x, _, box_width, _ in (*images, *shown(page, ".table")))
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate(BROKEN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_pictures_are_not_blank_and_keep_to_the_colours_of_the_page(
    page: Page, path: Path, width: int, scheme: str
) -> None:
    page.open(path, width=width, scheme=scheme)
    pixels = matplotlib.image.imread(io.BytesIO(page.screenshot()))[..., :3]
    assert (pixels[:, 0].mean() > 0.5) == (scheme == "light")
    for x, y, box_width, height in shown(page, "img"):
        part = pixels[int(y) + 3 : int(y + height) - 3, int(x) + 3 : int(x + box_width) - 3]
        paper = np.median(part, axis=(0, 1))
        drawn = (abs(part - paper).max(axis=-1) > 0.2).mean()
        assert 0.02 < drawn < 0.6
        assert abs(paper - pixels[0, 0]).max() < 0.02


def test_a_narrow_phone_can_reach_everything(page: Page, path: Path) -> None:
    page.open(path, width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(WIDE) == 0


def test_a_table_wider_than_a_tablet_can_be_moved(page: Page, path: Path) -> None:
    page.open(path, width=768)
    moved = (
        "[...document.querySelectorAll('.table')].filter(t => { t.scrollLeft = 1e6; return t.scrollLeft > 0; }).length"
    )
    assert page.evaluate(WIDE) == page.evaluate(moved) > 0


def test_on_a_phone_rows_are_cards_that_name_each_value(page: Page, path: Path) -> None:
    """Nothing is cut, a value that is absent takes no line, and readers of the screen still have tables."""
    page.open(path, width=375)
    assert page.evaluate(WIDE) == 0
    labels = "[...document.querySelectorAll('.table:not(.narrow) td:not(.nothing)')].map(cell => getComputedStyle(cell, '::before').content)"
    shown_labels = page.evaluate(labels)
    assert len(shown_labels) > 300
    assert {'"because"', '"verdict"', '"total"'} <= set(shown_labels) - {"none"}
    assert set(page.evaluate(labels.replace("content)", "display)"))) == {"block"}
    boxes = page.evaluate(SHOWN.replace("SELECTOR", ".table:not(.narrow) tbody tr"))
    assert len({(x, width) for x, _, width, _, _ in boxes}) == 1, "cards stand below each other"
    assert not page.evaluate("[...document.querySelectorAll('td.nothing')].some(cell => cell.checkVisibility())")
    roles = Counter(node["role"]["value"] for node in page.call("Accessibility.getFullAXTree")["nodes"])
    assert roles["table"] == page.evaluate("document.querySelectorAll('table').length")
    assert roles["row"] == page.evaluate("document.querySelectorAll('tr').length")


def test_what_is_beside_a_picture_is_to_its_right_on_a_desk(page: Page, path: Path) -> None:
    """The right half of the page is used: what belongs to a picture ends where the page does."""
    for width, is_beside in ((1280, True), (768, False)):
        page.open(path, width=width)
        pictures, others = shown(page, ".beside figure"), shown(page, ".beside > div")
        assert len(pictures) == len(others) == 3
        for (x, y, wide, _), (left, top, breadth, _) in zip(pictures, others, strict=True):
            assert (left >= x + wide and abs(top - y) < 40) == is_beside
            assert left + breadth > 0.9 * width


def test_the_page_prints_on_white(page: Page, path: Path) -> None:
    page.open(path, width=1280, scheme="dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    printed = page.printed()
    assert printed.startswith(b"%PDF-")
    assert 5 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 20


def test_hostile_data_runs_nothing(page: Page, tmp_path: Path, gathered: ReportContents) -> None:
    write(tmp_path, written(poisoned(gathered)))
    page.open(tmp_path / "audit.html", width=1280, scripts=True)
    assert page.said == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.images.length") == 3
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.parametrize("name", ["waterfall.svg", "layers.svg", "figures.svg"])
def test_pictures_open_by_themselves(page: Page, path: Path, name: str) -> None:
    page.open(path.parent / name, width=375)
    assert page.said == []
    assert page.evaluate("document.documentElement.tagName") == "svg"
    overlong = "[...document.querySelectorAll('text')].filter(t => { const b = t.getBBox(); return b.x < 4 || b.x + b.width > 436; })"
    assert page.evaluate(f"{overlong}.map(t => t.textContent)") == []


def test_what_a_page_logs_and_loads_is_noticed(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!doctype html><link rel=stylesheet href=missing.css><script>console.error('seen')</script>")
    page.open(bad, width=375, scripts=True)
    assert any("seen" in text for text in page.said)
    assert any(address.endswith("missing.css") for address in page.asked)
