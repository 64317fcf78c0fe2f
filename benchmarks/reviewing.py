"""`make bench-queue`: a queue of 100,000 open cases over a million comments, on both engines.

Pages of 50 in every order and by every filter, first and later ones, over HTTP by one client;
decisions with their claims, one after the other; the database's own plans. The rows are made in
SQL and look as the service's do; a missed bound ends with status 1. `--small` takes a hundredth.
"""

# ruff: noqa: S608 - the statements are made of our own words alone

import argparse
import http.client
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlencode

from facts import facts, listed
from postgres import embedded
from servers import Server, service
from sqlalchemy import Connection, Select, text

from aboveboard import clock, installation
from aboveboard.accounts import Scope
from aboveboard.database import Database
from aboveboard.settings import Settings
from moderation.cases import search
from moderation.review import paging, queue
from moderation.review.queue import Filter, Order, Shelf

COMMENTS: Final = 1_000_000
CASES: Final = 100_000
ROUNDS: Final = 100  # pages of each kind
DECISIONS: Final = 300
SITE: Final = "bench-example"
BOUND_MS: Final = 50.0  # p95 of a page
RESULTS: Final = Path(__file__).parent / "results"
NOW: Final = "2026-11-28T12:00:00.000000Z"
LABELS: Final = ("spam", "insult", "toxicity", "threat", "obscene")
PAGES: Final[dict[str, dict[str, str]]] = {
    "priority": {},
    "oldest": {"order": "oldest"},
    "newest": {"order": "newest"},
    "unsure": {"order": "unsure"},
    "label": {"label": "insult"},
    "rare label": {"label": "threat"},
    "language": {"language": "de"},
    "reason": {"reason": "spam_score"},
    "age": {"opened_before": "2026-11-10T00:00:00Z"},
    "author": {"author": "author-17"},
    "domain": {"domain": "domain-17.example"},
    "assignee": {"assignee": "ann"},
    "group": {"group": "group-17"},
    "moderator": {"moderator": "ann"},
    "rare words": {"q": "word17 word18"},
    "one common word": {"q": "everywhere"},
    "a word of every fiftieth": {"q": "word12*"},
    "words of no text": {"q": "everywhere nowhere"},
    "resolved": {"shelf": "resolved"},
}


def fill(database: Database, comments: int, cases: int) -> None:
    """Make comments of one site, the last *cases* of which are held, with all that goes along."""
    with database.write() as connection:
        sqlite = connection.dialect.name == "sqlite"
        for statement in _rows(comments, cases, sqlite=sqlite):
            connection.execute(text(statement))
    with database.write() as connection:
        connection.execute(text("ANALYZE"))


