"""Full training runs as documents."""

import msgspec

from capsaudit.render.tables.train import train, train_dry_run
from capsaudit.results import TestError
from tests.render import samples
from tests.render.grids import column, raw


def test_both_errors_are_named() -> None:
    table = train(samples.training_run()).table("errors")
    assert column(table, "weights") == ["last", "chosen by the validation error"]
    assert column(table, "epoch") == ["2", "1"]
    assert column(table, "test error") == ["1.25%", "1.00%"]
    assert raw(table)[0][2] == "0.0125"
    assert train(samples.training_run()).title == "paper: 2 epochs of training"


def test_where_nothing_is_held_out_nothing_is_chosen() -> None:
    run = samples.training_run()
    without = msgspec.structs.replace(
        run,
        test_error=TestError(last=0.0125, chosen=None),
        validation_error=None,
        validation_images=0,
        chosen_epoch=None,
        epochs=1,
    )
    document = train(without)
    assert column(document.table("errors"), "weights") == ["last"]
    assert "No training images were held out, so no epoch was chosen." in document.sentences
    assert document.title == "paper: 1 epoch of training"


def test_sentences_have_the_rule_the_cost_and_the_data() -> None:
    sentences = train(samples.training_run()).sentences
    assert "Standard error of the test error: 0.10%, from 10,000 test images." in sentences
    assert any("validation error, 1.12% on 5,000 training images that were held out" in each for each in sentences)
    assert any(
        "858 steps in 1:02:05 h, 30 images/s; mean loss of an epoch 0.2500 → 0.1250." in each for each in sentences
    )
    assert "Pictures: pictures/paper-loss.svg." in sentences
    assert [each.partition(":")[0] for each in sentences if "not drawn" in each] == ["paper, dimensions"]


def test_settings_are_listed_but_those_of_the_network() -> None:
    table = train(samples.training_run()).table("settings")
    assert column(table, "setting") == ["epochs", "seed", "decay_to_floor", "data_sha256"]
    assert column(table, "value") == ["2", "0", "false", "000000000000…"]


def test_an_estimate_says_what_is_left() -> None:
    document = train_dry_run(samples.training_estimate())
    table = document.table("estimate")
    found = dict(zip(column(table, "what"), column(table, "estimate"), strict=True))
    assert (found["steps"], found["steps done"]) == ("858", "50")
    assert (found["time of the steps left"], found["time of evaluation"]) == ("1:02:05 h", "1:00 min")
    assert (found["peak memory"], found["disk"]) == ("600.0 MB", "264.0 MB")
    assert any(each.startswith("808 steps are left;") for each in document.sentences)
