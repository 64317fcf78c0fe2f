"""`aboveboard train, evaluate, thresholds, model`: bundles made, measured and looked at."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, read_settings, say, say_json

model = typer.Typer(help="Look at bundles, and choose the one that is used.", no_args_is_help=True)

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="A folder of labelled comments: .csv or .jsonl with `text` and a column a label.",
    ),
]
BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The folder of a bundle.")]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Where the bundle goes; its name, too.")],
    made: Annotated[
        str | None, typer.Option(help="Date to state in the card.", show_default="today")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="The same seed and data give the same bundle."),
    ] = 7,
    jobs: Annotated[int, typer.Option(min=1, max=1_000, help="Heads fitted at once.")] = 2,
    language: Annotated[str, typer.Option(help="Of the comments, as in BCP 47.")] = "en",
) -> None:
    """Train a bundle; a run that was cut off goes on from its last stage."""
    from aboveboard import clock
    from moderation.model import training

    stated = clock.now().date() if made is None else _date(made)
    if not out.name.strip(".") or not out.name.isprintable():
        raise typer.BadParameter(
            f"expected a folder with a name, got {f'{out}'!a}", param_hint="--out"
        )
    with _written(out), _progress(training.STEPS) as told:
        digest = training.train(
            data,
            out,
            name=out.name,
            made=stated.isoformat(),
            language=language,
            seed=seed,
            jobs=jobs,
            say=told,
        )
    say(f"digest {digest}")


def _date(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a date like 2026-11-29, got {given!r}", param_hint="--made"
        ) from error


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Say which *folder* cannot be written. Raises DataDirUnusable."""
    from aboveboard.errors import DataDirUnusable

    try:
        yield
    except OSError as error:
        raise DataDirUnusable(f"expected to write {folder}, got: {error}") from error


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """Say which bundle's manifest has gaps. Raises BundleUnreadable."""
    from moderation.errors import BundleUnreadable

    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleUnreadable(
            f"{name}: expected a manifest with all that a card tells, got {error!r}"
        ) from error


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Lend what tells of each step done; with a bar, if a terminal is looking."""
    if not sys.stderr.isatty():
        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("reading", total=steps)

        def tell(text: str) -> None:
            bar.update(task, advance=1, description=text)

        yield tell


def evaluate(
    folder: BundleFolder,
    data: Data,
    report: Annotated[
        Path | None,
        typer.Option(help="A folder for card.md, metrics.json and, with the extra `plots`, plots."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Measure a bundle on the test rows of a folder; refuses rows it was made with."""
    from moderation.errors import DataUnreadable
    from moderation.model import bundle, card, evaluation, plotting
    from moderation.verdict import Label

    found = bundle.load(folder)
    spam = found.thresholds[Label.SPAM].spam
    figures, scored = evaluation.measure(
        found.scorer,
        data,
        seen=found.seen,
        spam=spam,
        language=found.language,
    )
    told = card.measured(figures)
    if not told:
        raise DataUnreadable(f"{data}: expected test rows, found none")
    if report is not None:
        with _whole(found.name), _written(report):
            metrics = found.manifest["metrics"]
            kept = {name: metrics[name] for name in ("development", "errors") if name in metrics}
            manifest = {**found.manifest, "metrics": kept | figures}
            report.mkdir(parents=True, exist_ok=True)
            card.write(report, manifest, plotting.draw(report, scored))
    if json:
        say_json(figures)
    else:
        say("\n\n".join(told))


def thresholds(
    folder: BundleFolder,
    precision: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Of what a label finds, the share that is right."),
    ] = 0.95,
    json: AsJson = False,
) -> None:
    """Pick thresholds by precision: what each finds, and how many comments it touches."""
    from moderation.model import bundle, picking

    found = picking.pick(bundle.load(folder), precision)
    if json:
        say_json({label: None if each is None else each._asdict() for label, each in found.items()})
        return
    say(f"{'label':16} {'threshold':>9} {'precision':>9} {'recall':>7} {'touched':>8}")
    for label, each in found.items():
        say(f"{label:16} " + (_told(each) if each else "no threshold reaches that precision"))


def _told(each: Any) -> str:  # noqa: ANN401 - Pick, imported late
    return f"{each.threshold:9.4f} {each.precision:9.3f} {each.recall:7.3f} {each.touched:8.3%}"


@model.command()
def verify(
    folder: BundleFolder,
    digest: Annotated[
        str | None, typer.Option(help="The SHA-256 that the manifest must have.")
    ] = None,
) -> None:
    """Check every file of a bundle against its manifest; nothing in it is run."""
    from moderation.model import bundle

    found = bundle.load(folder, digest=digest)
    say(f"{found.name} is whole, manifest SHA-256 {found.digest}")


@model.command()
def use(
    folder: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", show_default="the shipped one")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Have comments scored by another bundle; a running service takes it up within seconds.

    The bundle is checked and copied into the data directory first. A folder with a joblib file
    is taken only when the setting trusted_pipelines lists the file's SHA-256.
    """
    from aboveboard import moderating
    from aboveboard.errors import DataDirUnusable
    from moderation.verdict import LABELS

    settings = read_settings(data_dir=data_dir)
    if not settings.data_dir.is_dir():
        raise DataDirUnusable(f"expected a data directory at {settings.data_dir}, got none")
    selection = moderating.open_selection(settings)
    found = selection.select_shipped() if folder is None else selection.select(folder)
    say(f"{found.name} is used from now on, manifest SHA-256 {found.digest}")
    bare = [
        label
        for label in LABELS
        if (bands := found.thresholds.get(label)) is None or bands.hold is bands.spam is None
    ]
    if bare:
        say(f"it has no threshold for {', '.join(bare)}: only a policy can hold anything for them")


@model.command("card")
def show_card(
    folder: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", show_default="the shipped one")
    ] = None,
) -> None:
    """Print the model card of a bundle, every number from its manifest."""
    from moderation.model import bundle, card

    found = bundle.shipped() if folder is None else bundle.load(folder)
    with _whole(found.name):
        told = card.card(found.manifest)
    say(told)


@model.command("list")
def list_bundles(
    folder: Annotated[Path, typer.Argument(help="A folder with bundles in it.")],
    json: AsJson = False,
) -> None:
    """List the bundles in a folder, and say what is wrong with those that may not be used."""
    from moderation.errors import BundleNotFound, BundleRefused
    from moderation.model import bundle

    if not folder.is_dir():
        raise BundleNotFound(f"{folder}: expected a folder of bundles, found none")
    for manifest in sorted(folder.glob("*/manifest.json")):
        line: dict[str, str] = {"folder": manifest.parent.name}
        try:
            found = bundle.load(manifest.parent)
            line |= {"name": found.name, "digest": found.digest}
        except BundleRefused as error:
            line |= {"refused": str(error)}
        if json:
            say_json(line)
        else:
            say("  ".join(line.values()))
