"""Which totals round to which figure: the right ones in each band, and drawn where they belong."""

from xml.etree import ElementTree as ET

import msgspec

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.intervals import Mark, Panel, intervals, panels
from capsaudit.results import StatedFigure
from tests.expected import AGREEING
from tests.reporting.drawings import bars


def test_marks_lie_in_the_band_exactly_where_the_total_rounds_to_the_figure(gathered: ReportContents) -> None:
    shown = {panel.stated.stated: panel for panel in panels(gathered.comparison, gathered.joint)}
    inside = {text: [mark.total for mark in panel.inside] for text, panel in shown.items()}
    assert inside == AGREEING
    outside = {text: [mark.total for mark in panel.outside] for text, panel in shown.items()}
    assert outside["11.36M"] == [11_393_808]  # trainable logits, 11.39M
    assert outside["24.56M"] == [24_535_306]  # a 5×5 first kernel
    assert outside["35.4M"] == [35_459_858]  # a 9×9 one


def test_bands_and_marks_are_drawn_in_the_same_scale(gathered: ReportContents, files: dict[str, bytes]) -> None:
    root = ET.fromstring(files["figures.svg"])
    bands = iter(bars(root, "band")[1:])  # the first is that of the legend
    marks = iter(each for each in root.iter() if each.get("class") in ("agreed", "missed"))
    assert [next(marks).get("class") for _ in range(2)] == ["agreed", "missed"]
    for panel in panels(gathered.comparison, gathered.joint):
        for _ in panel.marks:
            (start, width), mark = next(bands), next(marks)
            if mark.get("class") == "agreed":
                assert start - 0.1 <= float(mark.get("cx", "")) <= start + width + 0.1
            else:
                middle = float(mark.get("points", "").partition(",")[0])
                assert not start < middle < start + width
    assert next(bands, None) is None


def panel(low: int, high: int, *totals: int) -> Panel:
    stated = StatedFigure(stated="8.2M", about="paper", source="", interval=(low, high), agreeing=())
    inside = tuple(Mark(total, (f"t{total}",)) for total in totals if low <= total <= high)
    return Panel(stated, inside, tuple(Mark(total, (f"t{total}",)) for total in totals if not low <= total <= high))


def test_marks_are_in_the_order_of_their_totals() -> None:
    assert [mark.total for mark in panel(10, 20, 25, 15, 5).marks] == [5, 15, 25]
    assert (panel(10, 20).low, panel(10, 20).high) == (10, 20)


def test_a_label_names_as_many_as_fit_and_counts_the_others() -> None:
    assert Mark(1, ("paper", "article")).label == "paper, article"
    long = tuple(f"a-long-name-of-a-variant-{n}" for n in range(3))
    assert Mark(1, long).label == "a-long-name-of-a-variant-0 and 2 more"


def test_only_totals_near_a_figure_are_shown_beside_it(gathered: ReportContents) -> None:
    """At most two below and two above, and none more than a fiftieth of the figure away."""
    for each in panels(gathered.comparison, gathered.joint):
        reach = (each.low + each.high) / 2 / 50
        below = [mark.total for mark in each.outside if mark.total < each.low]
        above = [mark.total for mark in each.outside if mark.total > each.high]
        assert len(below) <= 2
        assert len(above) <= 2
        assert all(each.low - reach <= total <= each.high + reach for total in (*below, *above))


def test_the_description_says_in_words_what_is_drawn(gathered: ReportContents) -> None:
    drawn = intervals(gathered.comparison, gathered.joint)
    for totals in AGREEING.values():
        assert all(f"{total:,}" in drawn.description for total in totals)
    assert "11,355,000 to 11,364,999" in drawn.description


def test_a_figure_that_is_exact_is_one_number(gathered: ReportContents) -> None:
    assert "this number only" in intervals(gathered.comparison, gathered.joint).svg


def test_a_comparison_without_figures_is_a_legend_alone(gathered: ReportContents) -> None:
    nothing = msgspec.structs.replace(gathered.comparison, figures=())
    root = ET.fromstring(intervals(nothing, gathered.joint).svg)
    assert len(bars(root, "band")) == 1
