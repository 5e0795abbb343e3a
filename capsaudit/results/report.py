"""What `report` returns."""

from __future__ import annotations

from capsaudit.results.base import Result


class Report(Result, frozen=True, kw_only=True):
    """What `report` did. `outdated`: the files that were missing or out of date; with `checked` nothing was written."""

    folder: str
    files: tuple[str, ...]
    outdated: tuple[str, ...]
    checked: bool

    @property
    def agrees(self) -> bool:
        """No file is out of date, or none is any longer."""
        return not (self.checked and self.outdated)
