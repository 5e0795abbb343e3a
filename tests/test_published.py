"""Printed figures and the counts that they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.errors import FigureError
from capsaudit.published import parse_figure


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        pytest.param("11.36M", 11_355_000, 11_364_999, id="two decimals of a million: ±5,000"),
        pytest.param("8.2M", 8_150_000, 8_249_999, id="one decimal of a million: ±50,000"),
        pytest.param("35 400K", 35_399_500, 35_400_499, id="thousands: ±500"),
        pytest.param("8,238,608", 8_238_608, 8_238_608, id="exact"),
        pytest.param("8238608", 8_238_608, 8_238_608, id="exact, without separators"),
        pytest.param("8 238 608", 8_238_608, 8_238_608, id="exact, with spaces"),
        pytest.param("1.2e7", 11_500_000, 12_499_999, id="12 ± 0.5 million"),
        pytest.param("~8M", 7_500_000, 8_499_999, id="8 ± 0.5 million"),
        pytest.param("1.5 billion", 1_450_000_000, 1_549_999_999, id="a word"),
        pytest.param("0", 0, 0, id="nothing"),
    ],
)
def test_interval(text: str, low: int, high: int) -> None:
    figure = parse_figure(text)
    assert (figure.low, figure.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "count", "printed"),
    [
        ("8.2M", 8_215_568, "8.2M"),  # 8.215… → 8.2
        ("8.2M", 8_141_840, "8.1M"),  # 8.141… → 8.1
        ("8.2M", 8_250_000, "8.3M"),  # a half goes up
        ("11.36M", 11_393_808, "11.39M"),
        ("11.36M", 11_425_808, "11.43M"),
        ("11.36M", 11_288_080, "11.29M"),
        ("35 400K", 35_445_522, "35,446K"),
        ("1.2e7", 13_475_648, "1.3e7"),
        ("8238608", 8_215_568, "8,215,568"),
        ("1.50M", 1_000_000, "1.00M"),
    ],
)
def test_prints(text: str, count: int, printed: str) -> None:
    assert parse_figure(text).prints(count) == printed


def test_truncation_is_told_apart_from_rounding() -> None:
    """13,426,995 rounds to 13.43M; only cut off it is 13.42M."""
    cut, rounded = parse_figure("13.42M"), parse_figure("13.43M")
    assert not cut.agrees_with(13_426_995)
    assert cut.agrees_when_cut(13_426_995)
    assert rounded.agrees_with(13_426_995)
    assert not rounded.agrees_when_cut(13_426_995)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "11.36", "1,23", "12,3456", "-5", "8.2Q", "1e", "1e999", "٣", "1.2.3", "nan", "8M params", "9" * 41],
)
def test_what_is_no_figure_is_refused(text: str) -> None:
    with pytest.raises(FigureError):
        parse_figure(text)


def test_a_fraction_of_a_parameter_is_refused_with_a_hint() -> None:
    with pytest.raises(FigureError, match="is its M or K missing"):
        parse_figure("11.36")


@given(st.integers(0, 10**15), st.sampled_from(["1", "1K", "1.0K", "1M", "1.00M", "1.0e7", "1B"]))
def test_a_count_agrees_with_what_it_prints_as(count: int, precision: str) -> None:
    printed = parse_figure(parse_figure(precision).prints(count))
    assert printed.agrees_with(count)
    assert printed.low <= count <= printed.high
    assert not printed.agrees_with(printed.low - 1)
    assert not printed.agrees_with(printed.high + 1)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        figure = parse_figure(text)
    except FigureError:
        return
    assert figure.low <= figure.digits * figure.unit <= figure.high
