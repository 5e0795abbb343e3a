"""CSV: raw numbers, an empty field where there is nothing, and quotes where they are needed."""

import csv
import io

import msgspec
import pytest

from capsaudit.render.csv import as_csv
from tests.expected import TOTALS
from tests.render.samples import SAMPLES, count, unknown_audit, variants


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_has_every_column(name: str) -> None:
    found = list(csv.reader(io.StringIO(as_csv(SAMPLES[name]()))))
    assert len({len(row) for row in found}) == 1
    assert len(found) > 1 or name == "check"  # nothing failed
    assert all(found[0])


def test_numbers_are_raw() -> None:
    found = {row["layer"]: row for row in read(as_csv(count()))}
    assert found["digit_caps"]["trainable"] == "1497600"  # (1152·8·16 + 1152 + 1152)·10
    assert found["total"]["trainable"] == "8238608"
    assert found["total"]["input"] == ""  # nothing, and no dash


def test_totals_of_all_variants() -> None:
    assert {row["variant"]: int(row["total"]) for row in read(as_csv(variants()))} == TOTALS


def test_commas_and_quotes_stay_in_their_field() -> None:
    odd = msgspec.structs.replace(unknown_audit().tensors[0], name='a,"b"\nc')
    result = msgspec.structs.replace(unknown_audit(), tensors=(odd,))
    assert read(as_csv(result))[0]["tensor"] == r'a,"b"\nc'


def test_lines_end_with_a_line_feed_and_the_last_with_nothing() -> None:
    text = as_csv(count())
    assert "\r" not in text
    assert not text.endswith("\n")
