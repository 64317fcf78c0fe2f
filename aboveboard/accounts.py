"""Who may use the service: sites and their API keys.

Keys are shown once and stored as digests: SHA-256 for ordinary keys, which carry 256 random
bits; HMAC under a server pepper for legacy keys, which carry only 48.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import idna
from sqlalchemy import Connection, bindparam, insert, select, update

from aboveboard.clock import Clock
from aboveboard.database import Database
from aboveboard.errors import (
    KeyNotFound,
    KeyTaken,
    KeyUnusable,
    ScopeUnknown,
    SiteExists,
    SiteNotFound,
    UrlUnusable,
)
from aboveboard.tables import API_KEY, API_KEY_SITE, SITE, instant

LEGACY_KEY = re.compile(r"[0-9a-f]{12}")
ORDINARY_KEY = re.compile(r"ab[a-z2-7]{8}[a-z2-7]{52}")
SLUG_LIMIT = 40
SLUG_LEAST = 3
CACHE_LIFE_S = 1.0
CACHE_LIMIT = 10_000


class Scope(StrEnum):
    """What an API key may be good for."""

    COMMENTS_SUBMIT = "comments:submit"
    COMMENTS_READ = "comments:read"
    COMMENTS_SCORE = "comments:score"
    COMMENTS_REVIEW = "comments:review"
    COMMENTS_FEEDBACK = "comments:feedback"
    CONSENT_NOTICE = "consent:notice"
    CONSENT_RECORD = "consent:record"
    CONSENT_READ = "consent:read"
    CONSENT_ERASE = "consent:erase"
    CONSENT_AUDIT = "consent:audit"
    SITE_ADMIN = "site:admin"


BACKEND_SCOPES = (
    Scope.COMMENTS_SUBMIT,
    Scope.COMMENTS_READ,
    Scope.COMMENTS_SCORE,
    Scope.COMMENTS_FEEDBACK,
    Scope.CONSENT_NOTICE,
    Scope.CONSENT_RECORD,
    Scope.CONSENT_READ,
)
"""What a site backend gets unless its scopes are narrowed."""


@dataclass(frozen=True, slots=True)
class Site:
    """A tenant: *id* is its slug, *host* the A-label form of its URL's host."""

    id: str
    url: str
    host: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: the key's id, what it is good for, and for which sites."""

    key_id: str
    scopes: frozenset[str]
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What may be shown of a key: never the key."""

    id: str
    legacy: bool
    scopes: tuple[str, ...]
    sites: tuple[str, ...]
    created: str
    revoked: str | None


@dataclass(frozen=True, slots=True)
class Created:
    """A new site with the one sight of its first key."""

    site: Site
    key: str


class Accounts:
    """Creates, lists and revokes; and says who a key belongs to."""

    def __init__(self, database: Database, *, pepper: bytes, clock: Clock) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._by_digest = database.prepare(
            select(API_KEY.c.id, API_KEY.c.scopes, API_KEY_SITE.c.site_id)
            .join_from(API_KEY, API_KEY_SITE, API_KEY_SITE.c.key_id == API_KEY.c.id)
            .where(API_KEY.c.digest == bindparam("digest"), API_KEY.c.revoked.is_(None))
            .order_by(API_KEY_SITE.c.site_id)
        )
        self._site_by_id = database.prepare(
            select(SITE.c.id, SITE.c.url, SITE.c.host).where(SITE.c.id == bindparam("id"))
        )
        self._callers: dict[str, tuple[float, Caller]] = {}
        self._sites: dict[str, Site] = {}

    # -- for every request --------------------------------------------------------------------

    async def find_caller(self, key: str) -> Caller | None:
        """Return whom *key* belongs to, or None.

        Known keys are remembered for a second: that is how long a revoked one may go on.
        """
        known = self._callers.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        digest = self._digest(key)
        if digest is None:
            return None
        rows = await self._database.look(self._by_digest, digest=digest)
        if not rows:
            self._callers.pop(key, None)
            return None
        caller = Caller(rows[0][0], frozenset(rows[0][1].split()), tuple(row[2] for row in rows))
        if len(self._callers) >= CACHE_LIMIT:
            self._callers.clear()
        self._callers[key] = (time.monotonic() + CACHE_LIFE_S, caller)
        return caller

    async def get_site(self, site_id: str) -> Site:
        """Return a site; its row never changes, so it is remembered. Raises SiteNotFound."""
        known = self._sites.get(site_id)
        if known is None:
            rows = await self._database.look(self._site_by_id, id=site_id)
            if not rows:
                raise SiteNotFound(f"expected a site, got {site_id!r}, which is none")
            known = self._sites[site_id] = Site(*rows[0])
        return known

    async def host_of(self, site_id: str) -> str:
        """Return the host of a site's URL. Raises SiteNotFound."""
        return (await self.get_site(site_id)).host

    # -- for the operator ---------------------------------------------------------------------

    def has_sites(self) -> bool:
        """Whether any site was ever created."""
        with self._database.read() as connection:
            return connection.execute(select(SITE.c.id).limit(1)).first() is not None

    def list_sites(self) -> list[Site]:
        """Return every site, by slug."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(SITE.c.id, SITE.c.url, SITE.c.host).order_by(SITE.c.id)
            )
            return [Site(*row) for row in rows]

    def create_site(
        self, url: str, *, key: str | None = None, scopes: Iterable[str] | None = None
    ) -> Created:
        """Create a site and a first key for its backend.

        *key* may name a legacy key of 12 hexadecimal characters; otherwise one is made. Raises
        UrlUnusable, SiteExists, KeyUnusable, KeyTaken, ScopeUnknown.
        """
        address, host = parse_url(url)
        chosen = _scopes(scopes)
        with self._database.write() as connection:
            there = connection.execute(
                select(SITE.c.id).where(SITE.c.url == address)
            ).scalar_one_or_none()
            if there is not None:
                raise SiteExists(f"expected a new URL, got {address}, which is site {there!r}")
            taken = set(connection.execute(select(SITE.c.id)).scalars())
            site = Site(next_slug(slug(host), taken), address, host)
            return self._add_site(connection, site, key, chosen)

    def adopt_site(self, site_id: str, url: str) -> Created | None:
        """Create a site under the id that it has had elsewhere, and a first key for its backend.

        None where this very site is here already. Raises UrlUnusable and SiteExists.
        """
        address, host = parse_url(url)
        with self._database.write() as connection:
            there = connection.execute(
                select(SITE.c.id, SITE.c.url).where(
                    (SITE.c.id == site_id) | (SITE.c.url == address)
                )
            ).all()
            if there == [(site_id, address)]:
                return None
            if there:
                raise SiteExists(
                    f"expected neither a site {site_id} nor {address} here, "
                    f"got {there[0].id} for {there[0].url}"
                )
            site = Site(site_id, address, host)
            return self._add_site(connection, site, None, _scopes(None))

    def _add_site(
        self, connection: Connection, site: Site, key: str | None, scopes: tuple[str, ...]
    ) -> Created:
        connection.execute(
            insert(SITE).values(id=site.id, url=site.url, host=site.host, created=self._now())
        )
        return Created(site, self._add_key(connection, [site.id], key, scopes))

    def create_key(
        self,
        site_ids: Iterable[str],
        *,
        key: str | None = None,
        scopes: Iterable[str] | None = None,
    ) -> str:
        """Create a key for one or more sites and return it.

        *key* is as in `create_site`. Raises SiteNotFound, KeyUnusable, KeyTaken, ScopeUnknown.
        """
        chosen = _scopes(scopes)
        wanted = sorted(set(site_ids))
        with self._database.write() as connection:
            known = set(connection.execute(select(SITE.c.id)).scalars())
            for site_id in wanted:
                if site_id not in known:
                    raise SiteNotFound(f"expected a site, got {site_id!r}, which is none")
            return self._add_key(connection, wanted, key, chosen)

    def revoke_key(self, key_id: str) -> None:
        """End a key; a running service follows within a second. Raises KeyNotFound."""
        with self._database.write() as connection:
            done = connection.execute(
                update(API_KEY)
                .where(API_KEY.c.id == key_id, API_KEY.c.revoked.is_(None))
                .values(revoked=self._now())
            )
            if done.rowcount == 0:
                raise KeyNotFound(f"expected a live key's id, got {key_id!r}")

    def list_keys(self) -> list[ListedKey]:
        """Return every key, oldest first, without its secret."""
        with self._database.read() as connection:
            sites: dict[str, list[str]] = {}
            for key_id, site_id in connection.execute(
                select(API_KEY_SITE.c.key_id, API_KEY_SITE.c.site_id).order_by(
                    API_KEY_SITE.c.site_id
                )
            ):
                sites.setdefault(key_id, []).append(site_id)
            rows = connection.execute(
                select(
                    API_KEY.c.id,
                    API_KEY.c.legacy,
                    API_KEY.c.scopes,
                    API_KEY.c.created,
                    API_KEY.c.revoked,
                ).order_by(API_KEY.c.created, API_KEY.c.id)
            )
            return [
                ListedKey(
                    row.id,
                    row.legacy,
                    tuple(row.scopes.split()),
                    tuple(sites.get(row.id, ())),
                    row.created,
                    row.revoked,
                )
                for row in rows
            ]

    def _add_key(
        self, connection: Connection, site_ids: list[str], key: str | None, scopes: tuple[str, ...]
    ) -> str:
        if key is None:
            key_id, key = make_key()
        elif LEGACY_KEY.fullmatch(key):
            key_id = f"legacy-{secrets.token_hex(4)}"
        else:
            raise KeyUnusable(
                "expected a key of exactly 12 hexadecimal characters (0-9, a-f), "
                f"got one of {len(key)} characters; leave it out to have one made"
            )
        digest = self._digest(key)
        there = connection.execute(select(API_KEY.c.id).where(API_KEY.c.digest == digest)).first()
        if there is not None:
            raise KeyTaken(f"expected a new key, got one that exists as {there.id!r}")
        connection.execute(
            insert(API_KEY).values(
                id=key_id,
                digest=digest,
                legacy=bool(LEGACY_KEY.fullmatch(key)),
                scopes=" ".join(scopes),
                created=self._now(),
            )
        )
        connection.execute(
            insert(API_KEY_SITE), [{"key_id": key_id, "site_id": site} for site in site_ids]
        )
        return key

    def _digest(self, key: str) -> str | None:
        if ORDINARY_KEY.fullmatch(key):
            return hashlib.sha256(key.encode()).hexdigest()
        if LEGACY_KEY.fullmatch(key):
            return "legacy:" + hmac.digest(self._pepper, key.encode(), "sha256").hex()
        return None

    def _now(self) -> str:
        return instant(self._clock())


def make_key() -> tuple[str, str]:
    """Return the id and the text of a new API key: `ab`, 8 characters of id, 256 random bits."""
    key_id = b32encode(secrets.token_bytes(5)).decode().lower()
    secret = b32encode(secrets.token_bytes(32)).decode().lower().rstrip("=")
    return key_id, f"ab{key_id}{secret}"


def parse_url(url: str) -> tuple[str, str]:
    """Return a site's URL in one spelling and its host as an A-label. Raises UrlUnusable."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
        if host and not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except (ValueError, idna.IDNAError) as error:
        raise UrlUnusable(f"expected an http or https URL, got {url!r}: {error}") from error
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[a-z0-9._:-]+", host):
        raise UrlUnusable(f"expected an http or https URL with a host, got {url!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UrlUnusable(
            "expected a URL of scheme, host, port and path alone, got one with a user, a query "
            "or a fragment"
        )
    usual = {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in {None, usual} else f"{shown}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}", host


def slug(host: str) -> str:
    """Make a site's id from its host: `[a-z0-9-]{3,40}`."""
    text = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")
    if len(text) < SLUG_LEAST:
        text = f"site-{text}"
    if len(text) > SLUG_LIMIT:
        tail = hashlib.sha256(text.encode()).hexdigest()[:6]
        text = f"{text[: SLUG_LIMIT - 7].rstrip('-')}-{tail}"
    return text


def next_slug(wanted: str, taken: set[str]) -> str:
    """Return *wanted*, or the first of `wanted-2`, `wanted-3`… that was never issued."""
    if wanted not in taken:
        return wanted
    number = 2
    while True:
        tail = f"-{number}"
        candidate = wanted[: SLUG_LIMIT - len(tail)].rstrip("-") + tail
        if candidate not in taken:
            return candidate
        number += 1


def _scopes(scopes: Iterable[str] | None) -> tuple[str, ...]:
    if scopes is None:
        return tuple(scope.value for scope in BACKEND_SCOPES)
    chosen = tuple(dict.fromkeys(scopes))
    known = {scope.value for scope in Scope}
    if not chosen:
        raise ScopeUnknown(f"expected a scope among {', '.join(sorted(known))}, got none")
    for scope in chosen:
        if scope not in known:
            raise ScopeUnknown(f"expected a scope among {', '.join(sorted(known))}, got {scope!r}")
    return chosen
