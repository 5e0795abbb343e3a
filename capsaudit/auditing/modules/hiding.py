"""Parameters that a model keeps past registration, where neither an optimiser nor a file nor a counter finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn

from capsaudit.audited import Finding
from capsaudit.auditing.modules.attributes import Place, is_trainable_leaf
from capsaudit.auditing.modules.members import CONTAINERS


def hidden(held: Sequence[Place], leaves: Mapping[int, Tensor], touched: set[int]) -> Iterator[Finding]:
    """What lies in objects may belong to somebody else, and is told only where the gradient reaches it."""
    for place in held:
        if place.attribute and isinstance(place.value, Tensor) and is_trainable_leaf(place.value):
            if id(place.value) in leaves:
                yield _finding(place, place.attribute, place.value, "is reached by the gradient but")
            elif not place.in_object:
                how = "is used but" if id(place.value) in touched else "is reached by no forward, and"
                yield _finding(place, place.attribute, place.value, how)


def nameless(tensor: Tensor) -> Finding:
    """A leaf that no attribute leads to, the same one in each forward."""
    shape = tuple(tensor.shape)
    message = (
        f"a tensor of shape {shape} is reached by the gradient but is held by no module: a global, or in a closure"
    )
    return Finding(kind="hidden", path="", message=message, count=tensor.numel())


def _finding(place: Place, attribute: tuple[str, object], tensor: Tensor, how: str) -> Finding:
    path, holder = attribute
    message = f"{place.path} {how} is not registered: `{path}` is {_remedy(holder, place.in_module)}"
    return Finding(kind="hidden", path=place.path, message=message, count=tensor.numel())


def _remedy(holder: object, in_module: bool) -> str:
    kind = "Module" if in_module else "Parameter"
    if isinstance(holder, Tensor):
        return "a plain tensor; use nn.Parameter"
    if isinstance(holder, nn.Module):
        return "a module that was set past nn.Module; assign it as an attribute"
    name = type(holder).__name__
    if not isinstance(holder, CONTAINERS):
        return f"a {name}, which is no module; make it an nn.Module"
    return f"a plain {name}; use nn.{kind}{'Dict' if isinstance(holder, Mapping) else 'List'}"
