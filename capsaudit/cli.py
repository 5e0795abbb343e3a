"""The command line: options, one call of the API, one rendering. Results go to standard output, messages to standard error.

Each command imports what it needs, so that `--help` waits for nothing and only the commands that build a network import torch.
"""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from capsaudit import __version__
from capsaudit.errors import CapsauditError
from capsaudit.render.encoding import ERRORS

if TYPE_CHECKING:
    from capsaudit.results import Joint, Reconciliation, Result

INTERRUPTED = 130

app = typer.Typer(
    name="capsaudit",
    help="Count a network layer by layer, hold every published figure against it, and explain the difference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Format = Annotated[
    Literal["rich", "json", "markdown", "csv"], typer.Option("--format", "-f", help="How to print the result.")
]
CheckFormat = Annotated[
    Literal["rich", "json", "markdown", "csv", "github", "junit", "sarif"],
    typer.Option("--format", "-f", help="How to print the result."),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="[rich|json|markdown|csv|github|junit|sarif]",
        help="How to print the result; repeatable, with an --output for each but one.",
    ),
]
Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="NAME",
        help="Count by this witness: formula, torch or torchinfo; repeatable, all by default. formula alone imports no torch.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KNOB=VALUE", help="Change a knob, as in image.size=36; repeatable."),
]
OneVariant = Annotated[
    str, typer.Option("--variant", metavar="ID_OR_FILE", help="A shipped variant, or a .toml file of your own.")
]
SomeVariants = Annotated[
    list[str] | None, typer.Argument(metavar="[ID_OR_FILE]...", help="Variants; all shipped ones by default.")
]


