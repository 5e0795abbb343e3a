"""`capsaudit`, also as `python -m capsaudit`: the command line in a process of its own, from the first signal to the exit code.

0, 1 and 2 are the command's own: agrees, disagrees, could not be audited. 129, 130 and 143: hung up, interrupted, terminated.
"""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import capsaudit.signals as signals  # `from capsaudit import` would import the API

if TYPE_CHECKING:
    from capsaudit.errors import CapsauditError

_FAILED = 2


def main() -> None:
    """Run the command line and exit."""
    try:
        signals.handle()
        code = run()
        signals.finish()
    except KeyboardInterrupt:  # between two lines of `run`; a second signal raises nothing
        code = _stopped(signals.received() or signal.SIGINT)
    sys.exit(code)


def run() -> int:
    """Run the command line; returns the exit code. Every error is one message on standard error, and a traceback with --debug."""
    from capsaudit.streams import standard_streams

    gc.set_threshold(1_000_000, 50, 50)  # imports and large files create no garbage worth collecting
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    with standard_streams() as output:
        try:
            code = _command_line()
            if not signals.received():
                output.flush()
        except BaseException as error:  # whatever it is, 1 would mean `disagrees`
            code = _failure(error, debug=debug)
        if number := signals.received() or (signal.SIGINT if code == 128 + signal.SIGINT else None):
            output.discard()
            code = _stopped(number)
    return code


def _command_line() -> int:
    """Run it as typer does, which always exits."""
    from capsaudit.cli import HiddenError, app
    from capsaudit.errors import CapsauditError

    if wrong := [argument for argument in sys.argv[1:] if not _is_unicode(argument)]:
        raise CapsauditError(f"the argument {wrong[0]!r} is not valid {sys.getfilesystemencoding()}")
    try:
        app()
    except HiddenError as error:
        raise error.__cause__ or error from None
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else _FAILED
    return 0


def _is_unicode(text: str) -> bool:
    """Whether it can be written; bytes of an argument that are not valid in the system's encoding are lone surrogates in Python."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _failure(error: BaseException, *, debug: bool) -> int:
    """Show the message of an error; returns its exit code."""
    from capsaudit.errors import CapsauditError

    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if debug:
        traceback.print_exception(error)
    if not signals.received():  # else it is the interrupt, as some library has passed it on
        _say(f"capsaudit: {_listed(error) if isinstance(error, CapsauditError) else _internal(error)}")
    return _FAILED


def _internal(error: BaseException) -> str:
    """An error that nobody has foreseen."""
    from capsaudit.inspection.foreign_errors import location, one_line

    return f"internal error: {one_line(error)}{location(error)}; --debug shows the traceback"


def _listed(error: CapsauditError) -> str:
    """Several faults are listed on a line each, and so is what would have worked."""
    heading = error.faults if len(error.faults) == 1 else (f"{len(error.faults)} faults", *error.faults)
    return "\n  ".join((*heading, *error.choices))


def _stopped(number: int) -> int:
    """Say which signal has ended the command; returns its exit code."""
    signals.remove_temporary_files()
    _say(signals.sentence(number))
    return 128 + number


def _say(message: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
