"""An audit whose texts try to be markup."""

from typing import Any

import msgspec

from capsaudit.reporting.contents import ReportContents

TEXT = (
    "</title></desc><script>alert(1)</script><img src=x onerror=alert(2)>\"'|`*x*`[x](javascript:alert(3))&lt;\x1b\n# y"
)
_TEXTS = {
    "summary",
    "statement",
    "because",
    "place",
    "evidence",
    "source",
    "order",
    "space",
    "knob",
    "notes",
    "claim",
    "id",
}


def poisoned(audit: ReportContents) -> ReportContents:
    """The same audit with markup behind every text that a file of data can bring in."""
    return msgspec.convert(_poisoned(msgspec.to_builtins(audit)), ReportContents)


def _poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _poisoned(item, "source" if key == "sources" else name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(item, key) for item in value]
    return value + TEXT if isinstance(value, str) and key in _TEXTS else value
