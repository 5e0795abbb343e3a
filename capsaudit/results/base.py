"""What the verbs return: frozen values that know nothing of how they are shown. Field names are those of the JSON."""

from __future__ import annotations

from functools import singledispatch

from msgspec import Struct

AGREES, DISAGREES, UNSTATED = "agrees", "disagrees", "unstated"
MISATTRIBUTED, UNDECIDED, CONTRADICTED = "misattributed", "undecided", "contradicted"
TELLING, MAY_BE_CHANCE, CHANCE_WOULD_DO = "telling", "may be chance", "chance would do"
MORE_THAN_NEEDED = "more than needed"


@singledispatch
def to_html(result: object) -> str:
    """How a notebook shows a result. The renderer registers itself here, so that results need not know it."""
    raise NotImplementedError(f"no renderer for {type(result).__name__} was imported")


class Result(Struct, frozen=True, kw_only=True):
    """A result of a verb; a notebook shows it as a table."""

    schema: int = 1

    def _repr_html_(self) -> str:
        return to_html(self)
