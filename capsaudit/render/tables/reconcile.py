"""A figure and what explains it, beside what chance would give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsaudit.render.document import ABSENT, Cell, Column, Document, Grid, Tone, number, separated, word
from capsaudit.render.tables.base import changes, setting
from capsaudit.results import Evidence, Explanation, Known, Reading, Reconciliation

_READINGS: dict[Reading, str] = {
    "trailing zeros": "its trailing zeros are not significant",
    "cut": "cut instead of rounded",
    "thousands of 1024": "in thousands of 1024",
}

TONES: dict[Evidence, Tone] = {"strong": "good", "weak": "", "none": "bad", "redundant": ""}


def reconcile(result: Reconciliation) -> Document:
    """The explanations, and the histogram of changes."""
    columns = (
        Column("changes", right=True),
        Column("what changes", wraps=True),
        Column("total", right=True),
        Column("variant", hyphens=True),
        Column("cost", right=True),
        Column("evidence"),
        Column("torch"),
    )
    shown, listed = _shown(result), len(_listed(result))
    rows = tuple(_row(each, explains=bool(result.found)) for each in shown)
    rules = (listed,) if 0 < listed < len(shown) else ()
    nothing = f"No interpretation rounds to it{_at_most(result.changes_at_most)}, and none comes within a tenth of it."
    found = Grid(name="explanations", columns=columns, rows=rows, rules=rules) if rows else nothing
    known = ("Known:", _known_grid(result), "Search:") if result.known else ()
    parts: tuple[Grid | str, ...] = (*known, found, *_sentences(result), _histogram(result))
    return Document(title=_title(result), parts=parts, data=lambda: _data(result))


def _listed(result: Reconciliation) -> tuple[Explanation, ...]:
    """The explanations; the nearest interpretations where there are none."""
    return result.explanations or tuple(each for each in (result.below, result.above) if each is not None)


def _shown(result: Reconciliation) -> tuple[Explanation, ...]:
    """Those listed, then shipped variants that are further down."""
    listed = _listed(result)
    return (*listed, *(each for each in result.shipped if each not in listed))


def _known_grid(result: Reconciliation) -> Grid:
    """One row for all that have the same total by the same count: layers recur in many variants."""
    columns = (
        Column("what", wraps=True),
        Column("of", wraps=True, hyphens=True),
        Column("total", right=True),
        Column("counted", wraps=True),
    )
    groups: dict[object, list[Known]] = {}
    for each in result.known:
        groups.setdefault((each.total, tuple(each.counting.items()), each.kind == "published"), []).append(each)
    return Grid(name="known", columns=columns, rows=tuple(map(_known_row, groups.values())))


def _known_row(group: Sequence[Known]) -> tuple[Cell, ...]:
    first = group[0]
    return (
        word(", ".join(dict.fromkeys(map(_what, group)))),
        word(", ".join(dict.fromkeys(each.of for each in group))),
        number(first.total),
        word(_counted(first) or "as usual"),
    )


def _counted(known: Known) -> str:
    """How it has to be counted, and the figure to be read, where that is not as usual."""
    how = [f"{knob} = {value}" for knob, value in known.counting.items()]
    return ", ".join(how if known.reading == "rounded" else [*how, _READINGS[known.reading]])


def _what(each: Known) -> str:
    """What it is, without the variant's own name, which stands beside it."""
    if each.kind == "published":
        return f"stated by {each.source}"
    return "total" if each.kind == "variant" else each.name


def _title(result: Reconciliation) -> str:
    for known in result.known:
        if known.kind != "published":
            named = known.of if known.kind == "variant" else f"{known.name} of {known.of}"
            counted = f" ({_counted(known)})" if _counted(known) else ""
            return f"{separated(result.figure)}: {named}, {known.total:,}{counted}{_from_start(result, known)}"
    if result.explanations and result.explanations[0].evidence != "strong":
        return f"{separated(result.figure)}: no strong explanation; the nearest are likely coincidences"
    if not result.explanations:
        limit = _at_most(result.changes_at_most)
        nearest = [f"{each.total:,}" for each in (result.below, result.above) if each is not None]
        found = (
            f"; the nearest total{' is' if len(nearest) == 1 else 's are'} {' and '.join(nearest)}" if nearest else ""
        )
        return f"{separated(result.figure)}: no interpretation rounds to it{limit}{found}"
    first = result.explanations[0]
    made = {0: "no change", 1: "one change"}.get(len(first.changes), f"{len(first.changes)} changes")
    named = f" = {first.variant}" if first.variant else ""
    what = f", {changes(first.changes)}" if first.changes else ""
    return f"{separated(result.figure)}: {made}{what}: {first.total:,}{named}"


def _from_start(result: Reconciliation, known: Known) -> str:
    """What leads from the start of the search to a known variant, where it is among the explanations."""
    found = next((each for each in result.explanations if each.variant == known.of == known.name), None)
    if found is None or not found.changes:
        return ""
    made = "one change" if len(found.changes) == 1 else f"{len(found.changes)} changes"
    return f"; from {result.start} {made}, {changes(found.changes)}"


