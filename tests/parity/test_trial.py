"""Copies do not share what is replaced; rows are those of the batch."""

import pytest
import torch
from torch import Tensor, nn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.parity.trial import Batch, Trial, variant


def only(batch: Batch, wanted: list[int]) -> Tensor:
    (tensor,) = batch.rows(wanted).positional
    assert isinstance(tensor, Tensor)
    return tensor


def test_rows_are_taken_of_what_has_one_for_each_example() -> None:
    """The others, and values that are no tensors, are as they were given."""
    images, table = torch.rand(2, 3), torch.rand(4, 2)
    batch = Batch(Arguments((images, [table, "text"]), {"scale": 2}), size=2)
    made = batch.rows([1])
    assert made.keywords == {"scale": 2}
    assert str(made.positional) == str((images[1:], [table, "text"]))


def test_a_row_beyond_the_last_has_the_values_of_another() -> None:
    words = torch.arange(12).view(1, 12)
    batch = Batch(Arguments((words,)), size=1)
    both, second = only(batch, [0, 1]), only(batch, [1])
    assert torch.equal(both[0], words[0])
    assert not torch.equal(both[1], words[0])
    assert torch.equal(both[1].sort().values, words[0])
    assert torch.equal(second[0], both[1])  # the same row in any batch


def test_inputs_are_copied() -> None:
    """A forward pass may write into them."""
    images = torch.rand(2, 3)
    batch = Batch(Arguments((images,)), size=2)
    only(batch, [0, 1]).zero_()
    assert images.all()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.kept: Tensor
        self.register_buffer("kept", torch.ones(1))


def test_a_variant_replaces_a_parameter_under_all_its_names() -> None:
    """What is not replaced is shared."""
    model = Tied()
    made = variant(model, {"first.weight": torch.zeros(2, 2), "kept": torch.zeros(1)})
    assert isinstance(made, Tied)
    assert made.first.weight is made.second.weight
    assert not made.first.weight.any()
    assert not made.kept.any()
    assert made.first.bias is model.first.bias
    assert model.first.weight.all()
    assert model.kept.all()


def test_what_is_not_registered_cannot_be_replaced() -> None:
    with pytest.raises(CapsauditError, match="scale is computed when the model runs"):
        variant(nn.Linear(2, 2), {"scale": torch.zeros(1)})


class OwnDtype(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


@pytest.mark.parametrize(("model", "dtype"), [(nn.Linear(3, 2), torch.float64), (OwnDtype(3, 2), None)])
def test_a_model_runs_in_float64_where_it_can(model: nn.Module, dtype: torch.dtype | None) -> None:
    trial = Trial(model, None, Arguments((torch.rand(2, 3),)))
    assert trial.precise.dtype == dtype
    assert {each.dtype for each in trial.precise.returned[0]} == {dtype or torch.float32}
    assert next(model.parameters()).dtype == torch.float32


def test_a_model_without_an_input_has_no_trial() -> None:
    with pytest.raises(CapsauditError, match="there is no input to run it on"):
        Trial(nn.Linear(3, 2), None, None)


def test_a_lazy_model_gets_its_shapes_first() -> None:
    model = nn.LazyLinear(2)
    trial = Trial(model, None, Arguments((torch.rand(2, 3),)))
    assert trial.precise.returned[0][0].shape == (2, 2)
    assert model.has_uninitialized_params()
