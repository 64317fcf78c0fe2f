"""`aboveboard consent rotate-key wrapping, subject`: the keys of the vault and of pseudonyms."""

from typing import Annotated

import typer

from aboveboard.cli.options import AsJson, DataDir, counting, open_databases, say, say_json

PAUSE_S = 0.02  # between two transactions, so that a running service comes to write


def rotate_wrapping(
    resume: Annotated[
        bool, typer.Option("--resume", help="Make no key; go on with one that was made before.")
    ] = False,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire-old",
            help="Then destroy the older keys: no older backup opens any more, wherever it lies.",
        ),
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Wrap every subject's data key under a new key, beside a running service, which follows.

    Records stay as they are. Interrupted, it can be gone on with.
    """
    import asyncio

    from aboveboard import consenting, marks
    from aboveboard.installation import WRAPPING, open_accounts, open_keyring
    from aboveboard.keys import KeyFolder
    from aboveboard.writer import CommandWriter
    from consent.subjects.rewrapping import Rewrapping

    with open_databases(data_dir) as (settings, databases):
        keys = KeyFolder(settings.data_dir)
        if not resume:
            keys.add_version(WRAPPING)
            open_accounts(settings, databases)  # notes the key as one that must not be lost
        keyring = open_keyring(settings)
        writing = CommandWriter(databases.consent)
        rewrapping = Rewrapping(keyring=keyring, writing=writing, reading=databases.consent)

        async def rewrap() -> int:
            done = 0
            with counting("keys wrapped") as show:
                async for keys in rewrapping.rewrap():
                    done += keys
                    show(done)
                    await asyncio.sleep(PAUSE_S)
            await consenting.open_sweeper(databases).renew(writing)
            return done

        done = asyncio.run(rewrap())
        newest = keyring.wrapping_version
        retired = [version for version in keys.versions(WRAPPING) if version < newest]
        for version in retired if retire else ():
            name = f"{WRAPPING}.{version}"
            marks.forget(databases.aboveboard, name)
            keys.drop(name)
    if json:
        say_json({"version": newest, "keys": done, "retired": retired if retire else []})
        return
    say(f"{done} data keys are wrapped under {WRAPPING}.{newest} now; keep that file safe.")
    if retire and retired:
        say(f"Destroyed: {_named(WRAPPING, retired)}. No backup from before opens any more.")
    elif retired:
        say(f"Older backups still need {_named(WRAPPING, retired)}.")


def rotate_subject(data_dir: DataDir = None, json: AsJson = False) -> None:
    """Give subjects not seen before pseudonyms under a new key; a running service follows.

    Who is known keeps the pseudonym they have, so the older keys stay in use.
    """
    from aboveboard import installation
    from aboveboard.keys import KeyFolder

    with open_databases(data_dir) as (settings, databases):
        version = KeyFolder(settings.data_dir).add_version("subject")
        installation.open_accounts(settings, databases)  # notes it as one that must not be lost
    if json:
        say_json({"version": version})
    else:
        say(
            f"New subjects get pseudonyms under subject.{version} from now on; keep that file safe."
        )


def _named(purpose: str, versions: list[int]) -> str:
    return ", ".join(f"{purpose}.{version}" for version in versions)
