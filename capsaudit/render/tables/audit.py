"""Somebody's model beside the variant that it is closest to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from capsaudit.inspection.targets import is_target
from capsaudit.inventory import Behaviour, BehaviourLoss, BehaviourProperty, BehaviourStage
from capsaudit.render.document import Cell, Column, Document, Grid, Waterfall, figure, number, shape, verdict, word
from capsaudit.render.reasons import because, listed
from capsaudit.render.tables.base import BLANK, setting
from capsaudit.render.tables.layers import Group, folded
from capsaudit.results import AdaptedModel, Audit, AuditedLayer, Audits, Step

_LONG = ("paper", "the model", "because")
"""Columns of the table of the loss that wrap."""

_BYTES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))

_ROUNDING = 1e-6
"""Smaller relative errors are rounding, and other ones on every processor."""


def audit(result: Audit) -> Document:
    """The layers, what differs, the claims; the tensors where they are asked for."""
    rows = folded(result.layers, result.depth)
    parts: list[Grid | str] = [_layer_grid(result, rows), *_folding(result, len(rows))]
    if result.explanations:
        parts += ["Differences:", _step_grid(result)]
    parts += list(_not_in_the_variant(result))
    if result.behaviour is not None:
        parts += list(_behaviour(result.behaviour))
    if result.claims:
        parts += ["Claims:", _claim_grid(result)]
    parts += list(_sentences(result))
    if result.lists_tensors:
        parts += ["Tensors:", _tensor_grid(result)]
    listed = result.lists_tensors or not result.claims
    return Document(
        title=_title(result),
        parts=tuple(parts),
        data=lambda: _tensor_grid(result) if listed else _claim_data((result,)),
    )


def audits(result: Audits) -> Document:
    """The documents of the models one after another, then all of them in one table, and why others could not be audited."""
    drawn = [audit(each) for each in result.audits]
    verdicts = Counter(each.verdict for each in result.audits)
    counted = ", ".join(
        _verdicts(name, verdicts[name]) for name in ("agrees", "disagrees", "unstated") if verdicts[name]
    )
    faults = f"; {len(result.faults):,} fault{'s' * (len(result.faults) != 1)}" if result.faults else ""
    return Document(
        title=f"{len(drawn):,} model{'s' * (len(drawn) != 1)}: {counted}{faults}",
        parts=(
            *(part for number, each in enumerate(drawn, start=1) for part in _numbered(number, each)),
            *_summary(result.audits),
            *result.faults,
        ),
        data=lambda: _claim_data(result.audits),
    )


def _verdicts(name: str, count: int) -> str:
    return f"{count:,} {name if count == 1 else name.removesuffix('s')}"


def _summary(audits: Sequence[Audit]) -> Iterator[Grid | str]:
    if len(audits) < 2:
        return
    columns = (
        Column("model", wraps=True),
        Column("trainable", right=True),
        Column("claims", right=True),
        Column("verdict"),
    )
    yield "Models:"
    yield Grid(name="models", columns=columns, rows=tuple(map(_model_row, audits)))


def _model_row(result: Audit) -> tuple[Cell, ...]:
    agreeing = sum(claim.verdict == "agrees" for claim in result.claims)
    of_all = word(f"{agreeing:,} of {len(result.claims):,} agree")
    return word(result.target), number(result.trainable), of_all, verdict(result.verdict)


def _numbered(number: int, drawn: Document) -> Iterator[Grid | Waterfall | str]:
    """A document as parts of another one, where each table has a name of its own."""
    yield drawn.title
    for part in drawn.parts:
        yield msgspec.structs.replace(part, name=f"{number} {part.name}") if isinstance(part, Grid) else part


def _title(result: Audit) -> str:
    counted = f"{result.target}: {result.trainable:,} trainable"
    if result.closest is None:
        return counted
    if not (result.explanations or result.unexplained):
        return f"{counted}: its tensors are those of {result.closest}{', and more' if result.beyond else ''}"
    signed = number(result.difference, signed=True).text
    return f"{counted}: closest to {result.closest} ({result.closest_total:,}), {signed}"


def _layer_grid(result: Audit, groups: Sequence[Group]) -> Grid:
    compared = result.closest is not None
    frozen, buffers = any(row.frozen for row in result.layers), any(row.buffers for row in result.layers)
    columns = (
        Column("layer"),
        Column("trainable", right=True),
        *([Column("frozen", right=True)] if frozen else []),
        *([Column("buffers", right=True)] if buffers else []),
        *([Column(_reference(result.closest), right=True), Column("difference", right=True)] if compared else []),
        Column("tensors", wraps=True),
    )
    rows = [
        _layer_row(row, _of_blocks(group, row) or _names(row), frozen=frozen, buffers=buffers, compared=compared)
        for group in groups
        for row in [_group(group)]
    ]
    rows.append(
        (
            word("total", tone="total"),
            number(result.trainable, tone="total"),
            *([number(result.frozen, tone="total")] if frozen else []),
            *([number(result.buffers, tone="total")] if buffers else []),
            *(
                [number(result.closest_total, tone="total"), number(result.difference, signed=True, tone="total")]
                if compared
                else []
            ),
            BLANK,
        )
    )
    return Grid(name="layers", columns=columns, rows=tuple(rows), rules=(len(rows) - 1,))


def _folding(result: Audit, rows: int) -> Iterator[str]:
    """How layers are opened that have no rows of their own."""
    layers = result.layers
    if rows < len(layers):
        deepest = max(layer.name.count(".") + 1 for layer in layers)
        opening = f"--depth {deepest} opens them, " if result.depth is None or result.depth < deepest else ""
        yield f"{len(layers):,} layers in {rows:,} row{'s' * (rows != 1)}; {opening}--tensors lists the tensors."


def _group(group: Group) -> AuditedLayer:
    """A group as one layer."""
    layers = group.layers
    if len(layers) == 1:
        return layers[0]
    differences = [layer.difference for layer in layers if layer.difference is not None]
    return AuditedLayer(
        name=group.name if len(group.blocks) > 1 or group.is_open else f"{group.name}.*",
        kind="",
        tensors=tuple(tensor for layer in layers for tensor in layer.tensors),
        trainable=sum(layer.trainable for layer in layers),
        frozen=sum(layer.frozen for layer in layers),
        buffers=sum(layer.buffers for layer in layers),
        expected=sum(layer.expected or 0 for layer in layers) if differences else None,
        difference=sum(differences) if differences else None,
    )


def _of_blocks(group: Group, row: AuditedLayer) -> str | None:
    """What one of several equal blocks has: `32 × 202,383,360, 9 tensors each`."""
    times = len(group.blocks)
    if times == 1:
        return None
    value, tensors = (row.trainable or row.frozen or row.buffers) // times, len(row.tensors) // times
    return f"{times:,} × {value:,}, {tensors:,} tensor{'s' * (tensors != 1)} each"


def _layer_row(row: AuditedLayer, tensors: str, *, frozen: bool, buffers: bool, compared: bool) -> tuple[Cell, ...]:
    return (
        word(row.name or "(the model itself)"),
        number(row.trainable),
        *([number(row.frozen)] if frozen else []),
        *([number(row.buffers)] if buffers else []),
        *(
            [number(row.expected), number(row.difference, signed=True, tone="changed" if row.difference else "")]
            if compared
            else []
        ),
        word(tensors),
    )


def _names(row: AuditedLayer) -> str:
    """The names of its tensors, behind the path that they share unless that is the layer's own name."""
    paths = {name.rpartition(".")[0] for name in row.tensors}
    path = paths.pop() if len(paths) == 1 else ""
    names = [name.removeprefix(f"{path}.") if path else name for name in row.tensors]
    listed = ", ".join(names) if len(names) <= 4 else f"{names[0]} … {names[-1]} ({len(names):,})"
    return (f"{path}: {listed}" if path and path != row.name else listed) or "none"


