"""A variant with some of its knobs changed from the command line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from capsaudit.catalogue.variant import Variant
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import impossible
from capsaudit.knobs import changed, known_knobs, parse_setting, to_data
from capsaudit.spec import Data
from capsaudit.validation import faults_of, nearest


def with_settings(variant: Variant, settings: Sequence[str]) -> Variant:
    """The variant with `knob.path=value` applied in order.

    What was worked out for it by hand no longer applies and is left out; what was stated about it is still compared.

    Raises:
        FileError: unknown knobs, values of the wrong kind, an impossible shape; all that is wrong at once.
    """
    data, faults = _changed(variant, settings)
    spec, found = faults_of(data, type(variant.spec))
    faults += [f"--set: {fault.path} {fault.message}" for fault in found]
    if spec is not None and not faults and (fault := impossible(spec)):
        faults = [f"--set: {fault}"]
    if spec is None or faults:
        raise FileError(*faults)
    return msgspec.structs.replace(
        variant,
        id=f"{variant.id} + {', '.join(settings)}",
        parent=variant.id,
        depth=variant.depth + 1,
        spec=spec,
        sources=variant.sources | {parse_setting(setting)[0]: "the command line" for setting in settings},
        expected=None,
    )


def _changed(variant: Variant, settings: Sequence[str]) -> tuple[Data, list[str]]:
    original, faults = to_data(variant.spec), []
    data = original
    for setting in settings:
        try:
            knob, value = parse_setting(setting)
        except CapsauditError as error:
            faults.append(str(error))
            continue
        try:
            _expect_known(knob, original)
            data = changed(data, knob, value)
        except CapsauditError as error:
            faults.append(f"--set {setting}: {error}")
    return data, faults


def _expect_known(knob: str, data: Data) -> None:
    if data.get(knob.partition(".")[0]) == "none":
        return  # a decoder that is not there yet: the new table is judged as a whole
    if knob not in (known := known_knobs(data)):
        raise CapsauditError(f"there is no knob {knob!r}; {nearest(knob, known)}")
