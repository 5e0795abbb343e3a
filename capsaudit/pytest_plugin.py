"""The pytest plugin: a marker for the figures that a model must have, and files `*.claims.toml` collected as tests.

    @pytest.mark.capsaudit(total="8.2M", layers={"conv1": "20,992"})
    def test_my_network(model):  # a fixture that gives the module
        ...

In place of a figure may stand the keys of a claim in a file: `total={"stated": "85.1M", "except": ["embeddings"]}`.

Nothing of capsaudit is imported before a marker or a file asks for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from capsaudit.errors import CapsauditError
    from capsaudit.results import Audit, AuditedClaim

_MARKER_ARGUMENTS = ("total", "layers", "policy", "same_function", "inputs", "model", "target")
_MARKER = (
    "capsaudit(total=None, layers={}, policy='stored', same_function=None, inputs=None, model='model', target=None): "
    "the figures that the module of the fixture `model`, or the `target`, must have, as printed, and the variant whose function it must "
    "compute of inputs of these shapes"
)
_SUFFIX = ".claims.toml"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test itself, then judge the figures of its markers."""
    result = yield
    for marker in item.iter_markers("capsaudit"):
        _expect_known_arguments(marker)
        _judge_marker(item, **marker.kwargs)
    return result


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the claims of a file as its tests."""
    if not file_path.name.endswith(_SUFFIX):
        return None
    return ClaimsModule.from_parent(parent, path=file_path)


class ClaimsModule(pytest.File):
    """A file of claims; its models are audited once for all of them, and the table of each is shown once."""

    _audited: Sequence[Audit | CapsauditError] | None = None
    _shown: frozenset[int] = frozenset()

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each claim."""
        from capsaudit.catalogue.model_claims import load_models
        from capsaudit.errors import CapsauditError
        from capsaudit.text import escaped

        try:
            models = load_models(self.path)
            targets = [model.target for model in models]  # a file without a target is a fault
        except CapsauditError as error:
            raise self.CollectError(str(error)) from error
        each = [(model, claim) for model, claims in enumerate(models) for claim in range(len(claims.claims))]
        found = [models[model].claims[claim] for model, claim in each]
        prefixes = [f"{target}: " if len(models) > 1 else "" for target in targets]
        names = [
            escaped(prefixes[model] + (claim.about or "total")) for (model, _), claim in zip(each, found, strict=True)
        ]
        for name, place, claim in zip(names, each, found, strict=True):
            unique = name if names.count(name) == 1 else f"{name}[{claim.line}]"
            yield ClaimItem.from_parent(self, name=unique, place=place)

    def judge(self, model: int, claim: int) -> AuditedClaim:
        """The verdict on one claim about one of the models."""
        return self._audit(model).claims[claim]

    def table(self, model: int) -> str:
        """The tables of an audit the first time, nothing after that."""
        is_shown, self._shown = model in self._shown, self._shown | {model}
        return "" if is_shown else f"\n\n{self._audit(model)}"

    def _audit(self, model: int) -> Audit:
        if self._audited is None:
            from capsaudit.commands.audit import Options, audit_models

            self._audited = audit_models(str(self.path), Options(timeout=300))
        audited = self._audited[model]
        if isinstance(audited, Exception):
            raise audited
        return audited


class ClaimItem(pytest.Item):
    """A claim as a test."""

    parent: ClaimsModule

    def __init__(self, *, place: tuple[int, int], **options: Any) -> None:
        super().__init__(**options)
        self._model, self._claim = place

    def runtest(self) -> None:
        """Fail where the claim does not agree; the first one that fails of a file shows the table of layers."""
        claim = self.parent.judge(self._model, self._claim)
        if claim.verdict != "agrees":
            from capsaudit.render.failed_claims import failed_claim
            from capsaudit.text import escaped

            place = f"{escaped(claim.file)}:{claim.line}"
            raise ClaimError(
                f"{failed_claim(claim)}\n{place}, source: {escaped(claim.source)}{self.parent.table(self._model)}"
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The claim and the table, without a traceback through the plugin."""
        from capsaudit.errors import CapsauditError

        if isinstance(excinfo.value, ClaimError | CapsauditError):
            return _Failure(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the claim is made."""
        return self.path, None, f"claim {self.name}"


class ClaimError(AssertionError):
    """A claim that does not agree."""


class _Line(SimpleNamespace):
    """`--tb=line` shows its text."""

    def __str__(self) -> str:
        return str(self.message)


@dataclass(frozen=True)
class _Failure:
    """What is shown of a claim that fails. pytest's summary takes `reprcrash.message`, whole on CI: only the first line is for it."""

    text: str

    @property
    def reprcrash(self) -> SimpleNamespace:
        return _Line(message=self.text.partition("\n")[0])

    def toterminal(self, terminal: Any) -> None:
        terminal.line(self.text)

    def __str__(self) -> str:
        return self.text


def _expect_known_arguments(marker: pytest.Mark) -> None:
    """A marker with a misspelt argument would check less than it seems to."""
    from capsaudit.validation import nearest

    for argument in marker.args:
        pytest.fail(
            f"@pytest.mark.capsaudit: {argument!r} has no name; expected total=, layers= or same_function=",
            pytrace=False,
        )
    for name in marker.kwargs.keys() - set(_MARKER_ARGUMENTS):
        pytest.fail(
            f"@pytest.mark.capsaudit has no argument {name!r}; {nearest(name, _MARKER_ARGUMENTS)}", pytrace=False
        )


def _judge_marker(
    item: pytest.Item,
    total: str | int | dict[str, Any] | None = None,
    layers: dict[str, str | int | dict[str, Any]] | None = None,
    policy: str = "stored",
    same_function: str | None = None,
    inputs: str | Sequence[str] | None = None,
    model: str = "model",
    target: Any = None,
) -> None:
    """Judge what one marker states; a marker that states nothing fails."""
    from capsaudit import api

    stated = ({} if total is None else {"total": total}) | (layers or {})
    if not stated and same_function is None:
        pytest.fail("@pytest.mark.capsaudit states nothing; expected total=, layers= or same_function=", pytrace=False)
    if (same_function is None) != (inputs is None):
        pytest.fail(
            '@pytest.mark.capsaudit: same_function= needs inputs=, such as "1,28,28", and no other', pytrace=False
        )
    found = target if target is not None else getattr(item, "funcargs", {}).get(model)
    if found is None:
        pytest.fail(
            f"@pytest.mark.capsaudit: the test has no fixture {model!r} and the marker no target=", pytrace=False
        )
    try:
        if stated:
            api.assert_counts(found, stated, policy=policy)
        if same_function is not None:
            api.assert_same_function(found, same_function, inputs=[inputs] if isinstance(inputs, str) else inputs or ())
    except (AssertionError, api.CapsauditError) as error:
        pytest.fail(str(error), pytrace=False)
