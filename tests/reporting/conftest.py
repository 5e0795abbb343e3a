import pytest

from capsaudit.reporting.contents import ReportContents, gather
from capsaudit.reporting.writing import written


@pytest.fixture(scope="session")
def audit() -> ReportContents:
    """Everything, counted once."""
    return gather()


@pytest.fixture(scope="session")
def files(audit: ReportContents) -> dict[str, bytes]:
    return written(audit)
