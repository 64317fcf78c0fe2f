"""`aboveboard policy`: what a site wants done with comments, checked and tried before it holds."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from aboveboard.cli.options import (
    INTEGER_LIMIT,
    AsJson,
    DataDir,
    Site,
    drafted,
    open_site,
    say,
    say_json,
)

if TYPE_CHECKING:
    from aboveboard.moderating import Governance
    from moderation.wire.document import PolicyIn

T = TypeVar("T")

DAYS_LIMIT = 3650

app = typer.Typer(help="What a site wants done with comments.", no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The policy: TOML by its ending, otherwise JSON.")
]


@app.command("check")
def check(file: File) -> None:
    """Check a policy, touching nothing."""
    given = _read(file)
    given.policy("", {})
    entries = sum(
        len(each)
        for listing in given.lists
        for each in listing.model_dump().values()
        if isinstance(each, list)
    )
    say(f"{file}: a policy, {len(given.lists)} lists with {entries} entries")


@app.command("show")
def show(
    site: Site,
    version: Annotated[
        int | None,
        typer.Option(
            min=1, max=INTEGER_LIMIT, help="An earlier version; by default the present one."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a site's policy as JSON, only what was set."""
    with _governed(site, data_dir) as run:
        found = run(lambda governance: governance.configuring.get(site, version))
    say(_pretty(found.content))


@app.command("diff")
def diff(file: File, site: Site, data_dir: DataDir = None) -> None:
    """Print what a policy would change, line by line; exits 1 where it changes something."""
    import difflib

    other = _pretty(_read(file).to_json())
    with _governed(site, data_dir) as run:
        found = run(lambda governance: governance.configuring.get(site))
    lines = list(
        difflib.unified_diff(
            _pretty(found.content).splitlines(),
            other.splitlines(),
            f"{site}, version {found.version}",
            str(file),
            lineterm="",
        )
    )
    if lines:
        say("\n".join(lines))
        raise typer.Exit(1)


@app.command("dry-run")
def dry_run(
    file: File,
    site: Site,
    against: Annotated[str, typer.Option(help="How far to look back, in days: 30d.")] = "30d",
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many comments at most, the newest.")
    ] = 10_000,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Judge past comments by a policy and tell what would change; writes nothing."""
    from datetime import timedelta

    from aboveboard import clock
    from moderation.policy.rehearsal import Rehearsal

    given, since = _read(file), clock.now() - timedelta(days=_days(against))

    async def rehearse(governance: "Governance") -> Rehearsal:
        present = await governance.policies.find(site)
        other = given.policy("", governance.policies.default.bands)
        return await governance.rehearsing.rehearse(site, present, other, since=since, limit=limit)

    with _governed(site, data_dir) as run:
        found = run(rehearse)
    if json:
        say_json({"comments": found.comments, "changes": [one._asdict() for one in found.changes]})
        return
    changed = sum(change.comments for change in found.changes)
    say(f"{found.comments:,} comments judged again, {changed:,} would fare otherwise")
    if found.comments == limit:
        say(f"those were the newest; there may be more of the last {against}: see --limit")
    for change in found.changes:
        say(f"{change.comments:8,}  {change.before} -> {change.after}, such as:")
        for comment_id in change.examples:
            say(f"          {comment_id}")


@app.command("set")
def set_policy(
    file: File,
    site: Site,
    replaces: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=INTEGER_LIMIT,
            help="The version it was made from; by default the present one.",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Put a policy in the place of the present one; a running service follows within a second."""
    from moderation.policy.versions import Version

    given = _read(file)

    async def put(governance: "Governance") -> Version:
        present = replaces
        if present is None:
            present = (await governance.configuring.get(site)).version
        return await governance.configuring.put(site, given.to_json(), replaces=present)

    with _governed(site, data_dir) as run:
        made = run(put)
    say(f"{site}: version {made.version} of {made.made}")


@app.command("import-wordpress")
def import_wordpress(
    out: Annotated[Path, typer.Option(help="The policy to write; it must not be there yet.")],
    moderation: Annotated[
        Path | None, typer.Option(help="A file with the lines of “Comment Moderation”.")
    ] = None,
    disallowed: Annotated[
        Path | None, typer.Option(help="A file with the lines of “Disallowed Comment Keys”.")
    ] = None,
) -> None:
    """Make a policy of WordPress's lists: what it would hold is held, what it trashes is spam."""
    from moderation.policy import wordpress
    from moderation.wire import document

    if moderation is None and disallowed is None:
        raise typer.BadParameter("expected --moderation, --disallowed or both, got neither")
    lists = wordpress.read_lists(_text(moderation), _text(disallowed))
    given = document.read_json(_pretty(lists))
    given.policy("", {})
    with drafted(out) as file:
        file.write(f"{_pretty(given.to_json())}\n".encode())
    say(f"{out}: {sum(len(one.contains) + len(one.networks) for one in given.lists)} entries")


@contextmanager
def _governed(
    site: str, data_dir: Path | None
) -> "Iterator[Callable[[Callable[[Governance], Coroutine[Any, Any, T]]], T]]":
    """Lend what runs a use case of a site's policy."""
    import asyncio

    from aboveboard import moderating
    from aboveboard.writer import CommandWriter

    with open_site(site, data_dir) as (settings, databases):
        selection = moderating.open_selection(settings)
        governance = moderating.open_governance(
            settings, databases, CommandWriter(databases.moderation), selection.load()
        )
        yield lambda work: asyncio.run(work(governance))


def _read(file: Path) -> "PolicyIn":
    from moderation.wire import document

    text = _text(file)
    return document.read_toml(text) if file.suffix == ".toml" else document.read_json(text)


def _text(file: Path | None) -> str:
    from aboveboard.errors import SettingsInvalid

    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file}: expected a file of UTF-8 text, got: {error}") from error


def _days(against: str) -> int:
    number = against.removesuffix("d")
    if number == against or not number.isdecimal() or not 0 < int(number) <= DAYS_LIMIT:
        raise typer.BadParameter(
            f"expected a number of days up to {DAYS_LIMIT} such as 30d, got {against}"
        )
    return int(number)


def _pretty(content: str | dict[str, Any]) -> str:
    import json

    told = json.loads(content) if isinstance(content, str) else content
    return json.dumps(told, indent=2, ensure_ascii=False)