def _rows(comments: int, cases: int, *, sqlite: bool) -> list[str]:
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0})"
        if sqlite
        else "WITH n(i) AS (SELECT generate_series(1, {0}))"
    )
    every = numbers.format(comments)

    def hexadecimal(number: str, width: int) -> str:
        return (
            f"printf('%0{width}x', {number})" if sqlite else f"lpad(to_hex({number}), {width}, '0')"
        )

    comment_id = f"{hexadecimal('i', 8)} || '-0000-7000-8000-000000000000'"
    # Two months, in the order of the ids.
    second = f"CAST(i * 5000000.0 / {comments} AS integer)"
    received = (
        f"strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1759276800 + {second}, 'unixepoch')"
        if sqlite
        else f'to_char(to_timestamp(1759276800 + {second}), \'YYYY-MM-DD"T"HH24:MI:SS.000000"Z"\')'
    )
    held = f"i > {comments - cases}"
    said = "'word' || (i % 5000) || ' word' || (i % 5000 + 1) || ' everywhere and nothing'"
    label = "CASE " + " ".join(
        f"WHEN i % 100 < {bound} THEN '{name}'"
        for name, bound in zip(LABELS, (50, 75, 95, 96, 100), strict=True)
    )
    resolved = f"i > {comments - 2 * cases} AND i <= {comments - cases}"
    opened = f"CASE WHEN {resolved} THEN 'resolved' ELSE 'open' END"
    key = "lower(hex({0}))" if sqlite else "encode(convert_to({0}, 'UTF8'), 'hex')"
    site = f"'{SITE}'"
    yes, no = ("1", "0") if sqlite else ("true", "false")
    return [
        (
            f"INSERT INTO comment (site_id, id, external_id, revision, state, received, "
            f"author_ref, version, human) {every} SELECT '{SITE}', {comment_id}, 'c-' || i, 1, "
            f"CASE WHEN {held} THEN 'pending' ELSE 'published' END, {received}, "
            f"'author-' || (i % 20000), i, {no} FROM n"
        ),
        (
            f"INSERT INTO revision (site_id, comment_id, revision, text, text_sha256, "
            f"details, verdict, labels, reasons, model, policy, "
            f"received) {every} SELECT '{SITE}', "
            f"{comment_id}, 1, {said}, '', '{{}}', 'hold', 'null', '[]', 'm', 'p', "
            f"{received} FROM n"
        ),
        (
            f"INSERT INTO event (site_id, seq, at, comment_id, revision, kind, actor_kind, "
            f"to_state) {every} SELECT '{SITE}', i, {received}, {comment_id}, 1, 'submitted', "
            f"'model', "
            f"CASE WHEN {held} THEN 'pending' ELSE 'published' END FROM n"
        ),
        (
            f"INSERT INTO comment_domain (site_id, domain, received, comment_id) {every} "
            f"SELECT '{SITE}', 'domain-' || (i % 3000) || '.example', {received}, "
            f"{comment_id} FROM n "
            "WHERE i % 3 = 0"
        ),
        (
            "INSERT INTO review_case (site_id, comment_id, revision, state, cause, tier, place, "
            f"harm, doubt, label, reason, language, author, fingerprint, opened, openings, "
            f"escalated, "
            f"reporters, report_weight, alarmed, claimed_by, claim_until, resolved) {every} SELECT "
            f"'{SITE}', {comment_id}, 1, {opened}, 'review', 4, "
            f"4e7 + 4 * {second} / 86400.0 - (i % 997) / 997.0, 0.5, (i % 499) / 499.0, "
            f"{label} END, {label} END || '_score', CASE WHEN i % 10 = 0 THEN 'de' ELSE 'en' END, "
            f"'author-' || (i % 20000), 'group-' || (i % 3000), {received}, 1, {no}, 0, 0, {no}, "
            f"CASE WHEN i % 1000 = 7 THEN 'ann' END, "
            f"CASE WHEN i % 1000 = 7 THEN '2099-01-01T00:00:00.000000Z' END, "
            f"CASE WHEN {resolved} THEN {received} END FROM n WHERE i > {comments - 2 * cases}"
        ),
        (
            f"INSERT INTO case_text (site, key, comment_id, text) {every} SELECT "
            f"'s' || {key.format(site)}, 'k' || {key.format(comment_id)}, {comment_id}, {said} "
            f"FROM n WHERE i > {comments - 2 * cases}"
        ),
        (
            f"INSERT INTO review_setting (site_id, setting, changed) SELECT '{SITE}', "
            f"'{{\"sample_rate\": 0}}', '' WHERE {yes} = {yes}"
        ),
    ]


class Moderator:
    """Asks a service over one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a whole answer. Raises RuntimeError unless it is a 200."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: expected 200, got {answer.status}: {told[:500]!r}")
        return dict(json.loads(told))


def paged(moderator: Moderator, query: dict[str, str], rounds: int) -> dict[str, float]:
    """Ask for pages of 50, going on from each to the next; time each in ms."""
    taken, found, cursor = [], 0, None
    for _ in range(rounds):
        asked = query | {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        begun = time.perf_counter()
        page = moderator.ask("GET", f"/v1/cases?{urlencode(asked)}")
        taken.append(1000 * (time.perf_counter() - begun))
        found += len(page["items"])
        cursor = page["next"]
    return {**spread(taken), "cases_a_page": found / rounds}


def decided(moderator: Moderator, rounds: int) -> dict[str, dict[str, float]]:
    """Claim the next case and decide it, one after the other; time both in ms."""
    random, by = Random(7), {"id": "bea"}
    claims, decisions = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        case = moderator.ask("POST", "/v1/cases:claim", {"moderator": by})["case"]
        claimed = time.perf_counter()
        moderator.ask(
            "POST",
            f"/v1/comments/{case['comment_id']}/decisions",
            {
                "moderator": by,
                "action": random.choice(["approve", "reject", "spam"]),
                "reason_code": "insult",
                "revision": case["revision"],
                "version": case["version"],
                "claim_token": case["claim_token"],
            },
        )
        claims.append(1000 * (claimed - begun))
        decisions.append(1000 * (time.perf_counter() - claimed))
    return {"claim": spread(claims), "decision": spread(decisions)}


def spread(taken: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and maximum."""
    return {"p50_ms": median(taken), "p95_ms": quantiles(taken, n=20)[18], "max_ms": max(taken)}


