"""Runs and their verdicts."""

from typing import get_args

import msgspec
import pytest

from capsaudit.results.train_smoke import Run, Runs, RunVerdict
from tests.render.samples import runs


def run(verdict: RunVerdict = "learns", *, counted: int = 5, updated: int = 5) -> Run:
    return msgspec.structs.replace(runs().runs[0], verdict=verdict, counted=counted, updated=updated)


@pytest.mark.parametrize("verdict", get_args(RunVerdict))
def test_runs_agree_where_every_one_learns(verdict: RunVerdict) -> None:
    assert Runs(runs=(run(), run(verdict))).agrees == (verdict == "learns")


def test_what_is_counted_must_have_been_updated() -> None:
    assert Runs(runs=(run(),)).agrees
    assert not Runs(runs=(run(), run(updated=4))).agrees
    assert not Runs(runs=(run(counted=4),)).agrees


def test_no_run_at_all_does_not_agree() -> None:
    """A gate that compared nothing does not pass."""
    assert not Runs(runs=()).agrees
