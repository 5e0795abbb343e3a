"""Values are found whatever the order of their axes, and only where they are the same."""

import math

import pytest
import torch

from capsaudit.parity.record import Recorder, Recording, fitting

X = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 4.0]], dtype=torch.float64)


def recording(tensor: torch.Tensor) -> Recording:
    with Recorder({6}) as recorder:
        made = tensor + 0
    return Recording(recorder.found, made, batch=3)


@pytest.mark.parametrize("tensor", [X, X.flip(1), X.T, X.view(1, 3, 2, 1)])
def test_orders_within_an_image_do_not_matter(tensor: torch.Tensor) -> None:
    assert recording(tensor).error(X) == recording(tensor).output_error(X) == 0


@pytest.mark.parametrize("tensor", [X.flip(0), X.view(2, 3), X.flatten()])
def test_the_values_of_an_image_must_be_in_it(tensor: torch.Tensor) -> None:
    """Swapped images, an axis of three that is not the batch's, no axis of three."""
    assert recording(tensor).error(X) > 0.1


def test_an_error_is_the_largest_difference_by_the_root_mean_square() -> None:
    """Squares of X: 1 + 4 + 9 + 25 + 49 + 16 = 104."""
    changed = X.clone()
    changed[1, 1] += 0.5
    assert recording(changed).error(X) == pytest.approx(0.5 / math.sqrt(104 / 6))


def test_a_later_write_does_not_change_what_was_recorded() -> None:
    with Recorder({6}) as recorder:
        made = X + 0
        made.zero_()
    assert torch.equal(recorder.found[0], X)


def test_values_that_are_not_numbers_fit_nothing() -> None:
    assert recording(X * math.nan).error(X) == math.inf


def test_an_exact_likeness_displaces_one_by_chance() -> None:
    assert fitting({"exact": 1e-15, "chance": 5e-4, "other": 0.1}) == ["exact"]
    assert fitting({"softened": 3e-4, "other": 0.1}) == ["softened"]
    assert fitting({"other": 0.1}) == []
