import pytest

from capsaudit.reporting.contents import ReportContents, gather
from capsaudit.reporting.writing import written


@pytest.fixture(scope="session")
def gathered() -> ReportContents:
    """Everything, counted once."""
    return gather()


@pytest.fixture(scope="session")
def files(gathered: ReportContents) -> dict[str, bytes]:
    return written(gathered)
