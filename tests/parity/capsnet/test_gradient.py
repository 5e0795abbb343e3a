"""Where the gradient of W is stopped: models that compute the same values, and differ in what `detach` is called on."""

import pytest
import torch
from torch import Tensor

from tests.parity.networks import FourConvolutions, squash
from tests.parity.test_behaviour import behaviour_of


class Detaching(FourConvolutions):
    """`stops`: what is detached, of "û in the sum", "û in the agreement", "v in the agreement"."""

    def __init__(self, *stops: str) -> None:
        super().__init__()
        self.stops = stops

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10)
        for last in (False, False, True):
            in_sum = hat if last else self.passing(hat, "û in the sum")
            v = squash(torch.einsum("bij,bije->bje", b.softmax(-1), in_sum))
            b = b + torch.einsum(
                "bije,bje->bij", self.passing(hat, "û in the agreement"), self.passing(v, "v in the agreement")
            )
        lengths: Tensor = v.norm(dim=-1)
        return lengths

    def passing(self, tensor: Tensor, what: str) -> Tensor:
        return tensor.detach() if what in self.stops else tensor


def gradient(model: FourConvolutions) -> tuple[str, str | None]:
    row = behaviour_of(model).stages[-1]
    assert row.stage == "gradient"
    return row.verdict, row.model


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        ((), ("agrees", "through all iterations")),
        (("û in the sum", "û in the agreement"), ("agrees", "through the last iteration")),
        (("û in the agreement",), ("differs", "through all iterations, but for û in the agreement")),
        (("v in the agreement",), ("differs", "through all iterations, but for v in the agreement")),
        (("û in the sum",), ("undetermined", None)),
    ],
)
def test_what_is_detached_is_named(stops: tuple[str, ...], expected: tuple[str, str | None]) -> None:
    assert gradient(Detaching(*stops)) == expected


class Constant(Detaching):
    def route(self, hat: Tensor) -> Tensor:
        return super().route(hat.detach())


def test_votes_that_are_detached_leave_w_without_a_gradient() -> None:
    assert gradient(Constant()) == ("differs", "none reaches W")
