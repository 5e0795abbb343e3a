"""A space of interpretations: for each knob the values it may have, where each comes from and what it asks a reader to assume."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from capsaudit.catalogue.toml_files import locate, read_table, shipped
from capsaudit.catalogue.variant import Variant
from capsaudit.conventions import CONVENTIONS, PREFIX
from capsaudit.errors import FileError
from capsaudit.families import family_of
from capsaudit.spec import Value
from capsaudit.validation import faults_of, nearest, shown

AssumptionCost = Annotated[int, Meta(ge=0, le=9, description="an integer from 0 to 9")]


class Alternative(Struct, frozen=True, forbid_unknown_fields=True):
    """A value that a knob may have. `assumption_cost`: what it asks a reader to assume, from 0 (the paper says so) up. `same_count`: another
    change that always gives the same count.
    """

    value: Value
    assumption_cost: AssumptionCost
    source: str
    same_count: str | None = None


class Knob(Struct, frozen=True, forbid_unknown_fields=True):
    """A knob and its alternatives. `open`: the text leaves it open for all networks alike."""

    knob: str
    alternatives: tuple[Alternative, ...]
    open: bool = False


class SpaceFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as written."""

    family: str
    summary: str
    knobs: tuple[Knob, ...]
    extends: str | None = None


class Space(Struct, frozen=True):
    """A space as read; `label` is what messages call it."""

    label: str
    family: str
    summary: str
    knobs: tuple[Knob, ...]

    def open_questions(self) -> "Space":
        """The same space, as far as its knobs are open questions."""
        return Space(self.label, self.family, self.summary, tuple(knob for knob in self.knobs if knob.open))


def load_space(name: str | Path) -> Space:
    """A shipped space by its id (that of a family), or one of your own by its path.

    Values are checked when the space is used with a variant; here the form of the file is.

    Raises:
        CapsauditError: no such space.
        FileError: everything that is wrong with the file.
    """
    label, path = locate(str(name), "spaces")
    table = read_table(label, path)
    file, found = faults_of(table, SpaceFile)
    faults = [f"{label}: {fault.path} {fault.message}" for fault in found]
    if file is None:
        raise FileError(*faults)
    knobs = {knob.knob: knob for knob in _inherited(label, file)}
    faults += _form_faults(label, file, knobs)
    if faults:
        raise FileError(*faults)
    return Space(
        label=label,
        family=file.family,
        summary=file.summary,
        knobs=tuple((knobs | {k.knob: k for k in file.knobs}).values()),
    )


def load_spaces(own: str | Path | None = None) -> dict[str, Space]:
    """The shipped spaces by family, one of them replaced by a space of your own.

    Raises:
        CapsauditError: as `load_space`.
    """
    spaces = {name: load_space(name) for name in shipped("spaces")}
    return spaces if own is None else spaces | {(space := load_space(own)).family: space}


def space_around(variant: Variant, own: str | Path | None = None) -> Space:
    """The space to search around a variant: your own, or the shipped one of its family.

    Raises:
        CapsauditError: as `load_space`.
    """
    return load_space(own or family_of(variant.spec).name)


def _inherited(label: str, file: SpaceFile) -> tuple[Knob, ...]:
    if file.extends is None:
        return ()
    if file.extends not in shipped("spaces"):
        raise FileError(f"{label}: extends is {shown(file.extends)}; {nearest(file.extends, shipped('spaces'))}")
    return load_space(file.extends).knobs


def _form_faults(label: str, file: SpaceFile, inherited: dict[str, Knob]) -> list[str]:
    faults = (
        []
        if file.family in shipped("spaces")
        else [f"{label}: family is {shown(file.family)}; {nearest(file.family, shipped('spaces'))}"]
    )
    if not file.knobs and not inherited:
        faults.append(f"{label}: knobs is empty; expected at least one knob with alternatives")
    seen: set[str] = set()
    for knob in file.knobs:
        if knob.knob in seen:
            faults.append(f"{label}: {knob.knob} is listed twice; list all its alternatives once")
        seen.add(knob.knob)
        if not knob.alternatives:
            faults.append(f"{label}: {knob.knob}.alternatives is empty; expected at least one value")
        values = [shown(alternative.value) for alternative in knob.alternatives]
        faults += [
            f"{label}: {knob.knob} lists {value} twice" for value in sorted({v for v in values if values.count(v) > 1})
        ]
        if knob.knob.startswith(PREFIX):
            faults += _convention_faults(label, knob)
    return faults


def _convention_faults(label: str, knob: Knob) -> list[str]:
    if knob.knob not in CONVENTIONS:
        return [f"{label}: {knob.knob} is unknown; {nearest(knob.knob, CONVENTIONS)}"]
    known = (CONVENTIONS[knob.knob].usual, CONVENTIONS[knob.knob].other)
    wrong = [alternative.value for alternative in knob.alternatives if alternative.value not in known]
    return [
        f'{label}: {knob.knob} has the value {shown(value)}; expected "{known[0]}" or "{known[1]}"' for value in wrong
    ]
