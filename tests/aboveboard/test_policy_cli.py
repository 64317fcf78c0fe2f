"""`aboveboard policy`: checked, compared, tried, set and shown beside a running service."""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import COMMAND, Service

POLICY = """
[thresholds.spam]
[links]
hold = 1
"""
HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."


def run(service: Service, *arguments: str, data: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a policy command, whatever becomes of it."""
    folder = ["--data-dir", str(service.data_dir)] if data else []
    return subprocess.run(  # noqa: S603
        [*COMMAND, "policy", *arguments, *folder],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_policy_is_tried_and_set_beside_the_service(service: Service, tmp_path: Path) -> None:
    """What the dry run promises happens; the service follows without a restart."""
    site = service.add_site("https://tried.example.org")
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    with service.client(site.key) as client:
        linked = {"external_id": "c-1", "text": f"{HAM} See www.example.org"}
        made = client.post("/v1/comments", json=linked).json()
        before = run(service, "diff", str(file), "--site", site.id)
        tried = run(service, "dry-run", str(file), "--site", site.id, "--against", "7d", "--json")
        told = run(service, "dry-run", str(file), "--site", site.id)
        done = run(service, "set", str(file), "--site", site.id)
        after = run(service, "diff", str(file), "--site", site.id)
        shown = run(service, "show", "--site", site.id)
        # The service may have read the policy up to a second ago.
        for number in range(1_000):
            again = {"external_id": f"d-{number}", "text": f"{HAM} {number} www.example.org"}
            held = client.post("/v1/comments", json=again).json()
            if held["policy"] == "1":
                break

    assert before.returncode == 1
    assert '+    "hold": 1' in before.stdout
    assert done.stdout.startswith(f"{site.id}: version 1 of 20")
    assert (after.returncode, after.stdout) == (0, "")
    assert json.loads(shown.stdout) == {"thresholds": {"spam": {}}, "links": {"hold": 1}}
    assert (held["policy"], held["verdict"]) == ("1", "hold")
    found = json.loads(tried.stdout)
    assert found["comments"] == 1
    if made["verdict"] == "approve":
        assert found["changes"] == [
            {"before": "approve", "after": "hold", "comments": 1, "examples": [made["id"]]}
        ]
        assert made["id"] in told.stdout
    assert HAM not in told.stdout + tried.stdout


def test_a_dry_run_says_where_it_was_cut(service: Service, tmp_path: Path) -> None:
    """What it tells of some comments nobody takes for what it tells of all."""
    site = service.add_site("https://cut.example.org")
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    with service.client(site.key) as client:
        for number in range(2):
            client.post("/v1/comments", json={"external_id": f"c-{number}", "text": HAM})
    cut, whole = (
        run(service, "dry-run", str(file), "--site", site.id, "--limit", limit)
        for limit in ("1", "3")
    )

    assert cut.stdout.startswith("1 comments judged again")
    assert "there may be more of the last 30d" in cut.stdout
    assert whole.stdout.startswith("2 comments judged again")
    assert "more" not in whole.stdout


def test_who_is_late_is_told(service: Service, tmp_path: Path) -> None:
    """A version that is not the present one is not replaced; earlier ones are shown."""
    site = service.add_site("https://late.example.org")
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text('{"links": {"hold": 1}}')
    second.write_text('{"links": {"hold": 2}}')

    run(service, "set", str(first), "--site", site.id)
    late = run(service, "set", str(second), "--site", site.id, "--replaces", "0")
    done = run(service, "set", str(second), "--site", site.id, "--replaces", "1")
    shown = run(service, "show", "--site", site.id, "--version", "1")
    none = run(service, "show", "--site", site.id, "--version", "3")

    assert (late.returncode, late.stderr) == (
        1,
        "aboveboard: expected to replace version 1, the present one, got 0\n",
    )
    assert done.returncode == 0
    assert json.loads(shown.stdout) == {"links": {"hold": 1}}
    assert (none.returncode, len(none.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.toml", "[links]\nhold = 0", "links.hold: Input should be greater than or equal to 1"),
        ("p.json", '{"lniks": 1}', "policy: expected one of thresholds, hold_everything,"),
        ("p.json", "\udcff", "expected a file of UTF-8 text"),
        ("p.toml", "[[lists]]\nname='a'\nverdict='hold'\npatterns=['(']", "lists.0.patterns.0"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    """In one line that names the place; nothing else is opened or made."""
    file = tmp_path / name
    file.write_bytes(content.encode("utf-8", "surrogateescape"))

    done = subprocess.run(  # noqa: S603
        [*COMMAND, "policy", "check", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_wordpress_lists_become_a_policy(service: Service, tmp_path: Path) -> None:
    """The file that is written is one that can be checked and set; it is not written over."""
    site = service.add_site("https://moved.example.org")
    moderation, out = tmp_path / "moderation.txt", tmp_path / "policy.json"
    moderation.write_text("sunday\n192.0.2.\n")

    made = run(
        service, "import-wordpress", "--moderation", str(moderation), "--out", str(out), data=False
    )
    again = run(
        service, "import-wordpress", "--moderation", str(moderation), "--out", str(out), data=False
    )
    neither = run(service, "import-wordpress", "--out", str(out), data=False)
    checked = run(service, "check", str(out), data=False)
    run(service, "set", str(out), "--site", site.id)
    with service.client(site.key) as client:
        held = client.post("/v1/comments", json={"external_id": "c-1", "text": HAM}).json()

    assert made.stdout == f"{out}: 2 entries\n"
    assert again.returncode == 1
    assert "it is there already" in again.stderr
    assert neither.returncode == 2
    assert checked.stdout == f"{out}: a policy, 1 lists with 2 entries\n"
    assert (held["verdict"], held["reasons"][0]["code"]) == ("hold", "list")
