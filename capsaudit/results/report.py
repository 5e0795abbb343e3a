"""What `report` returns."""

from __future__ import annotations

from capsaudit.results.base import Result


class Report(Result, frozen=True, kw_only=True):
    """What `report` did. `stale`: the files that were missing or not what they should be; with `checked` nothing was written."""

    folder: str
    files: tuple[str, ...]
    stale: tuple[str, ...]
    checked: bool

    @property
    def agrees(self) -> bool:
        """Nothing is stale, or is so no longer."""
        return not (self.checked and self.stale)
