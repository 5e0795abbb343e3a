"""Contents of a report whose texts try to be markup."""

from typing import Any, get_args

import msgspec

from capsaudit.reporting.contents import ReportContents
from capsaudit.results import Evidence

TEXT = (
    "</title></desc><script>alert(1)</script><img src=x onerror=alert(2)>\"'|`*x*`[x](javascript:alert(3))&lt;"
    "\x1b\n# y\r\n::error::z ##[error]\u202e\u200b"
)
_TEXTS = {
    *(
        "summary",
        "statement",
        "place",
        "evidence",
        "source",
        "order",
        "space",
        "knob",
        "notes",
        "claim",
        "id",
        "same_count",
    ),
    *("text", "what", "where", "variants", "totals", "rows", "formula", "layer", "hint", "tensors"),
}
"""Fields of results, and values of reasons, that come from a file of data or quote one."""


def poisoned(contents: ReportContents) -> ReportContents:
    """The same contents with markup behind every text that a file of data can bring in."""
    return msgspec.convert(_poisoned(msgspec.to_builtins(contents)), ReportContents)


def _poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _poisoned(item, "source" if key == "sources" else name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(item, key) for item in value]
    is_text = isinstance(value, str) and key in _TEXTS and value not in get_args(Evidence)
    return value + TEXT if is_text else value
