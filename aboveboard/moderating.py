"""What moderation is made of: its use cases over an installation, put together once."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aboveboard import clock
from aboveboard.erasures import Erasures
from aboveboard.installation import AUTHOR, Databases
from aboveboard.keys import Daily, KeyFolder
from aboveboard.rows import Rows
from aboveboard.selection import Selection
from aboveboard.settings import Settings, split_list
from aboveboard.sweeping import Sweeper
from aboveboard.writer import Writer
from moderation.cases import sampling
from moderation.database import Writing
from moderation.model.classifier import Classifier
from moderation.policy.configuring import Configuring as PolicyConfiguring
from moderation.policy.configuring import Policies
from moderation.policy.judging import Bands, Policy
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.rehearsal import Rehearsing
from moderation.policy.traits import Tracing
from moderation.review.authors import Authors
from moderation.review.erasing import Erasing as ErasingComments
from moderation.review.reviewing import Review
from moderation.review.upkeep import Upkeep
from moderation.screening import Screening
from moderation.wire import comments as wire
from moderation.wire import document
from moderation.wire.cursor import Cursors

ERASED_COMMENTS = (
    "comment",
    "revision",
    "review_case",
    "case_text",
    "review_note",
    "idempotency",
    "report",
    "comment_domain",
    "comment_band",
    "compat_callback",
)
"""The tables of moderation that an erasure takes from."""


@dataclass(frozen=True, slots=True)
class Governance:
    """The use cases of policies, and what rules know comments by."""

    policies: Policies
    configuring: PolicyConfiguring
    rehearsing: Rehearsing
    tracing: Tracing
    pseudonyms: Pseudonyms
    address_keys: Daily


def open_governance(
    settings: Settings,
    databases: Databases,
    writing: Writing,
    model: Classifier,
) -> Governance:
    """Put together what policies need, for the service and for commands beside it."""
    reading = databases.moderation
    pseudonyms, address_keys = open_pseudonyms(settings)
    tracing = Tracing(pseudonyms)

    def compiling(number: str, content: str) -> Policy:
        return document.read_stored(content).policy(number, policies.default.bands)

    policies = Policies(
        default=default_policy(model), compiling=compiling, looking=reading, clock=clock.now
    )
    configuring = PolicyConfiguring(
        compiling=compiling,
        writing=writing,
        reading=reading,
        clock=clock.now,
        changed=policies.forget,
    )
    rehearsing = Rehearsing(reading=reading, asking=Rows, tracing=tracing)
    return Governance(policies, configuring, rehearsing, tracing, pseudonyms, address_keys)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The use cases of review, what is done every hour, what looks after erased bytes."""

    review: Review
    authors: Authors
    upkeep: Upkeep
    erasing: ErasingComments
    sweeper: Sweeper


def open_erasing(
    settings: Settings, databases: Databases, writing: Writing
) -> tuple[ErasingComments, Sweeper]:
    """Put together what erases comments, and what looks after their bytes."""
    sweeper = Sweeper(databases.moderation, ERASED_COMMENTS, words=True)
    erasing = ErasingComments(
        writing=writing,
        reading=databases.moderation,
        clock=clock.now,
        note=Erasures(settings.data_dir).note,
        sweep=sweeper.note,
    )
    return erasing, sweeper


def open_pseudonyms(settings: Settings) -> tuple[Pseudonyms, Daily]:
    """Put together what names authors and, under keys of a day each, addresses."""
    keys = KeyFolder(settings.data_dir)
    address_keys = Daily(keys, "address", clock=clock.now)
    author_key = keys.get(AUTHOR, make=False)
    return Pseudonyms(author_key=author_key, address_key=address_keys), address_keys


def open_authors(settings: Settings, databases: Databases, erasing: ErasingComments) -> Authors:
    """Put together what authors may ask for, for commands beside the service."""
    pseudonyms, _ = open_pseudonyms(settings)
    return Authors(reading=databases.moderation, naming=pseudonyms.author, erasing=erasing)


def open_review(
    settings: Settings,
    databases: Databases,
    writing: Writing,
    pseudonyms: Pseudonyms,
    ids: clock.Ids,
    screening: Screening,
) -> Reviewed:
    """Put together what moderators and readers who report need."""
    erasing, sweeper = open_erasing(settings, databases, writing)
    review = Review(
        writing=writing,
        reading=databases.moderation,
        clock=clock.now,
        ids=ids,
        reporter=pseudonyms.reader,
        erasing=erasing,
        explain=partial(screening.explain, floor=0.0),
    )
    upkeep = Upkeep(writing=writing, reading=databases.moderation, clock=clock.now, erasing=erasing)
    authors = Authors(reading=databases.moderation, naming=pseudonyms.author, erasing=erasing)
    return Reviewed(review, authors, upkeep, erasing, sweeper)


@dataclass(frozen=True, slots=True)
class Moderating:
    """The use cases of comments, over the classifier that is selected."""

    governance: Governance
    screening: Screening
    reviewed: Reviewed
    selection: Selection

    def use(self, model: Classifier) -> None:
        """Score, and judge by default, as *model* says; at once, so that the two never differ."""
        self.governance.policies.use(default_policy(model))
        self.screening.use(model)


def open_moderation(
    settings: Settings, databases: Databases, comments: Writer, ids: clock.Ids
) -> Moderating:
    """Put together what a comment meets. Raises BundleRefused."""
    selection = open_selection(settings)
    model = selection.load()
    governance = open_governance(settings, databases, comments, model)
    screening = Screening(
        classifier=model,
        governing=governance.policies,
        tracing=governance.tracing,
        writing=comments,
        reading=databases.moderation,
        clock=clock.now,
        ids=ids,
        encode=wire.encode,
        draw=sampling.draw(fingerprints(settings, "sample")),
    )
    reviewed = open_review(settings, databases, comments, governance.pseudonyms, ids, screening)
    return Moderating(governance, screening, reviewed, selection)


def open_cursors(settings: Settings) -> Cursors:
    """Return what seals cursors, under a key of their own."""
    key = KeyFolder(settings.data_dir).get("fingerprint")
    return Cursors(hmac.digest(key, b"cursor\0", "sha256"))


def fingerprints(settings: Settings, purpose: str) -> Callable[[bytes], str]:
    """Return a keyed digest of request bodies: nobody without the key can try bodies."""
    key = KeyFolder(settings.data_dir).get("fingerprint")
    keyed = hmac.new(key, purpose.encode() + b"\0", "sha256")

    def fingerprint(body: bytes) -> str:
        digest = keyed.copy()
        digest.update(body)
        return digest.hexdigest()

    return fingerprint


def open_selection(settings: Settings) -> Selection:
    """Put together what knows which classifier is used."""
    return Selection(settings.data_dir, split_list(settings.trusted_pipelines))


def default_policy(model: Classifier) -> Policy:
    """Return the policy of a site that has set none: the thresholds that came with the model."""
    bands = {label: Bands(at.hold, at.spam) for label, at in model.thresholds.items()}
    return Policy(f"default-{model.name}", bands)
