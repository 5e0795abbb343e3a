"""Published figures of well-known networks: the exact count, the verdict, and what the figure is of where it disagrees."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from capsaudit.commands.model_claims import judge_counts
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Inventory
from capsaudit.render.reasons import because
from tests.zoo.published import PUBLISHED, Published
from tests.zoo.test_architectures import require


@cache
def built(number: int) -> Inventory:
    with torch.device("meta"):
        return inspect_module(PUBLISHED[number].build(), PUBLISHED[number].name)


def test_the_table_has_many_networks() -> None:
    assert len({row.name for row in PUBLISHED}) >= 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(PUBLISHED)), ids=[f"{row.name}: {row.figure}" for row in PUBLISHED])
def test_published_figures(number: int) -> None:
    require("transformers")
    row: Published = PUBLISHED[number]
    (claim,) = judge_counts(built(number), {"total": row.figure}, "stored")
    assert claim.found == row.exact
    assert claim.verdict == row.verdict
    said = because(claim.reasons)
    if row.explained is not None:
        assert f"{row.figure} = {row.explained}" in said
    elif row.verdict == "disagrees":
        assert f"no interpretation rounds to {row.figure} (" in said
