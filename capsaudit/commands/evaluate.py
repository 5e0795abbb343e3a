"""evaluate: the test error of a run, or of a file of weights, also somebody else's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from capsaudit.arithmetic import Shape
from capsaudit.catalogue import Variant, load_all
from capsaudit.commands.audit import Options, audit, audit_target
from capsaudit.commands.train_smoke import dataset_of
from capsaudit.data.batches import SHIFT_OF_TWO, Batches
from capsaudit.data.dataset import Dataset, Split
from capsaudit.data.digits import NAME as DIGITS
from capsaudit.data.mnist import Progress as FetchProgress
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import family_of, spec_of
from capsaudit.inspection.files.read import kind_of
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED
from capsaudit.inspection.files.values import read_values
from capsaudit.inspection.load import load
from capsaudit.inspection.targets import parse_target
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.knobs import changes
from capsaudit.models import Network, build
from capsaudit.parity.capsnet import weights as capsnet
from capsaudit.parity.efficient_capsnet import weights as efficient_capsnet
from capsaudit.parity.layouts import Reading
from capsaudit.recognition.base import Match, NoMatch, RecognisedNetwork
from capsaudit.recognition.closest import closest
from capsaudit.results import Audit, EvaluatedWeights, Evaluation, TestError, WeightReading
from capsaudit.results.evaluate import WeightsName
from capsaudit.spec import Spec
from capsaudit.text import valid
from capsaudit.train import checkpoint
from capsaudit.train.checkpoint import Checkpoint
from capsaudit.train.evaluation import Measured, measure
from capsaudit.train.log import Log, Row
from capsaudit.train.run import EPOCHS, SETTINGS, is_run
from capsaudit.train.session import chosen
from capsaudit.train.settings import RunSettings, read_settings
from capsaudit.train.splits import EVALUATION_BATCH, batches_of, checksum
from capsaudit.train.weights import load_weights, network_in, put_weights

Watcher = Callable[[str, int, int], None]
"""Is called with what is evaluated, the images done and the images in all."""

READING_IMAGES = 1000
"""So many of the first training images decide how somebody's tensors are read. Test images decide nothing."""

_READINGS: dict[str, Callable[[RecognisedNetwork, Mapping[str, Tensor]], Iterator[Reading]]] = {
    "capsnet": capsnet.readings,
    "efficient-capsnet": efficient_capsnet.readings,
}
"""By family, how somebody's tensors may be meant."""

_FILES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


class Images(NamedTuple):
    """Where the images come from: `digits`, `mnist`, or a folder of IDX files; without both, what the run was trained on, or MNIST."""

    data: str | None
    folder: Path | None
    fetching: FetchProgress | None

    def dataset(self, default: str) -> Dataset:
        """The images.

        Raises:
            CapsauditError: they cannot be had.
        """
        return dataset_of(self.data or default, self.folder, self.fetching)


def evaluate(
    target: Path,
    images: Images,
    *,
    model: str | None = None,
    part: str | None = None,
    device: str = "cpu",
    watch: Watcher = lambda *_: None,
) -> Evaluation:
    """The test error of the weights of a run, or of a file. `model`: the code that somebody's weights belong to, as a target. `part`: which
    network of a file that has several.

    Raises:
        CapsauditError: there is no such file, run or part, it is damaged, it is no network that is known, or the images do not fit it; or the
            model cannot be loaded, has other parameters, or belongs to weights of capsaudit.
    """
    if target.is_dir():
        _expect_foreign(target, model, part)
        return _run(target, images, device, watch)
    if target.suffix.lower() not in _FILES or parse_target(str(target)).kind.startswith("python"):
        raise CapsauditError(f"{target}: expected the folder of a run, or a file of weights: {', '.join(_FILES)}")
    if _is_own(target):
        _expect_foreign(target, model, part)
        return _own_file(target, load(str(target)), images, device, watch)
    inventory = load(str(target), part=part)
    return _foreign_file(target, inventory, model, part, images, device, watch)


