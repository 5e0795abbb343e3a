"""Evaluations as documents."""

import msgspec

from capsaudit.render.tables.evaluate import evaluate
from tests.render import samples
from tests.render.grids import column, names, raw, rows


def test_the_title_has_the_error_of_the_chosen_weights() -> None:
    assert evaluate(samples.evaluation()).title == "theirs.pt: test error 50.00% ± 25.00%"
    assert evaluate(samples.evaluated_run()).title == "runs/multimnist: test error 20.00% ± 0.40%"


def test_errors_of_single_digits() -> None:
    table = evaluate(samples.evaluation()).table("errors")
    assert names(table) == ["weights", "epoch", "test error", "standard error", "reconstruction"]
    assert rows(table) == [["of the file", "—", "50.00%", "25.00%", "12.35"]]
    assert raw(table)[0][2:] == ["0.5", "0.25", "12.345"]


def test_two_overlaid_digits_have_both_metrics_and_no_confusion() -> None:
    document = evaluate(samples.evaluated_run())
    table = document.table("errors")
    assert column(table, "weights") == ["last", "chosen by the validation error"]
    assert column(table, "digits missed") == ["15.00%", "15.00%"]
    assert column(table, "reconstruction") == ["—", "—"]
    assert any("1 minus the mean of hits" in each for each in document.sentences)
    assert not any(each.startswith("Reconstruction") for each in document.sentences)
    assert len(document.parts) == 1 + len(document.sentences)


def test_confusion_has_a_row_for_each_digit() -> None:
    table = evaluate(samples.evaluation()).table("confusion")
    assert names(table) == ["digit", "found 0", "found 1"]
    assert raw(table) == [[0, 1, 1], [1, 1, 1]]
    assert [[cell.tone for cell in row[1:]] for row in table.rows] == [["good", "bad"], ["bad", "good"]]


def test_what_is_said_of_somebody_s_weights() -> None:
    document = evaluate(samples.evaluation())
    text = " ".join(document.sentences)
    assert "Network: paper, with conv1.channels 256 → 128; 8,000,000 parameters." in text
    assert (
        "8,426,082 trainable parameters; closest to paper (8,215,568), +210,514. Layers that differ: fc1 +1,610, fc2 "
        in text
    )
    assert (
        "The test error is that of this network with these weights. The code that they were trained with was not run"
        in text
    )
    assert "Assumed as in paper, because a file does not show it: digit_caps.iterations." in text
    assert "Left out, because the network has no such tensors: bn.weight." in text
    assert "the lowest error on the first 1,000 training images was used" in text
    assert "Even this reading" not in text
    assert "the same error" not in text
    assert column(document.table("readings"), "error on training images") == ["87.50%", "25.00%"]
    assert column(document.table("readings"), "used") == ["no", "yes"]


def test_readings_that_decide_nothing_are_said() -> None:
    result = samples.evaluation()
    alike = tuple(msgspec.structs.replace(reading, error=0.9) for reading in result.readings)
    text = " ".join(evaluate(msgspec.structs.replace(result, readings=alike)).sentences)
    assert "1 of the other readings gave the same error" in text
    assert "Even this reading gets more than 50% of these training images wrong" in text


def test_tensors_that_are_those_of_a_variant() -> None:
    expected = "11,361,808 trainable parameters; the tensors are those of multimnist, layer by layer."
    assert any(each.endswith(expected) for each in evaluate(samples.evaluated_run()).sentences)


def test_tensors_of_no_network() -> None:
    result = msgspec.structs.replace(samples.evaluation(), audit=samples.unknown_audit())
    assert "the tensors are not recognised as a network of any family" in " ".join(evaluate(result).sentences)