def plans(connection: Connection) -> dict[str, list[str]]:
    """Return how the engine reads the first page of each order and filter."""
    made: dict[str, list[str]] = {}
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    for name, query in PAGES.items():
        wanted = Filter(
            Shelf(query.get("shelf", "open")),
            label=query.get("label"),
            language=query.get("language"),
            reason=query.get("reason"),
            opened_before=query.get("opened_before"),
            author=query.get("author"),
            domain=query.get("domain"),
            assignee=query.get("assignee"),
            fingerprint=query.get("group"),
            words=query.get("q"),
            seen_by=query.get("moderator"),
        )
        query_of_words = search.read(wanted.words or "")
        chosen: Select[Any] = queue.chosen(
            SITE, wanted, Order(query.get("order", "priority")), now=NOW, after=None, limit=51
        )
        if query_of_words is not None:
            # What else there is to it is a walk like those of the other orders.
            chosen = search.found(SITE, query_of_words).limit(paging.RARE + 1)
        compiled = chosen.compile(connection, compile_kwargs={"literal_binds": True})
        rows = connection.exec_driver_sql(f"{explain} {str(compiled).replace('%', '%%')}")
        made[name] = [str(row[-1]) for row in rows]
    return made


def measure(
    server: Server, comments: int, cases: int, *, rounds: int, decisions: int
) -> dict[str, Any]:
    """Fill a queue beside a running service, and ask for it."""
    settings = Settings(data_dir=server.data_dir, database_url=server.database_url)
    databases = installation.open_databases(settings)
    accounts = installation.open_accounts(settings, databases)
    key = accounts.create_key([SITE], scopes=[scope.value for scope in Scope])
    begun = time.perf_counter()
    fill(databases.moderation, comments, cases)
    found: dict[str, Any] = {"fill_s": time.perf_counter() - begun}
    with databases.moderation.read() as connection:
        told = plans(connection)
    databases.close()
    moderator = Moderator(server, key)
    paged(moderator, {}, 10)
    found["pages"] = {
        name: paged(moderator, query, rounds) | {"plan": told[name]}
        for name, query in PAGES.items()
    }
    begun = time.perf_counter()
    found["open"] = moderator.ask("GET", "/v1/cases:count")["open"]
    found["count_ms"] = 1000 * (time.perf_counter() - begun)
    return found | decided(moderator, decisions)


def main() -> int:
    """Measure on both engines, write the results, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="a hundredth, not written down")
    parser.add_argument(
        "--only",
        type=lambda words: words.split(","),
        default=["sqlite", "postgresql"],
        help="engines, with a comma",
    )
    options = parser.parse_args()
    part = 100 if options.small else 1
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="aboveboard-bench-") as name, ExitStack() as stack:
        for engine in options.only:
            print(engine, flush=True)
            postgres = stack.enter_context(embedded()) if engine == "postgresql" else None
            server = stack.enter_context(service(Path(name) / engine, postgres=postgres))
            found[engine] = measure(
                server,
                COMMENTS // part,
                CASES // part,
                rounds=20 if options.small else ROUNDS,
                decisions=30 if options.small else DECISIONS,
            )
    told = facts(comments=f"{COMMENTS // part:,}", cases=f"{CASES // part:,}")
    written = page(told, found)
    print(written)
    if not options.small:
        (RESULTS / "queue.md").write_text(written, encoding="utf-8")
        path = RESULTS / f"{clock.now():%Y-%m-%d}-queue.json"
        path.write_text(json.dumps(told | found, indent=1) + "\n", encoding="utf-8")
    reached = [
        one["p95_ms"] <= BOUND_MS for each in found.values() for one in each["pages"].values()
    ]
    return 0 if all(reached) else 1


def page(told: dict[str, Any], found: dict[str, dict[str, Any]]) -> str:
    """Return what people read."""
    lines = [
        "# The queue at size",
        "",
        "Written by `make bench-queue`: one client, over HTTP, pages of 50, first and later ones.",
        "",
        *listed(told),
    ]
    for engine, one in found.items():
        lines += [
            "",
            f"## {engine}",
            "",
            f"| page of 50, p95 ≤ {BOUND_MS:g} ms | p50 ms | p95 ms | max ms | cases a page | |",
            "|---|--:|--:|--:|--:|---|",
        ]
        lines += [
            f"| {name} | {each['p50_ms']:.1f} | {each['p95_ms']:.1f} | {each['max_ms']:.1f} "
            f"| {each['cases_a_page']:.1f} | {'pass' if each['p95_ms'] <= BOUND_MS else 'MISS'} |"
            for name, each in one["pages"].items()
        ]
        lines += [
            f"| {name} | {one[name]['p50_ms']:.1f} | {one[name]['p95_ms']:.1f} "
            f"| {one[name]['max_ms']:.1f} | | |"
            for name in ("claim", "decision")
        ]
        lines += ["", f"Counting {one['open']:,} open cases: {one['count_ms']:.0f} ms.", ""]
        lines += ["Plans:", "", "```"]
        for name, each in one["pages"].items():
            lines += [name, *(f"  {step}" for step in each["plan"])]
        lines += ["```"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
