"""The child process in which a target is loaded, started by `capsaudit.inspection.process`."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import queue
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inspection.process import Done, Failed, Message, Reached, Request, Stage, receive, send
from capsaudit.inventory import Inventory
from capsaudit.text import valid

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main() -> NoReturn:
    """Load each requested target and send its inventory, until the parent ends this process."""
    gc.set_threshold(1_000_000, 50, 50)  # imports and large files create no garbage worth collecting
    requests, results = _own_streams()
    pending: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, pending), daemon=True).start()
    number = os.getpid()
    while True:
        request: Request = pickle.loads(pending.get())  # noqa: S301, it comes from the parent
        message = _outcome(request, lambda stage: send(results, _encoded(Reached(stage))))
        if os.getpid() != number:  # a target may fork, and its copies come here too
            os._exit(0)
        _flush()
        try:
            send(results, _encoded(message))
        except OSError:  # a target may close all files
            os._exit(0)
        del message
        gc.collect()  # the next model needs the memory of this one


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The streams from and to the parent. For the target, standard input is empty, and standard output is standard error.

    Descriptors are changed, not `sys.stdout`, because native code and child processes print too.
    """
    try:
        os.fstat(_STDERR)
    except OSError:  # it is closed
        os.open(os.devnull, os.O_WRONLY)  # takes the lowest number that is free: its own
    own = os.dup(_STDIN), os.dup(_STDOUT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)
    os.dup2(_STDERR, _STDOUT)
    return os.fdopen(own[0], "rb"), os.fdopen(own[1], "wb")


def _receive(requests: BinaryIO, pending: queue.SimpleQueue[bytes]) -> None:
    """End with all that the targets started when the parent is gone: it keeps its end of the stream open as long as it waits."""
    with suppress(OSError, ValueError):
        while (data := receive(requests)) is not None:
            pending.put(data)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _outcome(request: Request, report: Callable[[Stage], None]) -> Message:
    target = request.target.text
    try:
        return Done(_loaded(request, report))
    except CapsauditError as error:
        return Failed(error.faults, traceback.format_exc(), error.choices)
    except MemoryError:
        return Failed((f"{target}: there was not enough memory",), traceback.format_exc())
    except BaseException as error:
        return Failed((f"{target}: could not be loaded: {one_line(error)}",), traceback.format_exc())


def _encoded(message: Message) -> bytes:
    """Names and texts that are not valid Unicode are sent with escapes in them."""
    try:
        return msgspec.msgpack.encode(message)
    except UnicodeEncodeError:
        return msgspec.msgpack.encode(_valid(msgspec.to_builtins(message)))


def _valid(value: object) -> object:
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, dict):
        return {_valid(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list | tuple) else value


def _loaded(request: Request, report: Callable[[Stage], None]) -> Inventory:
    if request.target.kind.startswith("python"):
        return _load_python(request, report)
    return _load_weights(request, report)


def _load_weights(request: Request, report: Callable[[Stage], None]) -> Inventory:
    from capsaudit.inspection.files.read import reader
    from capsaudit.inspection.files.shards import incompleteness
    from capsaudit.inspection.files.weights import contents

    path = Path(request.target.source)
    if not path.is_dir():
        reader(path)  # may import torch, which is not the file's doing
    report("read")
    found = contents(path, request.part)
    return Inventory(
        target=request.target.text,
        tensors=found.tensors,
        findings=found.warnings,
        notes=found.notes,
        incomplete=incompleteness(path),
    )


def _load_python(request: Request, report: Callable[[Stage], None]) -> Inventory:
    from capsaudit.inspection.module import inspect_module
    from capsaudit.inspection.python.build import example_inputs, load_python

    _seed()
    report("imported")
    loaded = load_python(request.target, request.kwargs, imported=lambda: report("built"))
    report("run")
    example = loaded.example
    if request.inputs:
        example = example_inputs(loaded.module, request.inputs)
    inputs, kwargs = example or (None, None)
    inventory = inspect_module(
        loaded.module,
        request.target.text,
        inputs=inputs,
        kwargs=kwargs,
        notes=loaded.notes,
        nonzero=request.nonzero,
    )
    if request.examine is None or example is None:
        return inventory
    report("compared with its reference")
    return msgspec.structs.replace(inventory, behaviour=request.examine(loaded.module, inventory, example))


def _seed() -> None:
    """Two audits of one target give the same result, also where it draws random numbers, or another one before it has set torch's defaults."""
    import torch

    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    random.seed(0)
    torch.manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def _flush() -> None:
    """What is in Python's and C's buffers would be lost at the end."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):
            print(end="", file=stream, flush=True)
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