def _step_grid(result: Audit) -> Grid:
    columns = (
        Column("knob"),
        Column(f"{_reference(result.closest)} → the model", wraps=True),
        Column("difference", right=True),
    )
    return Grid(name="differences", columns=columns, rows=tuple(map(_step_row, result.explanations)))


def _step_row(step: Step) -> tuple[Cell, ...]:
    return (
        word(step.knob),
        word(f"{setting(step.before)} → {setting(step.after)}"),
        number(step.difference, signed=True),
    )


def _claim_grid(result: Audit) -> Grid:
    columns = (
        Column("layer"),
        Column("stated", right=True),
        Column("found", right=True),
        Column("verdict"),
        Column("because", wraps=True),
    )
    rows = tuple(
        (
            word(c.layer or "total"),
            figure(c.stated),
            number(c.found),
            verdict(c.verdict),
            word(f"{because(c.reasons)} (policy {c.policy}; stated by: {c.source})"),
        )
        for c in result.claims
    )
    return Grid(name="claims", columns=columns, rows=rows)


def _claim_data(results: Sequence[Audit]) -> Grid:
    """The claims of all models, for programs."""
    names = ("target", "layer", "count", "policy", "stated", "found", "verdict", "because", "source", "file", "line")
    rows = [
        (
            *map(word, (each.target, c.layer or "total", c.count, c.policy, c.stated)),
            number(c.found),
            verdict(c.verdict),
            *map(word, (because(c.reasons), c.source, c.file)),
            number(c.line),
        )
        for each in results
        for c in each.claims
    ]
    return Grid(name="claims", columns=tuple(map(Column, names)), rows=tuple(rows))


def _not_in_the_variant(result: Audit) -> Iterator[str]:
    """A line for each layer of the model that the variant does not have: `bn: BatchNorm2d, not in paper, +512`."""
    rows = {row.name: row for row in result.layers}  # the model's own layers are the last
    for name in result.beyond:
        row = rows[name]
        added = ((row.trainable, ""), (row.frozen, " frozen"), (row.buffers, " in buffers"))
        counts = ", ".join(f"+{count:,}{kind}" for count, kind in added if count) or "no values of its own"
        kind = f"{row.kind}, " if row.kind else ""
        yield f"{name or '(the model itself)'}: {kind}not in {result.closest}, {counts}"


