"""A target is loaded in a process of its own, and only a complete result counts: whatever else the target does ends with that process.

The child process is `capsaudit.inspection.child`. It gets requests on its standard input and sends messages on its standard output; both
are kept from the target.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError
from capsaudit.inspection.targets import Target
from capsaudit.inventory import Behaviour, Inventory

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.inspection.modules.forward import Arguments

Stage = Literal["read", "imported", "built", "run", "compared with its reference"]
"""What is being done with a target."""

_LENGTH_BYTES = 8
_HINTS = {
    "SIGKILL": "; perhaps there was not enough memory",
    "SIGSEGV": "; native code failed",
    "SIGABRT": "; native code failed",
}


class Input(NamedTuple):
    """An input of a model: the shape of one example, without the batch, its dtype, and its name in forward; empty for one by position."""

    shape: Shape
    dtype: str
    name: str = ""


class Request(Struct, frozen=True):
    """What the child has to load. `inputs`: what forward takes. `examine`: a function of a module, its inventory and the arguments that it is
    run with, which determines its behaviour in the child; it is sent by its name.
    `part`: the network that is read of a file which has several. `nonzero`: whether values that are not zero are counted.
    """

    target: Target
    kwargs: Mapping[str, object]
    inputs: Sequence[Input]
    examine: Callable[[nn.Module, Inventory, Arguments], Behaviour] | None = None
    part: str | None = None
    nonzero: bool = False


class Reached(Struct, frozen=True, tag=True):
    """A stage begins."""

    stage: Stage


class Failed(Struct, frozen=True, tag=True):
    """The target could not be loaded."""

    faults: tuple[str, ...]
    traceback: str
    choices: tuple[str, ...] = ()


class Done(Struct, frozen=True, tag=True):
    """The result."""

    inventory: Inventory


Message = Reached | Failed | Done


class TargetError(Exception):
    """The traceback of the child, as the cause of the error that is reported."""


class Child:
    """A process in which targets are loaded one after another, so that torch is imported once. It ends with the `with` block.

    It starts with the first target, and again after one that ended it or took too long. Code from another directory gets another process: the
    modules that it imports may have the same names. `folder`: its current directory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._directory: str | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def load(self, request: Request, *, timeout: float, watch: Callable[[Stage], None] = lambda _: None) -> Inventory:
        """Load a target.

        Args:
            request: The target.
            timeout: The time limit in seconds, from the first stage on: importing torch is not the target's doing.
            watch: Called when a stage begins.

        Raises:
            CapsauditError: the target cannot be loaded, exceeds the limit, or ends the process.
        """
        if not timeout > 0:
            raise CapsauditError(f"the time limit is {timeout} s; expected a positive number of seconds")
        before, process = self._process, self._started(_directory(request.target))
        with suppress(OSError):  # a child that could not start has ended, which is found out below
            send(_stream(process.stdin), pickle.dumps(request))
        stage: Stage | None = None
        end: float | None = None
        while True:
            try:
                message = self._messages.get(timeout=None if end is None else max(end - time.monotonic(), 0))
            except queue.Empty:
                self._end()
                raise CapsauditError(_too_long(request.target, timeout, stage)) from None
            if isinstance(message, Done):
                return message.inventory
            if isinstance(message, Failed):
                raise CapsauditError(*message.faults, choices=message.choices) from TargetError(message.traceback)
            if message is None:
                ending = _ending(process, stage)
                self._end()
                if process is before:  # a target before it may have left something running that ended it
                    return self.load(request, timeout=timeout, watch=watch)
                raise CapsauditError(f"{request.target.text}: {ending}")
            stage = message.stage
            watch(stage)
            end = end or time.monotonic() + min(timeout, threading.TIMEOUT_MAX / 2)

    def _started(self, directory: str | None) -> subprocess.Popen[bytes]:
        """The process for code from a directory; None for weights, which any process can read."""
        if self._process is not None and directory is not None and self._directory not in (None, directory):
            self._end()
        if self._process is None:
            self._process, self._messages, self._directory = _child(self._folder), queue.Queue(), None
            stream = _stream(self._process.stdout)
            threading.Thread(target=_receive, args=(stream, self._messages), daemon=True).start()
        self._directory = directory or self._directory
        return self._process

    def _end(self) -> None:
        """The process and all that it started are killed."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def load_in_child(
    request: Request, *, timeout: float, folder: Path | None, watch: Callable[[Stage], None] = lambda _: None
) -> Inventory:
    """Load a target in a child process of its own, whose current directory is `folder`. The arguments are those of `Child.load`.

    Raises:
        CapsauditError: the target cannot be loaded, exceeds the limit, or ends the process.
    """
    with Child(folder) as child:
        return child.load(request, timeout=timeout, watch=watch)


def _directory(target: Target) -> str | None:
    """Where a target's own modules are found; None if it has none."""
    if target.kind == "weights":
        return None
    return str(Path(target.source).parent) if target.kind == "python file" else str(Path())


def _child(folder: Path | None) -> subprocess.Popen[bytes]:
    """A child in a session of its own, so that the keyboard interrupts this process alone."""
    code = f"import sys; sys.path[:] = {_search_path()!r}; from capsaudit.inspection.child import main; main()"
    return subprocess.Popen(  # noqa: S603, a constant program
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},  # the order of sets, so that two audits give the same result
    )


def _search_path() -> list[str]:
    """Where this process finds modules. An empty entry is its current directory."""
    return [entry or str(Path.cwd()) for entry in sys.path]


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Before the child is waited for, because its number may be another process's afterwards."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _receive(stream: BinaryIO, messages: queue.Queue[Message | None]) -> None:
    """Put what the child sends into a queue, because reading a pipe has no time limit; None is the end."""
    with suppress(OSError, ValueError, msgspec.MsgspecError):
        while (data := receive(stream)) is not None:
            messages.put(msgspec.msgpack.decode(data, type=Message))
    messages.put(None)


def _stream(stream: object) -> BinaryIO:
    return stream  # type: ignore[return-value]


def send(stream: BinaryIO, data: bytes) -> None:
    """Write data with its length, so that the reader sees whether it is complete."""
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read what `send` wrote; None where the stream ends before it is complete."""
    head = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    data = stream.read(length) if len(head) == _LENGTH_BYTES else None
    return data if data is not None and len(data) == length else None


def _too_long(target: Target, timeout: float, stage: Stage | None) -> str:
    return f"{target.text} took longer than {timeout:g} s while it was {stage}; set a longer limit with --timeout"


def _ending(child: subprocess.Popen[bytes], stage: Stage | None) -> str:
    """How the child ended without a result."""
    when = f"while it was {stage}" if stage else "before it was loaded"
    try:
        status = child.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return f"closed all files {when}, so its result could not be received"
    if status >= 0:
        return f"its process ended with exit status {status} {when}, as by os._exit, so there is no result"
    name = signal.Signals(-status).name
    return f"its process was ended by {name} {when}{_HINTS.get(name, '')}"
