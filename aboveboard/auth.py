"""Who is asking, with which scopes, for which site."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from aboveboard.accounts import Accounts, Caller, parse_url
from aboveboard.errors import (
    ScopeMissing,
    SiteNotFound,
    SiteUnclear,
    TooManyFailures,
    Unauthenticated,
    UrlUnusable,
)

FAILURES_A_MINUTE = 30
NETWORK = 64  # bits of an IPv6 address: the rest is its owner's to choose, for every try anew


class Authenticator:
    """Turns a bearer key into a caller; counts wrong keys by address, in this process.

    Of IPv6 those of one network count as one.
    """

    def __init__(self, accounts: Accounts, *, failures_a_minute: int = FAILURES_A_MINUTE) -> None:
        self._accounts = accounts
        # Its minute begins with an address's first wrong key, and then the address is forgotten;
        # in memory a moving window keeps addresses for ever.
        self._failures = FixedWindowRateLimiter(MemoryStorage())
        self._allowed = RateLimitItemPerMinute(failures_a_minute)

    async def authenticate(self, header: str | None, *, scope: str, address: str) -> Caller:
        """Return who sent *header* (`Bearer KEY`) from *address*.

        Raises Unauthenticated, TooManyFailures after too many wrong keys from one address, and
        ScopeMissing when the key is not good for *scope*.
        """
        kind, _, key = (header or "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise Unauthenticated("expected the header Authorization: Bearer KEY")
        return await self.identify(key.strip(), scope=scope, address=address)

    async def identify(self, key: str, *, scope: str, address: str) -> Caller:
        """Return whom *key* belongs to, wherever in a request it stood.

        Raises as `authenticate` does.
        """
        # A wrong key is counted, a right one never is: guessing is slowed down, serving is not.
        caller = await self._accounts.find_caller(key)
        if caller is None:
            if not self._failures.hit(self._allowed, _counted(address)):
                raise self._too_many()
            raise Unauthenticated("expected a known API key, got one that is unknown or revoked")
        if caller.key_id.startswith("legacy-") and not self._failures.test(
            self._allowed, _counted(address)
        ):
            # 48 bits can be guessed: an address that guesses learns nothing more for a while.
            raise self._too_many()
        if scope not in caller.scopes:
            raise ScopeMissing(f"expected a key with the scope {scope}, got one without it")
        return caller

    def _too_many(self) -> TooManyFailures:
        return TooManyFailures(
            f"expected at most {self._allowed.amount} wrong keys a minute from one address"
        )

    async def site_at(self, caller: Caller, url: str) -> str:
        """Return the site of the key that lives at *url*.

        Host and path decide, not scheme, port or a leading `www.`; of several the one whose path
        is the longest that *url* begins with. Raises SiteNotFound.
        """
        host, path = _parts(url) or ("", "")
        paths: dict[str, str] = {}
        for site_id in caller.sites:
            there = _parts((await self._accounts.get_site(site_id)).url)
            if there and there[0] == host and f"{path}/".startswith(f"{there[1]}/"):
                paths[site_id] = there[1]
        if not paths:
            raise SiteNotFound("expected the address of a site of this key, got another")
        return max(paths, key=lambda site_id: len(paths[site_id]))


def _counted(address: str) -> str:
    """Return what wrong keys from *address* are counted by."""
    try:
        found = ip_address(address)
    except ValueError:  # a proxy may forward anything
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), NETWORK), strict=False))


@lru_cache(maxsize=1024)
def _parts(url: str) -> tuple[str, str] | None:
    """Return the host and the path of an address as sites are told apart, or None."""
    given = url.strip()
    try:
        address, host = parse_url(
            (given if "://" in given else f"http://{given}").partition("?")[0]
        )
    except UrlUnusable:
        return None
    return host.removeprefix("www."), urlsplit(address).path


def site_of(caller: Caller, named: str | None) -> str:
    """Return the site a request speaks for: the one it names, else the key's only one.

    Raises SiteNotFound for a site that the key is not good for, as if it did not exist, and
    SiteUnclear when several are possible.
    """
    if named is not None:
        if named not in caller.sites:
            raise SiteNotFound("expected a site of this key, got another")
        return named
    if len(caller.sites) != 1:
        raise SiteUnclear(
            "expected the X-Site header or a site member, for this key has "
            f"{len(caller.sites)} sites, got neither"
        )
    return caller.sites[0]
