"""The command as a stranger calls it: a process, its arguments, its output and its exit status."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from command_line import error_line, run, told
from conftest import COMMAND, PATIENCE_S, Service, Site
from diary import NOTICE, SHOWN
from renamed_bundle import renamed

from aboveboard.cli.options import uninterrupted
from consent.log.checkpoint import Signer

RECEIPTS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "log.json").read_text(encoding="utf-8")
)
HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."
SPAM = "buy cheap viagra now click here http://x.example"
HEAVY = {"numpy", "sklearn", "scipy", "sqlalchemy", "sqlmodel", "uvicorn", "starlette", "orjson"}


# -- help -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["score", "--help"], ["site", "create", "-h"]],
    ids=["aboveboard", "score", "site create"],
)
def test_help_is_light(environment: dict[str, str], arguments: list[str]) -> None:
    """It tells without importing what only the commands themselves need."""
    done = subprocess.run(  # noqa: S603
        [COMMAND[0], "-X", "importtime", *COMMAND[1:], *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    imported = set(re.findall(r"\| +([a-z_]+)\n", done.stderr))
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert imported & HEAVY == set()
    # Of the commands' own help, typer itself asks pydantic to read the parameters.
    assert "pydantic" not in imported or arguments != ["--help"]


def test_every_command_is_listed(environment: dict[str, str]) -> None:
    """Help names what an operator can do; a version is printed; nonsense exits 2."""
    listed = run(environment, "--help").stdout.decode()
    version = run(environment, "--version").stdout.decode()
    nonsense = run(environment, "nonsense")

    for command in ("serve", "score", "site", "key", "consent", "migrate", "doctor", "config"):
        assert command in listed
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", version)
    assert nonsense.returncode == 2


# -- sites and keys ---------------------------------------------------------------------------


def test_a_site_is_created_before_the_first_start_and_while_it_runs(new_service: Service) -> None:
    """The stable contract: exactly that key, as JSON; it is good at once."""
    first = json.loads(
        new_service.command(
            "site", "create", "https://blog.example.org", "--key", "0123456789ab", "--json"
        )
    )
    new_service.start()
    second = json.loads(
        new_service.command(
            "site", "create", "https://shop.example.org/", "--key", "ba9876543210", "--json"
        )
    )

    answers = []
    for made in (first, second):
        with new_service.client(made["key"]) as client:
            answers.append(client.post("/v1/comments", json={"external_id": "1", "text": HAM}))

    assert first == {
        "site": "blog-example-org",
        "url": "https://blog.example.org",
        "key": "0123456789ab",
    }
    assert second == {
        "site": "shop-example-org",
        "url": "https://shop.example.org",
        "key": "ba9876543210",
    }
    assert [answer.status_code for answer in answers] == [201, 201]
    assert "Created the site" not in new_service.log.read_text()


def test_sites_and_keys_are_managed(environment: dict[str, str], tmp_path: Path) -> None:
    """Create, list, narrow, revoke; a key is shown once and never listed."""
    data = ("--data-dir", tmp_path / "data")
    made = told(run(environment, "site", "create", "https://one.example", "--json", *data))
    plain = run(environment, "site", "create", "https://two.example", *data).stdout.decode()
    narrow = told(
        run(
            environment,
            *("key", "create", "one-example", "two-example"),
            *("--scopes", "comments:read, comments:score", "--scopes", "consent:read", "--json"),
            *data,
        )
    )
    sites = told(run(environment, "site", "list", "--json", *data))
    run(environment, "key", "revoke", narrow["key"][2:10], *data)
    listed = run(environment, "key", "list", "--json", *data)
    keys = {key["id"]: key for key in told(listed)}
    readable = run(environment, "key", "list", *data).stdout.decode()

    assert re.fullmatch(r"ab[a-z2-7]{60}", made["key"])
    assert "shown this once" in plain
    assert [site["site"] for site in sites] == ["one-example", "two-example"]
    assert narrow["sites"] == ["one-example", "two-example"]
    revoked = keys[narrow["key"][2:10]]
    assert revoked["scopes"] == ["comments:read", "comments:score", "consent:read"]
    assert revoked["sites"] == ["one-example", "two-example"]
    assert revoked["revoked"]
    assert keys[made["key"][2:10]]["revoked"] is None
    assert made["key"][10:].encode() not in listed.stdout
    assert "revoked" in readable
    assert len(readable.splitlines()) == 3


def test_what_goes_wrong_is_told_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    """Sites, keys, scopes, settings and places that cannot be: exit 1, no traceback."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "site", "create", "https://one.example", *data)
    (tmp_path / "file").write_text("a file")

    calls: list[tuple[tuple[str | Path, ...], dict[str, str]]] = [
        (("site", "create", "https://one.example", *data), {}),
        (("site", "create", "one.example", *data), {}),
        (("site", "create", "https://two.example", "--key", "secret-canary", *data), {}),
        (("site", "create", "https://two.example", "--scopes", "all", *data), {}),
        (("key", "create", "nowhere", *data), {}),
        (("key", "revoke", "nothing", *data), {}),
        (("site", "list", "--data-dir", tmp_path / "file"), {}),
        (("config", "show", *data), {"ABOVEBOARD_PROT": "1"}),
        (("serve", *data), {"ABOVEBOARD_PORT": "canary"}),
        (("site", "create", "https://two.example", "--scopes", "", *data), {}),
        (("site", "list", "--data-dir", tmp_path / "mistyped"), {}),
        (("key", "list", "--data-dir", tmp_path / "mistyped"), {}),
        (("key", "revoke", "nothing", "--data-dir", tmp_path / "mistyped"), {}),
        (("migrate", *data), {"ABOVEBOARD_DATABASE_URL": "postgresql://u:canary@/x?host=/no"}),
        *(
            ((command, *data), {"ABOVEBOARD_DATABASE_URL": "postgresql://u:x@canary:y/q@host/x"})
            for command in ("migrate", "serve")
        ),
    ]

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda call: run(environment, *call[0], **call[1]), calls))

    lines = [error_line(one) for one in done]
    assert "'one-example'" in lines[0]
    assert "12 hexadecimal" in lines[2]
    assert "ABOVEBOARD_PROT" in lines[7]
    assert not [line for line in lines if "canary" in line]
    assert run(environment, "doctor", "--data-dir", tmp_path / "mistyped").returncode == 0
    assert not (tmp_path / "mistyped").exists()


