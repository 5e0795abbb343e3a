"""The tables of training runs: errors beside how they were chosen, and what the plan still lacks."""

from pathlib import Path

import msgspec
import pytest

from capsaudit.reporting.training.runs import kept_run
from capsaudit.reporting.training.stated import stated_data
from capsaudit.reporting.training.tables import (
    by_epoch,
    changed_settings,
    differing_settings,
    network,
    overview,
    shared_settings,
    stated_errors,
)
from capsaudit.train.settings import Fork
from tests.render.grids import column, names, rows
from tests.reporting.training.recorded import record, settings


def test_without_runs_every_planned_one_is_not_run() -> None:
    grid = overview([]).grid
    assert column(grid, "network") == [
        "paper",
        "article",
        "paper with digit_caps.iterations = 1",
        "paper-no-decoder",
        "efficient-capsnet-decoder",
    ]
    assert column(grid, "epochs") == ["10", "2", "2", "2", "2"]
    assert set(column(grid, "test error of the last epoch, %")) == {"not run"}


def test_a_planned_run_takes_the_place_of_its_row(tmp_path: Path) -> None:
    """36 of 10,000 images: √(0.0036 · 0.9964 / 10,000) = 0.0599 %. 64: √(0.0064 · 0.9936 / 10,000) = 0.0797 %."""
    one = ("digit_caps.iterations=1",)
    run = kept_run(record(tmp_path / "a", settings("paper", one, epochs=2), test=(0.0064, 0.0036, 1)))
    grid = overview([run]).grid
    assert len(grid.rows) == len(stated_data().planned)
    assert rows(grid)[2] == [
        "paper with digit_caps.iterations = 1",
        "2",
        "0",
        "0.36 ± 0.06 (36 images)",
        "0.36 ± 0.06 (36 images)",
        "2, the first with the lowest validation error",
        "55,000 / 5,000 of MNIST",
        "0.001, × 0.96 every 2,000 steps, not below 1e-06",
        "—",
        "a",
    ]


def test_the_last_and_the_chosen_epoch_have_errors_of_their_own(tmp_path: Path) -> None:
    run = kept_run(record(tmp_path / "a", settings(decay_to_floor=True)))
    last, chosen = rows(overview([run]).grid)[-1][3:5]
    assert (last, chosen) == ("0.36 ± 0.06 (36 images)", "0.64 ± 0.08 (64 images)")
    assert column(overview([run]).grid, "learning rate")[-1] == "0.001, decays to 1e-06 over the run"
    assert column(by_epoch(run).grid, "chosen") == ["", "chosen", ""]
    assert column(by_epoch(run).grid, "test error, %") == ["0.75", "0.64", "0.36"]
    assert column(by_epoch(run).grid, "validation error, %") == ["0.60", "0.40", "0.40"]


def test_without_images_held_out_nothing_is_chosen(tmp_path: Path) -> None:
    run = kept_run(record(tmp_path / "a", settings(validation=0)))
    found = dict(zip(names(overview([run]).grid), rows(overview([run]).grid)[-1], strict=True))
    assert found["test error of the chosen epoch, %"] == "—"
    assert found["chosen epoch"] == "none, nothing was held out"
    assert found["images trained on / held out"] == "60,000 / 0 of MNIST"


@pytest.mark.parametrize(
    "other",
    [
        settings(epochs=3),
        settings(epochs=10, reconstruction=False),
        settings(epochs=10, shift=0),
        settings(epochs=10, batch_size=64),
        settings(epochs=10, more={"data_sha256": "0" * 64}),
        settings(epochs=10, knobs=("digit_caps.iterations=2",)),
        settings(epochs=10, more={"forks": (Fork(1, {"seed": 1}),)}),
    ],
)
def test_a_run_by_another_protocol_is_not_the_planned_one(tmp_path: Path, other: object) -> None:
    """It is a row of its own, behind the plan."""
    run = kept_run(record(tmp_path / "a", other))  # type: ignore[arg-type]
    grid = overview([run]).grid
    assert len(grid.rows) == len(stated_data().planned) + 1
    assert column(grid, "test error of the last epoch, %")[0] == "not run"


def test_several_seeds_are_several_rows_of_one_planned_run(tmp_path: Path) -> None:
    runs = [kept_run(record(tmp_path / str(seed), settings(epochs=10, seed=seed))) for seed in (0, 1)]
    grid = overview(runs).grid
    assert column(grid, "network")[:3] == ["paper", "paper", "article"]
    assert column(grid, "seed")[:3] == ["0", "1", "—"]


def test_images_that_are_not_known_have_no_standard_error(tmp_path: Path) -> None:
    run = kept_run(record(tmp_path / "a", settings(more={"data_sha256": "0" * 64})))
    row = rows(overview([run]).grid)[-1]
    assert row[3] == "0.36"
    assert row[6] == "60,000 + 10,000 IDX images of 28×28, 5,000 held out"


def test_settings_without_a_column_are_named(tmp_path: Path) -> None:
    """Also those that a run was changed to on its way."""
    given = settings(margin=False, more={"forks": (Fork(7, {"learning_rate": 0.01}),)})
    assert changed_settings(kept_run(record(tmp_path / "a", given))) == (
        "margin = false, up to step 7 learning_rate = 0.01"
    )


def test_a_network_of_one_s_own_is_named_by_the_closest_variant(tmp_path: Path) -> None:
    own = settings("article", knobs=("conv1.kernel=7",), more={"variant": "mine"})
    assert network(kept_run(record(tmp_path / "a", own))) == "mine: article with conv1.kernel = 7"
    assert network(kept_run(record(tmp_path / "b", settings("article")))) == "article"
    article = settings("article", more={"variant": "paper"})
    assert network(kept_run(record(tmp_path / "d", article))).startswith("paper with digit_caps.")
    knob = "digit_caps.iterations=1"
    changed = settings("paper", knobs=(knob,), more={"variant": f"paper + {knob}"})  # as --set names it
    assert network(kept_run(record(tmp_path / "e", changed))) == "paper with digit_caps.iterations = 1"
    same = settings("paper", more={"variant": "mine"})
    assert network(kept_run(record(tmp_path / "c", same))) == "mine: paper"


def test_every_setting_is_shared_or_differs(tmp_path: Path) -> None:
    runs = [
        kept_run(record(tmp_path / "a", settings())),
        kept_run(record(tmp_path / "b", settings("article", seed=1, more={"versions": {"torch": "3"}}))),
    ]
    shared, differing = shared_settings(runs).grid, differing_settings(runs).grid
    assert names(differing) == ["setting", "a", "b"]
    assert rows(differing) == [
        ["seed", "0", "1"],
        ["variant", "paper", "article"],
        ["version of capsaudit", "0.2.0", "—"],
        ["version of torch", "2.13.0", "3"],
    ]
    fields = {*msgspec.structs.asdict(runs[0].settings.protocol)} - {"seed"}
    others = {"images", "data", "data_sha256", "device", "threads", "processes"}
    assert set(column(shared, "setting")) == fields | others


def test_stated_errors_have_a_rule_each() -> None:
    grid = stated_errors().grid
    assert all(column(grid, "rule"))
    assert column(grid, "variant")[1] == "paper with digit_caps.iterations = 1"
