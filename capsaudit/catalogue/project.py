"""What a project says about capsaudit: the table `[tool.capsaudit]` of its pyproject.toml."""

from pathlib import Path

from msgspec import Struct

from capsaudit.catalogue.toml_files import exists, read_table
from capsaudit.errors import CapsauditError, FileError
from capsaudit.validation import faults_of

_FILE = "pyproject.toml"
_EXAMPLE = 'targets = ["net.claims.toml"] below [tool.capsaudit]'


class ProjectTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The table. `targets`: what `capsaudit audit` compares with its claims where it is given no target."""

    targets: tuple[str, ...]


def project_targets() -> tuple[str, ...]:
    """The targets that pyproject.toml in the current directory names.

    Raises:
        CapsauditError: there is no such file, or it names none.
    """
    if not exists(Path(_FILE)):
        raise CapsauditError(f"audit: no TARGET and no {_FILE} here; name a target, or write {_EXAMPLE} in {_FILE}")
    tool = read_table(_FILE, Path(_FILE)).get("tool")
    table = tool.get("capsaudit") if isinstance(tool, dict) else None
    if table is None:
        raise CapsauditError(f"audit: no TARGET, and {_FILE} has no [tool.capsaudit]; write {_EXAMPLE}")
    project, faults = faults_of(table, ProjectTable)
    if project is None:
        raise FileError(*(f"{_FILE}: {f'tool.capsaudit.{fault.path}'.rstrip('.')} {fault.message}" for fault in faults))
    if not project.targets:
        raise FileError(f"{_FILE}: tool.capsaudit.targets is empty; expected {_EXAMPLE}")
    return project.targets
