"""`aboveboard key`: API keys."""

from typing import Annotated

import typer

from aboveboard.cli.options import (
    AsJson,
    DataDir,
    open_accounts,
    say,
    say_json,
    showing_a_key_of,
    split_words,
    uninterrupted,
)

app = typer.Typer(help="Create, revoke and list API keys.", no_args_is_help=True)


@app.command()
def create(
    sites: Annotated[list[str], typer.Argument(help="The site ids that the key is good for.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(help="Scopes of the key, by comma; by default a site backend's."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="A legacy key of 12 hexadecimal characters.")
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Create an API key for one or more sites, shown this once."""
    with open_accounts(data_dir) as accounts, uninterrupted():
        made = accounts.create_key(sites, key=key, scopes=split_words(scopes))
        with showing_a_key_of(" ".join(sites)):
            if json:
                say_json({"sites": sites, "key": made})
            else:
                say(f"key   {made}   (shown this once)")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `key list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """End a key; a running service follows within a second."""
    with open_accounts(data_dir) as accounts:
        accounts.revoke_key(key_id)
    say(f"revoked {key_id}")


@app.command("list")
def list_keys(data_dir: DataDir = None, json: AsJson = False) -> None:
    """List the keys without their secrets."""
    from dataclasses import asdict

    with open_accounts(data_dir) as accounts:
        found = accounts.list_keys()
    if json:
        say_json([asdict(key) for key in found])
        return
    for key in found:
        marks = [word for word, on in (("legacy", key.legacy), ("revoked", key.revoked)) if on]
        parts = (f"{key.id:15}", ",".join(key.sites), " ".join(key.scopes), " ".join(marks))
        say("  ".join(part for part in parts if part))
