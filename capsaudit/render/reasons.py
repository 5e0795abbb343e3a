"""The sentences of reasons: one template for each code, filled with the reason's values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from capsaudit.knobs import KnobChange
from capsaudit.render.document import separated
from capsaudit.render.selections import explanation_text
from capsaudit.render.tables.base import changes as shown_changes
from capsaudit.results import ModelExplanation, Reason
from capsaudit.results.base import ReasonCode
from capsaudit.spec import Data

COUNTED = {
    "trainable": "trainable parameters",
    "frozen": "frozen parameters",
    "parameters": "parameters",
    "buffers": "values in buffers",
    "all": "values in all",
}
"""What a claim about a model counts."""

_READ_OTHERWISE = {
    "cut": "; it agrees with {stated} only when cut instead of rounded",
    "trailing zeros": "; it agrees with {stated} only if trailing zeros are not significant",
    None: "",
}


def sentence(reason: Reason) -> str:
    """One reason in words, without a full stop.

    >>> sentence(Reason("formula", {"formula": "(9·9·1 + 1)·256", "exact": 20992}))
    '(9·9·1 + 1)·256 = 20,992'
    """
    values = reason.values
    if "stated" in values and isinstance(values["stated"], str):
        values = values | {"stated": separated(values["stated"])}
    return _SENTENCES[reason.code](**values)


def because(reasons: Iterable[Reason]) -> str:
    """Several reasons as one text."""
    return "; ".join(map(sentence, reasons))


def listed(texts: Iterable[str]) -> str:
    """Texts joined with commas and `and`.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _differ(what: str, values: dict[str, object]) -> str:
    return f"{what}: " + ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _rounds(what: str, stated: str, exact: int, rounds_to: str, approximation: str | None, count: str | None) -> str:
    """`count`: which values of a model these are, where that was asked for."""
    number = f"{exact:,}"
    counted = f"{number} {COUNTED[count]}" if count else number
    rounded = "" if rounds_to == number else f", which round{'' if count else 's'} to {rounds_to}"
    return f"{what} has {counted}{rounded}, not {stated}" + _READ_OTHERWISE[approximation].format(stated=stated)


def _knobs_disagree(what: str, exact: int, rounds_to: str, stated: str, source: str, place: str) -> str:
    rounded = "" if rounds_to == f"{exact:,}" else f", which rounds to {rounds_to}"
    return f"if so, {what} would have {exact:,} parameters{rounded}, but the {source} states {stated} ({place})"


def _true_of(stated: str, variants: list[Data], approximate: bool) -> str:
    how = " approximately (trailing zeros are not significant, or the figure is cut)" if approximate else ""
    return f"{stated} is true{how} of {listed(_named(**each) for each in variants)}"


def _named(variant: str, exact: int, changes: list[Data]) -> str:
    how = shown_changes((msgspec.convert(change, KnobChange) for change in changes), ", ") or "the same network"
    return f"{variant} ({exact:,}: {how})"


def _settings(values: Data) -> str:
    return "; ".join(f"{name}: {_plain(value)}" for name, value in values.items())


