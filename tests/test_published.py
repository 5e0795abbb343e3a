"""Published figures: what they stand for, and the only place that judges a count by one."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from capsaudit.errors import FigureError
from capsaudit.published import (
    Approximation,
    Rounding,
    Verdict,
    approximation,
    cut_interval,
    interval_in_1024,
    judge,
    parse_figure,
    parse_positive,
)

COUNTS = st.integers(0, 10**15)
PRECISIONS = st.sampled_from(["1", "1K", "1.0K", "1M", "1.00M", "1.0e7", "1B", "1.000 thousand", "1.0T"])


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
        pytest.param("82 thousand", 81_500, 82_499, id="another word: ±500"),
        pytest.param("0", 0, 0, id="nothing"),
        pytest.param("124M params", 123_500_000, 124_499_999, id="what is counted, behind the unit: ±500,000"),
        pytest.param("1.5 billion Parameters.", 1_450_000_000, 1_549_999_999, id="what is counted, in a sentence"),
        pytest.param("175 Bn", 174_500_000_000, 175_499_999_999, id="Bn: ±500 million"),
        pytest.param("110mn", 109_500_000, 110_499_999, id="mn: ±500,000"),
    ],
)
def test_interval(text: str, low: int, high: int) -> None:
    figure = parse_figure(text)
    assert (figure.low, figure.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "rounding", "digits", "low", "high"),
    [
        pytest.param("161K", "cut", None, 161_000, 161_999, id="all that begin with 161 thousand"),
        pytest.param("6800K", "half up", 2, 6_750_000, 6_849_999, id="two digits of 6800K: 6.8 ± 0.05 million"),
        pytest.param("6800K", "half up", 3, 6_795_000, 6_804_999, id="three digits: 6.80 ± 0.005 million"),
        pytest.param("6800K", "cut", 2, 6_800_000, 6_899_999, id="two digits, cut"),
        pytest.param("8.2M", "half up", 5, 8_150_000, 8_249_999, id="more digits than are printed"),
    ],
)
def test_interval_of_a_figure_that_its_source_prints_otherwise(
    text: str, rounding: Rounding, digits: int | None, low: int, high: int
) -> None:
    figure = parse_figure(text, rounding=rounding, digits=digits)
    assert (figure.low, figure.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "digits", "reading"),
    [
        ("6800K", 2, "6.8M"),
        ("6800K", 3, "6.80M"),
        ("6800K", 4, "6800K"),  # as it is printed
        ("120", 2, "120"),
        ("45600", 3, "45.6K"),
        ("2500000000000", 2, "2.5T"),
        ("3" + 15 * "0", 2, "3.0e15"),
    ],
)
def test_the_significant_digits_of_a_figure(text: str, digits: int, reading: str) -> None:
    assert parse_figure(text, digits=digits).reading == reading


@pytest.mark.parametrize(
    ("text", "digits", "interval"),
    [
        ("161K", None, (161_500, 161_999)),  # from 160,500 to 161,499 it is rounded
        ("8.2M", None, (8_250_000, 8_299_999)),
        ("6800K", 3, (6_805_000, 6_809_999)),  # 6.80M
        ("8238608", None, None),  # nothing is left to cut
    ],
)
def test_the_counts_that_are_cut(text: str, digits: int | None, interval: tuple[int, int] | None) -> None:
    assert cut_interval(parse_figure(text, digits=digits)) == interval
    assert cut_interval(parse_figure(text, digits=digits, rounding="cut")) is None


@pytest.mark.parametrize(
    ("text", "count", "rounded"),
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
        ("1.5 billion", 1_000_000_000, "1.0 billion"),
    ],
)
def test_a_count_rounded_to_the_precision_of_a_figure(text: str, count: int, rounded: str) -> None:
    assert parse_figure(text).round(count) == rounded


def test_a_count_is_cut_or_keeps_its_zeros_where_the_source_does_so() -> None:
    assert parse_figure("161K", rounding="cut").round(161_824) == "161K"
    assert parse_figure("6800K", digits=2).round(6_804_224) == "6,800K"
    assert parse_figure("6800K", digits=2).round(6_850_000) == "6,900K"


@pytest.mark.parametrize("power", [1, 2, 3])
@given(units=st.integers(1, 9999), decimals=st.integers(0, 3), count=COUNTS)
def test_counts_in_thousands_of_1024(power: int, units: int, decimals: int, count: int) -> None:
    """Compared with decimal fractions of the count divided by 1024, 1024² or 1024³."""
    suffix = " KMB"[power]
    low, high = interval_in_1024(parse_figure(f"{units / 10**decimals:.{decimals}f}{suffix}")) or (0, 0)
    place = Decimal(1).scaleb(-decimals)

    def printed(total: int) -> Decimal:
        divided: Decimal = Decimal(total) / 1024**power
        return divided.quantize(place, ROUND_HALF_UP)

    stated = Decimal(units) * place
    assert printed(low) == printed(high) == stated
    assert printed(low - 1) < stated < printed(high + 1)
    assert (low <= count <= high) == (printed(count) == stated)


def test_figures_without_a_suffix_have_no_thousands() -> None:
    assert interval_in_1024(parse_figure("8238608")) is None
    assert interval_in_1024(parse_figure("1.2e7")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("11,36M", "did you mean 11.36M?"),
        ("8,2 million", "did you mean 8.2 million?"),
        ("0", "is zero"),
        ("0.0M", "is zero"),
        ("-5", "is negative"),
        ("−8.2M", "is negative"),
    ],
)
def test_what_people_print_otherwise_is_explained(text: str, message: str) -> None:
    with pytest.raises(FigureError, match=re.escape(message)):
        parse_positive(text)


@pytest.mark.parametrize("text", ["8.2 million", "8,215,568", "1.3e6", "11.36M", "35 400K"])
def test_figures_as_people_print_them_are_read(text: str) -> None:
    assert parse_positive(text) == parse_figure(text)


def test_a_figure_that_is_only_cut_is_not_agreed_with() -> None:
    """13,426,995 rounds to 13.43M; only cut off it is 13.42M."""
    cut, rounded = parse_figure("13.42M"), parse_figure("13.43M")
    assert judge(cut, 13_426_995) == "approximate"
    assert approximation(cut, 13_426_995) == "cut"
    assert judge(rounded, 13_426_995) == "agrees"
    assert approximation(rounded, 13_426_995) is None
    assert judge(parse_figure("13.42M", rounding="cut"), 13_426_995) == "agrees"
    assert judge(parse_figure("13.43M", rounding="cut"), 13_426_995) == "disagrees"


def test_trailing_zeros_count_unless_the_statement_says_otherwise() -> None:
    """6,804,224 is 6,804K: it is 6800K only if the two zeros merely fill the number up to thousands."""
    figure = parse_figure("6800K")
    assert judge(figure, 6_804_224) == "approximate"
    assert approximation(figure, 6_804_224) == "trailing zeros"
    assert judge(parse_figure("6800K", digits=2), 6_804_224) == "agrees"
    assert judge(parse_figure("6800K", digits=3), 6_804_224) == "agrees"  # 6.80 million
    assert judge(figure, 6_661_120) == "disagrees"  # 6.7 million


@pytest.mark.parametrize(
    ("text", "count", "verdict", "why"),
    [
        ("161K", 161_824, "approximate", "cut"),  # 162K by rounding
        ("161K", 162_000, "disagrees", None),
        ("161K", 160_499, "disagrees", None),
        ("161K", 160_500, "agrees", None),
        ("8200000", 8_215_568, "approximate", "trailing zeros"),  # two digits: 8.2 ± 0.05 million
        ("8000000", 8_215_568, "disagrees", None),  # a single digit says too little to agree with
        ("8000000", 8_500_000, "disagrees", None),
        ("0", 4, "disagrees", None),  # zero has no digits to be cut
    ],
)
def test_verdicts_worked_out_by_hand(text: str, count: int, verdict: Verdict, why: Approximation | None) -> None:
    assert judge(parse_figure(text), count) == verdict
    assert approximation(parse_figure(text), count) == why


def test_nothing_stated_is_unstated() -> None:
    assert judge(None, 8_215_568) == "unstated"


@pytest.mark.parametrize(
    "text",
    ["", "abc", "11.36", "1,23", "12,3456", "-5", "8.2Q", "1e", "1e999", "٣", "1.2.3", "nan", "8M layers", "9" * 41],
)
def test_what_is_no_figure_is_refused(text: str) -> None:
    with pytest.raises(FigureError):
        parse_figure(text)


def test_a_fraction_of_a_parameter_is_refused_with_a_hint() -> None:
    with pytest.raises(FigureError, match=r"is a unit missing, as in 11\.36M"):
        parse_figure("11.36")


@pytest.mark.parametrize(("text", "digits"), [("6804K", 2), ("11.36M", 3), ("8238608", 6), ("6800K", 1)])
def test_digits_that_are_declared_not_significant_must_be_zeros(text: str, digits: int) -> None:
    with pytest.raises(FigureError, match=f"has more than {digits} significant digits"):
        parse_figure(text, digits=digits)


def printed(count: int, *, power: int, decimals: int) -> str:
    """A count in units of 10^power with so many decimals, half up: by the decimal arithmetic of the standard library."""
    value = (Decimal(count) / 10**power).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return f"{value:,}" if power == 0 else f"{value}{ {3: 'K', 6: 'M', 9: 'B', 12: 'T'}[power] }"


@given(COUNTS, st.sampled_from([0, 3, 6, 9, 12]), st.integers(0, 3))
def test_any_count_agrees_with_the_figure_that_is_printed_of_it(count: int, power: int, decimals: int) -> None:
    decimals = min(decimals, power)
    figure = parse_figure(printed(count, power=power, decimals=decimals))
    assert judge(figure, count) == "agrees"
    assert figure.round(count).replace(",", "") == figure.text.replace(",", "")


@given(COUNTS, PRECISIONS)
def test_a_count_agrees_with_what_it_rounds_to_and_nothing_beyond_the_interval_does(count: int, precision: str) -> None:
    figure = parse_figure(parse_figure(precision).round(count))
    assert judge(figure, count) == "agrees"
    assert figure.low <= count <= figure.high
    for inside in (figure.low, figure.high):
        assert judge(figure, inside) == "agrees"
    for outside in (figure.low - 1, figure.high + 1):
        assert judge(figure, outside) != "agrees"
    assert figure.high - figure.low + 1 == (figure.unit if figure.value else figure.unit - figure.unit // 2)


@given(COUNTS, PRECISIONS)
def test_a_cut_figure_is_approximate_unless_the_source_says_that_it_cuts(count: int, precision: str) -> None:
    cut = parse_figure(precision, rounding="cut")
    text = cut.round(count)
    assert judge(parse_figure(text, rounding="cut"), count) == "agrees"
    assert judge(parse_figure(text), count) in ("agrees", "approximate")
    above = 2 * (count % cut.unit) >= cut.unit  # the part that was cut off would have been rounded up
    assert (judge(parse_figure(text), count) == "approximate") == above
    if above:
        assert approximation(parse_figure(text), count) == "cut"


@given(COUNTS, st.integers(2, 5))
@example(6_804_224, 2)
def test_trailing_zeros_are_approximate_unless_the_statement_gives_its_digits(count: int, digits: int) -> None:
    assume(len(str(count)) > digits)
    step = 10 ** (len(str(count)) - digits)
    filled = (2 * count + step) // (2 * step) * step  # rounded to its first digits and filled with zeros
    assume(filled != count and filled % 10 == 0)
    significant = digits + len(str(filled)) - len(str(count))  # 99,6 rounds to 100: one digit more
    figure = parse_figure(str(filled))
    assert judge(figure, count) == "approximate"
    assert judge(parse_figure(str(filled), digits=significant), count) == "agrees"


@given(COUNTS, COUNTS, PRECISIONS, st.sampled_from(["half up", "cut"]))
def test_a_verdict_has_a_reason_exactly_where_it_is_approximate(
    count: int, other: int, precision: str, rounding: Rounding
) -> None:
    figure = parse_figure(parse_figure(precision, rounding=rounding).round(count), rounding=rounding)
    for each in (count, other, figure.low - 1, figure.high + 1, figure.value * 2):
        found = judge(figure, each)
        assert (found == "agrees") == (figure.low <= each <= figure.high)
        if found != "agrees":
            assert (found == "approximate") == (approximation(figure, each) is not None)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        figure = parse_figure(text)
    except FigureError:
        return
    assert figure.low <= figure.units * figure.unit <= figure.high


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("7B+", "7B"),
        ("<1M", "1M"),
        ("> 1.5 billion parameters", "1.5 billion"),
        ("≤100K", "100K"),
        (">=2M params", "2M"),
    ],
)
def test_a_bound_is_refused_with_the_figure_to_write(text: str, instead: str) -> None:
    with pytest.raises(FigureError, match=f"is a bound, which many counts are within; .* such as {instead!r}$"):
        parse_figure(text)
    assert parse_figure(instead)


@pytest.mark.parametrize("text", ["params", "124Mparams", "12 weights 3", "+7B"])
def test_a_noun_or_a_sign_alone_makes_no_figure(text: str) -> None:
    with pytest.raises(FigureError, match="is not a figure"):
        parse_figure(text)
