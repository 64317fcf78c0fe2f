"""Settings: read once, in their order, strictly, without showing a secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from aboveboard import settings
from aboveboard.errors import SettingsInvalid


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start from an empty directory and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"ABOVEBOARD_{name.upper()}", raising=False)


def test_everything_has_a_default() -> None:
    """Nothing has to be set; the database is SQLite, the address loopback."""
    read = settings.load()

    assert (read.data_dir, read.host, read.port) == (Path("data"), "127.0.0.1", 8080)
    assert read.database_url is None
    assert read.metrics_token is None


def test_arguments_go_before_variables_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each setting comes from the nearest place that says something."""
    (tmp_path / "aboveboard.toml").write_text('host = "file"\nport = 1\nqueue_limit = 7\n')
    monkeypatch.setenv("ABOVEBOARD_HOST", "variable")
    monkeypatch.setenv("ABOVEBOARD_PORT", "2")

    read = settings.load(data_dir=tmp_path, port=3, host=None)

    assert (read.port, read.host, read.queue_limit) == (3, "variable", 7)


def test_the_data_directory_may_come_from_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its file is read then, too."""
    (tmp_path / "aboveboard.toml").write_text("port = 9\n")
    monkeypatch.setenv("ABOVEBOARD_DATA_DIR", str(tmp_path))

    assert settings.load().port == 9


def test_unknown_settings_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt variable or line is an error that names it."""
    (tmp_path / "aboveboard.toml").write_text("prot = 9\n")
    with pytest.raises(SettingsInvalid, match="got prot"):
        settings.load(data_dir=tmp_path)

    monkeypatch.setenv("ABOVEBOARD_PROT", "9")
    with pytest.raises(SettingsInvalid, match="ABOVEBOARD_PROT"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "canary"), ("PORT", "70000"), ("HEADER_DEADLINE_S", "0"), ("QUEUE_LIMIT", "-1")],
)
def test_a_value_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The setting is named, the value is not repeated."""
    monkeypatch.setenv(f"ABOVEBOARD_{name}", value)

    with pytest.raises(SettingsInvalid, match=f"setting {name.lower()}") as caught:
        settings.load()

    assert "canary" not in str(caught.value)


def test_an_empty_database_url_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable that came out empty would begin another installation, on SQLite."""
    monkeypatch.setenv("ABOVEBOARD_DATABASE_URL", "")
    with pytest.raises(SettingsInvalid, match="database_url"):
        settings.load()

    monkeypatch.delenv("ABOVEBOARD_DATABASE_URL")
    (tmp_path / "aboveboard.toml").write_text('database_url = ""\n')
    with pytest.raises(SettingsInvalid, match="database_url"):
        settings.load(data_dir=tmp_path)


def test_an_empty_metrics_token_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret that came out empty would show /metrics to whoever sends an empty one."""
    monkeypatch.setenv("ABOVEBOARD_METRICS_TOKEN", "")
    with pytest.raises(SettingsInvalid, match="metrics_token"):
        settings.load(data_dir=tmp_path)

    monkeypatch.delenv("ABOVEBOARD_METRICS_TOKEN")
    (tmp_path / "aboveboard.toml").write_text('metrics_token = ""\n')
    with pytest.raises(SettingsInvalid, match="metrics_token"):
        settings.load(data_dir=tmp_path)


@pytest.mark.parametrize("name", ["data_dir", "checkpoint_dir", "postgres_bin"])
def test_an_empty_directory_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It would be the present one: another installation begins there, or checkpoints go there."""
    monkeypatch.setenv(f"ABOVEBOARD_{name.upper()}", "")
    with pytest.raises(SettingsInvalid, match=name):
        settings.load()


def test_the_file_of_a_directory_names_no_other(tmp_path: Path) -> None:
    """Half of the settings would come from here, and the data lie there."""
    (tmp_path / "aboveboard.toml").write_text('data_dir = "/elsewhere"\n')
    with pytest.raises(SettingsInvalid, match="expected no data_dir"):
        settings.load(data_dir=tmp_path)


def test_an_empty_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be every address of the machine, where the default is loopback."""
    monkeypatch.setenv("ABOVEBOARD_HOST", "")
    with pytest.raises(SettingsInvalid, match="host"):
        settings.load()


@pytest.mark.parametrize("content", [b"port = ", b"\xff", b'port = "many"'])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is not TOML, or not a value, is told in one line."""
    (tmp_path / "aboveboard.toml").write_bytes(content)

    with pytest.raises(SettingsInvalid) as caught:
        settings.load(data_dir=tmp_path)

    assert "\n" not in str(caught.value)


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the database's password nor the token shows in any form of the settings."""
    monkeypatch.setenv("ABOVEBOARD_DATABASE_URL", "postgresql://user:canary@host/name")
    monkeypatch.setenv("ABOVEBOARD_METRICS_TOKEN", "canary")

    read = settings.load()

    assert "canary" not in f"{read} {read!r} {read.model_dump()} {read.model_dump_json()}"


def test_settings_are_frozen() -> None:
    """Nothing changes them after the start."""
    read = settings.load()

    with pytest.raises(ValidationError):
        read.port = 1  # type: ignore[misc]


def test_every_setting_says_what_it_is_for() -> None:
    """`config show` has a description for each."""
    assert all(field.description for field in settings.Settings.model_fields.values())


@pytest.mark.parametrize(
    "url", ["ftp://host/canary", "canary", "https:///canary", "https://[canary"]
)
def test_a_webhook_is_an_address_on_the_web(url: str) -> None:
    """Anything else is refused, and never quoted: it may hold a token."""
    with pytest.raises(SettingsInvalid, match="checkpoint_webhook") as caught:
        settings.load(checkpoint_webhook=url)

    assert "canary" not in str(caught.value)
    assert "canary" not in repr(settings.load(checkpoint_webhook="https://host/canary"))


@pytest.mark.parametrize(
    "url", ["comments.example.org", "ftp://a.example", "https://a/?b", "https://"]
)
def test_the_public_address_is_one_on_the_web(url: str) -> None:
    """Paths are put behind it, so it ends in none of what follows a path."""
    with pytest.raises(SettingsInvalid, match="public_url"):
        settings.load(public_url=url)
    assert settings.load(public_url="https://a.example/b").public_url == "https://a.example/b"
