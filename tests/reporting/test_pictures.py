"""The pictures: well-formed, described, and true to the numbers."""

import re
from xml.etree import ElementTree as ET

import pytest

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.pictures import pictures
from capsaudit.reporting.svg import INNER, MARGIN, WIDTH
from capsaudit.reporting.writing import written
from tests.reporting.drawings import SVG, bars, texts
from tests.reporting.hostile import poisoned

NAMES = ("waterfall.svg", "layers.svg", "figures.svg")


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
    assert "The thinnest bars are drawn 7 times wider than to scale." in shown


def test_every_layer_of_every_network_is_drawn(gathered: ReportContents, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files["layers.svg"])
    shown = texts(root)
    assert {f"{counted.trainable:,}" for counted in gathered.comparison.variants} <= set(shown)
    assert [text for text in shown if text in {v.variant for v in gathered.comparison.variants}] == [
        counted.variant for counted in gathered.comparison.variants
    ]
    keys = [each.get("fill") for each in root.iter() if each.get("class") == "outlined"][
        : len(gathered.comparison.layers)
    ]
    assert len(set(keys)) == len(keys), "two layers have one colour"
    drawn = bars(root, "outlined")[len(gathered.comparison.layers) :]
    assert len(drawn) == sum(len(counted.layers) for counted in gathered.comparison.variants)
    assert sum(width for _, width in drawn[:6]) == pytest.approx(INNER * 8_215_568 / 35_445_522, abs=0.4)


@pytest.mark.parametrize("name", NAMES)
def test_data_cannot_become_markup(name: str, gathered: ReportContents, files: dict[str, bytes]) -> None:
    def tags(content: bytes) -> list[str]:
        return sorted({element.tag for element in ET.fromstring(content).iter()})

    assert tags(written(poisoned(gathered))[name]) == tags(files[name])


def test_pictures_are_those_of_the_report(gathered: ReportContents, files: dict[str, bytes]) -> None:
    drawn = pictures(gathered)
    assert tuple(drawn) == NAMES
    assert all(drawn[name].svg.encode() == files[name] for name in NAMES)
