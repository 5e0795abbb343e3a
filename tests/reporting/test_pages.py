"""The page and the Markdown: what they show, and that nothing in the data can become markup."""

import re
from itertools import pairwise

import pytest

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.pages import PAGES, pages
from capsaudit.reporting.pictures import pictures
from capsaudit.reporting.writing import written
from tests.names import unsafe
from tests.reporting.elements import Elements
from tests.reporting.hostile import poisoned


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> str:
    return files["audit.html"].decode()


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_pages_are_those_of_the_report(gathered: ReportContents, files: dict[str, bytes]) -> None:
    made = pages(gathered, pictures(gathered))
    assert tuple(made) == PAGES
    assert all(text.encode() == files[name] for name, text in made.items())


@pytest.mark.parametrize("name", ["audit.html", "audit.md"])
def test_every_number_of_the_comparison_is_shown(name: str, gathered: ReportContents, files: dict[str, bytes]) -> None:
    shown = set(re.findall(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d,])\d+(?![\d,])", files[name].decode()))
    for counted in gathered.comparison.variants:
        assert {f"{layer.trainable:,}" for layer in counted.layers} | {f"{counted.trainable:,}"} <= shown


@pytest.mark.parametrize("name", ["audit.html", "audit.md"])
def test_every_claim_and_question_and_figure_is_shown(
    name: str, gathered: ReportContents, files: dict[str, bytes]
) -> None:
    shown = files[name].decode()
    assert all(claim.id in shown and claim.verdict in shown for claim in gathered.claims.claims)
    assert all(question.knob in shown for question in gathered.joint.questions)
    assert all(figure.stated in shown for figure in gathered.joint.figures)
    assert gathered.digest in shown


def test_the_page_stands_alone(page: str, elements: Elements) -> None:
    assert not elements.named("script", "link", "iframe", "object", "base", "form", "video")
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in elements.named("img"))
    assert all(link["href"].startswith("#") for link in elements.named("a"))
    assert not re.search(r"https?:|@import|url\(|javascript:", page)
    assert not [name for _, attributes, _ in elements.found for name in attributes if name.startswith("on")]


def test_the_head_says_what_browsers_need(elements: Elements) -> None:
    assert elements.named("html") == [{"lang": "en"}]
    named = {meta.get("name"): meta.get("content") for meta in elements.named("meta")}
    assert named["viewport"] == "width=device-width, initial-scale=1"
    assert named["color-scheme"] == "light dark"
    assert {"charset": "utf-8"} in elements.named("meta")
    assert all(title.strip() for title in elements.text("title"))


def test_headings_go_down_one_at_a_time(elements: Elements) -> None:
    levels = [int(tag[1]) for tag, _, _ in elements.found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_links_and_labels_lead_somewhere(elements: Elements) -> None:
    names = [attributes["id"] for _, attributes, _ in elements.found if "id" in attributes]
    assert len(names) == len(set(names))
    assert {link["href"].removeprefix("#") for link in elements.named("a")} <= set(names)
    labels = {label for _, attributes, _ in elements.found for label in attributes.get("aria-labelledby", "").split()}
    assert labels <= set(names)
    assert elements.named("a")[0] == {"class": "skip", "href": "#content"}


def test_every_table_is_accessible(page: str, elements: Elements) -> None:
    tables = page.split("<table>")[1:]
    assert len(tables) == len(elements.named("caption")) > 10
    for table in tables:
        table = table.partition("</table>")[0]
        heads, *rows = table.split("<tr")[1:]
        columns = heads.count('<th scope="col"')
        assert "<caption" in table
        assert columns > 1
        assert rows
        for row in rows:
            assert (row.count('<th scope="row"'), row.count("<td")) == (1, columns - 1)
            labels = re.findall(r'data-label="([^"]*)"', row)
            assert labels == re.findall(r'<th scope="col"[^>]*>([^<]*)<', heads), (
                "a card names each value as the table does"
            )
    for region in (
        attributes for tag, attributes, _ in elements.found if "table" in attributes.get("class", "").split()
    ):
        assert (region["role"], region["tabindex"]) == ("region", "0")
        assert region["aria-labelledby"]


def test_every_picture_is_described(elements: Elements, gathered: ReportContents) -> None:
    images = elements.named("img")
    assert len(images) == 3
    assert all(len(image["alt"]) > 80 and image["width"] and image["height"] for image in images)
    assert all("figure" in ancestors for tag, _, ancestors in elements.found if tag == "img")
    alternatives = " ".join(image["alt"] for image in images)
    assert all(f"{counted.trainable:,}" in alternatives for counted in gathered.comparison.variants)


def test_markdown_tables_are_whole(files: dict[str, bytes]) -> None:
    text = files["audit.md"].decode()
    for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert {"waterfall.svg", "layers.svg", "figures.svg"} == set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text))
    assert "\n\n\n" not in text


def test_data_cannot_become_markup(gathered: ReportContents, elements: Elements) -> None:
    files = written(poisoned(gathered))
    spoilt = Elements(files["audit.html"].decode())
    assert "alert(1)" in " ".join(spoilt.text("td"))
    new = [(tag, set(attributes)) for tag, attributes, _ in spoilt.found if tag != "br"]
    assert new == [(tag, set(attributes)) for tag, attributes, _ in elements.found if tag != "br"]
    text = files["audit.md"].decode()
    assert "alert" in text
    assert not re.search(r"(?<!\\)<(?!br>)", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert {name: unsafe(content.decode()) for name, content in files.items()} == {name: [] for name in files}


def test_the_test_above_can_fail(gathered: ReportContents, elements: Elements) -> None:
    page = written(poisoned(gathered))["audit.html"].decode().replace("&lt;script&gt;", "<script>", 1)
    with pytest.raises(AssertionError):
        assert len(Elements(page).found) == len(elements.found)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_are_legible_by_day_by_night_and_in_print(page: str) -> None:
    palettes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]+)\}", page)
    ]
    assert len(palettes) == 3
    for palette in palettes:
        for paper in ("paper", "head"):
            for ink in ("ink", "muted", "link", "good", "bad", "more", "fewer"):
                light, dark = sorted((luminance(palette[paper]), luminance(palette[ink])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (paper, ink, palette)
