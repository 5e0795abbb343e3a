"""Rows of tensors of which only a file is known: layers, buffers, and counts."""

import pytest

from capsaudit.inspection.files.rows import file_row


@pytest.mark.parametrize(
    ("name", "layer"),
    [("fc.weight", "fc"), ("module.encoder.0.weight", "module.encoder.0"), ("scale", ""), (".weight", "")],
)
def test_the_layer_is_the_name_without_its_last_part(name: str, layer: str) -> None:
    row = file_row(name, (2, 3), "float32", 24)
    assert (row.name, row.layer, row.kind) == (name, layer, "")


@pytest.mark.parametrize("name", ["running_mean", "running_var", "num_batches_tracked"])
def test_statistics_of_batch_norms_are_buffers(name: str) -> None:
    row = file_row(f"features.1.{name}", (7,), "float32", 28)
    assert (row.buffer, row.trainable, row.count) == (True, False, 7)


@pytest.mark.parametrize("name", ["weight", "running_mean.weight", "my_running_mean"])
def test_other_tensors_are_trainable(name: str) -> None:
    row = file_row(name, (7,), "float32", 28)
    assert (row.buffer, row.trainable, row.count) == (False, True, 7)


def test_the_count_is_the_product_of_the_shape() -> None:
    assert file_row("w", (2, 3), "float32", 24).count == 6  # 2·3
    assert file_row("w", (), "float32", 4).count == 1  # a shape without axes is one value
    assert file_row("w", (0, 4), "float32", 0).count == 0


def test_the_same_tensor_again_counts_nothing() -> None:
    row = file_row("b", (2, 3), "float32", 0, {"per name": 6}, same_as="a")
    assert (row.count, row.by("per name"), row.same_as) == (0, 6, "a")
