"""The command line: options, one call of the API, one rendering. Results go to standard output, messages to standard error.

Each command imports what it needs, so that `--help` waits for nothing and only the commands that build a network import torch.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from capsaudit._version import __version__
from capsaudit.errors import CapsauditError
from capsaudit.render.formats import GATE_FORMATS, Format, GateFormat, PaperFormat, TableFormat
from capsaudit.text import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capsaudit.results import Audits, Joint, ModelReconciliation, Reconciliation, Result

INTERRUPTED = 130


class HiddenError(Exception):
    """Has an error as its cause that typer itself would end with exit code 1, which here means `disagrees`."""


class _Commands(TyperGroup):
    """The commands, without what typer does about some errors."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (OSError, EOFError, SystemExit, typer.Abort) as error:
            raise HiddenError from error


app = typer.Typer(
    cls=_Commands,
    name="capsaudit",
    help="Count a network's parameters layer by layer, compare published figures with the counts, and explain differences.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_FORMAT_HELP = "Output format."
TableOption = Annotated[TableFormat, typer.Option("--format", "-f", help=_FORMAT_HELP)]
PaperOption = Annotated[PaperFormat, typer.Option("--format", "-f", help=_FORMAT_HELP)]
GateOption = Annotated[GateFormat, typer.Option("--format", "-f", help=_FORMAT_HELP)]
ClaimsOption = Annotated[Format, typer.Option("--format", "-f", help=_FORMAT_HELP)]
FormatOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar=f"[{'|'.join(GATE_FORMATS)}]",
        help="Output format. Repeatable; all but one need an --output.",
    ),
]
Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="NAME",
        help="Witness to count with, an independent method: formula, torch or torchinfo. Repeatable; all by default. With "
        "formula only, torch is not imported.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KNOB=VALUE",
        help="Change a knob, a setting of the variant, for example image.size=36. Repeatable.",
    ),
]
OneVariant = Annotated[
    str | None, typer.Argument(metavar="[ID_OR_FILE]", help="A shipped variant, or a .toml file of your own.")
]
OneVariantOption = Annotated[
    str | None, typer.Option("--variant", metavar="ID_OR_FILE", help="The same as the argument.")
]
SomeVariants = Annotated[
    list[str] | None, typer.Argument(metavar="[ID_OR_FILE]...", help="Variants. All shipped ones by default.")
]
DataDirectory = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A directory with the IDX files of MNIST, gzipped or not.")
]
Part = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which network to read of a file or folder that has several, such as model_ema; or the beginning of the names "
        "of its tensors.",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps …")]
Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="Number of CPU threads. Chosen by torch by default.")
]
Margin = Annotated[bool, typer.Option(help="Use the margin loss.")]
Reconstruction = Annotated[bool, typer.Option(help="Use the reconstruction loss.")]
Pictures = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Output directory for plots: loss curve, reconstructions, and the effect of each capsule dimension.",
    ),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capsaudit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. May be given before or after the command.")
    ] = False,
) -> None:
    """Both are handled before any command: the version above, --debug in `__main__`."""


@app.command()
def variants(format: TableOption = "rich") -> None:
    """List the variants: what each is, its total and the figure stated for it."""
    from capsaudit import api

    _print(api.variants(), format)


