"""What an operator can set, as one frozen object that is read once.

Order of precedence: arguments of the command, `ABOVEBOARD_*` variables, `aboveboard.toml` in the
data directory, defaults. Unknown keys are errors; secrets do not print.
"""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from aboveboard.errors import SettingsInvalid
from aboveboard.targets import Targets

PREFIX = "ABOVEBOARD_"
DEFAULT_SITE_URL = "http://localhost:8080"
SHA256_DIGITS = 64


def _address(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an http or https address with a host")
    return value


def _public(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an http or https address with a host, without a query")
    return value


def _database(value: SecretStr) -> SecretStr:
    # A variable that came out empty, as of a secret that is not there, is no wish for SQLite.
    if not value.get_secret_value():
        raise ValueError("expected postgresql://…, got nothing; leave it out for SQLite")
    return value


def _token(value: SecretStr) -> SecretStr:
    # Whoever sends no token at all would have the empty one.
    if not value.get_secret_value():
        raise ValueError("expected a word, got nothing; leave it out for this machine alone")
    return value


def _folder(value: object) -> object:
    # Of nothing Path makes the directory that happens to be the present one.
    if value == "":
        raise ValueError("expected a directory, got nothing")
    return value


def split_list(value: str) -> list[str]:
    """Read a list given with commas: of names, addresses, networks or digests."""
    return [one.strip().lower() for one in value.split(",") if one.strip()]


def _targets(value: str) -> str:
    Targets(split_list(value))
    return value


def _networks(value: str) -> str:
    for one in split_list(value):
        try:
            ip_network(one)
        except ValueError:
            raise ValueError("expected addresses and networks, such as 10.0.0.0/8") from None
    return value


def _digests(value: str) -> str:
    for one in split_list(value):
        if len(one) != SHA256_DIGITS or not set(one) <= set("0123456789abcdef"):
            raise ValueError(f"expected SHA-256 digests of {SHA256_DIGITS} hexadecimal digits")
    return value


Folder = Annotated[Path, BeforeValidator(_folder)]
Address = Annotated[SecretStr, AfterValidator(_address)]  # a secret: who knows it may post to it


class Settings(BaseSettings):
    """One field a setting; the description is what `aboveboard config show` prints."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    data_dir: Folder = Field(Path("data"), description="where databases and keys live")
    database_url: Annotated[SecretStr, AfterValidator(_database)] | None = Field(
        None, description="postgresql://… for PostgreSQL; unset means SQLite in the data directory"
    )
    postgres_bin: Folder | None = Field(
        None, description="directory of pg_dump and psql, for backups; unset means the PATH"
    )
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="TCP port to listen on; 0 picks a free one")
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="addresses and networks, by comma, of reverse proxies: whose X-Forwarded-For "
        "says who asks, and whose X-Forwarded-Proto says how; unset means nobody's",
    )
    site_url: str = Field(
        DEFAULT_SITE_URL, description="URL of the site that the very first start creates"
    )
    public_url: Annotated[str, AfterValidator(_public)] | None = Field(
        None,
        description="https://… under which clients reach the service, for the documents that tell "
        "them; unset means http and the host that each request names",
    )
    metrics_token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        None, description="bearer token that /metrics asks for; unset means loopback alone"
    )
    header_deadline_s: float = Field(5.0, gt=0, description="seconds a client has for its headers")
    body_deadline_s: float = Field(8.0, gt=0, description="seconds a client has for its body")
    queue_limit: int = Field(
        4096, ge=1, description="writes that may wait for one database before 503"
    )
    checkpoint_dir: Folder | None = Field(
        None,
        description="folder to keep the newest checkpoint of every log in; best on another disk",
    )
    checkpoint_webhook: Address | None = Field(
        None, description="https://… to post the newest checkpoint of every log to"
    )
    checkpoint_interval_s: float = Field(
        3600.0, gt=0, description="seconds between looks at which logs grew"
    )
    webhook_targets: Annotated[str, AfterValidator(_targets)] = Field(
        "",
        description="names, addresses and networks of the inside, by comma, that webhooks of sites "
        "may post to, also by http; unset means the outside by https alone",
    )
    trusted_pipelines: Annotated[str, AfterValidator(_digests)] = Field(
        "",
        description="SHA-256, by comma, of the joblib files that may be loaded as a classifier; "
        "whoever can write such a file can run anything here",
    )
    access_log: bool = Field(False, description="one structured line a request")


def load(**arguments: Any) -> Settings:  # noqa: ANN401 - whatever the command was given
    """Read the settings once; arguments that are None were not given.

    Raises SettingsInvalid, naming the setting and where it was read.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    known = set(Settings.model_fields)
    for name in os.environ:  # noqa: TID251 - this is the file that may
        if name.startswith(PREFIX):
            setting = name.removeprefix(PREFIX).lower()
            if setting not in known:
                raise SettingsInvalid(
                    f"expected one of {', '.join(sorted(known))}, got the variable {name}"
                )
    try:
        folder = given.get("data_dir") or Settings().data_dir
        path = Path(folder) / "aboveboard.toml"
        read = _read_file(path)
        # A file ranks below the environment: what a variable sets is left out of the file's part.
        environment = Settings().model_fields_set
        values = {name: value for name, value in read.items() if name not in environment}
        return Settings(**{**values, **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"setting {name}: {first['msg'].lower()}") from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(f"expected a TOML file at {path}, got: {error}") from error
    if "data_dir" in values:
        raise SettingsInvalid(f"{path}: expected no data_dir, for the file lies in it, got one")
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise SettingsInvalid(
            f"{path}: expected only {', '.join(sorted(Settings.model_fields))}, "
            f"got {', '.join(unknown)}"
        )
    return values