def _row(explanation: Explanation, *, explains: bool) -> tuple[Cell, ...]:
    confirmed = {True: "agrees", False: "differs", None: ABSENT}[explanation.confirmed]
    return (
        number(len(explanation.changes)),
        word(changes(explanation.changes, "\n") or "nothing"),
        number(explanation.total),
        word(explanation.variant),
        number(explanation.assumption_cost),
        Cell(explanation.evidence, explanation.evidence, TONES[explanation.evidence]) if explains else word(None),
        Cell(confirmed, confirmed, "bad" if explanation.confirmed is False else ""),
    )


def _data(result: Reconciliation) -> Grid:
    """One value a column: what is known, then the explanations, or the nearest interpretations where there are none."""
    names = ("kind", "changes", "what", "total", "rounds_to", "variant", "assumption_cost", "evidence", "confirmed")
    nothing = word(None)
    known = tuple(
        (
            word(each.kind),
            nothing,
            word(", ".join(filter(None, (each.name, _counted(each))))),
            number(each.total),
            nothing,
            word(each.of),
            *(nothing, nothing, nothing),
        )
        for each in result.known
    )
    kind = "interpretation" if result.found else "nearest"
    rows = tuple(
        (
            word(kind),
            number(len(each.changes)),
            word(changes(each.changes)),
            number(each.total),
            word(each.rounds_to),
            word(each.variant),
            number(each.assumption_cost),
            word(each.evidence),
            word(None if each.confirmed is None else str(each.confirmed).lower()),
        )
        for each in _shown(result)
    )
    return Grid(name="explanations", columns=tuple(map(Column, names)), rows=(*known, *rows))


def _at_most(limit: int | None) -> str:
    return "" if limit is None else f" with at most {'one change' if limit == 1 else f'{limit} changes'}"


def _sentences(result: Reconciliation) -> Iterator[str]:
    low, high = result.interval
    figure = separated(result.figure)
    totals = (
        f"Only a total of exactly {low:,} agrees"
        if low == high
        else f"Totals from {low:,} to {high:,} round to {figure}"
    )
    yield f"{totals}. Changes are relative to {result.start}, {result.start_total:,}."
    limit = "" if result.changes_at_most is None else f", {result.examined:,} of them{_at_most(result.changes_at_most)}"
    impossible = f" {result.impossible:,} of them describe no possible network." if result.impossible else ""
    yield (
        f"The space ({result.space}) has {result.space_size:,} interpretations{limit}. All were examined.{impossible} "
        f"{result.found:,} agree."
    )
    if result.shipped:
        names = ", ".join(each.variant or "" for each in result.shipped)
        yield f"Shipped variants that agree, but are not among the first: {names}."
    if listed := _shown(result):
        yield "Cost: the assumption cost, a sum over the changes; 0 means that the paper states every changed value."
        yield (
            "Evidence: strong if chance would hardly give as many explanations with so few changes, weak if it might, none if it would; "
            "redundant if some of the changes alone explain the figure."
        )
    if any(each.confirmed is None for each in listed):
        yield "Not confirmed: the torch witness was not selected."
    for explanation in result.explanations[:1]:
        yield from (f"{change.knob} = {setting(change.after)}: {change.source}." for change in explanation.changes)
    yield from dict.fromkeys(_with_same_count(result))


def _with_same_count(result: Reconciliation) -> Iterator[str]:
    for explanation in result.explanations:
        for change in explanation.changes:
            if change.same_count:
                yield f"{change.knob} = {setting(change.after)} always gives the same count as {change.same_count}."


def _histogram(result: Reconciliation) -> Grid:
    """Found beside what chance would give, up to where there are far more than anyone would read."""
    columns = (
        Column("changes", right=True),
        Column("found", right=True),
        Column("expected by chance", right=True),
    )
    shown = [group for group in result.by_changes if group.changes <= _last_shown(result)]
    rows = [(number(g.changes), number(g.found), _expected(g.expected_by_chance)) for g in shown]
    rest = [group for group in result.by_changes if group not in shown]
    if rest:
        more = f"{rest[0].changes} to {rest[-1].changes}" if len(rest) > 1 else str(rest[0].changes)
        rows.append(
            (word(more), number(sum(g.found for g in rest)), _expected(sum(g.expected_by_chance for g in rest)))
        )
    return Grid(name="by changes", columns=columns, rows=tuple(rows))


def _last_shown(result: Reconciliation) -> int:
    return max([4, *(len(each.changes) for each in (*result.explanations, *result.shipped))])


def _expected(value: float) -> Cell:
    text = (
        f"{value:,.0f}"
        if value >= 10
        else f"{value:.1f}"
        if value >= 0.95
        else f"{value:.2g}"
        if value >= 0.001
        else "< 0.001"
    )
    return Cell(text, f"{value:.6g}")