@app.command()
def count(
    variant: OneVariant = None,
    option: OneVariantOption = None,
    settings: Settings = None,
    witnesses: Witnesses = None,
    format: PaperOption = "rich",
) -> None:
    """Count the parameters of one variant, layer by layer. Exit code 1 if a stated figure disagrees."""
    from capsaudit import api

    if (variant is None) == (option is None):
        raise CapsauditError("count: expected exactly one variant, for example: capsaudit count paper")
    result = api.count(api.load_variant(variant or option or "", settings=settings or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def compare(
    variants: SomeVariants = None, settings: Settings = None, witnesses: Witnesses = None, format: PaperOption = "rich"
) -> None:
    """Show variants side by side, with the stated figures that each total agrees with. Exit code 1 if a figure disagrees."""
    from capsaudit import api

    chosen = [api.load_variant(name, settings=settings or ()) for name in variants or _shipped()]
    result = api.compare(*chosen, witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def explain(
    start: Annotated[str, typer.Argument(metavar="FROM", help="A variant, or a .toml file.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="A variant, or a .toml file.")],
    format: TableOption = "rich",
) -> None:
    """Explain the difference between the totals of two variants, one changed knob at a time."""
    from capsaudit import api

    _print(api.explain(start, end), format)


@app.command()
def reconcile(
    figure: Annotated[str | None, typer.Argument(metavar="[FIGURE]", help="As printed: 11.36M, 8.2M, 8238608.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ID_OR_FILE",
            help="The variant to start from. By default one of the family with the nearest total.",
        ),
    ] = None,
    changes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most this many changes. Any number by default.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="K", help="How many explanations to list.")] = 10,
    space: Annotated[
        str | None, typer.Option(metavar="FILE", help="A search space of your own: the values that knobs may have.")
    ] = None,
    joint: Annotated[
        bool,
        typer.Option(
            "--joint", help="Use all of the paper's figures together, and report which values of each knob they allow."
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="TARGET",
            help="A model, named as in audit: search the ways to count it. At most 2 changes by default.",
        ),
    ] = None,
    kwargs: Annotated[
        list[str] | None,
        typer.Option("--kwarg", metavar="NAME=VALUE", help="An argument of the model's class or factory. Repeatable."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="[NAME=]SHAPE[:DTYPE]", help="Shape of one input of the model, to run it. Repeatable."
        ),
    ] = None,
    part: Part = None,
    witnesses: Witnesses = None,
    format: TableOption = "rich",
) -> None:
    """Find what has a figure: first what is known (variants, their layers, tensors and parts, published figures), then all interpretations
    whose totals round to it. Exit code 1 if nothing has it.

    Evidence: strong if chance would hardly give as many explanations with so few changes, weak if it might, none if it would.

    An explanation is redundant if fewer of the same changes explain the figure too.

    Cost: the assumption cost, a sum over the changes: 0 if the paper states the value, 1 if another source does, 2 if nobody does.
    """
    from capsaudit import api
    from capsaudit.render.progress import bars, stages

    if joint == (figure is not None):
        raise CapsauditError("reconcile: expected either a FIGURE, for example 11.36M, or --joint")
    if joint and (start is not None or changes is not None):
        raise CapsauditError(
            "reconcile: --from and --changes need a FIGURE; --joint starts from the network of each figure"
        )
    if model is None and (kwargs or inputs or part):
        raise CapsauditError("reconcile: --kwarg, --input and --part need --model")
    if model is not None and (joint or start is not None or space is not None or witnesses):
        raise CapsauditError("reconcile: --model takes no --joint, --from, --space or --witness")
    if model is not None and figure is not None:
        with stages() as shown:
            result: "Joint | ModelReconciliation | Reconciliation" = api.reconcile_model(
                figure,
                model,
                kwargs=kwargs or (),
                inputs=inputs or (),
                changes_at_most=changes,
                top=top,
                part=part,
                watch=shown,
            )
    elif figure is None:
        result = api.reconcile_jointly(space=space)
    else:
        with bars() as searching:
            result = api.reconcile(
                figure,
                start=start,
                space=space,
                changes_at_most=changes,
                top=top,
                witnesses=witnesses,
                watch=searching.searching,
            )
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def audit(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="package.module:Name or path/file.py:Name (both run that code), a file of weights, a folder of them, or a "
            ".claims.toml that names its target. Without it, the targets that pyproject.toml names.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ID_OR_FILE_OR_TARGET",
            help="Compare with this variant, or with another model, which is built without arguments. The closest variant by default.",
        ),
    ] = None,
    claims: Annotated[
        list[str] | None, typer.Option("--claims", metavar="FILE", help="File of claims about the model. Repeatable.")
    ] = None,
    kwargs: Annotated[
        list[str] | None,
        typer.Option("--kwarg", metavar="NAME=VALUE", help="An argument of the class or factory. Repeatable."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]SHAPE[:DTYPE]",
            help="Shape of one input without the batch: 1,28,28, or by keyword input_ids=16:int64. Repeatable.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How to count parameters that have several right counts: tied, pruned, quantised, …",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Time limit for building and running the model, in seconds.")
    ] = 300,
    write_variant: Annotated[
        Path | None, typer.Option("--write-variant", metavar="FILE", help="Write the model as a variant file.")
    ] = None,
    write_claims: Annotated[
        Path | None,
        typer.Option(
            "--write-claims",
            metavar="FILE",
            help="Write the counts as claims into a new file, NAME.claims.toml, which guards them from then on.",
        ),
    ] = None,
    no_behaviour: Annotated[
        bool,
        typer.Option("--no-behaviour", help="Do not determine what the forward pass of a capsule network computes."),
    ] = False,
    properties: Annotated[
        bool,
        typer.Option(
            "--properties",
            help="Try properties that need no reference on any model, for example that two runs agree. A capsule network's are "
            "tried anyway, unless --no-behaviour is given. They decide nothing.",
        ),
    ] = False,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="A method of the model to call after its forward, such as a loss that runs the decoder. Repeatable.",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="A loss, path.py:function or a method of the model, to compare with the paper's margin and reconstruction losses.",
        ),
    ] = None,
    part: Part = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="The model that a LoRA adapter adapts. Prints the line of PEFT's print_trainable_parameters() for the two.",
        ),
    ] = None,
    tensors: Annotated[
        bool,
        typer.Option("--tensors", help="List the tensors too. JSON always has them; CSV has the claims otherwise."),
    ] = False,
    depth: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Show N parts of the names of layers. By default as many as there is room for."
        ),
    ] = None,
    formats: FormatOptions = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Output file. The first --output belongs to the first --format, and so on; - is standard output.",
        ),
    ] = None,
) -> None:
    """Count the parameters of a model, find the closest variant, and judge claims about it. Auditing Python code runs it, in a
    process of its own. Exit code 1 if a claim disagrees, or if the model is not the variant of --against
    or, where it is run, computes something else.
    """
    import msgspec

    from capsaudit import api
    from capsaudit.render.formats import destinations
    from capsaudit.render.progress import stages

    written = destinations(formats or ["rich"], outputs or [])
    options = (
        against,
        claims,
        kwargs,
        inputs,
        policy,
        write_variant,
        write_claims,
        no_behaviour,
        properties,
        methods,
        loss,
        part,
        base,
    )
    if target is None or _has_several_models(target):
        if any(options):
            what = "without TARGET; name the model" if target is None else "to a file about several models"
            raise CapsauditError(f"audit: only --timeout, --format and --output apply {what}")
        with stages() as shown:
            audits = api.audit_targets(*([] if target is None else [target]), timeout=timeout, watch=shown)
        _show_audits(audits, written)
        return
    with stages() as shown:
        result = api.audit_target(
            target,
            against=against,
            claims=claims or (),
            kwargs=kwargs or (),
            inputs=inputs or (),
            policy=policy,
            timeout=timeout,
            write_variant=write_variant,
            write_claims=write_claims,
            behaviour=not no_behaviour,
            properties=properties,
            methods=methods or (),
            loss=loss,
            part=part,
            base=base,
            watch=shown,
        )
    _show(msgspec.structs.replace(result, lists_tensors=tensors, depth=depth), written)
    if write_claims is not None:
        typer.echo(f"wrote {write_claims}; to compare the model with it: capsaudit audit {write_claims}", err=True)
    _exit(agrees=result.agrees)


