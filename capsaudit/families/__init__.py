"""Families of networks, each in a file of its own, and the questions that every family answers about a spec. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, cast

from capsaudit.arithmetic import LayerArithmetic
from capsaudit.errors import FileError
from capsaudit.families import baseline, capsnet, efficient_capsnet
from capsaudit.families.base import Family, S
from capsaudit.spec import Data, Spec
from capsaudit.validation import faults_of, nearest, shown

FAMILIES: dict[str, Family[Any]] = {
    family.name: family for family in (capsnet.CAPSNET, baseline.BASELINE, efficient_capsnet.EFFICIENT_CAPSNET)
}
"""By name, as variant files give it, in the order in which tables list them."""

_BY_SPEC = {family.spec: family for family in FAMILIES.values()}


def family_of(spec: S) -> Family[S]:
    """The family that a spec belongs to."""
    return cast(Family[S], _BY_SPEC[type(spec)])


def spec_of(network: Data) -> Spec:
    """The network that a table describes.

    Raises:
        FileError: it describes none.
    """
    family = network.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise FileError(f"network.family is {shown(family)}; {nearest(str(family), FAMILIES)}")
    table = {name: value for name, value in network.items() if name != "family"}
    spec, faults = faults_of(table, FAMILIES[family].spec)
    if spec is None:
        raise FileError(*(f"network.{fault.path} {fault.message}" for fault in faults))
    if fault := impossible(spec):
        raise FileError(f"network: {fault}")
    return spec  # type: ignore[no-any-return]


def layers(spec: Spec) -> tuple[LayerArithmetic, ...]:
    """Every layer of the network in closed form, from the image on."""
    return tuple(family_of(spec).layers(spec))


def total(spec: Spec) -> int:
    """Trainable parameters in closed form."""
    return sum(layer.formula.value for layer in layers(spec))


def impossible(spec: Spec) -> str | None:
    """Why no such network can exist, in terms of its knobs; None where it can."""
    return family_of(spec).impossible(spec)


def sides(spec: Spec) -> Iterator[tuple[int, int]]:
    """Height and width behind each convolution and its pooling: a network is possible where all of them are positive."""
    return family_of(spec).sides(spec)


def layer_rank(name: str) -> tuple[int, int, str]:
    """Sorts the names of layers of any families: by kind, then by number.

    >>> sorted(["fc1", "conv2", "digit_caps", "conv10", "conv1"], key=layer_rank)
    ['conv1', 'conv2', 'conv10', 'digit_caps', 'fc1']
    """
    return _KINDS.index(name.rstrip("0123456789")), len(name), name


def _merged(orders: Iterable[tuple[str, ...]]) -> list[str]:
    """One order of all kinds: a kind that is new follows the kind that it follows in its own family."""
    merged: list[str] = []
    for order in orders:
        place = 0
        for kind in order:
            if kind not in merged:
                merged.insert(place, kind)
            place = merged.index(kind) + 1
    return merged


_KINDS = _merged(family.layer_order for family in FAMILIES.values())

UNCOUNTED_KNOBS = frozenset(chain.from_iterable(family.uncounted_knobs for family in FAMILIES.values()))
"""Knobs that no count and no shape of any family depends on."""
