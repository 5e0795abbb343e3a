"""How ways to count a model are called."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.knobs import KnobChange
from capsaudit.render.document import separated
from capsaudit.results import ModelExplanation

_LEFT_OUT = {
    "output_head": "the output head",
    "last_linear_layer": "the last linear layer",
    "unused": "what a forward pass does not use",
    "frozen": "frozen parameters",
}
"""What is left out, where the knob does not say it as people do."""

_READINGS = {
    "rounding": "cut instead of rounded",
    "trailing_zeros": "if trailing zeros are not significant",
    "thousands": "in thousands of 1024",
}


def counted_as(changes: Sequence[KnobChange]) -> str:
    """Changed conventions in words.

    >>> made = [KnobChange(knob=f"counting.{name}_embeddings", before="counted", after="left out") for name in ("token", "position")]
    >>> counted_as(made)
    'without token and position embeddings'
    """
    named = [(change.knob.removeprefix("counting."), str(change.after)) for change in changes]
    alone = [after for name, after in named if name == "submodule"]
    without = [_LEFT_OUT.get(name, name.replace("_", " ")) for name, after in named if after == "left out"]
    added = [_added(name, after) for name, after in named if after == "counted" or name in ("tied", "experts")]
    parts = [
        f"{word} {_listed(names)}" for word, names in (("only", alone), ("without", without), ("with", added)) if names
    ]
    parts += [_READINGS[name] for name, _ in named if name in _READINGS]
    return ", ".join(parts) or "as it is"


def explanation_text(figure: str, explanation: ModelExplanation) -> str:
    """An explanation of a figure in one sentence, with its total where that is not the figure itself."""
    total = "exact" if explanation.is_exact else f"{explanation.total:,}"
    return f"{separated(figure)} = {counted_as(explanation.changes)}, {total} ({chance(explanation.expected_by_chance)} expected by chance)"


def chance(expected: float) -> str:
    """A number of explanations, of which small ones are all alike.

    >>> chance(0.00002), chance(0.0123), chance(1.5)
    ('less than 0.001', '0.012', '1.5')
    """
    return "less than 0.001" if expected < 0.001 else f"{expected:.2g}" if expected < 1 else f"{expected:,.1f}"


def _added(name: str, after: str) -> str:
    if name == "experts":
        return f"{after} experts"
    return "tied tensors under each name" if name == "tied" else "frozen parameters" if name == "frozen" else name


def _listed(names: Sequence[str]) -> str:
    """Names with commas and `and`; what two end with is said once: `token and position embeddings`."""
    last = [name.rpartition(" ")[2] for name in names]
    short = [
        name.rpartition(" ")[0]
        if " " in name and number + 1 < len(names) and last[number] == last[number + 1]
        else name
        for number, name in enumerate(names)
    ]
    return f"{', '.join(short[:-1])} and {short[-1]}" if len(short) > 1 else short[0]
