"""Training runs as a document."""

import msgspec

from capsaudit.render.tables.train_smoke import train_smoke
from tests.render import samples
from tests.render.grids import column, names, raw


def test_a_row_for_each_run() -> None:
    table = train_smoke(samples.runs()).table("runs")
    assert column(table, "loss") == ["0.5000\n→ 0.2500", "0.5000\n→ not finite"]
    assert column(table, "accuracy") == ["10.0%\n→ 95.0%", "10.0%\n→ 10.0%"]
    assert column(table, "peak MiB") == ["256", "1"]
    assert column(table, "verdict") == ["unreachable", "does not learn"]


def test_tensors_that_were_not_updated_stand_out() -> None:
    table = train_smoke(samples.runs()).table("tensors of paper")
    assert column(table, "updated") == ["20,736", "0", "20,736"]
    assert column(table, "reached") == ["yes", "no", ""]
    updated = train_smoke(samples.runs()).table("runs").rows[0][6]
    assert (updated.text, updated.tone) == ("20,736", "bad")


def test_tensors_are_shown_for_one_run_or_two() -> None:
    three = msgspec.structs.replace(samples.runs(), runs=samples.runs().runs * 2)
    assert [part for part in train_smoke(three).parts if getattr(part, "name", "").startswith("tensors")] == []


def test_what_was_interrupted_says_so() -> None:
    assert train_smoke(samples.runs()).title == "2 short training runs, interrupted"
    one = msgspec.structs.replace(samples.runs(), runs=samples.runs().runs[:1], interrupted=False)
    assert train_smoke(one).title == "1 short training run"
    sentences = train_smoke(samples.runs()).sentences
    assert "multimnist: interrupted after 7 of 80 steps, loss 0.7500 → 0.5000; no verdict." in sentences
    assert "Not started: affnist." in sentences
    finished = msgspec.structs.replace(one, unfinished=None, not_started=())
    assert not any("nterrupted" in each or "Not started" in each for each in train_smoke(finished).sentences)


def test_pictures_are_named_and_those_that_are_not_drawn_have_a_reason() -> None:
    sentences = train_smoke(samples.runs()).sentences
    assert "Pictures: pictures/paper-loss.svg." in sentences
    reasons = [each for each in sentences if ": not drawn, because " in each]
    assert [each.partition(":")[0] for each in reasons] == ["paper, reconstructions", "paper, dimensions"]


def test_a_run_says_how_it_was_trained_and_data_are_named_once() -> None:
    sentences = train_smoke(samples.runs()).sentences
    (first,) = [each for each in sentences if each.startswith("paper: unreachable")]
    assert all(each in first for each in ("digit_caps.logits", "11,520 values", "80 steps", "32", "seed 0", "cpu"))
    assert [each for each in sentences if each.startswith("Data: ")] == ["Data: scikit-learn's 8×8 digits."]


def test_programs_get_one_value_a_column() -> None:
    table = train_smoke(samples.runs()).main_table
    found = [dict(zip(names(table), row, strict=True)) for row in raw(table)]
    assert (found[0]["loss_last"], found[1]["loss_last"]) == ("0.25", None)
    assert found[0]["peak_memory_bytes"] == str(256 * 2**20)
    assert train_smoke(msgspec.structs.replace(samples.runs(), runs=())).main_table.columns == ()