def test_numbers_beyond_all_bounds_are_refused(environment: dict[str, str], tmp_path: Path) -> None:
    """As an argument that cannot be, before anything is asked."""
    beyond = "1" * 20
    calls = [
        ("webhook", "deliveries", "x", "--limit", beyond),
        ("policy", "show", "--site", "x", "--version", beyond),
        ("policy", "set", "x", "--site", "x", "--replaces", beyond),
        ("consent", "export", "x", "--out", "x", "--format", "csv", "--notice-version", beyond),
        ("consent", "bundle", "x", "--out", "x", "--epoch", beyond),
        ("train", "--data", "x", "--out", "x", "--seed", beyond),
        ("train", "--data", "x", "--out", "x", "--jobs", "0"),
    ]

    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda call: run(environment, *call, ABOVEBOARD_DATA_DIR=str(tmp_path)), calls)
        )

    for call, one in zip(calls, done, strict=True):
        assert one.returncode == 2, call
        assert b"Invalid value" in one.stderr, call
        assert b"Traceback" not in one.stderr


# -- score ------------------------------------------------------------------------------------


def test_text_is_scored_line_by_line(environment: dict[str, str], tmp_path: Path) -> None:
    """A comment a line from a file, a readable line each, in order; empty lines are passed over."""
    file = tmp_path / "comments.txt"
    file.write_text(f"{HAM}\n\n{SPAM}\n", encoding="utf-8")

    done = run(environment, "score", file)

    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert [line.split()[0] for line in lines] == ["approve", "spam"]
    assert lines[1].endswith(SPAM[:60])
    assert done.stderr == b""


def test_another_bundle_can_be_asked(environment: dict[str, str], tmp_path: Path) -> None:
    """Before it is used anywhere: what its thresholds make of the comments."""
    mine = renamed(tmp_path / "mine", "mine-1", hold=0.0)

    done = run(environment, "score", "-", "--bundle", mine, given=f"{HAM}\n".encode())
    refused = run(environment, "score", "-", "--bundle", tmp_path, given=f"{HAM}\n".encode())

    assert done.stdout.decode().split()[0] == "hold"
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert str(tmp_path / "manifest.json").encode() in refused.stderr


