"""What a comment has in common with others: author, address, link domains, words.

Pure: no clock, no database, no model.
"""

from datetime import date
from typing import NamedTuple

from moderation.policy.pseudonym import Address, Pseudonyms
from moderation.policy.resemblance import resemblance
from moderation.text.links import find_domains


class Author(NamedTuple):
    """Who wrote a comment, as far as the site said."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    url: str | None = None
    ip: Address | None = None
    user_agent: str | None = None


class Traits(NamedTuple):
    """What is stored of a comment to find others by; None or empty where there is none.

    *author_ref* is a pseudonym for good, *address_ref* one of a day. *domains* are those that the
    text links to. *fingerprint* and *signature* are `moderation.policy.resemblance`'s.
    """

    author_ref: str | None = None
    address_ref: str | None = None
    domains: tuple[str, ...] = ()
    fingerprint: str | None = None
    signature: str | None = None


NOBODY = Author()
NOTHING = Traits()


class Tracing:
    """Finds the traits of a comment."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def find(self, site_id: str, author: Author, text: str) -> Traits:
        """Return what is kept of every comment."""
        ref = self._pseudonyms.author(site_id, author_id=author.id, email=author.email)
        return Traits(ref, None, find_domains(text))

    def compare(self, traits: Traits, text: str) -> Traits:
        """Add what *text* is compared by."""
        same = resemblance(text)
        return traits._replace(fingerprint=same.fingerprint, signature=same.signature)

    def locate(self, site_id: str, author: Author, *, on: date) -> str | None:
        """Return where a comment came from, as it is named on that day."""
        return None if author.ip is None else self._pseudonyms.address(site_id, author.ip, on=on)
