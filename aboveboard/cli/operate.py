"""`aboveboard serve, migrate, doctor, config`: running the service."""

import signal
import socket
import sys
from contextlib import ExitStack, suppress
from typing import Annotated

import typer

from aboveboard.cli.options import (
    AsJson,
    DataDir,
    read_settings,
    say,
    say_json,
    showing_a_key_of,
    uninterrupted,
)

BACKLOG = 2048  # connections that may wait to be accepted, as uvicorn has it
SWITCH_S = 0.0005  # a writer that has its rows in waits this long for a busy event loop, not 5 ms

config = typer.Typer(help="Show the configuration.", no_args_is_help=True)


def serve(
    data_dir: DataDir = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="8080")
    ] = None,
    site_url: Annotated[
        str | None,
        typer.Option(
            help="The site that the very first start creates.",
            show_default="http://localhost:8080",
        ),
    ] = None,
) -> None:
    """Serve; the very first start makes data directory, keys, tables, a site and an API key."""
    import structlog
    import uvicorn

    from aboveboard import app as service
    from aboveboard import clock, doctor, installation, restoring
    from aboveboard.cli.backup import say_resumed
    from aboveboard.database import serving_alone
    from aboveboard.observe import configure_logs
    from aboveboard.protocol import deadlined
    from aboveboard.settings import split_list

    settings = read_settings(data_dir=data_dir, host=host, port=port, site_url=site_url)
    configure_logs()
    # uvicorn ends gracefully and then sends itself the signal again: that one ends this function,
    # so that the databases are closed and the exit status is 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.setswitchinterval(SWITCH_S)
    databases = installation.open_databases(settings)
    with ExitStack() as stack:
        stack.callback(databases.close)
        if settings.database_url is None:
            stack.enter_context(serving_alone(settings.data_dir))
            restoring.clear(settings.data_dir)
        databases.migrate()
        accounts = installation.open_accounts(settings, databases)
        if not accounts.has_sites():
            with uninterrupted():
                made = accounts.create_site(settings.site_url)
                with showing_a_key_of(made.site.id):
                    say(f"Created the site {made.site.id} for {made.site.url}.")
                    say(f"Its API key, shown this once: {made.key}")
        say_resumed(restoring.resume(settings, databases))
        if doctor.find_clock_behind(databases, clock.now()):
            structlog.get_logger(__name__).warning("clock_behind")
        sock = stack.enter_context(_listening(settings.host, settings.port))
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        with suppress(OSError):  # whoever reads no more has a service all the same
            say(f"aboveboard listens on http://{shown}:{sock.getsockname()[1]} (Ctrl-C stops it)")
        config = uvicorn.Config(
            service.assemble(settings, databases),
            http=deadlined(headers_s=settings.header_deadline_s, body_s=settings.body_deadline_s),
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=split_list(settings.trusted_proxies),
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run(sockets=[sock])


def _listening(host: str, port: int) -> socket.socket:
    """Listen, so that nobody is told of an address that is not to be had."""
    from aboveboard.errors import SettingsInvalid

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsInvalid(
            f"expected an address to listen on, got {host} port {port}: {error.strerror}"
        ) from error


def migrate(data_dir: DataDir = None) -> None:
    """Bring the tables to this release's revision; `serve` does so by itself."""
    from aboveboard.installation import open_databases

    settings = read_settings(data_dir=data_dir)
    databases = open_databases(settings)
    try:
        databases.migrate()
        for database in databases:
            found, _ = database.revision()
            say(f"{database.name:12} at revision {found}")
    finally:
        databases.close()


def doctor(data_dir: DataDir = None, json: AsJson = False) -> None:
    """Check what the service stands on; exits 1 when something is wrong."""
    from aboveboard.doctor import Level, examine

    settings = read_settings(data_dir=data_dir)
    findings = examine(settings)
    if json:
        say_json(
            [
                {"check": item.check, "level": item.level.value, "detail": item.detail}
                for item in findings
            ]
        )
    else:
        for item in findings:
            say(f"{item.level.value:5} {item.check}: {item.detail}")
    if any(item.level is Level.WRONG for item in findings):
        raise typer.Exit(1)


@config.command("show")
def show(data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show every setting, its value and what it is for; secrets are masked."""
    settings = read_settings(data_dir=data_dir)
    if json:
        say_json(settings.model_dump(mode="json"))
        return
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        shown = "unset" if value is None else str(value)
        say(f"{name} = {shown}\n    {field.description}")
