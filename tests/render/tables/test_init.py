"""The table of documents: one for every type of result, found by its name."""

from importlib import import_module

import pytest

from capsaudit import results
from capsaudit.render import tables
from capsaudit.render.document import Document, Grid
from capsaudit.render.tables import DOCUMENTS, document
from capsaudit.results import Result
from tests.render.samples import SAMPLES


def test_every_type_of_result_has_a_document() -> None:
    derived = {kind.__name__ for kind in Result.__subclasses__() if kind.__module__.startswith("capsaudit.")}
    assert DOCUMENTS.keys() == derived
    assert {type(sample()).__name__ for sample in SAMPLES.values()} == derived


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_function_is_there_and_named_after_its_command(name: str) -> None:
    module, _, function = DOCUMENTS[name].partition(".")
    found = import_module(f"{tables.__name__}.{module}")
    assert callable(getattr(found, function))
    assert getattr(results, name).__module__ == f"capsaudit.results.{module}"


@pytest.mark.parametrize("name", SAMPLES)
def test_tables_have_names_of_their_own_and_whole_rows(name: str) -> None:
    shown: Document = document(SAMPLES[name]())
    grids = [part for part in shown.parts if isinstance(part, Grid)]
    assert len({grid.name for grid in grids}) == len(grids)
    assert all(grid.name for grid in grids)
    for grid in (*grids, shown.main_table):
        assert len({column.name for column in grid.columns}) == len(grid.columns)
        assert all(len(row) == len(grid.columns) for row in grid.rows)
        assert all(0 <= rule <= len(grid.rows) for rule in grid.rules)


@pytest.mark.parametrize("name", SAMPLES)
def test_sentences_end_with_a_full_stop_or_lead_to_a_table(name: str) -> None:
    """Notes of a model are its own words, and hints end with the command to run."""
    for sentence in document(SAMPLES[name]()).sentences:
        assert sentence.strip() == sentence
        assert not sentence.endswith((",", ";", " "))
        assert ".." not in sentence.replace("…", "")