def test_json_is_one_array(environment: dict[str, str]) -> None:
    """Of what was read from the pipe, with labels and verdict; of nothing it is empty."""
    found = told(run(environment, "score", "-", "--format", "json", given=f"{SPAM}\n".encode()))
    nothing = told(run(environment, "score", "-", "--format", "json"))

    assert [item["text"] for item in found] == [SPAM]
    assert found[0]["verdict"] == "spam"
    assert len(found[0]["labels"]) == 8
    assert nothing == []


def test_json_lines_keep_their_order_and_members(environment: dict[str, str]) -> None:
    """More than a chunk goes through in order; members that are not ours pass unchanged."""
    rows = [{"id": at, "text": SPAM if at % 7 == 0 else HAM, "x": [None]} for at in range(1100)]
    given = "".join(json.dumps(row) + "\n" for row in rows).encode()

    done = run(environment, "score", "-", "--format", "jsonl", given=given)

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item["id"] for item in found] == list(range(1100))
    assert all(item["x"] == [None] for item in found)
    assert {item["verdict"] for item in found[::7]} == {"spam"}
    assert found[1]["verdict"] == "approve"


def test_members_pass_as_they_were_written(environment: dict[str, str]) -> None:
    """To the digit and however deep; only labels and verdict of an earlier run are replaced."""
    members = [
        '"id":18446744073709551616',
        '"x": 0.12345678901234567891, "y" :1.0E+2',
        f'"deep":{"[" * 300}{"]" * 300}',
        '"none":-0.0, "none":null',
    ]
    earlier = f'{{ "labels" : {{"spam": [1, 2]}}, {members[0]} ,"text":"hi" , "verdict": "x" }}\n'
    given = "".join(f'{{"text":"hi",{member}}}\n' for member in members) + earlier

    done = run(environment, "score", "-", "--format", "jsonl", given=given.encode())

    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, done.stderr.decode()
    for member, line in zip(members, lines, strict=False):
        assert line.startswith(f'{{"text":"hi",{member},"labels":{{"spam":')
    assert lines[4].startswith(f'{{{members[0]},"text":"hi","labels":{{"spam":0.')
    assert [line.count('"verdict":"') for line in lines] == [1] * 5


def test_a_byte_order_mark_is_no_text(environment: dict[str, str], tmp_path: Path) -> None:
    """As Windows writes it before UTF-8: passed over in files and pipes alike."""
    marked = b"\xef\xbb\xbf" + json.dumps({"text": HAM}).encode() + b"\r\n"
    file = tmp_path / "comments.txt"
    file.write_bytes(b"\xef\xbb\xbf" + HAM.encode())

    lines = told(run(environment, "score", "-", "--format", "jsonl", given=marked))
    (found,) = told(run(environment, "score", file, "--format", "json"))

    assert lines == found
    assert found["text"] == HAM


def test_scores_are_written_before_all_is_read(environment: dict[str, str]) -> None:
    """A pipe that stays open is answered chunk by chunk: nothing is gathered to the end."""
    line = json.dumps({"text": HAM}).encode() + b"\n"
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, "score", "-", "--format", "jsonl"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # Filled well beyond every buffer on the way, from a thread: the pipe takes only so much.
        feeding = threading.Thread(target=process.stdin.write, args=(line * 2000,))
        feeding.start()

        first = json.loads(process.stdout.readline())

        assert first["verdict"] == "approve"
        assert process.poll() is None
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        feeding.join()
        process.stdin.close()
        rest.join()
    assert process.returncode == 0


def test_a_line_is_answered_before_the_next_is_there(environment: dict[str, str]) -> None:
    """As of `tail -f`: a line that comes alone, or in pieces, waits for no others."""
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, "score", "-", "--format", "jsonl"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for pieces in (['{"text": "hel', 'lo"}\n'], ['{"text": "Grüße"}\r\n']):
            for piece in pieces:
                process.stdin.write(piece.encode())
            answers.append(json.loads(process.stdout.readline())["text"])
        process.stdin.close()
    assert answers == ["hello", "Grüße"]
    assert process.returncode == 0


