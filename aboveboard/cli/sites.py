"""`aboveboard site`: tenants."""

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

app = typer.Typer(help="Create and list sites.", no_args_is_help=True)


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="The site's address, such as https://blog.example.")],
    key: Annotated[
        str | None,
        typer.Option(help="A legacy key of 12 hexadecimal characters; by default one is made."),
    ] = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option(help="Scopes of the key, by comma; by default a site backend's."),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Create a site and an API key for its backend, shown this once."""
    with open_accounts(data_dir, make=True) as accounts, uninterrupted():
        made = accounts.create_site(url, key=key, scopes=split_words(scopes))
        site = made.site
        with showing_a_key_of(site.id):
            if json:
                say_json({"site": site.id, "url": site.url, "key": made.key})
            else:
                say(f"site  {site.id}\nurl   {site.url}\nkey   {made.key}   (shown this once)")


@app.command("list")
def list_sites(data_dir: DataDir = None, json: AsJson = False) -> None:
    """List the sites."""
    with open_accounts(data_dir) as accounts:
        found = accounts.list_sites()
    if json:
        say_json([{"site": site.id, "url": site.url} for site in found])
    else:
        for site in found:
            say(f"{site.id:40}  {site.url}")