def _plain(value: object) -> str:
    """A value as a sentence has it: yes instead of true, a list with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else _number(value)


def _product(times: int, relation: str, *, formula: str, exact: int, name: str, found: int) -> str:
    product = f"; {exact:,}·{times} = {exact * times:,}" if times != 1 else ""
    return f"{formula} = {exact:,}{product}, {relation} {name}" + (f" {found:,}" if exact * times != found else "")


_SENTENCES: dict[ReasonCode, Callable[..., str]] = {
    "witnesses differ": _differ,
    "unknown layer": "{layer}: the formula has no such layer".format,
    "formula": "{formula} = {exact:,}".format,
    "total": "the layers add up to {exact:,} parameters".format,
    "rounds otherwise": _rounds,
    "true of": _true_of,
    "true of none": "no shipped variant rounds to {stated}".format,
    "rows add up": "the source's own rows add up to {total:,}".format,
    "also": lambda stated, totals: f"{listed(totals)} also round{'s' * (len(totals) == 1)} to {stated}",
    "shape": lambda what, stated, exact: f"the {what} is {'×'.join(map(str, exact))}, not {stated}",
    "shapes agree": "{layer} has this shape, up to the order of its axes".format,
    "knobs agree": "if so, {what} has {exact:,} parameters, and {claim} states {stated}".format,
    "knobs disagree": _knobs_disagree,
    "no row": "the source has no row for {layer} with its input, output and count".format,
    "rows agree": "the source's own rows count these layers like this".format,
    "rows are fully connected": lambda rows: (
        f"the source's own rows count {listed(rows)}, as in a fully connected layer"
    ),
    "rows are not fully connected": lambda layers: (
        f"the source's own rows do not count {listed(layers)} as (inputs + 1)·outputs"
    ),
    "known": "{text}".format,
    "values agree": lambda values, sources: (
        f"the network has {_settings(values)}" + (f" ({'; '.join(sources)})" if sources else "")
    ),
    "value differs": lambda name, found, stated, same: (
        f"{name}: {_plain(found)}, not {_plain(stated)}" + (f"; {_plain(stated)} is {listed(same)}" if same else "")
    ),
    "formula differs": "{formula} = {exact:,}, not {stated:,}".format,
    "product agrees": lambda times, **values: _product(times, "which is the network's", **values),
    "product differs": lambda times, **values: _product(times, "but the network's value is", **values),
    "the paper says": "the paper says ({place}): {statement}".format,
    "no purpose stated": "the paper gives no reason for {of}, and a count or a run cannot show what its authors had in mind".format,
    "no experiment": "no experiment with the network tells whether this is the purpose: {purpose}".format,
    "shrinking": (
        "where all ten capsules are {length} long, the nine absent ones are shortened by gradients that add up to {shrinking:.4g}, "
        "without λ to {without:.4g}"
    ).format,
    "stable": "without λ too, loss and gradients are finite for all lengths from 0 to 1, at most {largest:.4g}".format,
    "not stable": "without λ, a loss or a gradient is not finite for some lengths from 0 to 1".format,
    "torch needed": "judging a loss or a behaviour needs the torch witness, which was not selected".format,
    "loss agrees": "{where}, it is {stated:.6g}, the same as the loss that the networks are trained with".format,
    "loss disagrees": (
        "{where}, it is {stated:.6g}; the paper's loss, which the networks are trained with, is {trained:.6g}"
    ).format,
    "losses agree": "on {examples} test cases it has the value of the loss that the networks are trained with".format,
    "no source": "no value of any shipped variant comes from the {source}".format,
    "appeared later": "true when it was written: the {source} became public later".format,
    "source": "{count} values of shipped variants come from it, such as {knob} of {variant} ({text})".format,
    "selected": lambda what, found, count: f"{what} has {found:,} {COUNTED[count]}",
    "explained": lambda stated, explanation, others: (
        explanation_text(stated, msgspec.convert(explanation, ModelExplanation))
        + (f"; {others} other{'s' * (others != 1)} with as few changes" if others else "")
    ),
    "not explained": "no interpretation rounds to {stated} ({examined:,} tried)".format,
    "not finite": "the loss was not finite in step {step}".format,
    "unreachable": lambda tensors, count: f"no gradient reaches {', '.join(tensors)} ({count:,} values)",
    "not updated": lambda tensors: f"training did not change {', '.join(tensors)}",
    "accuracy": "accuracy {before:.1%} → {after:.1%}".format,
    "gained too little": "accuracy {before:.1%} → {after:.1%}, a gain of less than {least:.0%}".format,
    "explained too little": (
        "after {steps:,} steps the reconstructions explain {explained:.0%} of the variance of held-out images, and below {least:.0%} they "
        "show no digits; more steps would train the decoder further, for example --steps 400"
    ).format,
    "changed too little": (
        "after {steps:,} steps no dimension changes a pixel by more than {change:.0%} of the range from black to white, and below {least:.0%} "
        "it is hardly seen; more steps would train the decoder further, for example --steps 400"
    ).format,
}
