"""What the networks of all families have in common."""

import pytest
import torch

from capsaudit import spec
from capsaudit.catalogue import load_variant, shipped
from capsaudit.families import family_of
from capsaudit.models import build
from capsaudit.models.fully_connected import Decoder
from capsaudit.models.network import CapsuleNetwork, Network


@pytest.mark.parametrize("variant", sorted(set(shipped()) - {"baseline-mnist", "cifar10-released-code"}))
def test_every_network_gives_scores_and_where_it_has_them_capsules_and_a_reconstruction(variant: str) -> None:
    made = load_variant(variant).spec
    model = build(made)
    shape = (2, made.image.channels, made.image.height, made.image.width)
    with torch.no_grad():
        output = model(torch.rand(shape), torch.tensor([0, 1]))
    classes = family_of(made).classes(made)
    assert output.scores.shape == (2, classes)
    if output.capsules is not None:
        assert output.capsules.shape[:2] == (2, classes)
        torch.testing.assert_close(output.scores, output.capsules.norm(dim=-1))
    assert (output.reconstruction is not None) == (model.decoder is not None)
    if output.reconstruction is not None:
        assert output.reconstruction.shape == shape


def test_a_network_begins_without_a_decoder() -> None:
    assert Network().decoder is None


CAPSULES = torch.tensor([[[0.1, 0.0], [0.0, 0.9], [0.3, 0.4]]])  # lengths 0.1, 0.9 and 0.5


def with_decoder() -> CapsuleNetwork:
    model = CapsuleNetwork()
    image = spec.Image(channels=1, height=2, width=2)
    decoder = spec.Decoder(hidden=(), input="selected")
    model.decoder = Decoder(decoder, classes=3, dimension=2, image=image, device="cpu")
    return model


def test_scores_are_the_lengths_of_the_capsules() -> None:
    output = CapsuleNetwork().output(CAPSULES, None)
    torch.testing.assert_close(output.scores, torch.tensor([[0.1, 0.9, 0.5]]))
    assert output.capsules is CAPSULES
    assert output.reconstruction is None


@pytest.mark.parametrize(("target", "decoded"), [(None, 1), (0, 0), (2, 2)])
def test_the_capsule_of_the_target_is_decoded_or_else_the_longest(target: int | None, decoded: int) -> None:
    model = with_decoder()
    assert model.decoder is not None
    output = model.output(CAPSULES, None if target is None else torch.tensor([target]))
    assert output.reconstruction is not None
    torch.testing.assert_close(output.reconstruction.flatten(), model.decoder(CAPSULES[:, decoded]).sigmoid().flatten())
