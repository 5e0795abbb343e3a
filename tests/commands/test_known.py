"""What is known: every shipped variant, its layers, tensors, parts and shares are found by their figures. No figure stands in the code."""

from collections.abc import Iterator

import pytest

from capsaudit import api
from capsaudit.catalogue import load_all, load_variant
from capsaudit.commands.known import as_read, known, starting_variant
from capsaudit.families import layers
from capsaudit.published import parse_figure
from capsaudit.results import Known


def of(figure: str) -> list[Known]:
    return list(known(parse_figure(figure)))


@pytest.mark.parametrize(
    ("figure", "first", "variant", "total"),
    [
        pytest.param("35.4M", "baseline-mnist", "baseline-mnist", 35_445_522, id="the paper's baseline"),
        pytest.param("24.56M", "baseline-multimnist", "baseline-multimnist", 24_563_978, id="its baseline for MultiMNIST"),
        pytest.param("22.48M", "cifar10-released-code", "cifar10-released-code", 22_476_448, id="released code"),
        pytest.param("22476448", "cifar10-released-code", "cifar10-released-code", 22_476_448, id="exactly"),
        pytest.param("1474560", "digit_caps", "paper", 1152 * 10 * 8 * 16, id="W"),
        pytest.param("5308672", "primary_caps", "paper", (9 * 9 * 256 + 1) * 256, id="the second convolution"),
        pytest.param("1497600", "digit_caps", "article", (1152 * 8 * 16 + 1152 + 1152) * 10, id="the article's layer"),
        pytest.param("803600", "fc3", "paper", 1025 * 784, id="the last layer"),
        pytest.param("20992", "conv1", "paper", (9 * 9 + 1) * 256, id="the first layer"),
        pytest.param("1411344", "decoder", "paper", 161 * 512 + 513 * 1024 + 1025 * 784, id="the decoder"),
        pytest.param("1.5M", "digit_caps", "paper", 1_474_560, id="a rounded layer"),
        pytest.param("161K", "efficient-capsnet", "efficient-capsnet", 161_824, id="cut"),
        pytest.param("161824", "efficient-capsnet", "efficient-capsnet", 161_824, id="another family"),
        pytest.param("149760", "one class of digit_caps", "article", 1152 * 8 * 16 + 1152 + 1152, id="one class of ten"),
        pytest.param("165896", "one type of primary_caps", "paper", (9 * 9 * 256 + 1) * 8, id="one type of 32"),
        pytest.param("6800K", "paper-no-decoder", "paper-no-decoder", 6_804_224, id="zeros that fill places"),
        pytest.param("35400K", "baseline-mnist", "baseline-mnist", 35_445_522, id="zeros of the baseline"),
        # 6,804,224 / 1024² = 6.489
        pytest.param("6.49M", "paper-no-decoder", "paper-no-decoder", 6_804_224, id="in thousands of 1024"),
        pytest.param("8238608", "article", "article", 8_238_608, id="the article's total"),
        # 8,215,568 − 1,474,560, which no layer class of torch has
        pytest.param("6741008", "paper", "paper", 6_741_008, id="what torchsummary counts"),
    ],
)  # fmt: skip
def test_what_comes_first(figure: str, first: str, variant: str, total: int) -> None:
    found = of(figure)[0]
    assert (found.name, found.of, found.total) == (first, variant, total)


def quantities(variant: str) -> Iterator[tuple[str, int]]:
    """Names and counts of everything that one can point to in a variant."""
    rows = layers(load_variant(variant).spec)
    counts = [row.formula.value for row in rows]
    yield variant, sum(counts)
    for row, count in zip(rows, counts, strict=True):
        yield row.name, count
        yield from ((f"{row.name}.{tensor.name}", tensor.count) for tensor in row.parameters if tensor.trainable)
        yield from shares(variant, row.name, count)
    decoder = sum(row.formula.value for row in rows if row.decoder)
    if decoder:
        yield from (("decoder", decoder), ("encoder", sum(counts) - decoder))
    for start in range(len(rows)):
        for end in range(start + 2, len(rows) + 1):
            run = [row.decoder for row in rows[start:end]]
            if end - start < len(rows) and run not in (
                [row.decoder for row in rows if row.decoder == part] for part in (True, False)
            ):
                between = "and" if end - start == 2 else "to"
                yield f"{rows[start].name} {between} {rows[end - 1].name}", sum(counts[start:end])


