"""WordPress's Akismet plugin, unmodified, through the must-use plugin that the guide shows."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from akismet_desk import HAM, RUDE, SPAM, THANKS, Blog
from conftest import Service
from review_desk import Desk

HERE = Path(__file__).parent
GUIDE = (HERE.parents[1] / "docs" / "akismet.md").read_text(encoding="utf-8")
WORDPRESS = HERE / "php" / "wordpress" / "usr" / "share" / "wordpress"
PATIENCE_S = 300
QUOTED = 'I\'d like "more" tea, \\o/ <em>please</em>'
Asking = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(service: Service, blog: Blog, tmp_path: Path) -> Asking:
    """Ask several things of one WordPress, in their order."""
    php = shutil.which("php")
    if php is None or not WORDPRESS.exists():
        pytest.skip(
            "PHP or WordPress is not there: on Debian, apt-get install php-cli, "
            "then make test-clients"
        )
    (plugin,) = re.findall(r"```php\n(.*?)```", GUIDE, re.DOTALL)
    mu_plugin = tmp_path / "aboveboard.php"
    mu_plugin.write_text(plugin.replace("https://moderation.example.org", service.url))

    def asked(*questions: dict[str, Any]) -> list[dict[str, Any]]:
        script = HERE / "php" / "wordpress.php"
        done = subprocess.run(  # noqa: S603
            [php, str(script), str(WORDPRESS), str(mu_plugin), blog.url, blog.key],
            input="".join(json.dumps(question) + "\n" for question in questions),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return asked


def test_a_key_is_verified_and_deactivated(ask: Asking) -> None:
    """As its page of settings does."""
    answers = ask({"ask": "verify"}, {"ask": "verify", "key": "0" * 12}, {"ask": "deactivate"})

    assert [each["result"] for each in answers] == ["valid", "invalid", "deactivated"]


def test_comments_go_where_wordpress_puts_them(ask: Asking, blog: Blog) -> None:
    """Published, in spam, held for review; slashes and cookies stay behind."""
    answers = ask(*({"ask": "check", "content": text} for text in (HAM, SPAM, RUDE, QUOTED)))

    assert [(each["result"], each["approved"]) for each in answers] == [
        ("false", "1"),
        ("true", "spam"),
        ("false", "0"),
        ("false", "1"),
    ]
    assert [each["text"] for each in blog.comments()] == [HAM, SPAM, RUDE, QUOTED]
    assert {each["author"]["name"] for each in blog.comments()} == {"Ann O'Hara"}
    assert "canary" not in str(blog.comments())


def test_what_moderators_do_there_is_decided_here(ask: Asking, blog: Blog) -> None:
    """Spam and not spam, of the very comments that were checked."""
    answers = ask(
        *({"ask": "check", "content": text} for text in (QUOTED, SPAM, RUDE)),
        {"ask": "submit", "what": "spam", "id": 1},
        {"ask": "submit", "what": "ham", "id": 2},
        {"ask": "submit", "what": "ham", "id": 3},
    )

    assert [each["told"] for each in answers[3:]] == [THANKS] * 3
    assert [each["state"] for each in blog.comments()] == ["spam", "published", "published"]
    actors = {
        str(event["actor"])
        for comment in blog.comments()
        for event in blog.native.get(f"/v1/cases/{comment['id']}").json()["events"][1:]
    }
    assert actors == {str({"kind": "moderator", "id": "akismet:eva"})}


def test_a_recheck_is_told_what_was_decided_here(ask: Asking, blog: Blog) -> None:
    """Of the comment as WordPress has stored it."""
    desk = Desk(blog.native)
    ask({"ask": "check", "content": RUDE})
    desk.decided(blog.comment(), "spam")

    _, answer = ask({"ask": "check", "content": RUDE}, {"ask": "recheck", "id": 1})

    assert (answer["result"], answer["approved"]) == ("true", "spam")
    assert len(blog.comments()) == 1


def test_an_outage_or_a_limit_holds_comments(ask: Asking, blog: Blog) -> None:
    """What is neither true nor false waits for a moderator there."""
    blog.set(monthly_limit=0)

    (answer,) = ask({"ask": "check", "content": HAM})

    assert answer["approved"] == "0"
    assert blog.comments() == []


def test_a_retry_of_what_is_held_is_told_nothing(ask: Asking, blog: Blog) -> None:
    """The plugin publishes what its retry is told is no spam, so it is not told that."""
    _, answer = ask({"ask": "check", "content": RUDE}, {"ask": "retry", "id": 1})

    assert answer["result"] not in {"true", "false"}
    assert blog.comment()["state"] == "pending"


def test_no_page_of_akismets_is_shown(ask: Asking) -> None:
    """Their addresses have the key in them; the plugin cleans every one of them as others are."""
    page = "https://tools.akismet.com/1.0/user-stats.php?api_key=abcdef012345"
    answers = ask(
        {"ask": "link", "to": page}, {"ask": "link", "to": "https://blog.example.org/?p=1"}
    )

    assert [each["link"] for each in answers] == ["", "https://blog.example.org/?p=1"]
    views = sorted((WORDPRESS / "wp-content" / "plugins" / "akismet" / "views").glob("*.php"))
    shown = [
        line
        for view in views
        for line in view.read_text().splitlines()
        if "//tools.akismet" in line
    ]
    assert shown
    assert all("esc_url" in line for line in shown)


def test_statistics_are_shown(ask: Asking) -> None:
    """As JSON, which its page reads."""
    *_, answer = ask({"ask": "check", "content": SPAM}, {"ask": "stats"})

    assert answer["result"]["spam"] == 1
