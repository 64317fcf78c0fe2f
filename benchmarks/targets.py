"""What the service must reach: a floor and an aim for each figure, judged by the run itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mark(StrEnum):
    """How a figure stands; the values are the words of the report."""

    AIM = "aim reached"
    PASS = "pass"  # noqa: S105 - a mark, not a password
    MISS = "MISS"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure by its name in the results, and where it should lie."""

    figure: str
    says: str
    floor: float
    aim: float
    at_least: bool = True

    def judge(self, figures: Mapping[str, float]) -> Mark:
        """Compare the figure, rounded as it is printed, with floor and aim."""
        if self.figure not in figures:
            return Mark.UNMEASURED
        value = round(figures[self.figure], 2)
        if value >= self.aim if self.at_least else value <= self.aim:
            return Mark.AIM
        if value >= self.floor if self.at_least else value <= self.floor:
            return Mark.PASS
        return Mark.MISS


def _most(figure: str, says: str, floor: float, aim: float) -> Target:
    return Target(figure, says, floor, aim, at_least=False)


TARGETS: Final = (
    Target("sqlite.score.rate", "`/v1/score` requests / echo", 0.50, 0.70),
    Target("sqlite.comment.rate", "`POST /v1/comments` / echo, SQLite", 0.35, 0.55),
    Target("sqlite.consent.rate", "`POST /v1/consent/events` / echo, SQLite", 0.28, 0.45),
    Target("postgresql.comment.rate", "`POST /v1/comments` / echo, PostgreSQL", 0.38, 0.55),
    Target("postgresql.consent.rate", "`POST /v1/consent/events` / echo, PostgreSQL", 0.30, 0.45),
    _most("sqlite.score.cpu", "CPU a request / echo: score", 2.2, 1.6),
    _most("sqlite.comment.cpu", "CPU a request / echo: comment", 3.5, 2.0),
    _most("sqlite.consent.cpu", "CPU a request / echo: consent", 3.5, 2.5),
    _most("sqlite.comment.p99", "p99 / echo p99: comment", 4, 2.5),
    _most("sqlite.consent.p99", "p99 / echo p99: consent", 5, 2.5),
    Target("sqlite.standing.rate", "standing read / echo", 0.35, 0.60),
    _most("sqlite.standing.p99", "p99 / echo p99: standing read", 4, 4),
    _most(
        "sqlite.check.native",
        "CPU: Akismet's comment-check / `POST /v1/comments` that tells the same",
        1.3,
        1.15,
    ),
    _most("sqlite.check.lean", "the same / one without address, browser and page", 1.3, 1.15),
    _most("sqlite.check.p99_ms", "p99 of comment-check in ms, 16 connections", 200, 50),
    _most("postgresql.check.p99_ms", "the same, PostgreSQL", 200, 50),
    _most("sqlite.analyze.native", "CPU: Perspective's analyze / `POST /v1/comments`", 1.3, 1.15),
    _most("sqlite.analyze.p99_ms", "p99 of analyze in ms, 16 connections", 200, 50),
    _most("postgresql.analyze.p99_ms", "the same, PostgreSQL", 200, 50),
    _most("sqlite.moderate.native", "CPU: OpenAI's moderations / `POST /v1/comments`", 1.3, 1.15),
    _most("sqlite.moderate.p99_ms", "p99 of moderations in ms, 16 connections", 200, 50),
    _most("postgresql.moderate.p99_ms", "the same, PostgreSQL", 200, 50),
    Target("group.ratio", "rows a second, grouped / commit per request", 2.5, 4),
    Target("group.ratio_slower", "the same, each commit 2 ms slower", 10, 20),
    Target("scorer.single_ratio", "single score / tf-idf pipeline", 30, 60),
    Target("scorer.batch_ratio", "batch of 64 / its batch", 25, 50),
    _most("frame.framed.cpu", "CPU a request of the middleware / none", 1.10, 1.05),
    _most("audit.missing", "acknowledged rows missing", 0, 0),
    _most("audit.gaps", "gaps and repeats among ledger indexes", 0, 0),
    _most("audit.errors", "answers 5xx and dropped connections", 0, 0),
)
