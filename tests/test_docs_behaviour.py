"""docs/reference/behaviour.md: each name that a stage can be shown with has an entry, and what an entry says to mend gives its name."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from textwrap import dedent
from typing import NamedTuple, get_args

import pytest
import torch
from msgspec.structs import fields
from torch import nn

from capsaudit import api
from capsaudit.families.capsnet import CapsNet as Spec
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Behaviour
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.capsnet.gradient import GRADIENTS, NO_GRADIENT
from capsaudit.parity.capsnet.match import _KEPT, _primary, stages_of
from capsaudit.parity.capsnet.routing import class_squashes, first_sums
from capsaudit.parity.capsnet.stages import AGREEMENTS
from capsaudit.parity.decoder import decoder_errors
from capsaudit.parity.equations import OUTPUTS
from capsaudit.parity.front import fronts
from capsaudit.parity.prepare import BATCH, GAINS, run_with
from capsaudit.parity.record import TOLERANCE, Recording
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
from examples.paper import CapsNet
from tests import expected
from tests.test_docs import ROOT, page

PAGE = page("reference/behaviour.md")
SOURCE = (ROOT / "examples" / "paper.py").read_text(encoding="utf-8")
SMALL = ("image.size=24", "primary_caps.types=4", "conv1.channels=16")
BY_MODE = "…; in eval mode …"


class Entry(NamedTuple):
    """Names of a stage, and the lines to mend."""

    stage: str
    names: tuple[str, ...]
    diff: str


def entries() -> Iterator[Entry]:
    for section in PAGE.partition("## The network of Sabour et al. 2017\n")[2].split("\n### ")[1:]:
        stage, _, text = section.partition("\n")
        for item in text.split("\n- ")[1:]:
            named = re.match(r"((?:`[^`]+`,\s+)*`[^`]+`): ", item)
            assert named, item
            diff = re.search(r"```diff\n(.*?)\n    ```", item, re.DOTALL)
            yield Entry(stage, tuple(re.findall(r"`([^`]+)`", named[1])), diff[1] if diff else "")


ENTRIES = tuple(entries())
STAGES = list(dict.fromkeys(entry.stage for entry in ENTRIES))
MENDED = [each for each in ENTRIES if each.diff]


def with_n(name: str) -> str:
    """N in place of a number that depends on the model."""
    return re.sub(r"^\d+$|(?<=s/)\d+$|(?<=over the )\d+(?= )", "N", name)


def named_in(variant: str, *settings: str) -> Iterator[tuple[str, str]]:
    """Stages, each with a name of what it can compute. Where nothing was recorded, everything is tried."""
    small = api.load_variant(variant, settings=(*SMALL, *settings))
    assert isinstance(small.spec, Spec)
    network = api.build(small)
    match = closest(inspect_module(network, "mine"), (small,))
    assert isinstance(match, Match)
    run = run_with(network, match.network, GAINS[0])._replace(recording=Recording([], None, BATCH))
    tried = fronts(run, _primary(run), None, deviations=1)
    for front in tried:
        yield from front.names.items()
    for reading in first_sums(run, tried[0], None):
        yield from reading.names.items()
    for stage in stages_of(small.spec):
        yield from ((stage.name, name) for name in stage.accepted)
    for name, _ in decoder_errors(run, torch.zeros(BATCH, 10, 16).double()):
        yield from (("decoder", part) for part in name.split(", "))


@cache
def known() -> dict[str, set[str]]:
    """What each stage can be shown to compute."""
    tables: dict[str, Collection[str]] = {
        "logits": [_KEPT],
        "agreement": AGREEMENTS,
        "digit_caps.squash": class_squashes(10),
        "output": OUTPUTS,
        "decoder": [BY_MODE],
        "gradient": [*GRADIENTS, NO_GRADIENT],
    }
    named = [(stage, name) for stage, names in tables.items() for name in names]
    found: dict[str, set[str]] = {}
    for stage, name in (*named_in("trainable-logits", "digit_caps.bias=true"), *named_in("selected-decoder"), *named):
        found.setdefault(stage, set()).add(with_n(name))
    return found


def test_the_stages_are_in_the_order_of_the_forward_pass() -> None:
    spec = api.load_variant("released-code").spec
    assert isinstance(spec, Spec)
    assert [stage.name for stage in stages_of(spec)] == STAGES
    assert set(STAGES) == set(known())


@pytest.mark.parametrize("stage", STAGES)
def test_every_name_has_an_entry_and_every_entry_is_a_name(stage: str) -> None:
    documented = [name for entry in ENTRIES if entry.stage == stage for name in entry.names]
    assert sorted(documented) == sorted(known()[stage])


def test_the_verdicts_and_the_numbers_are_the_present_ones() -> None:
    (verdict,) = (field.type for field in fields(Behaviour) if field.name == "verdict")
    verdicts = re.findall(r"^\| `(.+?)` \|", PAGE.partition("## How it is determined")[0], re.MULTILINE)
    assert set(verdicts) == {value for each in get_args(verdict) for value in get_args(each)}
    first, second, third = GAINS
    assert f"factors {first:g}, {second:g} and {third:g}" in PAGE
    assert f"relative error is at most {TOLERANCE:g}," in PAGE


def behaviour_of(source: str) -> Behaviour:
    """Of the network small: 12 − 5 + 1 = 8 and ⌊(8 − 5)/2⌋ + 1 = 2, so 2·2·32 capsules."""
    names: dict[str, type[nn.Module]] = {}
    exec(compile(source, "paper.py", "exec"), names)
    network = names["CapsNet"](size=12, channels=16, kernel=5)
    return behaviour(network, inspect_module(network, "mine"))


def unmended(diff: str) -> str:
    """The source with the lines that are to be mended."""
    source = SOURCE
    for hunk in dedent(diff).split("@@\n"):
        old, new = (
            "".join(f"{' ' * 8}{line[1:]}\n" for line in hunk.splitlines() if line[0] in signs)
            for signs in (" -", " +")
        )
        assert source.count(new) == 1, new
        source = source.replace(new, old)
    return source


def parts(name: str) -> set[str]:
    """The names of entries that a name may be made of."""
    return {with_n(name), *name.split(", "), *([BY_MODE] if "; in eval mode " in name else [])}


def test_the_network_of_the_page_is_the_papers() -> None:
    assert SOURCE.strip() in PAGE
    assert behaviour_of(SOURCE).verdict == "agrees"
    assert sum(tensor.numel() for tensor in CapsNet().parameters()) == expected.PAPER


@pytest.mark.parametrize("entry", MENDED, ids=lambda entry: f"{entry.stage}: {entry.names[0]}")
def test_what_is_to_be_mended_is_what_the_entry_is_about(entry: Entry) -> None:
    """The stages behind it may show it as well: no gradient comes through a one-hot vector."""
    stages = behaviour_of(unmended(entry.diff)).stages
    first = next(row for row in stages if row.verdict != "agrees")
    assert (first.stage, first.verdict) == (entry.stage, "differs")
    assert entry.names[0] in parts(str(first.model))