def test_a_line_has_an_end(environment: dict[str, str]) -> None:
    """A file that is no list of comments does not fill the memory; what came before is scored."""
    given = f"{HAM}\n{SPAM}\n".encode() + b"a" * 1_100_000

    done = run(environment, "score", "-", given=given)

    assert error_line(done).endswith("line 3: expected at most 1,000,000 characters, got more")
    assert len(done.stdout.splitlines()) == 2


def test_a_line_that_cannot_be_scored_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """Number and kind of the fault, in one line; files and encodings likewise."""
    good = json.dumps({"text": HAM}).encode() + b"\n"
    jsonl = ("score", "-", "--format", "jsonl")
    (tmp_path / "latin.txt").write_bytes("Grüße\n".encode("latin-1"))

    calls: list[tuple[tuple[str | Path, ...], bytes, dict[str, str]]] = [
        (jsonl, good + b"{\n", {}),
        (jsonl, good * 2 + b'{"text": 1}\n', {}),
        (jsonl, b"[]\n", {}),
        (jsonl, good + b'{"text":"hi","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", {}),
        (jsonl, good + b'{"text":"hi","verdict":' + b"[" * 1_015 + b"]" * 1_015 + b"}\n", {}),
        (("score", tmp_path / "nowhere.txt"), b"", {}),
        (("score", tmp_path / "latin.txt"), b"", {}),
        (("score", "-"), b"\xff\xfe\n", {}),
        (("score", "-", "--format", "json"), b"\xff\n", {"LC_ALL": "C"}),
    ]

    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda call: run(environment, *call[0], given=call[1], **call[2]), calls)
        )

    lines = [error_line(one) for one in done]
    assert "line 2" in lines[0]
    assert "line 3" in lines[1]
    assert "`text`" in lines[2]
    assert "line 2: expected a JSON object" in lines[3]
    assert "line 2: expected a JSON object" in lines[4]
    assert "UTF-8" in lines[6]
    assert "UTF-8" in lines[8]


# -- operating --------------------------------------------------------------------------------


