"""What a key has used, as Akismet tells it: limits, sites, statistics.

Pure. Numbers are texts where Akismet's own samples have texts.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from moderation.cases.usage import Counts

PAGE = 500  # sites, where nothing is asked for
PAGE_LIMIT = 10_000
ORDERS = {"total": "calls", "spam": "spam", "ham": "ham"}
ORDERS |= {name: name for name in ("missed_spam", "false_positives")}
SPANS = {"60-days": 3, "6-months": 7, "all": 1_200}  # months that may hold some of it
SECONDS_SAVED = 15  # for each spam that nobody had to read

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class Asked(NamedTuple):
    """Which sites a client wants to see."""

    month: str
    wanted: str
    order: str
    limit: int
    offset: int
    as_csv: bool


def asked(fields: Mapping[str, str], now: datetime) -> Asked | str:
    """Read what is asked for, or return what is wrong with it."""
    month = fields["month"] or month_of(now)
    if not _MONTH.fullmatch(month):
        return "month: expected YYYY-MM, got something else"
    order = fields["order"] or "total"
    if order not in ORDERS:
        return f"order: expected {', '.join(ORDERS)}, got something else"
    limit, offset = _number(fields["limit"], PAGE), _number(fields["offset"], 0)
    if limit is None or offset is None:
        return "limit, offset: expected numbers from 0 on, got something else"
    if fields["format"] not in {"", "json", "csv"}:
        return "format: expected json or csv, got something else"
    return Asked(
        month, fields["filter"].lower(), order, min(limit, PAGE_LIMIT), offset,
        fields["format"] == "csv",
    )  # fmt: skip


def month_of(moment: datetime) -> str:
    """Return the month that an instant is counted in."""
    return f"{moment.year:04}-{moment.month:02}"


def months_before(month: str, count: int) -> str:
    """Return the month *count* months before, not before the year 1.

    >>> months_before("2026-01", 2)
    '2025-11'
    """
    year, number = (int(part) for part in month.split("-"))
    months = max(12, 12 * year + number - 1 - count)
    return f"{months // 12:04}-{months % 12 + 1:02}"


def until_next_month(now: datetime) -> int:
    """Return how many seconds are left of this month."""
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)  # noqa: PLR2004
    following = now.replace(year=year, month=month, day=1, hour=0, minute=0, second=0)
    return max(1, int((following - now).total_seconds()))


def usage_limit(used: int, limit: int | None, *, extended: bool) -> bytes:
    """Tell how much of the month's calls is used."""
    told: dict[str, Any] = {
        "limit": "none" if limit is None else limit,
        "usage": used,
        "percentage": f"{100 * used / limit:.2f}" if limit else "0.00",
        "throttled": limit is not None and used >= limit,
    }
    if extended:
        told |= {"notice_level": 0, "upgrade": False}
    return orjson.dumps(told)


def key_sites(used: Mapping[str, Counts], want: Asked, key: str) -> bytes:
    """Tell what each site was asked for in a month; sites are known by their hosts."""
    chosen = [(host, counts) for host, counts in used.items() if want.wanted in host.lower()]
    measure = ORDERS[want.order]
    chosen.sort(key=lambda each: (-getattr(each[1], measure), each[0]))
    page = chosen[want.offset : want.offset + want.limit]
    if want.as_csv:
        return _csv(page, len(chosen), want, key)
    sites = [
        {
            "site": host,
            "api_calls": str(counts.calls),
            **{name: str(getattr(counts, name)) for name in Counts._fields[1:]},
            "is_revoked": False,
        }
        for host, counts in page
    ]
    told = {"limit": want.limit, "offset": want.offset, "total": len(chosen)}
    return orjson.dumps({want.month: sites, **told})


def statistics(months: Mapping[str, Counts]) -> bytes:
    """Tell what was asked for over several months, all together and by month."""
    every = total(list(months.values()))
    wrong = every.missed_spam + every.false_positives
    accuracy = 100 * (1 - wrong / every.calls) if every.calls else 100.0
    return orjson.dumps(
        {
            **_numbers(every),
            "accuracy": f"{max(0.0, accuracy):.2f}",
            "time_saved": SECONDS_SAVED * every.spam,
            "breakdown": {month: _numbers(months[month]) for month in sorted(months)},
        }
    )


def subscription(key_id: str, *, limit_reached: bool) -> bytes:
    """Tell that the key is good, in the words that Akismet has for subscriptions."""
    return orjson.dumps(
        {
            "account_id": 0,
            "account_name": key_id,
            "account_type": "self-hosted",
            "status": "active",
            "next_billing_date": False,
            "limit_reached": limit_reached,
        }
    )


def total(counted: Sequence[Counts]) -> Counts:
    """Return the sums."""
    return Counts(*(sum(column) for column in zip(*counted, strict=True))) if counted else Counts()


def _numbers(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts._fields[1:]}


def _csv(page: Sequence[tuple[str, Counts]], count: int, want: Asked, key: str) -> bytes:
    told = io.StringIO()
    told.write(
        f"Active sites for {key} during {want.month} "
        f"(limit:{want.limit}, offset: {want.offset}, total: {count})\n"
    )
    rows = csv.writer(told, lineterminator="\n")
    rows.writerow(
        ["Site", "Total API Calls", "Spam", "Ham", "Missed Spam", "False Positives", "Is Revoked"]
    )
    rows.writerows([host, *counts, "false"] for host, counts in page)
    return told.getvalue().encode()


def _number(text: str, default: int) -> int | None:
    if not text:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None  # noqa: PLR2004
