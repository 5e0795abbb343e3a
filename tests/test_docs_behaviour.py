"""docs/reference/behaviour.md: each name that a stage can be shown with has an entry, and what an entry says to mend gives its name."""

import re
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import NamedTuple, get_args

import pytest
from msgspec.structs import fields
from torch import nn

from capsaudit import api
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Behaviour
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.capsnet import match as sabour
from capsaudit.parity.efficient_capsnet import match as mazzia
from capsaudit.parity.prepare import GAINS
from capsaudit.parity.record import TOLERANCE
from examples import efficient, paper
from tests import expected
from tests.parity import names
from tests.test_docs import ROOT, page

PAGE = page("reference/behaviour.md")
ELSEWHERE = "The names are those of the"


class Network(NamedTuple):
    """A network of the page. `build`: its class, of those that its file defines; small where that is possible."""

    heading: str
    file: str
    build: Callable[[dict[str, type[nn.Module]]], nn.Module]
    known: Callable[[], dict[str, set[str]]]

    @property
    def source(self) -> str:
        return (ROOT / "examples" / self.file).read_text(encoding="utf-8")

    def sections(self) -> Iterator[tuple[str, str]]:
        """Each stage with its text."""
        text = PAGE.partition(f"\n## {self.heading}\n")[2].partition("\n## ")[0]
        for section in text.split("\n### ")[1:]:
            stage, _, rest = section.partition("\n")
            yield stage, rest


class Entry(NamedTuple):
    """Names of a stage, and the lines to mend."""

    network: Network
    stage: str
    names: tuple[str, ...]
    diff: str


def small(defined: dict[str, type[nn.Module]]) -> nn.Module:
    """12 − 5 + 1 = 8 and ⌊(8 − 5)/2⌋ + 1 = 2, so 2·2·32 capsules."""
    return defined["CapsNet"](size=12, channels=16, kernel=5)


def whole(defined: dict[str, type[nn.Module]]) -> nn.Module:
    return defined["EfficientCapsNet"]()


SABOUR = Network("The network of Sabour et al. 2017", "paper.py", small, names.of_sabour)
MAZZIA = Network("The network of Mazzia et al. 2021", "efficient.py", whole, names.of_mazzia)
NETWORKS = (SABOUR, MAZZIA)


def entries(network: Network) -> Iterator[Entry]:
    for stage, text in network.sections():
        for item in text.split("\n- ")[1:]:
            named = re.match(r"((?:`[^`]+`,\s+)*`[^`]+`): ", item)
            assert named, item
            diff = re.search(r"```diff\n(.*?)\n    ```", item, re.DOTALL)
            yield Entry(network, stage, tuple(re.findall(r"`([^`]+)`", named[1])), diff[1] if diff else "")


ENTRIES = [entry for network in NETWORKS for entry in entries(network)]
MENDED = [entry for entry in ENTRIES if entry.diff]


def documented(network: Network, stage: str) -> list[str]:
    return [name for each in ENTRIES if (each.network, each.stage) == (network, stage) for name in each.names]


def test_the_stages_are_in_the_order_of_the_forward_pass() -> None:
    biased, decoding = (api.load_variant(name).spec for name in ("released-code", "efficient-capsnet-decoder"))
    assert isinstance(biased, CapsNet)
    assert isinstance(decoding, EfficientCapsNet)
    for network, stages in ((SABOUR, sabour.stages_of(biased)), (MAZZIA, mazzia.stages_of(decoding))):
        assert [stage for stage, _ in network.sections()] == [stage.name for stage in stages]
        assert set(network.known()) == {stage.name for stage in stages}


@pytest.mark.parametrize(
    ("network", "stage", "text"),
    [
        pytest.param(network, stage, text, id=f"{network.file}: {stage}")
        for network in NETWORKS
        for stage, text in network.sections()
    ],
)
def test_every_name_has_an_entry_and_every_entry_is_a_name(network: Network, stage: str, text: str) -> None:
    """Where the names are those of the first network, it may have more: of variants that the other has not."""
    known = network.known()[stage]
    if ELSEWHERE in text:
        assert known <= set(documented(SABOUR, stage))
    else:
        assert sorted(documented(network, stage)) == sorted(known)


def test_the_verdicts_and_the_numbers_are_the_present_ones() -> None:
    (verdict,) = (field.type for field in fields(Behaviour) if field.name == "verdict")
    verdicts = re.findall(r"^\| `(.+?)` \|", PAGE.partition("## How it is determined")[0], re.MULTILINE)
    assert set(verdicts) == {value for each in get_args(verdict) for value in get_args(each)}
    factors, others = (f"{a:g}, {b:g} and {c:g}" for a, b, c in (GAINS, mazzia._GAINS))
    assert f"(factors {factors}; of an Efficient-CapsNet {others})" in PAGE
    assert f"relative error is at most {TOLERANCE:g}," in PAGE


def network_of(network: Network, source: str) -> nn.Module:
    defined: dict[str, type[nn.Module]] = {}
    exec(compile(source, network.file, "exec"), defined)
    return network.build(defined)


def behaviour_of(network: Network, source: str) -> Behaviour:
    module = network_of(network, source)
    return behaviour(module, inspect_module(module, "mine"))


def unmended(entry: Entry) -> str:
    """The source with the lines that are to be mended."""
    source = entry.network.source
    for hunk in dedent(entry.diff).split("@@\n"):
        old, new = (
            "".join(f"{' ' * 8}{line[1:]}\n" for line in hunk.splitlines() if line[0] in signs)
            for signs in (" -", " +")
        )
        assert source.count(new) == 1, new
        source = source.replace(new, old)
    return source


def marked(number: int) -> object:
    """The default run mends one in four."""
    entry, marks = MENDED[number], [] if number % 4 == 0 else [pytest.mark.exhaustive]
    return pytest.param(entry, marks=marks, id=f"{entry.network.file}: {entry.stage}: {entry.names[0]}")


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.file)
def test_the_networks_of_the_page_agree(network: Network) -> None:
    assert network.source.strip() in PAGE
    assert behaviour_of(network, network.source).verdict == "agrees"


def test_they_have_the_parameters_of_the_variants() -> None:
    sizes = [sum(p.numel() for p in each().parameters()) for each in (paper.CapsNet, efficient.EfficientCapsNet)]
    assert sizes == [expected.PAPER, expected.TOTALS["efficient-capsnet-decoder"]]


@pytest.mark.parametrize("entry", list(map(marked, range(len(MENDED)))))
def test_what_is_to_be_mended_is_what_the_entry_is_about(entry: Entry) -> None:
    """And nothing else is, but for the gradient: none comes through a one-hot vector."""
    first, *more = [row for row in behaviour_of(entry.network, unmended(entry)).stages if row.verdict == "differs"]
    assert first.stage == entry.stage
    assert entry.names[0] in names.parts_of(str(first.model))
    assert {row.stage for row in more} <= {"gradient"}
