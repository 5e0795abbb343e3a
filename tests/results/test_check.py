"""The result of the gate."""

from capsaudit.catalogue import shipped
from capsaudit.results.check import Check, Failure
from tests.render.samples import check, failed_check
from tests.results.frozen import assert_frozen


def test_a_check_agrees_exactly_where_nothing_failed() -> None:
    assert check().agrees
    assert check().failures == ()
    assert not failed_check().agrees
    assert failed_check().failures


def test_more_is_checked_than_fails() -> None:
    assert 0 < len(failed_check().failures) < failed_check().checked


def test_a_failure_keeps_what_was_expected_beside_what_was_found() -> None:
    (failure,) = [f for f in failed_check().failures if (f.layer, f.what) == ("conv1", "trainable")]
    # (7·7·1 + 1)·256 in place of (9·9·1 + 1)·256
    lines = shipped()["paper"].read_text().splitlines()
    line = next(n for n, text in enumerate(lines, start=1) if text.startswith("conv1 ") and "20_992" in text)
    assert failure == Failure(
        variant="wrong",
        layer="conv1",
        what="trainable",
        expected=20_992,
        found=12_800,
        file="variants/paper.toml",
        line=line,
    )


def test_a_check_is_frozen() -> None:
    assert_frozen(Check(agrees=True, checked=1, failures=(), variants=("paper",)))
