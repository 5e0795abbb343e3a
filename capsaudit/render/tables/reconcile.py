"""A figure and what explains it, beside what chance would."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, number, word
from capsaudit.render.tables.base import draw, setting
from capsaudit.results import Explanation, Reconciliation, Turned


@draw.register(Reconciliation)
def _reconciliation(result: Reconciliation) -> Document:
    columns = (
        Column("changes", right=True),
        Column("what changes", wraps=True),
        Column("total", right=True),
        Column("variant", hyphens=True),
        Column("far-fetched", right=True),
        Column("weight", wraps=True),
        Column("torch"),
    )
    told = result.explanations or tuple(each for each in (result.below, result.above) if each is not None)
    listed = tuple(each for each in result.shipped if each not in told)
    rows = tuple(_explanation_row(each) for each in (*told, *listed))
    grid = Grid(columns=columns, rows=rows, rules=(len(told),) if listed and told else ())
    parts: tuple[Grid | str, ...] = (grid, *_reconciliation_lines(result), _chance(result))
    return Document(title=_reconciliation_title(result), parts=parts, data=lambda: _explanation_data(result))


def _reconciliation_title(result: Reconciliation) -> str:
    if not result.explanations:
        limit = _at_most(result.changes_at_most)
        return f"{result.figure}: nothing in this space prints so{limit}; the nearest from below and above"
    first = result.explanations[0]
    made = {0: "no change", 1: "one change"}.get(len(first.changes), f"{len(first.changes)} changes")
    named = f" = {first.variant}" if first.variant else ""
    what = f", {_changes(first)}" if first.changes else ""
    return f"{result.figure}: {made}{what}: {first.total:,}{named}"


def _explanation_row(explanation: Explanation) -> tuple[Cell, ...]:
    tone = {"telling": "good", "chance would do": "bad"}.get(explanation.weight, "")
    confirmed = {True: "agrees", False: "differs", None: "not\nasked"}[explanation.confirmed]
    return (
        number(len(explanation.changes)),
        word(_changes(explanation, "\n") or "nothing"),
        number(explanation.total),
        word(explanation.variant),
        number(explanation.far_fetched),
        Cell(explanation.weight, explanation.weight, tone),
        Cell(confirmed, confirmed, "bad" if explanation.confirmed is False else ""),
    )


def _explanation_data(result: Reconciliation) -> Grid:
    """One value a column; the explanations alone."""
    names = ("changes", "what", "total", "prints_as", "variant", "far_fetched", "weight", "confirmed")
    rows = tuple(
        (
            number(len(each.changes)),
            word(_changes(each)),
            number(each.total),
            word(each.prints_as),
            word(each.variant),
            number(each.far_fetched),
            word(each.weight),
            word(None if each.confirmed is None else str(each.confirmed).lower()),
        )
        for each in result.explanations
    )
    return Grid(columns=tuple(map(Column, names)), rows=rows)


def _changes(explanation: Explanation, between: str = "; ") -> str:
    return between.join(map(_change, explanation.changes))


def _change(turned: Turned) -> str:
    before = "" if isinstance(turned.before, dict) else f" {setting(turned.before)}"
    return f"{turned.knob}{before} → {setting(turned.after)}"


def _at_most(limit: int | None) -> str:
    return "" if limit is None else f" with at most {'one change' if limit == 1 else f'{limit} changes'}"


def _reconciliation_lines(result: Reconciliation) -> Iterator[str]:
    low, high = result.interval
    yield f"{result.figure} stands for {low:,} to {high:,}. Start: {result.start}, {result.start_total:,}."
    limit = "" if result.changes_at_most is None else f", {result.examined:,} of them{_at_most(result.changes_at_most)}"
    impossible = f", {result.impossible:,} of them impossible as networks" if result.impossible else ""
    yield (
        f"The space ({result.space}) holds {result.holds:,} interpretations{limit}. All were examined{impossible}; none was "
        f"skipped. {result.found:,} print as {result.figure}."
    )
    if result.shipped:
        yield f"Shipped variants further down the list: {', '.join(each.variant or '' for each in result.shipped)}."
    if any(each.confirmed is None for each in (*result.explanations, *result.shipped)):
        yield "Not confirmed: the torch witness was not asked."
    for explanation in result.explanations[:1]:
        yield from (f"{turned.knob} = {setting(turned.after)}: {turned.source}." for turned in explanation.changes)
    yield from dict.fromkeys(_with_same_count(result))


def _with_same_count(result: Reconciliation) -> Iterator[str]:
    for explanation in result.explanations:
        for turned in explanation.changes:
            if turned.same_count:
                yield f"{turned.knob} = {setting(turned.after)} always comes to the same count as {turned.same_count}."


def _chance(result: Reconciliation) -> Grid:
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
    return Grid(columns=columns, rows=tuple(rows))


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