@app.command()
def claims(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE_OR_FILE]...", help="Sources. All shipped ones by default.")
    ] = None,
    witnesses: Witnesses = None,
    format: ClaimsOption = "rich",
) -> None:
    """Judge every claim of every source. Exit code 1 if a claim does not agree. Files of claims about a model are audited."""
    from capsaudit import api

    if _are_about_models("claims", sources or [], witnesses):
        _show_audits(api.audit_targets(*(sources or ())), [(format, None)])
        return
    result = api.claims(*(sources or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def check(variants: SomeVariants = None, witnesses: Witnesses = None, format: GateOption = "rich") -> None:
    """Assert every stated or expected count and shape, for CI. Exit code 1 if one of them disagrees. Files of claims about a model
    are audited.
    """
    from capsaudit import api

    if _are_about_models("check", variants or [], witnesses):
        _show_audits(api.audit_targets(*(variants or ())), [(format, None)])
        return
    result = api.check(*(variants or ()), witnesses=witnesses)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command()
def report(
    folder: Annotated[Path, typer.Option("--output", metavar="DIR", help="Output directory.")] = Path("reports"),
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Directory of a finished training run to add: its settings and its log by epoch are copied. Repeatable.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing. Exit code 1 if a file is missing or out of date.")
    ] = False,
    format: TableOption = "rich",
) -> None:
    """Write the report: Markdown, one HTML page, JSON and pictures, and a page of training runs. The same variants and runs always give
    identical files.
    """
    from capsaudit import api

    result = api.report(folder, runs=runs or (), check=check)
    _print(result, format)
    _exit(agrees=result.agrees)


@app.command("train-smoke")
def train_smoke(
    variants: Annotated[
        list[str] | None, typer.Argument(metavar="[ID_OR_FILE]...", help="Variants. article and paper by default.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="ID_OR_FILE", help="The same as an argument. Repeatable."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All shipped variants.")] = False,
    settings: Settings = None,
    steps: Annotated[int, typer.Option(min=1, max=1_000_000, help="Training steps.")] = 80,
    batch_size: Annotated[int, typer.Option(min=1, max=65_536, help="Images per step.")] = 32,
    data: Annotated[
        Literal["digits", "mnist"],
        typer.Option(help="Embedded 8×8 digits, enlarged, or MNIST, downloaded once and cached."),
    ] = "digits",
    data_dir: DataDirectory = None,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Random seed.")] = 0,
    rate: Annotated[
        float,
        typer.Option("--learning-rate", min=0, help="Peak learning rate of Adam: it rises over 40 steps, then decays."),
    ] = 0.001,
    margin: Margin = True,
    reconstruction: Reconstruction = True,
    device: Device = "cpu",
    threads: Threads = None,
    pictures: Pictures = None,
    format: TableOption = "rich",
) -> None:
    """Validate variants by a short training run on real digits. Exit code 1 if the verdict on a variant is not `learns`."""
    from capsaudit import api
    from capsaudit.render.progress import bars

    names = _shipped() if every else [*(variants or ()), *(options or ())] or ["article", "paper"]
    chosen = [api.load_variant(name, settings=settings or ()) for name in names]
    with bars() as shown:
        shown.preparing()
        result = api.train_smoke(
            *chosen,
            steps=steps,
            batch_size=batch_size,
            seed=seed,
            rate=rate,
            margin=margin,
            reconstruction=reconstruction,
            device=device,
            threads=threads,
            data=data,
            data_dir=data_dir,
            watch=lambda name, at: shown.training(name, *at),
            fetching=shown.fetching,
            pictures=pictures,
        )
    _print(result, format)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    _exit(agrees=result.agrees)


@app.command()
def train(
    variant: Annotated[
        str, typer.Argument(metavar="ID_OR_FILE", help="A shipped variant, or a .toml file of your own.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Directory of the run. If it has this run already, training goes on from its checkpoint.",
        ),
    ],
    epochs: Annotated[int, typer.Option(min=1, max=1_000_000, help="Passes over the training images.")],
    settings: Settings = None,
    data: Annotated[
        Literal["digits", "mnist"],
        typer.Option(help="MNIST, downloaded once and cached, or embedded 8×8 digits, enlarged."),
    ] = "mnist",
    data_dir: DataDirectory = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**62, help="Seed of the weights, the order of images and the shifts.")
    ] = 0,
    batch_size: Annotated[int, typer.Option(min=1, max=65_536, help="Images per step, of all processes.")] = 128,
    rate: Annotated[float, typer.Option("--learning-rate", min=0, help="Peak learning rate of Adam.")] = 0.001,
    decay: Annotated[
        float, typer.Option(help="Factor of the rate every --decay-steps, exponential in between.")
    ] = 0.96,
    decay_steps: Annotated[int, typer.Option(min=1, help="Steps in which the rate decays by --decay.")] = 2000,
    rate_floor: Annotated[float, typer.Option(min=0, help="The rate does not decay below it.")] = 1e-6,
    decay_to_floor: Annotated[
        bool,
        typer.Option(
            "--decay-to-floor",
            help="Decay from the peak to the floor over the run, in place of --decay and --decay-steps.",
        ),
    ] = False,
    warm_up_steps: Annotated[
        int,
        typer.Option(min=0, help="Steps in which the rate rises to its peak; neither the paper nor its code has any."),
    ] = 40,
    shift: Annotated[
        int | None,
        typer.Option(
            min=0, max=64, help="Pixels by which training images are shifted at most. By default 2, of two digits 4."
        ),
    ] = None,
    validation: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Training images held out to choose the best epoch. By default a twelfth, 5,000 of MNIST; 0: none is chosen.",
        ),
    ] = None,
    margin: Margin = True,
    reconstruction: Reconstruction = True,
    reconstruction_weight: Annotated[
        float, typer.Option(min=0, help="Weight of the reconstruction loss, a sum of squared differences.")
    ] = 0.0005,
    device: Device = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Number of CPU threads. By default that of the run, or torch's choice."),
    ] = None,
    fork: Annotated[
        bool,
        typer.Option(
            "--fork", help="Go on with changed settings, which are refused otherwise; settings.toml records it."
        ),
    ] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds from one checkpoint to the next.")
    ] = 50,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Time a few steps, show what the run would take, and write nothing.")
    ] = False,
    pictures: Pictures = None,
    format: TableOption = "rich",
) -> None:
    """Train a variant to its end by the paper's protocol, with checkpoints. Interrupted or killed, the same command goes on exactly
    where the last checkpoint was. Started by torchrun, several processes train together.
    """
    from capsaudit import api
    from capsaudit.render.progress import bars

    chosen = api.load_variant(variant, settings=settings or ())
    protocol = api.Protocol(
        epochs=epochs,
        seed=seed,
        batch_size=batch_size,
        learning_rate=rate,
        decay=decay,
        decay_steps=decay_steps,
        rate_floor=rate_floor,
        decay_to_floor=decay_to_floor,
        warm_up_steps=warm_up_steps,
        shift=shift,
        validation=validation,
        margin=margin,
        reconstruction=reconstruction,
        reconstruction_weight=reconstruction_weight,
    )
    common = {"protocol": protocol, "output": output, "data": data, "data_dir": data_dir, "device": device}
    with bars() as shown:
        shown.preparing()
        more: dict[str, Any] = common | {"threads": threads, "fetching": shown.fetching}
        if dry_run:
            result: "Result" = api.estimate_training(chosen, **more)
        else:
            result = api.train(
                chosen,
                **more,
                fork=fork,
                checkpoint_seconds=checkpoint_seconds,
                pictures=pictures,
                watch=lambda at: shown.epochs(chosen.id, *at),
                tell=lambda message: typer.echo(f"capsaudit: {escaped(message)}", err=True),
            )
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, the first one
        _print(result, format)


