import pytest

from capsaudit.reporting.contents import WrittenAudit, gather
from capsaudit.reporting.writing import written


@pytest.fixture(scope="session")
def audit() -> WrittenAudit:
    """Everything, counted once."""
    return gather()


@pytest.fixture(scope="session")
def files(audit: WrittenAudit) -> dict[str, bytes]:
    return written(audit)