def test_a_doctor_looks_at_everything(environment: dict[str, str], tmp_path: Path) -> None:
    """New and migrated data are well; a key file that others may read is wrong."""
    data = ("--data-dir", tmp_path / "data")
    migrated = run(environment, "migrate", *data)
    run(environment, "site", "list", *data)
    well = run(environment, "doctor", *data)
    (tmp_path / "data" / "keys" / "pepper.key").chmod(0o644)
    ill = run(environment, "doctor", "--json", *data)

    assert [line.split()[0] for line in migrated.stdout.decode().splitlines()] == [
        "aboveboard",
        "moderation",
        "consent",
    ]
    assert well.returncode == 0, well.stdout.decode()
    assert "wrong" not in well.stdout.decode()
    assert ill.returncode == 1
    (found,) = (item for item in json.loads(ill.stdout) if item["level"] == "wrong")
    assert found["check"].endswith("pepper.key")
    assert "expected mode 600, got 644" in found["detail"]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [("newer", "they were made by a newer release"), ("torn", "expected a whole file, got: ")],
)
def test_a_doctor_finds_tables_that_cannot_be_used(
    environment: dict[str, str], tmp_path: Path, spoil: str, found: str
) -> None:
    """Of a newer release, which migrate would not take anywhere, or with torn pages."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "migrate", *data)
    path = tmp_path / "data" / "consent.sqlite3"
    if spoil == "newer":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()
    else:
        with path.open("r+b") as file:
            file.seek(2 * 4096)
            file.write(b"torn" * 10_240)

    done = run(environment, "doctor", "--json", *data)

    assert done.returncode == 1, done.stdout.decode()
    (wrong,) = (item for item in json.loads(done.stdout) if item["level"] == "wrong")
    assert (wrong["check"], found in wrong["detail"]) == ("consent", True)


def test_a_doctor_finds_an_erasure_that_is_damaged(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A start refuses the file that it is in."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "site", "create", "https://a.example", *data)
    (tmp_path / "data" / "erasures.jsonl").write_text("[]\n", encoding="ascii")

    done = run(environment, "doctor", "--json", *data)

    assert done.returncode == 1, done.stdout.decode()
    (wrong,) = (item for item in json.loads(done.stdout) if item["level"] == "wrong")
    assert wrong["check"] == "erasures"
    assert "expected an erasure in line 1" in wrong["detail"]


def test_a_doctor_finds_settings_that_are_damaged(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A start reads none; each is told with its site and how it is set anew."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "migrate", *data)
    for name, put in (
        ("consent", "INSERT INTO setting VALUES ('blog', '{', '')"),
        ("moderation", "INSERT INTO review_setting VALUES ('blog', '{', '')"),
        ("moderation", "INSERT INTO compat_setting VALUES ('blog', '{', '')"),
    ):
        with closing(sqlite3.connect(tmp_path / "data" / f"{name}.sqlite3")) as connection:
            connection.execute(put)
            connection.commit()

    done = run(environment, "doctor", "--json", *data)

    assert done.returncode == 1, done.stdout.decode()
    wrong = [item for item in json.loads(done.stdout) if item["level"] == "wrong"]
    assert [item["check"] for item in wrong] == ["settings of blog"] * 3
    for item, path in zip(wrong, ("consent", "review", "compat"), strict=True):
        assert f"PUT /v1/{path}/settings" in item["detail"]


def test_a_doctor_finds_tables_that_are_lost(environment: dict[str, str], tmp_path: Path) -> None:
    """Those that a start would refuse to make anew."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "site", "create", "https://a.example", *data)
    (tmp_path / "data" / "moderation.sqlite3").unlink()

    done = run(environment, "doctor", "--json", *data)

    assert done.returncode == 1, done.stdout.decode()
    (wrong,) = (item for item in json.loads(done.stdout) if item["level"] == "wrong")
    assert wrong["check"] == "databases"
    assert "they are gone; put them back, or restore a backup" in wrong["detail"]


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "it is gone"), ("00" * 32, "got another"), ("00", "expected 32 bytes of key")],
    ids=["gone", "another", "torn"],
)
def test_a_doctor_finds_keys_that_a_start_would_refuse(
    environment: dict[str, str], tmp_path: Path, content: str | None, found: str
) -> None:
    """And says where the right ones come from; it makes none."""
    data = ("--data-dir", tmp_path / "data")
    run(environment, "site", "create", "https://a.example", *data)
    path = tmp_path / "data" / "keys" / "subject.1.key"
    path.unlink() if content is None else path.write_text(content, encoding="ascii")

    done = run(environment, "doctor", "--json", *data)

    assert done.returncode == 1, done.stdout.decode()
    (wrong,) = (item for item in json.loads(done.stdout) if item["level"] == "wrong")
    assert (wrong["check"], found in wrong["detail"]) == ("keys", True)
    assert path.exists() is (content is not None)


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "it is gone"), ("11" * 32, "signed by its key")],
    ids=["gone", "another"],
)
def test_a_doctor_finds_a_log_whose_key_a_start_would_refuse(
    new_service: Service, content: str | None, found: str
) -> None:
    """As the start tells it."""
    new_service.start()
    site = new_service.add_site("https://logged.example.org")
    event = {
        "idempotency_key": "k-1",
        "subject": {"kind": "device", "id": "d-1"},
        "event_type": "requested",
        "method": "api",
        "origin": "banner",
        "notice": SHOWN,
    }
    with new_service.client(site.key) as client:
        client.post("/v1/consent/notices", json=NOTICE).raise_for_status()
        client.post("/v1/consent/events", json=event).raise_for_status()
    new_service.stop()
    path = new_service.data_dir / "keys" / f"log.{site.id}.1.key"
    path.unlink() if content is None else path.write_text(content, encoding="ascii")

    done = run(new_service.environment, "doctor", "--json", "--data-dir", new_service.data_dir)

    wrong = [item for item in json.loads(done.stdout) if item["level"] == "wrong"]
    assert [item["check"] for item in wrong] == ["logs"]
    assert found in wrong[0]["detail"]


