"""A blog that speaks Akismet: what its backend sends, over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx2
from conftest import EVERY_SCOPE, Service

RUDE = "you are a fucking idiot and everybody hates you"
HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."
SPAM = "buy cheap viagra now click here http://x.example"
THANKS = "Thanks for making the web a better place."
URL = "https://{}.example.org"


@dataclass
class Blog:
    """A site, its keys, and a client for each of both APIs."""

    akismet: httpx2.Client
    native: httpx2.Client
    url: str
    site: str
    key: str

    def send(self, call: str, version: str = "1.1", **fields: Any) -> httpx2.Response:  # noqa: ANN401
        """Send a form with the key, the blog and an address; None leaves a field out."""
        form = {"api_key": self.key, "blog": self.url, "user_ip": "198.51.100.7", **fields}
        given = {name: value for name, value in form.items() if value is not None}
        return self.akismet.post(f"/{version}/{call}", data=given)

    def check(self, text: str, **fields: Any) -> httpx2.Response:  # noqa: ANN401
        """Check a comment."""
        return self.send("comment-check", comment_content=text, comment_author="Ann", **fields)

    def tell(self, what: str, text: str, **fields: Any) -> httpx2.Response:  # noqa: ANN401
        """Submit what the site's people think of a comment."""
        return self.send(f"submit-{what}", comment_content=text, comment_author="Ann", **fields)

    def comments(self) -> list[dict[str, Any]]:
        """Read what is stored."""
        return list(self.native.get("/v1/comments").json()["items"])

    def comment(self) -> dict[str, Any]:
        """Read the only comment."""
        (found,) = self.comments()
        return found

    def events(self) -> list[dict[str, Any]]:
        """Read what happened to the only comment."""
        return list(self.native.get(f"/v1/cases/{self.comment()['id']}").json()["events"])

    def set(self, **akismet: Any) -> None:  # noqa: ANN401
        """Set how Akismet's clients are answered."""
        self.native.put("/v1/compat/settings", json={"akismet": akismet}).raise_for_status()


def open_blog(service: Service, name: str, key: str | None = None) -> Blog:
    """Create a site with a key for everything, without a blind sample."""
    site = service.add_site(URL.format(name), key=key, scopes=EVERY_SCOPE)
    native = service.client(site.key)
    native.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
    return Blog(service.client(), native, site.url, site.id, site.key)
