"""What a function is given: known values in place of its arguments, found by the names of its parameters."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from torch import Tensor
from torch.nn import functional as F

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import location, one_line
from capsaudit.inspection.modules.contents import tensors_within
from capsaudit.inspection.modules.forward import Arguments, parameters_of

T = TypeVar("T")

_MOST_TRIED = 200
"""How many arrangements of known values are tried for one function."""

_MOST_SHOWN = 6
"""How many of the arguments that were tried an error lists."""

LABELS = re.compile(r"y|ys|t|.*(label|target|class|truth|true|hot).*", re.IGNORECASE)
"""Names of parameters that labels are given to."""


class Known(NamedTuple):
    """Values that a function may be given: images [batch, channels, height, width], labels [batch] as indices of one of `classes`; and of
    what a model returns for them the whole, the lengths [batch, class], the class capsules [batch, class, dimension], the reconstruction.
    """

    images: Tensor
    labels: Tensor
    classes: int
    output: object = None
    lengths: Tensor | None = None
    capsules: Tensor | None = None
    reconstruction: Tensor | None = None


class Given(NamedTuple):
    """Stands for a known value among the arguments of a call. `value` gives None where there is none."""

    kind: str
    words: str
    value: Callable[[Known], object]


def one_hot(known: Known) -> Tensor:
    """The labels as rows [batch, class] of zeros and a one."""
    return F.one_hot(known.labels, known.classes)


IMAGES = Given("images", "images", lambda known: known.images)

LABEL_FORMS = (
    Given("labels", "labels as indices", lambda known: known.labels),
    Given("labels", "labels as one-hot rows", lambda known: one_hot(known).to(known.images)),
    Given("labels", "labels as one-hot rows of integers", one_hot),
)

_FORMS: dict[str, tuple[Given, ...]] = {
    "images": (IMAGES, Given("images", "images as rows", lambda known: known.images.flatten(1))),
    "labels": LABEL_FORMS,
    "output": (Given("output", "output", lambda known: known.output),),
    "lengths": (Given("lengths", "lengths", lambda known: known.lengths),),
    "capsules": (
        Given("capsules", "capsules", lambda known: known.capsules),
        Given("capsules", "capsules with a last axis of one", lambda known: _column(known.capsules)),
    ),
    "reconstruction": (
        Given("reconstruction", "reconstruction", lambda known: known.reconstruction),
        Given("reconstruction", "reconstruction as rows", lambda known: _rows(known.reconstruction)),
        Given("reconstruction", "reconstruction as images", lambda known: _like_images(known)),
    ),
}

_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r".*(recon|decoded|generated).*|(x|imgs?|images?)_?(hat|rec|out)", ("reconstruction",)),
    (r"classes", ("lengths", "labels")),
    (r".*(length|logit|score|prob|pred|norm|magnitude).*|y_?hat", ("lengths", "capsules", "output")),
    (r"vs?|v_?[cjk]|.*(caps|digit|vector|poses?).*", ("capsules", "lengths", "output")),
    (r".*out(put)?s?|results?", ("output", "lengths", "capsules", "reconstruction")),
    (r".*(image|img|pixel|original|picture).*|data", ("images",)),
    (r"xs?|inputs?|batch", ("images", "lengths", "capsules", "output")),
    (LABELS.pattern, ("labels",)),
)
"""What parameters of these names are given, likeliest first. The first pattern that fits counts."""

_ANYTHING = ("lengths", "capsules", "labels", "images", "reconstruction", "output")


def filled(value: object, known: Known) -> object:
    """A value with every `Given` inside its tuples, lists and dicts replaced by what it stands for."""
    if isinstance(value, Given):
        return value.value(known)
    return mapped(value, lambda each: filled(each, known))


def mapped(value: object, change: Callable[[object], object]) -> object:
    """A tuple, list or dict with its members changed; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: change(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        members = list(map(change, value))
        make: Callable[..., object] = type(value)
        return make(*members) if hasattr(value, "_fields") else make(members)
    return value


def filled_in(arguments: Arguments, known: Known) -> Arguments:
    """Arguments with known values in their places."""
    named = {name: filled(each, known) for name, each in arguments.keywords.items()}
    return Arguments(tuple(filled(each, known) for each in arguments.positional), named)


def called(name: str, function: Callable[..., object], arguments: Arguments, known: Known) -> object:
    """What a function returns.

    Raises:
        CapsauditError: it raised an error; `name` and the arguments are in the message.
    """
    positional, keywords = filled_in(arguments, known)
    try:
        return function(*positional, **keywords)
    except (Exception, SystemExit) as error:
        raised = f"{one_line(error)}{location(error)}"
        raise CapsauditError(f"{name}({described(arguments)}) raised {raised}") from error


def shown(tried: Sequence[str]) -> str:
    """What was tried, each once; of many the first."""
    distinct = list(dict.fromkeys(tried)) or ["no parameter of it has the name of a known value"]
    more = len(distinct) - _MOST_SHOWN
    return "; ".join(distinct[:_MOST_SHOWN]) + (f"; and {more} more ways" if more > 0 else "")


def within(value: object, kind: type[T]) -> Iterator[T]:
    """Every value of a kind in tuples, lists and dicts."""
    if isinstance(value, kind):
        yield value
        return
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ():
        yield from within(each, kind)


def given_in(arguments: Arguments) -> list[Given]:
    """What known values are among the arguments."""
    return list(within(tuple(arguments), Given))


def described(arguments: Arguments) -> str:
    """The arguments in words.

    >>> described(Arguments((IMAGES,), {"y": LABEL_FORMS[0]}))
    'images, y = labels as indices'
    """
    words = [each.words if isinstance(each, Given) else type(each).__name__ for each in arguments.positional]
    named = {k: v.words if isinstance(v, Given) else type(v).__name__ for k, v in arguments.keywords.items()}
    return ", ".join([*words, *(f"{name} = {value}" for name, value in named.items())])


def arrangements(function: Callable[..., object], known: Known, likely: Sequence[Given] = ()) -> Iterator[Arguments]:
    """Ways to give a function known values by the names of its parameters, likeliest first; no value is given twice.

    `likely`: forms that come before others of their kind.
    """
    parameters = [each for each in parameters_of(function) if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    choices = [list(_choices(each, known, likely)) for each in parameters]
    chosen = sorted(itertools.islice(itertools.product(*map(range, map(len, choices))), 100_000), key=sum)
    tried = 0
    for numbers in chosen:
        values = [choice[number] for choice, number in zip(choices, numbers, strict=True)]
        kinds = [each.kind for each in values if each]
        if kinds and len(kinds) == len(set(kinds)) and tried < _MOST_TRIED:
            tried += 1
            yield _arguments(parameters, values)


def _choices(parameter: inspect.Parameter, known: Known, likely: Sequence[Given]) -> Iterator[Given | None]:
    """What a parameter may be given; None leaves its default."""
    pattern = (kinds for names, kinds in _NAMES if re.fullmatch(names, parameter.name, re.IGNORECASE))
    kinds = next(pattern, None if parameter.default is not parameter.empty else _ANYTHING)
    for kind in kinds or ():
        for form in sorted(_FORMS[kind], key=lambda each: each not in likely):
            if form.value(known) is not None:
                yield form
    if parameter.default is not parameter.empty:
        yield None


def _arguments(parameters: Sequence[inspect.Parameter], values: Sequence[Given | None]) -> Arguments:
    positional = [value for each, value in zip(parameters, values, strict=True) if each.kind is each.POSITIONAL_ONLY]
    named = {p.name: v for p, v in zip(parameters, values, strict=True) if v and p.kind is not p.POSITIONAL_ONLY}
    return Arguments(tuple(each for each in positional if each), named)


def with_output(known: Known, output: object, dimension: int) -> Known:
    """The same with what a model returned, and its parts, found by how many values they have for an image."""
    batch, pixels = len(known.images), known.images[0].numel()
    parts = {each[0].numel(): each for each in tensors_within(output) if each.shape[:1] == (batch,)}
    lengths, capsules = parts.get(known.classes), parts.get(known.classes * dimension)
    if capsules is not None:
        capsules = capsules.reshape(batch, known.classes, dimension)
    if lengths is None and capsules is not None:
        lengths = capsules.norm(dim=-1)
    return known._replace(
        output=output,
        lengths=None if lengths is None else lengths.reshape(batch, known.classes),
        capsules=capsules,
        reconstruction=parts.get(pixels),
    )


def _column(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.unsqueeze(-1)


def _rows(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.flatten(1)


def _like_images(known: Known) -> Tensor | None:
    values = known.reconstruction
    return (
        None if values is None or values.numel() != math.prod(known.images.shape) else values.reshape_as(known.images)
    )
