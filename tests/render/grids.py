"""Reading documents: their cells as texts."""

from capsaudit.render.document import Grid


def column(grid: Grid, name: str) -> list[str]:
    """The texts of a column."""
    (place,) = [i for i, each in enumerate(grid.columns) if each.name == name]
    return [row[place].text for row in grid.rows]


def names(grid: Grid) -> list[str]:
    """The names of the columns."""
    return [each.name for each in grid.columns]


def rows(grid: Grid) -> list[list[str]]:
    """All cells as texts."""
    return [[cell.text for cell in row] for row in grid.rows]


def raw(grid: Grid) -> list[list[int | str | None]]:
    """All cells as programs read them."""
    return [[cell.raw for cell in row] for row in grid.rows]
