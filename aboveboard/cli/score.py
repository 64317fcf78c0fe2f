"""`aboveboard score`: score comments of a file or a pipe."""

import json
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from enum import StrEnum
from io import BufferedReader, IncrementalNewlineDecoder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar, cast

import typer

from aboveboard.cli.options import counting, read_settings, standard_input

if TYPE_CHECKING:
    from moderation.model.classifier import Classifier

T = TypeVar("T")

CHUNK = 512  # lines scored together
READ = 1 << 18  # bytes read at once, where so many are there
LINE = 1_000_000  # characters; a comment that the service takes has at most 100,000
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
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="A bundle or a pipeline, as `model use` takes it.",
            show_default="the shipped one",
        ),
    ] = None,
) -> None:
    """Score comments, in order, in bounded memory, storing nothing.

    A verdict is what the bundle's own thresholds come to: no site's policy is asked.
    """
    model = _classifier(bundle)
    try:
        if source == "-":
            _score(model, _arriving(cast("BufferedReader", standard_input())), form)
        else:
            with Path(source).open("rb") as file:
                _score(model, _arriving(file), form)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        _fail(f"{source}: expected a readable file of UTF-8 text, got: {error}")


def _classifier(folder: Path | None) -> "Classifier":
    from moderation.model import bundle, classifier

    if folder is None:
        return classifier.of_bundle(bundle.shipped())
    from aboveboard.moderating import open_selection

    return open_selection(read_settings()).check(folder)


def _score(model: "Classifier", lines: Iterable[str | None], form: Format) -> None:
    import orjson

    from aboveboard.moderating import default_policy
    from moderation.policy.judging import judge
    from moderation.verdict import LABEL_NAMES

    policy = default_policy(model)
    write = sys.stdout.buffer.write
    first = True
    if form is Format.JSON:
        write(b"[")
    for chunk in _chunks(_progress(_read(lines, form)), CHUNK):
        try:
            rows = model.scorer.score([text for text, _ in chunk])
        except ArithmeticError as error:  # a pipeline may answer anything
            _fail(f"{model.name}: {error}")
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
        sys.stdout.buffer.flush()
    if form is Format.JSON:
        write(b"]\n")
    sys.stdout.buffer.flush()


def _arriving(file: BufferedReader) -> Iterator[str | None]:
    """Return lines as they come, and None where the next may be long in coming.

    Whatever the locale says: bytes that are not UTF-8 are an error, never kept as such.
    """
    decoder = getincrementaldecoder("utf-8-sig")("strict")
    decode = IncrementalNewlineDecoder(decoder, translate=True).decode
    begun: list[str] = []  # the parts of a line whose end has not come
    whole = 0  # lines before it
    while data := file.read1(READ):
        first, *more = decode(data).split("\n")
        begun.append(first)
        if sum(map(len, begun)) > LINE:
            _fail(f"line {whole + 1}: expected at most {LINE:,} characters, got more")
        if more:
            yield "".join(begun)
            yield from more[:-1]
            begun = more[-1:]
            whole += len(more)
        yield None
    yield "".join(begun) + decode(b"", final=True)


def _read(lines: Iterable[str | None], form: Format) -> Iterator[tuple[str, bytes] | None]:
    """Return each text, and the object that is written of it as far as it was given.

    That is the line itself, without its closing brace: to read and write it again would round large
    numbers, and cannot be done with every line.
    """
    import orjson

    number = 0
    for line in lines:
        if line is None:
            yield None
            continue
        number += 1
        if form is not Format.JSONL:
            if line.strip():
                yield line, orjson.dumps({"text": line})[:-1]
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


def _chunks(items: Iterable[T | None], size: int) -> Iterator[list[T]]:
    """Group *items* up to a None; where reading one fails, those before it are still handed out."""
    chunk: list[T] = []
    try:
        for item in items:
            if item is not None:
                chunk.append(item)
            if len(chunk) == size or (item is None and chunk):
                yield chunk
                chunk = []
    except typer.Exit:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _progress(items: Iterator[T | None]) -> Iterator[T | None]:
    """Count on the terminal, if one is looking and the answers do not already scroll there."""
    if sys.stdout.isatty():
        yield from items
        return
    with counting("comments scored") as told:
        done = 0
        for item in items:
            if item is None:
                told(done)
            else:
                done += 1
            yield item


def _fail(message: str) -> NoReturn:
    print(f"aboveboard: {message}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(1)
