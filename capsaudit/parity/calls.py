"""How a model is called: the ways to give its forward known images and labels, in the order in which they are tried."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from capsaudit.arithmetic import Shape
from capsaudit.inspection.modules.forward import Arguments, parameters_of, run_forward
from capsaudit.parity.arguments import (
    IMAGES,
    LABEL_FORMS,
    LABELS,
    Given,
    Known,
    filled_in,
    given_in,
    mapped,
    one_hot,
    with_output,
    within,
)
from capsaudit.parity.methods import MethodCall


class Call(NamedTuple):
    """A way to call a model that works, for any copy of it: with images of a dtype, so many at once, of so many classes of a dimension."""

    arguments: Arguments
    dtype: torch.dtype
    batch: int
    classes: int
    dimension: int
    methods: tuple[MethodCall, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether labels are among the arguments."""
        every = (self.arguments, *(method.arguments for method in self.methods))
        return any(given.kind == "labels" for arguments in every for given in given_in(arguments))

    @property
    def labels(self) -> Tensor:
        """Labels [batch] to call it with, which have nothing to do with the images."""
        return torch.arange(self.batch).flip(0) % self.classes

    def __call__(self, module: nn.Module, images: Tensor) -> object:
        """The output of forward, of images [batch, channels, height, width]; then the methods are called.

        Raises:
            CapsauditError: forward or a method raised an error.
        """
        known = self.known(images)
        output = run_forward(module, *filled_in(self.arguments, known))
        for method in self.methods:
            method(module, with_output(known, output, self.dimension))
        return output

    def known(self, images: Tensor) -> Known:
        """What its arguments are made of."""
        return Known(images.to(self.dtype), self.labels, self.classes)


def ways(module: nn.Module, image: Shape, classes: int, example: Arguments | None) -> Iterator[Arguments]:
    """Arguments that forward may take: those with labels first, where it has a place for them.

    `image`: channels, height and width. `example`: arguments that the model was given with.
    """
    own = _of_example(example, image, classes) if example else None
    known = next((each for each in given_in(own or Arguments(())) if each.kind == "images"), IMAGES)
    has_labels = own is not None and any(each.kind == "labels" for each in given_in(own))
    if own and has_labels:
        yield own
    parameters = [each for each in parameters_of(module.forward) if each.kind is not each.VAR_KEYWORD]
    images = next((each for each in parameters if not LABELS.fullmatch(each.name)), None)
    for place in _places_of_labels(parameters, images):
        for form in LABEL_FORMS:
            yield _arguments(parameters, (images, known), (place, form))
    if own and not has_labels:
        yield own
    yield _arguments(parameters, (images, known))


def example_batch(example: Arguments | None, image: Shape) -> int | None:
    """How many images the example has."""
    found = _images_of(example, image) if example else None
    return None if found is None else len(found)


def _places_of_labels(
    parameters: Sequence[inspect.Parameter], images: inspect.Parameter | None
) -> list[inspect.Parameter | None]:
    """The parameter with a name for labels, else the second if it must be given. None is the place behind the images, of what is not known
    by name.
    """
    others = [each for each in parameters if each is not images and each.kind is not each.VAR_POSITIONAL]
    if named := [each for each in others if LABELS.fullmatch(each.name)]:
        return [named[0]]
    if images is None or images.kind is images.VAR_POSITIONAL:
        return [None]
    return [each for each in others[:1] if each.default is each.empty]


def _arguments(parameters: Sequence[inspect.Parameter], *values: tuple[inspect.Parameter | None, Given]) -> Arguments:
    """By position where the parameters are the first ones, else by name."""
    positional: list[object] = []
    keywords: dict[str, object] = {}
    for parameter, value in values:
        is_next = parameter is not None and parameter in parameters[len(positional) : len(positional) + 1]
        if parameter is None or (is_next and not keywords and parameter.kind is not parameter.KEYWORD_ONLY):
            positional.append(value)
        else:
            keywords[parameter.name] = value
    return Arguments(tuple(positional), keywords)


def _of_example(example: Arguments, image: Shape, classes: int) -> Arguments | None:
    """The example with the known images and labels in place of its own; None if it has no images."""
    images = _images_of(example, image)
    if images is None:
        return None

    def replaced(value: object) -> object:
        if not isinstance(value, Tensor):
            return mapped(value, replaced)
        return _images_like(images, image) if value is images else _others_like(value, len(images), classes)

    named = {name: replaced(each) for name, each in example.keywords.items()}
    return Arguments(tuple(map(replaced, example.positional)), named)


def _images_of(example: Arguments, image: Shape) -> Tensor | None:
    """The first tensor of a shape that images may have: as they are, with channels last, without channels, as rows."""
    channels, *size = image
    tensors = list(within(tuple(example), Tensor))
    shapes = (image, (*size, channels), tuple(size), (prod(image),))
    fitting = (
        each
        for shape in shapes
        for each in tensors
        if tuple(each.shape[1:]) == shape and each.numel() == len(each) * prod(image)
    )
    return next(fitting, None)


def _images_like(example: Tensor, image: Shape) -> Given:
    """The known images with the axes of the example."""
    shape = tuple(example.shape[1:])
    if shape == image:
        return IMAGES
    if len(shape) == len(image):
        return Given("images", "images with channels last", lambda known: known.images.movedim(1, -1))
    return Given("images", f"images of shape {list(shape)}", lambda known: known.images.reshape(-1, *shape))


def _others_like(example: Tensor, batch: int, classes: int) -> Given:
    """Labels where the example may be labels; else the example, with as many items as there are images if it had so many."""
    shape, is_integer = tuple(example.shape), not example.is_floating_point()
    if is_integer and shape in ((batch,), (batch, 1)):
        return Given(
            "labels", "labels as indices", lambda known: known.labels.reshape(-1, *shape[1:]).to(example.dtype)
        )
    if shape == (batch, classes):
        like = example if is_integer else None
        return Given(
            "labels", "labels as one-hot rows", lambda known: one_hot(known).to(known.images if like is None else like)
        )
    return Given("other", "the example's own", lambda known: _as_many(example, batch, known.images))


def _as_many(example: Tensor, batch: int, images: Tensor) -> Tensor:
    made = example.to(images.dtype) if example.is_floating_point() else example.clone()
    if example.shape[:1] != (batch,) or len(images) == batch:
        return made
    return made.repeat(-(-len(images) // batch), *[1] * (made.dim() - 1))[: len(images)]