def test_a_doctor_finds_a_disk_that_takes_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As where it is full: everything can still be read, and nothing is stored."""
    data = tmp_path / "data"
    run(environment, "migrate", "--data-dir", data)
    limited = (
        "import resource\n"
        "from aboveboard.cli.main import run\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({256 << 10}, {256 << 10}))\n"
        "run()"
    )

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", limited, "doctor", "--json", "--data-dir", str(data)],
        env=environment,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 1, done.stdout.decode()
    (wrong,) = (item for item in json.loads(done.stdout) if item["level"] == "wrong")
    assert (wrong["check"], "got: File too large" in wrong["detail"]) == ("disk", True)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("synchronous_commit = off", "expected synchronous_commit to be on"),
        ("default_transaction_read_only = on", "read-only"),
    ],
)
def test_a_doctor_finds_a_postgresql_that_serve_would_refuse(
    environment: dict[str, str],
    tmp_path: Path,
    new_database: Callable[[], str],
    setting: str,
    found: str,
) -> None:
    """It answers every question, and is no place to store anything."""
    url = new_database()
    environment = {**environment, "ABOVEBOARD_DATABASE_URL": url}
    run(environment, "migrate", "--data-dir", tmp_path)
    with psycopg.connect(url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE {name} SET {setting}".encode())

    done = run(environment, "doctor", "--json", "--data-dir", tmp_path)

    wrong = [item for item in json.loads(done.stdout) if item["level"] == "wrong"]
    assert done.returncode == 1
    assert [item["check"] for item in wrong] == ["aboveboard", "moderation", "consent"]
    assert all(found in item["detail"] for item in wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "-"],
        ["consent", "decode", "-"],
        ["consent", "subject", "export", "device", "-", "--site", "x", "--data-dir", "/nowhere"],
    ],
)
def test_input_that_was_closed_is_none(environment: dict[str, str], arguments: list[str]) -> None:
    """As by a supervisor: what is piped in is nothing, and that is no fault of this program."""
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'exec "$@" <&-', "-", *COMMAND, *arguments],
        env=environment,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )

    if arguments[0] == "score":
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    else:
        error_line(done)


def run_without_output(
    environment: dict[str, str], *arguments: str, output: str = "/dev/full"
) -> str:
    """Run a command whose output goes nowhere; return the one line that it says of it."""
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", f'exec "$@" >{output}', "-", *COMMAND, *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    return line


@pytest.mark.parametrize("arguments", [["--help"], ["config", "show"], ["site", "list"]])
def test_output_that_cannot_be_written_is_told_in_one_line(
    environment: dict[str, str], tmp_path: Path, arguments: list[str]
) -> None:
    """As on a full disk: no traceback, neither at once nor at the end."""
    run(environment, "site", "create", "https://a.example", "--data-dir", tmp_path)
    more = [] if arguments == ["--help"] else ["--data-dir", str(tmp_path)]

    line = run_without_output(environment, *arguments, *more)

    assert line.startswith("aboveboard: ")
    assert "No space left" in line


@pytest.mark.parametrize("json", [[], ["--json"]])
@pytest.mark.parametrize("output", ["/dev/full", "&-"])
def test_a_key_that_cannot_be_shown_is_told_of(
    environment: dict[str, str], tmp_path: Path, output: str, json: list[str]
) -> None:
    """The site is there: whoever saw no key learns how to get one."""
    command = ["site", "create", "https://a.example", "--data-dir", str(tmp_path), *json]

    line = run_without_output(environment, *command, output=output)

    assert line.endswith("aboveboard key create a-example makes another")
    again = run(environment, "key", "create", "a-example", "--data-dir", str(tmp_path))
    assert again.stdout.startswith(b"key ")


def test_a_secret_that_cannot_be_shown_is_told_of(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The webhook is there: whoever saw no secret learns how to give it another."""
    data = ("--data-dir", str(tmp_path))
    run(environment, "site", "create", "https://a.example", *data)

    line = run_without_output(
        environment, "webhook", "add", "a-example", "https://b.example", *data, output="&-"
    )

    (made,) = told(run(environment, "webhook", "list", "--json", *data))
    assert line.endswith(f"aboveboard webhook rotate {made['id']} makes another")


