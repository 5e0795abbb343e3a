"""What all results share. Results are frozen values; `capsaudit.render` knows how they are shown, and is imported when one is."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from msgspec import Struct

from capsaudit.spec import Data

SCHEMA = 2
"""The version of the JSON keys."""

ReasonCode = Literal[
    "witnesses differ",
    "unknown layer",
    "formula",
    "total",
    "rounds otherwise",
    "true of",
    "true of none",
    "rows add up",
    "also",
    "shape",
    "shapes agree",
    "knobs agree",
    "knobs disagree",
    "no row",
    "rows agree",
    "rows are fully connected",
    "rows are not fully connected",
    "known",
    "values agree",
    "value differs",
    "formula differs",
    "product agrees",
    "product differs",
    "the paper says",
    "no purpose stated",
    "no experiment",
    "shrinking",
    "stable",
    "not stable",
    "torch needed",
    "loss agrees",
    "loss disagrees",
    "losses agree",
    "no source",
    "source",
    "appeared later",
    "selected",
    "explained",
    "not explained",
    "not finite",
    "unreachable",
    "not updated",
    "accuracy",
    "gained too little",
    "explained too little",
    "changed too little",
]


class Reason(Struct, frozen=True):
    """Why a verdict is what it is: a code, and the values that its sentence is made from. `capsaudit.render.reasons` has the sentences."""

    code: ReasonCode
    values: Data


def reason(code: ReasonCode, **values: object) -> Reason:
    """A reason with its values by name."""
    return Reason(code, values)


class Result(Struct, frozen=True, kw_only=True):
    """A result of a command. `print` shows its tables, and so does a notebook; JSON has the names of its fields."""

    schema: int = SCHEMA

    def __str__(self) -> str:
        return self._rendered("plain")

    def __repr__(self) -> str:
        return self._rendered("one_line")

    def _repr_html_(self) -> str:
        return self._rendered("html")

    def _rendered(self, form: str) -> str:
        """By name, since results are below the renderers and most uses need none."""
        text: str = getattr(import_module("capsaudit.render.formats"), form)(self)
        return text