@app.command()
def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT",
            help="Directory of a run, or a file of weights (.safetensors, .pt, .pth, .bin, .ckpt), also somebody else's.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="The code that somebody's weights belong to, package.module:Name or path/file.py:Name. It is run, and what it computes is "
            "compared with the variant.",
        ),
    ] = None,
    part: Part = None,
    data: Annotated[
        Literal["digits", "mnist"] | None,
        typer.Option(
            help="Images to test on: MNIST, downloaded once and cached, or embedded 8×8 digits. By default those that the run was "
            "trained with, or MNIST."
        ),
    ] = None,
    data_dir: DataDirectory = None,
    device: Device = "cpu",
    threads: Threads = None,
    format: TableOption = "rich",
) -> None:
    """Test error, confusion and reconstruction error of a run, with its last and its chosen weights, or of a file of weights. Somebody's
    weights are brought into the variant that they are recognised as; their code is not run unless --model names it.
    """
    from capsaudit import api
    from capsaudit.render.progress import bars

    with bars() as shown:
        shown.preparing()
        result = api.evaluate(
            target,
            model=model,
            part=part,
            data=data,
            data_dir=data_dir,
            device=device,
            threads=threads,
            watch=shown.evaluating,
            fetching=shown.fetching,
        )
    _print(result, format)