def _expect_foreign(target: Path, model: str | None, part: str | None) -> None:
    own = f"{target}: has weights that capsaudit has trained, in its own module"
    if model is not None:
        raise CapsauditError(f"{own}; --model is the code that somebody else's weights belong to")
    if part is not None:
        raise CapsauditError(f"{own}; --part is for somebody else's files with several networks")


def _run(folder: Path, images: Images, device: str, watch: Watcher) -> Evaluation:
    """Nothing is written: the run may be training."""
    if not is_run(folder):
        raise FileError(f"{folder}: has no {SETTINGS}; expected the folder of a run, as capsaudit train writes it")
    settings = read_settings(folder / SETTINGS)
    found, faults = checkpoint.newest_whole(folder)
    if found is None:
        raise FileError(f"{folder}: has no checkpoint yet")
    dataset, notes = _images_of_run(folder, settings, images)
    audited, _ = audit(load(str(found.folder / checkpoint.LAST)), load_all())
    rows = Log(folder / EPOCHS).rows(found.manifest.logs.get(EPOCHS))
    test, model = _test_images_of_run(settings, dataset), build(settings.spec, device=device)
    weights: list[EvaluatedWeights] = []
    for file, (name, epoch) in _saved(found, rows).items():
        put_weights(model, found.contents[file], str(folder / file))
        measured = measure(model, test, str(folder / file), _counted(name, len(test), watch))
        weights.append(_weights(name, file, epoch, measured, len(test)))
    return _result(
        weights,
        measured,
        settings.spec,
        audit=audited,
        run=str(folder),
        variant=settings.variant,
        epochs=len(rows),
        data=dataset.name,
        two=test.two,
        test_images=len(test),
        notes=(*notes, *faults),
    )


def _saved(found: Checkpoint, rows: list[Row]) -> dict[str, tuple[WeightsName, int]]:
    """The files of weights in a checkpoint, with the epoch of each; the chosen ones last."""
    files: dict[str, tuple[WeightsName, int]] = {checkpoint.LAST: ("last", len(rows))}
    best = chosen(rows)
    if best is not None and checkpoint.BEST in found.contents:
        files[checkpoint.BEST] = ("chosen", best["epoch"])
    return files


def _test_images_of_run(settings: RunSettings, dataset: Dataset) -> Batches:
    """As in the evaluation after each epoch."""
    two, shift = settings.images == "multimnist", settings.protocol.shift
    return batches_of(
        settings.spec, dataset.test, dataset.name, two=two, size=EVALUATION_BATCH, shifts=False, shift=shift
    )


def _images_of_run(folder: Path, settings: RunSettings, images: Images) -> tuple[Dataset, tuple[str, ...]]:
    """The images, and a note where they are not those that the run was trained with."""
    dataset = images.dataset("digits" if settings.data == DIGITS else "mnist")
    if checksum(dataset) == settings.data_sha256:
        return dataset, ()
    if images.data is None and images.folder is None:
        raise FileError(
            f"{folder}: was trained on other images than {dataset.name}, which its settings call {settings.data}; "
            "expected their folder: --data-dir DIR"
        )
    return dataset, ("These are not the images that belong to the run: it was trained with others.",)


def _own_file(path: Path, inventory: Inventory, images: Images, device: str, watch: Watcher) -> Evaluation:
    model, spec = load_weights(path, device=device), spec_of(network_in(path))
    variant = _nearest(spec)
    test, dataset = _test_images(path, spec, variant, images)
    measured = measure(model, test, str(path), _counted(path.name, len(test), watch))
    return _result(
        [_weights("file", path.name, None, measured, len(test))],
        measured,
        spec,
        audit=audit(inventory, load_all())[0],
        run=str(path),
        variant=variant.id,
        changes=changes(variant.spec, spec),
        epochs=None,
        data=dataset.name,
        two=test.two,
        test_images=len(test),
    )


