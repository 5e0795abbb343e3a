"""Which conventions an inventory allows: by classes, shapes, ties and findings, and by names where nothing else tells."""

import pytest

from capsaudit.interpretations.conventions import ModelConvention, conventions_of
from capsaudit.inventory import Inventory
from capsaudit.selection import Selection
from tests.interpretations.models import LANGUAGE_MODEL, inventory, tensor


def conventions(model: Inventory, selection: Selection | None = None) -> list[ModelConvention]:
    selection = selection or Selection()
    return list(conventions_of(model, selection, selection.tensors(model.tensors, {})))


def left_out(model: Inventory) -> dict[str, set[str]]:
    found = {each.change.knob.removeprefix("counting."): set(each.left_out) for each in conventions(model)}
    return {name: names for name, names in found.items() if names}


def test_what_may_be_left_out_of_a_language_model() -> None:
    assert left_out(LANGUAGE_MODEL) == {
        "token_embeddings": {"model.tokens.weight"},
        "position_embeddings": {"model.positions.weight"},
        "type_embeddings": {"model.segments.weight"},
        "output_head": {"head.weight", "head.bias"},  # of the shape of the table
        "normalisations": {"model.blocks.0.scale.weight"},
        "biases": {"model.blocks.0.linear.bias", "model.blocks.1.linear.bias", "head.bias"},
    }


def test_what_else_may_be_counted() -> None:
    found = {(each.change.knob, each.change.after): each for each in conventions(LANGUAGE_MODEL)}
    assert found["counting.frozen", "counted"].added == {"frozen"}
    assert found["counting.buffers", "counted"].added == {"buffers"}
    assert found["counting.tied", "under each name"].policy == "per name"
    alone = {each.change.after: each.alone for each in found.values() if each.alone}
    inside = {f"model.{name}" for name in ("tokens", "positions", "segments", "blocks", "rotary")}
    assert set(alone) == {"model", "head"} | inside  # rotary has nothing but a buffer
    assert alone["head"] == {"head.weight", "head.bias"}
    assert "counting.frozen" in {
        each.change.knob for each in conventions(LANGUAGE_MODEL, Selection(count="parameters")) if each.removed
    }


def test_nothing_is_counted_in_that_a_selection_counts() -> None:
    found = conventions(LANGUAGE_MODEL, Selection(count="all", policy="per name", layers=("model",)))
    assert not any(each.added or each.policy for each in found)
    assert not any("head" in name for each in found for name in each.left_out | each.alone)


def test_a_file_has_names_only() -> None:
    """Tables are told by their names, normalisations by having nothing but parameters of one axis."""
    model = inventory(
        tensor("wte.weight", 100, 8),
        tensor("wpe.weight", 20, 8),
        tensor("h.0.ln.weight", 8),
        tensor("h.0.ln.bias", 8),
        tensor("h.0.mlp.weight", 8, 8),
        tensor("h.0.mlp.bias", 8),
        tensor("out.weight", 100, 8),
    )
    assert left_out(model) == {
        "token_embeddings": {"wte.weight"},
        "position_embeddings": {"wpe.weight"},
        "output_head": {"out.weight"},
        "normalisations": {"h.0.ln.weight", "h.0.ln.bias"},
        "biases": {"h.0.mlp.bias"},
    }


def test_positions_of_an_image_are_a_bare_parameter() -> None:
    """[1, places, width]; the class token, [1, 1, width], and a kernel of three axes are none. The last matrix is no output head."""
    model = inventory(
        tensor("embeddings.cls_token", 1, 1, 8, kind="ViTEmbeddings"),
        tensor("embeddings.position_embeddings", 1, 17, 8, kind="ViTEmbeddings"),
        tensor("depthwise.weight", 1, 3, 8, kind="Conv1d"),
        tensor("mlp.weight", 8, 8, kind="Linear"),
        tensor("classifier.weight", 10, 8, kind="Linear"),
        tensor("classifier.bias", 10, kind="Linear"),
    )
    assert left_out(model) == {
        "position_embeddings": {"embeddings.position_embeddings"},
        "last_linear_layer": {"classifier.weight", "classifier.bias"},
        "biases": {"classifier.bias"},
    }


def test_what_no_forward_uses_is_a_module_or_a_tensor() -> None:
    tensors = [tensor(f"{name}.weight", 2, 2, kind="Linear") for name in ("body", "aux", "auxiliary")]
    model = inventory(*tensors, tensor("scale", 3), unused=("aux", "scale"))
    assert left_out(model)["unused"] == {"aux.weight", "scale"}


@pytest.mark.parametrize(("of", "numbers"), [(4, 3), (64, 16)])
def test_experts_that_may_be_active(of: int, numbers: int) -> None:
    model = inventory(
        tensor("moe.gate.weight", of, 8), tensor("moe.experts.up", of, 16, 8), tensor("body.weight", 8, 8)
    )
    found = [each.experts for each in conventions(model) if each.experts]
    assert found == [f"{active} of {of}" for active in range(1, numbers + 1)]


def test_layers_of_numbered_lists_are_not_counted_alone() -> None:
    """Nor what is deeper than two names below what all share: `network` here."""
    names = ("stages.0.a", "stages.1.a", "neck.b.c", "neck.d.c")
    model = inventory(*(tensor(f"network.{name}.weight", 2, 2, kind="Linear") for name in names))
    alone = {str(each.change.after) for each in conventions(model) if each.alone}
    assert alone == {f"network.{name}" for name in ("stages", "neck", "neck.b", "neck.d")}