def _shipped() -> list[str]:
    from capsaudit.catalogue import load_all

    return [variant.id for variant in load_all()]


def _has_several_models(target: str) -> bool:
    from capsaudit.catalogue.model_claims import load_models

    return target.endswith(".toml") and len(load_models(target)) > 1


def _are_about_models(command: str, names: list[str], witnesses: list[str] | None) -> bool:
    """Whether these are files of claims about a model, which `audit` judges."""
    from capsaudit.catalogue.model_claims import is_about_a_model

    found = [name for name in names if is_about_a_model(name)]
    if found and (witnesses or len(found) < len(names)):
        raise CapsauditError(
            f"{command}: {found[0]} is about a model, which is audited without --witness and apart from other files: "
            f"capsaudit audit {found[0]}"
        )
    return bool(found)


def _show_audits(result: "Audits", written: "Sequence[tuple[Format, Path | None]]") -> None:
    """The models that could be audited, then the faults: exit code 2 where there are any."""
    _show(result, written)
    if result.faults:
        raise CapsauditError(*result.faults)
    _exit(agrees=result.agrees)


def _show(result: "Result", written: "Sequence[tuple[Format, Path | None]]") -> None:
    for form, path in written:
        _print(result, form) if path is None else _write(result, form, path)


def _print(result: "Result", format: Format) -> None:
    from capsaudit.render.formats import write

    write(result, format)
    sys.stdout.flush()


def _write(result: "Result", format: Format, path: Path) -> None:
    from capsaudit.atomic_write import write_atomically
    from capsaudit.render.formats import as_text

    write_atomically(path, f"{as_text(result, format)}\n".encode(errors="backslashreplace"))


def _exit(*, agrees: bool) -> None:
    """A disagreement is a result: exit code 1."""
    if not agrees:
        raise typer.Exit(1)