def _foreign_file(
    path: Path,
    inventory: Inventory,
    code: str | None,
    part: str | None,
    images: Images,
    device: str,
    watch: Watcher,
) -> Evaluation:
    audited, found = audit(inventory, load_all())
    match = _recognised(path, inventory, found)
    compared = _compared(code, path, inventory, match) if code is not None else None
    network, variant = match.network, match.variant
    test, dataset = _test_images(path, network.spec, variant, images)
    names = [tensor.name for tensors in network.layers.values() for tensor in tensors if tensor.shape]
    ways = _ways(path, network, read_values(path, names, part))
    _expect_shapes(path, network.spec, ways)
    model = build(network.spec, device=device)
    few = _batches(network.spec, Split(*(part[:READING_IMAGES] for part in dataset.train)), dataset, variant)
    errors = [_error(model, way, few, str(path), watch) for way in ways] if len(ways) > 1 else [0.0]
    used = errors.index(min(errors))
    _put(model, ways[used])
    measured = measure(model, test, str(path), _counted(path.name, len(test), watch))
    return _result(
        [_weights("file", path.name, None, measured, len(test))],
        measured,
        network.spec,
        audit=audited,
        model=compared,
        run=str(path),
        variant=variant.id,
        changes=changes(variant.spec, network.spec),
        epochs=None,
        data=dataset.name,
        two=test.two,
        test_images=len(test),
        foreign=True,
        readings=tuple(_readings(ways, errors, used)) if len(ways) > 1 else (),
        reading_images=len(few) if len(ways) > 1 else 0,
        assumed=network.assumed,
        left_out=tuple(valid(tensor.name) for tensor in network.unassigned),
        notes=tuple(valid(note) for note in inventory.notes if note != TRAINABLE_ASSUMED),
    )


def _is_own(path: Path) -> bool:
    """Whether capsaudit has written the file, which then says which network its weights are of."""
    if kind_of(path).name != "safetensors":
        return False
    try:
        return "family" in network_in(path)
    except FileError:
        return False


def _recognised(path: Path, inventory: Inventory, found: Match | None) -> Match:
    """What was found, if somebody's weights of its family can be evaluated."""
    if found is None:
        none = closest(inventory, load_all())
        because = f": {none.because}" if isinstance(none, NoMatch) else ""
        raise CapsauditError(f"{path}: is not recognised as a capsule network{because}")
    family = family_of(found.network.spec).name
    if family not in _READINGS:
        raise CapsauditError(
            f"{path}: is recognised as a network of the family {family}; somebody's weights are evaluated only of the "
            f"families {' and '.join(_READINGS)}, and capsaudit's own weights of every family"
        )
    return found


def _compared(code: str, path: Path, inventory: Inventory, match: Match) -> Audit:
    """The code that weights belong to, compared with the network that they are evaluated in.

    Raises:
        CapsauditError: it cannot be loaded, or has other parameters than the file.
    """
    image = match.network.spec.image
    options = Options(inputs=(f"{image.channels},{image.height},{image.width}",), timeout=300)
    found = audit_target(code, options, against=match.as_variant(match.variant.id), claims=())
    if _shapes(found.tensors) != _shapes(inventory.tensors):
        raise CapsauditError(
            f"{code}: has parameters of other shapes than {path}; expected the class whose weights are in the file"
        )
    return found


def _shapes(tensors: Sequence[InventoryTensor]) -> list[Shape]:
    return sorted(each.shape for each in tensors if not each.buffer and each.same_as is None)


def _ways(path: Path, network: RecognisedNetwork, values: Mapping[str, Tensor]) -> list[Reading]:
    try:
        return list(_READINGS[family_of(network.spec).name](network, values))
    except CapsauditError as error:
        raise CapsauditError(*(f"{path}: {fault}" for fault in error.faults)) from error


def _nearest(spec: Spec) -> Variant:
    """The shipped variant from which the fewest changed knobs lead to a network."""
    relatives = [variant for variant in load_all() if family_of(variant.spec) is family_of(spec)]
    return min(relatives, key=lambda variant: len(changes(variant.spec, spec)))