def test_a_key_is_shown_before_a_signal_is_heeded(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever thread it comes to: libraries have threads of their own that block nothing."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    came, noted = os.pipe()
    os.set_blocking(noted, False)
    before = signal.set_wakeup_fd(noted)
    # What runs in the background is begun with Ctrl-C ignored.
    heeding = signal.signal(signal.SIGINT, signal.default_int_handler)

    def show() -> None:
        with uninterrupted():
            signal.pthread_kill(other.ident or 0, signal.SIGINT)
            os.read(came, 1)
            print("the key")  # noqa: T201

    try:
        with pytest.raises(KeyboardInterrupt):
            show()
    finally:
        signal.signal(signal.SIGINT, heeding)
        signal.set_wakeup_fd(before)
        over.set()
        other.join()
        os.close(came)
        os.close(noted)

    assert capsys.readouterr().out == "the key\n"


@pytest.mark.parametrize("spoken", ["latin-1:strict", "utf-8:strict"])
def test_output_is_utf_8_whatever_the_locale_says(
    environment: dict[str, str], tmp_path: Path, spoken: str
) -> None:
    """Nor does a name that is no text end a command that did its work."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe4ta"))
    run(environment, "site", "create", "https://a.example", "--data-dir", folder)
    file = folder / "b.zip"

    made = run(environment, "backup", file, "--data-dir", folder, PYTHONIOENCODING=spoken)
    shown = run(environment, "config", "show", "--data-dir", folder, PYTHONIOENCODING=spoken)

    assert (made.returncode, made.stderr) == (shown.returncode, shown.stderr) == (0, b"")
    assert made.stdout.startswith(os.fsencode(file) + b" is made")
    assert "https://…".encode() in shown.stdout


def test_what_goes_wrong_is_told_where_there_is_no_output(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """With standard output closed, as by `>&-`."""
    absent = str(tmp_path / "absent")

    line = run_without_output(environment, "site", "list", "--data-dir", absent, output="&-")

    assert line.startswith("aboveboard: expected a data directory")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:canary@/x?host=/no", "aboveboard: expected an answer, got "),
        ("postgresql://u:x@canary:y/q@host/x", "databases: database_url: expected postgresql://"),
    ],
    ids=["nobody answers", "no URL"],
)
def test_a_doctor_tells_why_a_database_does_not_answer(
    environment: dict[str, str], tmp_path: Path, url: str, told: str
) -> None:
    """With what the driver says, and without the password."""
    done = run(environment, "doctor", "--data-dir", tmp_path, ABOVEBOARD_DATABASE_URL=url)

    shown = done.stdout.decode()
    assert (done.returncode, done.stderr) == (1, b"")
    assert told in shown
    assert ("/no/.s.PGSQL" in shown) is ("/no" in url)
    assert "canary" not in shown


def test_the_configuration_is_shown_without_secrets(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Every setting with its value and what it is for; secrets are masked."""
    more = {
        "ABOVEBOARD_DATABASE_URL": "postgresql://u:canary@host/x",
        "ABOVEBOARD_METRICS_TOKEN": "canary",
        "ABOVEBOARD_PORT": "9999",
    }

    shown = run(environment, "config", "show", "--data-dir", tmp_path, **more)
    values = told(run(environment, "config", "show", "--json", "--data-dir", tmp_path, **more))

    assert "port = 9999\n    TCP port" in shown.stdout.decode()
    assert (values["port"], values["data_dir"]) == (9999, str(tmp_path))
    assert values["access_log"] is False
    assert "canary" not in shown.stdout.decode() + json.dumps(values)


def test_receipts_are_verified_without_a_service(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """With the key as text or in a file; what does not verify exits 1, what is not read 2."""
    vkey = RECEIPTS["checkpoints"][-1]["vkey"]
    saved = tmp_path / "receipt.json"
    saved.write_text(json.dumps(RECEIPTS["receipts"][1]), encoding="utf-8")
    (tmp_path / "log.key").write_text(f"{vkey}\n", encoding="utf-8")
    other = Signer(vkey.partition("+")[0], bytes(32)).verifier.vkey

    by_text = run(environment, "consent", "verify", saved, "--key", vkey)
    by_file = run(environment, "consent", "verify", saved, "--key", tmp_path / "log.key", "--json")
    by_other = run(environment, "consent", "verify", saved, "--key", other, "--json")
    by_none = run(environment, "consent", "verify", saved, "--key", tmp_path / "log.kye")
    nothing = run(environment, "consent", "verify", tmp_path / "none.json", "--key", vkey)
    no_receipt = run(environment, "consent", "verify", tmp_path / "log.key", "--key", vkey)

    assert by_text.stdout.startswith(b"VALID  record ")
    assert told(by_file)["valid"] is True
    assert by_other.returncode == 1
    assert json.loads(by_other.stdout)["valid"] is False
    for unread in (by_none, nothing):
        assert (unread.returncode, unread.stdout) == (2, b"")
        assert unread.stderr.startswith(b"aboveboard: not checked: ")
    assert no_receipt.returncode == 1
    assert no_receipt.stderr.startswith(b"NOT VALID  json: ")


# -- serve ------------------------------------------------------------------------------------


def test_the_first_start_makes_a_site_and_shows_its_key_once(new_service: Service) -> None:
    """The key is in the log as soon as the service is ready, is good, and is not told again."""
    new_service.start()
    output = new_service.log.read_text()
    (key,) = re.findall(r"\bab[a-z2-7]{60}\b", output)
    with new_service.client(key) as client:
        answer = client.post("/v1/score", json={"text": HAM})

    new_service.stop()
    new_service.start()

    assert answer.status_code == 200
    assert "Created the site localhost for http://localhost:8080." in output
    assert new_service.log.read_text().count(key) == 1
    assert new_service.log.read_text().count("Created the site") == 1


def test_a_port_that_is_taken_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    """The service ends with the address in its last line, and no traceback."""
    first = Service(tmp_path / "one", environment)
    first.start()
    try:
        done = run(environment, "serve", "--data-dir", tmp_path / "two", "--port", str(first.port))
    finally:
        first.stop()

    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert str(first.port).encode() in done.stderr


def test_a_graceful_end_drops_nothing(new_service: Service) -> None:
    """SIGTERM under load: what was accepted is answered, what was answered is stored, exit 0."""
    new_service.start()
    site = new_service.add_site("https://one.example")
    acknowledged: list[str] = []
    broken: list[str] = []
    under_load = threading.Event()

    def load(worker: int) -> None:
        with new_service.client(site.key) as client:
            for at in range(10_000):
                name = f"c-{worker}-{at}"
                try:
                    answer = client.post("/v1/comments", json={"external_id": name, "text": HAM})
                except httpx2.ConnectError:
                    return  # nobody listens any more: this one was never accepted
                except httpx2.TransportError as error:
                    # Between two requests a kept connection may close; in one it may not.
                    broken.append(type(error).__name__)
                    return
                if answer.status_code != 201:
                    broken.append(answer.text)
                    return
                acknowledged.append(name)
                if len(acknowledged) >= 100:
                    under_load.set()

    workers = [threading.Thread(target=load, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    assert under_load.wait(PATIENCE_S)
    assert new_service.process is not None
    new_service.process.send_signal(signal.SIGTERM)
    status = new_service.process.wait(PATIENCE_S)
    for worker in workers:
        worker.join()

    new_service.start()
    assert status == 0, new_service.log.read_text()
    assert set(broken) <= {"RemoteProtocolError", "ReadError", "WriteError"}
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= _stored(new_service, site)


def _stored(service: Service, site: Site) -> set[str]:
    names: set[str] = set()
    query: dict[str, Any] = {"limit": 200}
    with service.client(site.key) as client:
        while True:
            page = client.get("/v1/comments", params=query).json()
            names |= {item["external_id"] for item in page["items"]}
            if page["next"] is None:
                return names
            query["cursor"] = page["next"]


def test_an_interrupt_ends_it_as_well(environment: dict[str, str], tmp_path: Path) -> None:
    """Ctrl-C stops the service without a traceback."""
    service = Service(tmp_path / "data", environment)
    service.start()
    assert service.process is not None

    service.process.send_signal(signal.SIGINT)
    status = service.process.wait(PATIENCE_S)

    assert status in {0, 130, -signal.SIGINT}
    assert "Traceback" not in service.log.read_text()


def test_a_reader_that_leaves_is_no_error(environment: dict[str, str]) -> None:
    """`aboveboard score … | head` ends quietly."""
    line = json.dumps({"text": HAM}).encode() + b"\n"
    read, write = os.pipe()
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, "score", "-", "--format", "jsonl"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(write)
        os.close(read)
        _, errors = process.communicate(line * 2000, timeout=PATIENCE_S)

    assert process.returncode in {1, 141}
    assert errors == b""
