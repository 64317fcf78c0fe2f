"""The commands of `aboveboard consent`, in the order of its help."""

import typer

from aboveboard.cli.consent import subjects
from aboveboard.cli.consent.bundle import bundle
from aboveboard.cli.consent.checkpoint import check_consistency, checkpoint
from aboveboard.cli.consent.decode import decode
from aboveboard.cli.consent.export import export
from aboveboard.cli.consent.fsck import fsck
from aboveboard.cli.consent.imports import import_log
from aboveboard.cli.consent.intake import import_bundle
from aboveboard.cli.consent.log import rotate_log
from aboveboard.cli.consent.rebuild import rebuild
from aboveboard.cli.consent.receipt import receipt
from aboveboard.cli.consent.rotation import rotate_subject, rotate_wrapping
from aboveboard.cli.consent.verify import verify

app = typer.Typer(help="Verify receipts and keep the consent log.", no_args_is_help=True)
app.command()(verify)
app.command()(receipt)
app.command()(decode)
app.command()(checkpoint)
app.command()(check_consistency)
app.command()(bundle)
app.command()(export)
app.command()(import_bundle)
app.command()(fsck)
app.command()(rebuild)
app.command("import")(import_log)

app.add_typer(subjects.app, name="subject")

rotation = typer.Typer(help="Change a key; what it made before stays good.", no_args_is_help=True)
app.add_typer(rotation, name="rotate-key")
rotation.command("log")(rotate_log)
rotation.command("wrapping")(rotate_wrapping)
rotation.command("subject")(rotate_subject)
