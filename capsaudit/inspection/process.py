"""A target is loaded in a process of its own, and only a complete result counts: whatever else the target does ends with that process.

The child process is `capsaudit.inspection.child`. It gets a request on its standard input and sends messages on its standard output; both
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
    """What the child has to load. `inputs`: what forward takes. `examine`: a function of a
    module, its inventory and the arguments that it is run with, which determines its behaviour in the child; it is sent by its name.
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


def load_in_child(
    request: Request, *, timeout: float, folder: Path | None, watch: Callable[[Stage], None] = lambda _: None
) -> Inventory:
    """Load a target in a child process, whose current directory is `folder`.

    Args:
        request: The target.
        timeout: The time limit in seconds, from the first stage on: importing torch is not the target's doing.
        folder: The directory; the current one by default.
        watch: Called when a stage begins.

    Raises:
        CapsauditError: the target cannot be loaded, exceeds the limit, or ends the process.
    """
    if not timeout > 0:
        raise CapsauditError(f"the time limit is {timeout} s; expected a positive number of seconds")
    stage: Stage | None = None
    end: float | None = None
    with _child(folder) as child:
        messages = _requested(child, request)
        while True:
            try:
                message = messages.get(timeout=None if end is None else max(end - time.monotonic(), 0))
            except queue.Empty:
                raise CapsauditError(_too_long(request.target, timeout, stage)) from None
            if isinstance(message, Done):
                return message.inventory
            if isinstance(message, Failed):
                raise CapsauditError(*message.faults, choices=message.choices) from TargetError(message.traceback)
            if message is None:
                raise CapsauditError(f"{request.target.text}: {_ending(child, stage)}")
            stage = message.stage
            watch(stage)
            end = end or time.monotonic() + min(timeout, threading.TIMEOUT_MAX / 2)


@contextmanager
def _child(folder: Path | None) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own, so that the keyboard interrupts this process alone. It and all that it started are killed at the end."""
    code = f"import sys; sys.path[:] = {_search_path()!r}; from capsaudit.inspection.child import main; main()"
    child = subprocess.Popen(  # noqa: S603, a constant program
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},  # the order of sets, so that two audits give the same result
    )
    try:
        yield child
    finally:
        _kill(child)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


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


def _requested(child: subprocess.Popen[bytes], request: Request) -> queue.Queue[Message | None]:
    """Send the request. What the child sends is put into a queue, because reading a pipe has no time limit; None is the end."""
    messages: queue.Queue[Message | None] = queue.Queue()
    with suppress(OSError):  # a child that could not start has ended, which is found out below
        send(_stream(child.stdin), pickle.dumps(request))
    threading.Thread(target=_receive, args=(_stream(child.stdout), messages), daemon=True).start()
    return messages


def _receive(stream: BinaryIO, messages: queue.Queue[Message | None]) -> None:
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
