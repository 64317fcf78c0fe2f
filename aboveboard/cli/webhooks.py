"""`aboveboard webhook`: where sites are told of what happens."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from aboveboard.cli.options import (
    AsJson,
    DataDir,
    open_databases,
    say,
    say_json,
    showing,
    split_words,
)

app = typer.Typer(help="Make, test and look after webhooks.", no_args_is_help=True)

NOT_DELIVERED = 1

Id = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id, as `list` shows it.")]


@app.command()
def add(
    site: Annotated[str, typer.Argument(help="The site id.")],
    url: Annotated[str, typer.Argument(help="Where to post to, https://….")],
    events: Annotated[
        list[str] | None, typer.Option(help="Events, by comma; by default all that there are.")
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Make a webhook that is told of all that happens from now on; its secret is shown once."""
    from aboveboard.webhooks import wire

    made = _with(data_dir, lambda webhooks: webhooks.create(site, url, split_words(events)))
    with _showing_the_secret_of(made.webhook.id):
        if json:
            say_json(wire.made(made))
            return
        say(f"webhook  {made.webhook.id}\nurl      {made.webhook.url}")
        say(f"events   {' '.join(made.webhook.events)}\nsecret   {made.secret}   (shown this once)")


@app.command("list")
def list_webhooks(
    site: Annotated[str | None, typer.Option(help="The site id; without it, all sites.")] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """List the webhooks, without their secrets."""
    from aboveboard.webhooks import wire

    found = _with(data_dir, lambda webhooks: webhooks.list_all(site), site=site)
    if json:
        say_json([wire.webhook(one) for one in found])
        return
    for one in found:
        state = one.disabled or (f"held until {one.held_until}" if one.held_until else "")
        parts = (one.id, one.site_id, one.url, " ".join(one.events), state)
        say("  ".join(part for part in parts if part))


@app.command()
def remove(webhook_id: Id, data_dir: DataDir = None) -> None:
    """Remove a webhook and its deliveries."""
    _with_one(data_dir, webhook_id, lambda webhooks, site: webhooks.remove(site, webhook_id))
    say(f"removed {webhook_id}")


@app.command()
def disable(webhook_id: Id, data_dir: DataDir = None) -> None:
    """Deliver nothing until it is enabled; nothing is lost meanwhile."""
    _enable(data_dir, webhook_id, enabled=False)
    say(f"disabled {webhook_id}")


@app.command()
def enable(webhook_id: Id, data_dir: DataDir = None) -> None:
    """Deliver again, beginning with what happened meanwhile."""
    _enable(data_dir, webhook_id, enabled=True)
    say(f"enabled {webhook_id}")


@app.command()
def rotate(
    webhook_id: Id,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=168, help="Hours for which the old secret signs, too.")
    ] = 24,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Give a webhook another secret, shown this once."""
    from datetime import timedelta

    from aboveboard.webhooks import wire

    made = _with_one(
        data_dir,
        webhook_id,
        lambda webhooks, site: webhooks.rotate(site, webhook_id, timedelta(hours=overlap_hours)),
    )
    with _showing_the_secret_of(webhook_id):
        if json:
            say_json(wire.made(made))
            return
        say(f"secret   {made.secret}   (shown this once)")
        say(f"the old one signs, too, until {made.webhook.older_until}")


@app.command("test")
def send_test(webhook_id: Id, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Send a message that says nothing, now; exits 1 unless the receiver takes it."""
    from aboveboard.webhooks import wire

    tried = _with_one(data_dir, webhook_id, lambda webhooks, site: webhooks.test(site, webhook_id))
    if json:
        say_json(wire.tested(tried))
    else:
        say(f"{'DELIVERED' if tried.is_well else 'NOT DELIVERED'}  {tried.outcome}")
    if not tried.is_well:
        raise typer.Exit(NOT_DELIVERED)


@app.command()
def deliveries(
    webhook_id: Id,
    state: Annotated[
        str | None, typer.Option(help="Only those that are pending, delivered or parked.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="At most so many, the newest first.")
    ] = 50,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """List what a webhook was told, or is to be told."""
    from aboveboard.webhooks import wire
    from aboveboard.webhooks.endpoint import DeliveryState

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"expected one of {', '.join(DeliveryState)}, got another")
    wanted = None if state is None else DeliveryState(state)
    page = _with_one(
        data_dir,
        webhook_id,
        lambda webhooks, site: webhooks.list_deliveries(
            site, webhook_id, state=wanted, limit=limit
        ),
    )
    if json:
        say_json([wire.delivery(one) for one in page.deliveries])
        return
    for one in page.deliveries:
        tries = f"{one.attempts} tries" if one.attempts != 1 else "1 try"
        outcome = one.outcome or "not tried"
        say(f"{one.id}  {one.state:9}  {one.event}  {one.queued}  {tries}  {outcome}")


@app.command()
def redeliver(
    webhook_id: Id,
    delivery_ids: Annotated[
        list[str] | None, typer.Argument(help="The deliveries; without them, all parked ones.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Have deliveries tried anew, under their old ids; the running service does it."""
    number = _with_one(
        data_dir,
        webhook_id,
        lambda webhooks, site: webhooks.redeliver(site, webhook_id, delivery_ids or None),
    )
    say(f"{number} to be delivered again")


def _showing_the_secret_of(webhook_id: str) -> AbstractContextManager[None]:
    return showing(f"secret of {webhook_id}", again=f"aboveboard webhook rotate {webhook_id}")


def _enable(data_dir: Path | None, webhook_id: str, *, enabled: bool) -> None:
    _with_one(
        data_dir,
        webhook_id,
        lambda webhooks, site: webhooks.change(site, webhook_id, enabled=enabled),
    )


def _with_one(
    data_dir: Path | None, webhook_id: str, work: Callable[[Any, str], Awaitable[Any]]
) -> Any:  # noqa: ANN401 - whatever the work answers
    """Do something with one webhook, whosever it is."""

    async def found(webhooks: Any) -> Any:  # noqa: ANN401 - Webhooks, imported late
        return await work(webhooks, await webhooks.site_of(webhook_id))

    return _with(data_dir, found)


def _with(
    data_dir: Path | None, work: Callable[[Any], Awaitable[Any]], *, site: str | None = None
) -> Any:  # noqa: ANN401
    """Do something with the webhooks of an installation: `Webhooks`, imported late.

    Raises SiteNotFound where there is no such *site*.
    """
    from aboveboard import installation, telling

    with open_databases(data_dir) as (settings, databases):
        accounts = installation.open_accounts(settings, databases)
        if site is not None:
            asyncio.run(accounts.get_site(site))
        webhooks, close = telling.open_webhooks(settings, databases)

        async def run() -> Any:  # noqa: ANN401 - whatever the work answers
            try:
                return await work(webhooks)
            finally:
                await close()

        return asyncio.run(run())