def shares(variant: str, layer: str, count: int) -> Iterator[tuple[str, int]]:
    """One class of ten (five of smallNORB), one type of 32 (64 of CIFAR-10's patches, 16 of SVHN); a bias of the classes belongs to no type."""
    if variant.startswith("baseline") or layer not in ("primary_caps", "digit_caps"):
        return
    types = {"svhn": 16, "cifar10": 64, "cifar10-released-code": 64}.get(variant, 32)
    if layer == "digit_caps":
        yield "one class of digit_caps", count // (5 if variant == "smallnorb" else 10)
    if variant.startswith("efficient") or (
        layer == "digit_caps" and ("released" in variant or variant == "shared-w-all")
    ):
        return
    yield f"one type of {layer}", count // types


def rounded(count: int, digits: int) -> str | None:
    """A count with so many significant digits, half up, in millions or thousands; None where it has no more digits."""
    places = len(str(count)) - digits
    if places < 1:
        return None
    value = (count + 5 * 10 ** (places - 1)) // 10**places * 10**places
    power = 6 if value >= 10**6 else 3
    decimals = power - places
    return f"{value / 10**power:.{decimals}f}{'M' if power == 6 else 'K'}" if decimals >= 0 else None


@pytest.mark.parametrize("variant", [variant.id for variant in load_all()])
def test_everything_is_found_by_its_count_and_by_three_and_four_digits_of_it(variant: str) -> None:
    missing = [
        (name, figure)
        for name, count in quantities(variant)
        for figure in (str(count), rounded(count, 3), rounded(count, 4))
        if figure and not any((one.of, one.name, one.total) == (variant, name, count) for one in of(figure))
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("variant", "layer", "classes", "types"), [("paper", 1_474_560, 10, 32), ("svhn", None, 10, 16)]
)
def test_shares_of_the_class_capsules_are_found(variant: str, layer: int | None, classes: int, types: int) -> None:
    """One class has its own matrices, one type those of its capsules."""
    rows = {row.name: row.formula.value for row in layers(load_variant(variant).spec)}
    total = rows["digit_caps"]
    assert layer in (None, total)
    for name, parts in (("one class", classes), ("one type", types)):
        found = [(one.of, one.total) for one in of(str(total // parts)) if one.name == f"{name} of digit_caps"]
        assert (variant, total // parts) in found


def test_a_bias_of_the_classes_belongs_to_no_type() -> None:
    """(1152·10·8·16 + 160)/32 would be 46,085."""
    assert not any(one.of == "released-code" and one.kind == "part" for one in of("46085"))


def test_a_single_layer_is_no_sum_of_layers() -> None:
    """W of `paper` alone has the figure, and so has the layer that has nothing else."""
    found = [(one.kind, one.name) for one in of("1474560") if one.of == "paper" and not one.counting]
    assert found == [("layer", "digit_caps"), ("tensor", "digit_caps.weight")]


def test_published_figures_are_found_with_their_source() -> None:
    found = [one for one in of("11.36M") if one.kind == "published"]
    assert {(one.name, one.of) for one in found} >= {("paper-multimnist", "multimnist")}
    assert all(one.total == 11_360_000 and one.source for one in found)


def test_a_convention_is_named() -> None:
    """1,474,560 and the 11,520 coupling coefficients, which routing computes."""
    found = [one for one in of("1486080") if one.of == "paper"]
    assert {"counting.coupling"} in [set(one.counting) for one in found]
    assert next(one for one in of("1486080")).of == "trainable-logits"  # as it is usually counted


@pytest.mark.parametrize(
    ("figure", "read_as", "interval", "start"),
    [
        ("6800K", "6.80M", (6_795_000, 6_804_999), "paper"),  # three digits already give 6,804,224
        ("35400K", "35.4M", (35_350_000, 35_449_999), "baseline-mnist"),  # which is not 35.40M
        ("161K", "161K", (160_500, 161_499), "efficient-capsnet"),
        ("8.3M", "8.3M", (8_250_000, 8_349_999), "paper"),
        ("30M", "30M", (29_500_000, 30_499_999), "baseline-mnist"),  # 35.4M is nearer than 22.5M by ratio
    ],
)
def test_how_a_figure_is_read_and_where_the_search_starts(
    figure: str, read_as: str, interval: tuple[int, int], start: str
) -> None:
    parsed = parse_figure(figure)
    found = known(parsed)
    read = as_read(parsed, found)
    assert (read.reading, (read.low, read.high)) == (read_as, interval)
    assert starting_variant(parsed, found).id == start


def test_what_is_known_explains_a_figure_that_no_search_finds() -> None:
    result = api.reconcile("20992", witnesses=["formula"])
    assert (result.found, result.agrees, result.known[0].name) == (0, True, "conv1")
    assert (result.below, result.above) == (None, None)  # nothing within a tenth of it