def main() -> None:
    """Run the command line. Every fault that a person can mend is one message and exit code 2."""
    gc.set_threshold(1_000_000, 50, 50)  # imports and large files make no garbage worth collecting
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors=ERRORS)  # type: ignore[union-attr]
    try:
        app()
    except CapsauditError as error:
        if debug:
            raise
        typer.echo(f"capsaudit: {_listed(str(error))}", err=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("capsaudit: interrupted", err=True)
        raise


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capsaudit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Both are dealt with before any command: the version above, --debug by `main`."""


@app.command()
def variants(format: Format = "rich") -> None:
    """List the variants: what each is, its total and the figure stated for it."""
    from capsaudit import api

    _print(api.variants(), format)


@app.command()
def count(variant: OneVariant, settings: Settings = None, witnesses: Witnesses = None, format: Format = "rich") -> None:
    """Count one variant, layer by layer, next to what was stated. Exits with 1 where they disagree."""
    from capsaudit import api

    result = api.count(api.load_variant(variant, settings=settings or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def compare(
    variants: SomeVariants = None, settings: Settings = None, witnesses: Witnesses = None, format: Format = "rich"
) -> None:
    """Put variants side by side, and say which stated figures each total prints as. Exits with 1 where one disagrees."""
    from capsaudit import api

    chosen = [api.load_variant(name, settings=settings or ()) for name in variants or api.shipped_ids()]
    result = api.compare(*chosen, witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def explain(
    start: Annotated[str, typer.Argument(metavar="FROM", help="A variant, or a .toml file.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="A variant, or a .toml file.")],
    format: Format = "rich",
) -> None:
    """Explain the difference of two totals: one line for each changed knob."""
    from capsaudit import api

    _print(api.explain(start, end), format)


@app.command()
def reconcile(
    figure: Annotated[str | None, typer.Argument(metavar="FIGURE", help="As printed: 11.36M, 8.2M, 8238608.")] = None,
    start: Annotated[str, typer.Option("--from", metavar="ID_OR_FILE", help="The variant to start from.")] = "paper",
    changes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many changes; any number by default.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="K", help="How many explanations to show.")] = 10,
    space: Annotated[str | None, typer.Option(metavar="FILE", help="A space of interpretations of your own.")] = None,
    joint: Annotated[
        bool, typer.Option("--joint", help="All of the paper's figures at once: what they decide, knob by knob.")
    ] = False,
    witnesses: Witnesses = None,
    format: Format = "rich",
) -> None:
    """Find all interpretations that print as a figure. Exits with 1 where there is none."""
    from capsaudit import api

    if joint == (figure is not None):
        raise CapsauditError("reconcile: expected either a FIGURE, such as 11.36M, or --joint")
    if joint and (start != "paper" or changes is not None):
        raise CapsauditError(
            "reconcile: --from and --changes are about one FIGURE; --joint asks each figure's own network"
        )
    if figure is None:
        result: "Joint | Reconciliation" = api.reconcile_jointly(space=space)
    else:
        from capsaudit.render.progress import bars

        with bars() as shown:
            result = api.reconcile(
                figure,
                start=start,
                space=space,
                changes_at_most=changes,
                top=top,
                witnesses=witnesses,
                watch=shown.searching,
            )
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def audit(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="package.module:Name or path/file.py:Name (both run that code), a .safetensors file, a .pt or .pth state dict.",
        ),
    ],
    against: Annotated[
        str | None, typer.Option(metavar="ID_OR_FILE", help="Hold it against this variant; the closest by default.")
    ] = None,
    claims: Annotated[
        list[str] | None, typer.Option("--claims", metavar="FILE", help="Figures stated for it; repeatable.")
    ] = None,
    kwargs: Annotated[
        list[str] | None, typer.Option("--kwarg", metavar="NAME=VALUE", help="An argument of the class or factory.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="1,28,28", help="Shape of one example, without the batch; 16:int64 for indices."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How values are counted where several ways are right; as stored by default."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for building and running it.")] = 300,
    write_variant: Annotated[
        Path | None, typer.Option("--write-variant", metavar="FILE", help="Write its reading as a variant file.")
    ] = None,
    formats: Formats = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output", metavar="FILE", help="Where the format in the same place goes; - for standard output."
        ),
    ] = None,
) -> None:
    """Count somebody's model, name the reading that it is, and judge claims about it. A Python target runs its code."""
    from capsaudit import api
    from capsaudit.render.formats import destinations

    written = destinations(formats or ["rich"], outputs or [])
    result = api.audit_target(
        target,
        against=against,
        claims=claims or (),
        kwargs=kwargs or (),
        inputs=inputs or (),
        policy=policy,
        timeout=timeout,
        write_variant=write_variant,
    )
    for form, path in written:
        _print(result, form) if path is None else _write(result, form, path)
    if result.verdict == "unstated":
        raise CapsauditError(
            "it was counted, but held against nothing; --claims FILE or --against ID give it something to hold to"
        )
    _exit(agrees=result.agrees)


@app.command()
def claims(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE_OR_FILE]...", help="Sources; all shipped ones by default.")
    ] = None,
    witnesses: Witnesses = None,
    format: CheckFormat = "rich",
) -> None:
    """Judge every claim of every source. Exits with 1 as soon as one does not hold."""
    from capsaudit import api

    result = api.claims(*(sources or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def check(variants: SomeVariants = None, witnesses: Witnesses = None, format: CheckFormat = "rich") -> None:
    """Assert every stated count and shape, for CI. Exits with 1 as soon as one disagrees."""
    from capsaudit import api

    result = api.check(*(variants or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def report(
    folder: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the report lies.")] = Path("reports"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a file is missing or not fresh.")
    ] = False,
    format: Format = "rich",
) -> None:
    """Write the whole audit: Markdown, one HTML page, JSON and pictures. The same data give the same bytes."""
    from capsaudit import api

    result = api.report(folder, check=check)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command("train-smoke")
def train_smoke(
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="ID_OR_FILE", help="Repeatable; article and paper by default."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All shipped variants.")] = False,
    settings: Settings = None,
    steps: Annotated[int, typer.Option(min=1, max=1_000_000, help="Training steps.")] = 80,
    batch_size: Annotated[int, typer.Option(min=1, max=65_536, help="Images a step.")] = 32,
    data: Annotated[
        Literal["digits", "mnist"],
        typer.Option(help="Embedded 8×8 digits, enlarged, or MNIST, fetched once and cached."),
    ] = "digits",
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder with the IDX files of MNIST, gzipped or not.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Everything random comes from it.")] = 0,
    rate: Annotated[
        float, typer.Option("--learning-rate", min=0, help="Of Adam; it rises over 40 steps, then decays.")
    ] = 0.001,
    margin: Annotated[bool, typer.Option(help="The margin loss.")] = True,
    reconstruction: Annotated[bool, typer.Option(help="The reconstruction loss.")] = True,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps …")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processor threads; torch's choice by default.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write loss curve, reconstructions and varied dimensions there.")
    ] = None,
    format: Format = "rich",
) -> None:
    """Validate variants by a short training run on real digits. Exits with 1 where one does not learn."""
    from capsaudit import api
    from capsaudit.render.progress import bars

    names = api.shipped_ids() if every else variants or ("article", "paper")
    chosen = [api.load_variant(name, settings=settings or ()) for name in names]
    plan = api.training_plan(
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        rate=rate,
        device=device,
        losses=(margin, reconstruction),
        threads=threads,
    )
    with bars() as shown:
        result = api.train_smoke(
            *chosen,
            data=data,
            data_dir=data_dir,
            plan=plan,
            watch=lambda name, at: shown.training(name, *at),
            fetching=shown.fetching,
            pictures=pictures,
        )
    _print(result, format)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    _exit(agrees=result.agrees)


def _print(result: "Result", format: str) -> None:
    """Print a result; a reader that has seen enough (`| head`) is no fault and changes no exit code."""
    from capsaudit.render.formats import write

    try:
        write(result, format)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _discard_output()
        raise CapsauditError(f"the result could not be written: {error.strerror}") from error


def _write(result: "Result", format: str, path: Path) -> None:
    """Write a result into a file, aside first."""
    from capsaudit.atomic_write import write_whole
    from capsaudit.render.formats import as_plain, as_text

    write_whole(path, (as_plain(result) if format == "rich" else as_text(result, format)) + "\n")


def _discard_output() -> None:
    """What is still in the buffers goes nowhere, so that the interpreter does not stumble over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit(*, agrees: bool) -> None:
    """A disagreement is a result, told by exit code 1."""
    if not agrees:
        raise typer.Exit(1)


def _listed(message: str) -> str:
    """Several faults stand on a line each."""
    first, *more = message.splitlines() or [""]
    return first if not more else f"{len(more) + 1} faults\n  " + "\n  ".join([first, *more])
