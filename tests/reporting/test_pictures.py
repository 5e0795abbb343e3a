"""The pictures: well-formed, described, and true to the numbers."""

import re
from xml.etree import ElementTree as ET

import pytest

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.intervals import panels
from capsaudit.reporting.svg import INNER, MARGIN, WIDTH
from capsaudit.reporting.writing import written
from tests.reporting.hostile import poisoned

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("waterfall.svg", "layers.svg", "figures.svg")


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def bars(root: ET.Element, look: str) -> list[tuple[float, float]]:
    """Where the bars of a look begin, and how wide they are."""
    found = (each for each in root.iter(f"{SVG}rect") if each.get("class") == look)
    return [(float(each.get("x", "")), float(each.get("width", ""))) for each in found]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_described_and_stand_alone(name: str, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files[name])
    assert root.findtext(f"{SVG}title")
    assert len(root.findtext(f"{SVG}desc") or "") > 80
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title description"
    rest = files[name].decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|href|url\(|<script|<!DOCTYPE", rest)
    assert "prefers-color-scheme:dark" in rest


@pytest.mark.parametrize("name", NAMES)
def test_everything_drawn_is_inside(name: str, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files[name])
    height = float(root.get("height", ""))
    for element in root.iter():
        for key, limit in (("x", WIDTH), ("cx", WIDTH), ("x2", WIDTH), ("y", height), ("cy", height), ("y2", height)):
            assert 0 <= float(element.get(key, "0")) <= limit
    drawn = (*bars(root, "bar"), *bars(root, "outlined"), *bars(root, "band"))
    assert all(start >= 0 and width >= 0 and start + width <= WIDTH for start, width in drawn)


def test_the_waterfall_is_true_to_scale_and_says_where_it_is_not(files: dict[str, bytes]) -> None:
    root = ET.fromstring(files["waterfall.svg"])
    (_, first), (_, last) = bars(root, "bar")
    assert first / last == pytest.approx(8_238_608 / 11_361_808, abs=0.001)
    ((start, width),) = bars(root, "up")
    assert width / last == pytest.approx(3_146_240 / 11_361_808, abs=0.001)
    assert start + width == pytest.approx(MARGIN + INNER, abs=0.2)
    assert [width for _, width in bars(root, "down")] == [3, 3]  # 11,520 of 11,361,808 would be 0.4 wide
    shown = texts(root)
    assert {"8,238,608", "11,361,808", "+3,146,240"} <= set(shown)
    assert shown.count("−11,520") == 2
    assert "The thinnest bars are drawn 7 times too wide, to be seen." in shown


def test_every_layer_of_every_network_is_drawn(audit: ReportContents, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files["layers.svg"])
    shown = texts(root)
    assert {f"{counted.trainable:,}" for counted in audit.comparison.variants} <= set(shown)
    assert [text for text in shown if text in {v.variant for v in audit.comparison.variants}] == [
        counted.variant for counted in audit.comparison.variants
    ]
    drawn = bars(root, "outlined")[len(audit.comparison.layers) :]
    assert len(drawn) == sum(len(counted.layers) for counted in audit.comparison.variants)
    assert sum(width for _, width in drawn[:6]) == pytest.approx(INNER * 8_215_568 / 35_445_522, abs=0.4)


def test_marks_lie_in_the_band_exactly_where_the_total_prints_as_the_figure(audit: ReportContents) -> None:
    shown = {panel.figure.text: panel for panel in panels(audit.comparison, audit.joint)}
    inside = {text: [mark.total for mark in panel.inside] for text, panel in shown.items()}
    assert inside == {
        "8.2M": [8_215_568, 8_215_728, 8_227_088, 8_238_608],
        "8238608": [8_238_608],
        "6.8M": [6_781_968, 6_804_224],
        "11.36M": [11_361_808, 11_361_968],
        "35.4M": [35_445_522],
        "24.56M": [24_563_978],
    }
    outside = {text: [mark.total for mark in panel.outside] for text, panel in shown.items()}
    assert outside["11.36M"] == [11_393_808]  # trainable logits, 11.39M
    assert outside["24.56M"] == [24_535_306]  # a 5×5 first kernel
    assert outside["35.4M"] == [35_459_858]  # a 9×9 one


def test_bands_and_marks_are_drawn_in_the_same_scale(audit: ReportContents, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files["figures.svg"])
    bands = iter(bars(root, "band")[1:])  # the first is that of the legend
    marks = iter(each for each in root.iter() if each.get("class") in ("agreed", "missed"))
    assert [next(marks).get("class") for _ in range(2)] == ["agreed", "missed"]
    for panel in panels(audit.comparison, audit.joint):
        for _ in panel.marks:
            (start, width), mark = next(bands), next(marks)
            if mark.get("class") == "agreed":
                assert start - 0.1 <= float(mark.get("cx", "")) <= start + width + 0.1
            else:
                middle = float(mark.get("points", "").partition(",")[0])
                assert not start < middle < start + width
    assert next(bands, None) is None


@pytest.mark.parametrize("name", NAMES)
def test_data_cannot_become_markup(name: str, audit: ReportContents, files: dict[str, bytes]) -> None:
    def tags(content: bytes) -> list[str]:
        return sorted({element.tag for element in ET.fromstring(content).iter()})

    assert tags(written(poisoned(audit))[name]) == tags(files[name])
