"""`aboveboard score`: score comments of a file or a pipe with the shipped model."""

import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn, TextIO, TypeVar

import typer

T = TypeVar("T")

CHUNK = 512  # lines scored together
OURS = frozenset({"labels", "verdict"})  # members that are written


class Format(StrEnum):
    """What is read and written."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def score(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file, or - for standard input.")],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="text: a comment a line in, a readable line out; json: a comment a line in, "
            "one array out; jsonl: objects with `text` in, the same objects with labels and "
            "verdict out.",
        ),
    ] = Format.TEXT,
) -> None:
    """Score comments by the shipped bundle, in order, in bounded memory, storing nothing."""
    try:
        if source == "-":
            # Whatever the locale says: bytes that are not UTF-8 are an error, never kept as such.
            lines = TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors="strict")
            _score(lines, form)
        else:
            with Path(source).open(encoding="utf-8-sig", errors="strict") as file:
                _score(file, form)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        _fail(f"{source}: expected a readable file of UTF-8 text, got: {error}")


def _score(lines: TextIO, form: Format) -> None:
    import orjson

    from aboveboard.moderating import default_policy
    from moderation.model import bundle, classifier
    from moderation.policy.judging import judge
    from moderation.verdict import LABEL_NAMES

    model = classifier.of_bundle(bundle.shipped())
    policy = default_policy(model)
    write = sys.stdout.buffer.write
    first = True
    if form is Format.JSON:
        write(b"[")
    for chunk in _chunks(_progress(_read(lines, form)), CHUNK):
        rows = model.scorer.score([text for text, _ in chunk])
        for (text, begun), row in zip(chunk, rows.tolist(), strict=True):
            scores = [round(value, 6) for value in row]
            verdict = judge(policy, scores).verdict
            if form is Format.TEXT:
                top = max(range(len(LABEL_NAMES)), key=scores.__getitem__)
                shown = " ".join(text.split())[:60]
                line = f"{verdict.value:8} {LABEL_NAMES[top]} {scores[top]:.3f}  {shown}\n"
                write(line.encode("utf-8", "replace"))
                continue
            labels = dict(zip(LABEL_NAMES, scores, strict=True))
            out = begun + b"," + orjson.dumps({"labels": labels, "verdict": verdict})[1:]
            if form is Format.JSONL:
                write(out + b"\n")
            else:
                write(out if first else b"," + out)
                first = False
    if form is Format.JSON:
        write(b"]\n")
    sys.stdout.buffer.flush()


def _read(lines: Iterable[str], form: Format) -> Iterator[tuple[str, bytes]]:
    """Return each text, and the object that is written of it as far as it was given.

    That is the line itself, without its closing brace: to read and write it again would round large
    numbers, and cannot be done with every line.
    """
    import orjson

    for number, line in enumerate(lines, 1):
        if form is not Format.JSONL:
            text = line.rstrip("\n")
            if text.strip():
                yield text, orjson.dumps({"text": text})[:-1]
            continue
        if not line.strip():
            continue
        try:
            members = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            _fail(f"line {number}: expected a JSON object, got: {error}")
        if not isinstance(members, dict) or not isinstance(members.get("text"), str):
            _fail(f"line {number}: expected an object with a string `text`")
        begun = line.rstrip()[:-1]
        if not OURS.isdisjoint(members):
            try:
                begun = _without_ours(line)
            except RecursionError:
                _fail(f"line {number}: expected a JSON object, got one nested too deeply")
        yield members["text"], begun.encode()


def _without_ours(line: str) -> str:
    """Return an object without what is written into it, its closing brace left out, too."""
    # Numbers are passed over, not read: a long one is refused otherwise.
    read = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
    kept = []
    at = line.index("{")
    while line[at] != "}":
        start = _past_space(line, at + 1)  # behind { or ,
        name, at = read(line, start)
        colon = _past_space(line, at)
        _, end = read(line, _past_space(line, colon + 1))
        if name not in OURS:
            kept.append(line[start:end])
        at = _past_space(line, end)
    return "{" + ",".join(kept)


def _past_space(line: str, at: int) -> int:
    while line[at] in " \t\r\n":
        at += 1
    return at


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Group *items*; where reading one fails, those before it are still handed out."""
    chunk: list[T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except typer.Exit:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _progress(items: Iterator[T]) -> Iterator[T]:
    """Count on the terminal, if one is looking and the answers do not already scroll there."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} comments scored"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("scoring", total=None)
        for done, item in enumerate(items, 1):
            if done % CHUNK == 0:
                progress.update(task, completed=done)
            yield item


def _fail(message: str) -> NoReturn:
    print(f"aboveboard: {message}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(1)
