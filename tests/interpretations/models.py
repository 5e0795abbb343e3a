"""Inventories by hand: tensors with the classes of their modules, as the audit of a model has them, or without, as that of a file."""

from math import prod

from capsaudit.inventory import Finding, Inventory, InventoryTensor


def tensor(
    name: str, *shape: int, kind: str = "", same_as: str | None = None, trainable: bool = True, buffer: bool = False
) -> InventoryTensor:
    count = prod(shape)
    return InventoryTensor(
        name=name,
        layer=name.rpartition(".")[0],
        kind=kind,
        shape=shape,
        count=0 if same_as else count,
        trainable=trainable and not buffer,
        buffer=buffer,
        dtype="float32",
        bytes=4 * count,
        same_as=same_as,
        counts={"per name": count} if same_as else {},
    )


def inventory(*tensors: InventoryTensor, unused: tuple[str, ...] = ()) -> Inventory:
    findings = tuple(Finding(kind="unused", path=path, message=f"{path} is not used") for path in unused)
    return Inventory(target="mine", tensors=tensors, findings=findings)


LANGUAGE_MODEL = inventory(
    tensor("model.tokens.weight", 100, 8, kind="Embedding"),
    tensor("model.positions.weight", 20, 8, kind="Embedding"),
    tensor("model.segments.weight", 2, 8, kind="Embedding"),
    tensor("model.blocks.0.linear.weight", 8, 8, kind="Linear"),
    tensor("model.blocks.0.linear.bias", 8, kind="Linear"),
    tensor("model.blocks.0.scale.weight", 8, kind="RMSNorm"),
    tensor("model.blocks.1.linear.weight", 8, 8, kind="Linear", trainable=False),
    tensor("model.blocks.1.linear.bias", 8, kind="Linear", trainable=False),
    tensor("model.rotary.frequencies", 4, kind="Rotary", buffer=True),
    tensor("head.weight", 100, 8, kind="Linear", same_as="model.tokens.weight"),
    tensor("head.bias", 100, kind="Linear"),
)
"""800 + 160 + 16 + 64 + 8 + 8 + 100 = 1,156 trainable, 72 frozen, 4 in buffers; the head shares its 800 with the table of tokens."""