def _test_images(path: Path, spec: Spec, variant: Variant, images: Images) -> tuple[Batches, Dataset]:
    """The test images as a network of a file sees them: never resized, because nothing says that it was trained so."""
    dataset = images.dataset("mnist")
    more = 2 * SHIFT_OF_TWO if variant.data == "multimnist" else 0
    height, width = (size + more for size in dataset.test.images.shape[1:])
    image = spec.image
    if (image.channels, image.height, image.width) != (1, height, width):
        found = f"{path}: its network takes images of {image.channels}×{image.height}×{image.width}"
        kind = (
            f"two digits of the data, overlaid, make 1×{height}×{width}" if more else f"the data has 1×{height}×{width}"
        )
        raise CapsauditError(f"{found}; {kind} ({dataset.name})")
    return _batches(spec, dataset.test, dataset, variant), dataset


def _batches(spec: Spec, split: Split, dataset: Dataset, variant: Variant) -> Batches:
    two = variant.data == "multimnist"
    return batches_of(spec, split, dataset.name, two=two, size=EVALUATION_BATCH, shifts=False)


def _expect_shapes(path: Path, spec: Spec, ways: Sequence[Reading]) -> None:
    """Each tensor of the module has values of its shape."""
    if not ways:
        raise CapsauditError(f"{path}: its W cannot be read as that of the recognised network")
    state = ways[0].state
    for name, tensor in build(spec, device="meta").state_dict().items():
        found = tuple(state[name].shape) if name in state else None
        if found != tuple(tensor.shape):
            raise CapsauditError(
                f"{path}: {name} of the recognised network has shape {tuple(tensor.shape)}; the file has {found or 'none'}"
            )


@torch.no_grad()
def _put(model: Network, reading: Reading) -> None:
    for name, tensor in model.state_dict().items():  # in place: the strides of the model stay
        tensor.copy_(reading.state[name])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and reading.epsilon is not None:
            module.eps = reading.epsilon


def _error(model: Network, reading: Reading, batches: Batches, name: str, watch: Watcher) -> float:
    _put(model, reading)
    what = ", ".join(map(str, filter(None, (reading.channels, reading.capsules, reading.axes, reading.epsilon))))
    return measure(model, batches, name, _counted(what, len(batches), watch)).error


def _readings(ways: Sequence[Reading], errors: Sequence[float], used: int) -> Iterator[WeightReading]:
    for number, (way, error) in enumerate(zip(ways, errors, strict=True)):
        yield WeightReading(
            channels=way.channels,
            capsules=way.capsules,
            axes=way.axes,
            epsilon=way.epsilon,
            error=error,
            used=number == used,
        )


def _counted(what: str, total: int, watch: Watcher) -> Callable[[int], None]:
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        watch(what, done, total)

    return add


def _weights(name: WeightsName, file: str, epoch: int | None, measured: Measured, count: int) -> EvaluatedWeights:
    return EvaluatedWeights(
        name=name,
        file=file,
        epoch=epoch,
        test_error=measured.error,
        standard_error=standard_error(measured.error, count),
        digit_error=measured.digit_error,
        reconstruction_error=measured.reconstruction_error,
    )


def standard_error(error: float, count: int) -> float:
    """Of a share of so many images, √(p(1 − p)/n).

    >>> round(standard_error(0.0025, 10_000), 5)
    0.0005
    """
    return math.sqrt(error * (1 - error) / count)


def _result(
    weights: Sequence[EvaluatedWeights], measured: Measured, spec: Spec, *, two: bool, **fields: object
) -> Evaluation:
    """`measured`: of the last of the weights, which are the chosen ones where there are any."""
    chosen_error = weights[-1].test_error if len(weights) > 1 else None
    image = spec.image
    parameters = sum(tensor.numel() for tensor in build(spec, device="meta").parameters())
    return Evaluation(
        parameters=parameters,
        images="multimnist" if two else "digits",
        test_error=TestError(last=weights[0].test_error, chosen=chosen_error),
        standard_error=weights[-1].standard_error,
        weights=tuple(weights),
        confusion=_rows(measured.confusion),
        pixels=image.channels * image.height * image.width,
        **fields,  # type: ignore[arg-type]
    )


def _rows(table: Tensor | None) -> tuple[tuple[int, ...], ...] | None:
    return None if table is None else tuple(tuple(row) for row in table.tolist())