def _reference(name: str | None) -> str:
    """The head of a column: the headline has the name of another model, which may be long."""
    return "the other model" if is_target(str(name)) else str(name)


def _behaviour(found: Behaviour) -> Iterator[Grid | str]:
    """The stages, then the first that differs in a sentence, then the properties."""
    if found.stages:
        columns = (
            Column("stage"),
            Column(_reference(found.reference), wraps=True),
            Column("the model", wraps=True),
            Column("error", right=True),
            Column("verdict"),
            Column("because", wraps=True),
        )
        yield "Behaviour:"
        yield Grid(name="behaviour", columns=columns, rows=tuple(map(_stage_row, found.stages)))
    if found.precision == "float32":
        yield "The model does not run in float64; it was run in float32."
    if found.loss:
        names = ("loss", "paper", "the model", "factor", "error", "verdict", "because")
        shown = tuple(Column(name, right=name in ("factor", "error"), wraps=name in _LONG) for name in names)
        yield "Loss:"
        yield Grid(name="loss", columns=shown, rows=tuple(map(_loss_row, found.loss)))
    if found.verdict != "not recognised":
        yield f"Behaviour: {found.verdict}; {found.because}."
    if found.properties:
        yield "Properties:"
        yield Grid(
            name="properties",
            columns=(Column("property", wraps=True), Column("holds"), Column("because", wraps=True)),
            rows=tuple(map(_property_row, found.properties)),
        )


def _property_row(row: BehaviourProperty) -> tuple[Cell, ...]:
    holds = {True: word("yes", tone="good"), False: word("no", tone="bad"), None: word("not tried")}
    return word(row.property), holds[row.holds], word(row.because)


def _loss_row(row: BehaviourLoss) -> tuple[Cell, ...]:
    return (
        word(row.term),
        word(row.reference),
        word(row.model),
        word(None if row.factor is None else f"{row.factor:.4g}"),
        *_judged(row),
    )


def _stage_row(row: BehaviourStage) -> tuple[Cell, ...]:
    return word(row.stage), word(row.reference), word(row.model), *_judged(row)


def _judged(row: BehaviourStage | BehaviourLoss) -> tuple[Cell, ...]:
    error = None if row.error is None else "< 1e-6" if row.error < _ROUNDING else f"{row.error:.2g}"
    return (
        word(error),
        word(row.verdict, tone="good" if row.verdict == "agrees" else "bad" if row.verdict == "differs" else ""),
        BLANK if row.verdict == "agrees" else word(row.because),
    )


def _sentences(result: Audit) -> Iterator[str]:
    if result.unexplained:
        yield f"Not explained by any knob: {number(result.unexplained, signed=True).text}."
    if (assumed := _assumed(result)) and result.closest:
        yield f"{listed(assumed)} cannot be inferred from the weights; assumed as in {result.closest}."
    if len(result.policies) > 1:
        counts = " · ".join(f"{name} {count:,}" for name, count in result.policies.items())
        yield f"All parameters by policy: {counts}. Used here: {result.policy}."
    if result.adapted is not None:
        yield from _adapted(result.adapted)
    yield f"{_size(result.bytes)} in total."
    yield from (f"Warning ({finding.kind}): {finding.message}" for finding in result.warnings)
    yield from result.notes


def _adapted(found: AdaptedModel) -> Iterator[str]:
    """The second line is that of PEFT, to the letter."""
    yield f"With the base model {found.base} ({found.base_parameters:,} parameters), PEFT prints:"
    share = 100 * found.trainable / found.parameters if found.parameters else 0.0
    yield f"trainable params: {found.trainable:,} || all params: {found.parameters:,} || trainable%: {share:.4f}"


def _assumed(result: Audit) -> list[str]:
    """The knobs that the forward pass did not show either: a stage has the name of its knob."""
    stages = result.behaviour.stages if result.behaviour else ()
    seen = {f"digit_caps.{row.stage}" for row in stages if row.verdict in ("agrees", "differs")}
    return [knob for knob in result.assumed if knob not in seen]


def _size(count: int) -> str:
    """Bytes as people write them, in units of a thousand.

    >>> _size(999), _size(31_312_345), _size(4_000)
    ('999 bytes', '31.3 MB', '4.0 kB')
    """
    for name, unit in _BYTES:
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} bytes"


def _tensor_grid(result: Audit) -> Grid:
    columns = (
        Column("tensor"),
        Column("shape"),
        Column("values", right=True),
        Column("kind"),
        Column("dtype"),
        Column("note", wraps=True),
    )
    rows = tuple(
        (
            word(tensor.name),
            shape(tensor.shape),
            number(tensor.count),
            word("buffer" if tensor.buffer else "trainable" if tensor.trainable else "frozen"),
            word(tensor.dtype),
            word(", ".join(filter(None, (f"same as {tensor.same_as}" if tensor.same_as else "", tensor.note))) or None),
        )
        for tensor in result.tensors
    )
    return Grid(name="tensors", columns=columns, rows=rows)
