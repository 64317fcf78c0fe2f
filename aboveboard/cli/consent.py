"""`aboveboard consent`: what an auditor does without the service."""

import typer

app = typer.Typer(help="Verify consent receipts.", no_args_is_help=True)
