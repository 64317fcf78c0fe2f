"""The parts list: everything the service is made of, put together once.

No work at import time; `assemble` opens, `Service.close` closes.
"""

import asyncio
import gc
import hmac
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from aboveboard import clock, openapi, problems
from aboveboard.accounts import Accounts
from aboveboard.auth import Authenticator
from aboveboard.checkpoints import Folder, Logs, Place, Pushing, Webhook, histories
from aboveboard.database import Database
from aboveboard.dialects import Dialects
from aboveboard.erasures import Erasures
from aboveboard.examining import Examining
from aboveboard.housekeeping import Chores, Housekeeping, sync
from aboveboard.installation import AUTHOR, Databases, open_accounts, open_keyring
from aboveboard.keys import Daily, KeyFolder
from aboveboard.limits import BATCH_BYTES
from aboveboard.observe import Head, Metrics, Observed, Probes
from aboveboard.operations import Catalogue, Doorway, Entrance, no_such_route, routes
from aboveboard.posting import Poster
from aboveboard.randomness import Randomness
from aboveboard.sealing import Seal
from aboveboard.selection import Selection
from aboveboard.settings import Settings, split_list
from aboveboard.sweeping import Sweeper
from aboveboard.targets import Targets
from aboveboard.webhooks.callbacks import CallingBack
from aboveboard.webhooks.delivering import Delivering
from aboveboard.webhooks.feeds import ConsentFeed, ModerationFeed
from aboveboard.webhooks.managing import Webhooks
from aboveboard.webhooks.message import Feed
from aboveboard.webhooks.routes import WebhookRoutes
from aboveboard.webhooks.sealing import Sealing
from aboveboard.webhooks.sending import Sender
from aboveboard.writer import CommandWriter, Writer
from consent.audit.auditing import Auditing
from consent.audit.bundling import Bundling
from consent.audit.intake import Intake
from consent.audit.statistics import Counting
from consent.recording.configuring import Configuring
from consent.recording.continuing import Continuing
from consent.recording.proving import Proving
from consent.recording.publishing import Publishing
from consent.recording.recording import Recording
from consent.recording.showing import Showing
from consent.recording.standing import StandingRead
from consent.routes.events import EventRoutes
from consent.routes.evidence import EvidenceRoutes
from consent.routes.history import HistoryRoutes
from consent.routes.logs import LogRoutes
from consent.routes.notices import NoticeRoutes
from consent.routes.records import RecordRoutes
from consent.routes.settings import SettingRoutes
from consent.routes.standings import StandingRoutes
from consent.routes.statistics import StatisticsRoutes
from consent.routes.subjects import SubjectRoutes
from consent.sealing.keyring import Keyring
from consent.subjects.access import Accessing
from consent.subjects.erasure import Erasing, Writing
from consent.subjects.reapplying import Reapplying
from consent.subjects.restriction import Restricting
from consent.tables import IDEMPOTENCY, RECORD, RECORD_PURPOSE, SUBJECT
from moderation.cases import sampling
from moderation.compat.akismet.callbacks import Callbacks
from moderation.compat.akismet.routes import AkismetRoutes
from moderation.compat.configuring import Configuring as CompatConfiguring
from moderation.compat.coral.routes import CoralRoutes
from moderation.compat.feedback import Feedbacking
from moderation.compat.openai.routes import OpenaiRoutes
from moderation.compat.perspective.routes import PerspectiveRoutes
from moderation.compat.routes import CompatRoutes
from moderation.model.classifier import Classifier
from moderation.policy.configuring import Configuring as PolicyConfiguring
from moderation.policy.configuring import Policies
from moderation.policy.configuring import Writing as PolicyWriting
from moderation.policy.judging import Bands, Policy
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.rehearsal import Rehearsing
from moderation.policy.traits import Tracing
from moderation.review.erasing import Erasing as ErasingComments
from moderation.review.erasing import Writing as ErasingWriting
from moderation.review.reviewing import Review
from moderation.review.reviewing import Writing as ReviewWriting
from moderation.routes.cases import CaseRoutes
from moderation.routes.comments import CommentRoutes
from moderation.routes.decisions import DecisionRoutes
from moderation.routes.policies import PolicyRoutes
from moderation.routes.review import ReviewRoutes
from moderation.screening import Screening
from moderation.wire import comments as wire
from moderation.wire import document
from moderation.wire.cursor import Cursors

CORAL_SECRET = b"coral-secret/v1\x00"
CALLBACK_KEY = b"akismet-callback/v1\x00"
GARBAGE_OBJECTS = 20_000  # new containers before Python looks for cycles; its own default is 700

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
)
"""The tables of moderation that an erasure takes from."""


def open_pushing(settings: Settings, database: Database, keyring: Keyring) -> Pushing:
    """Put together what hands checkpoints on to where the settings want them kept."""
    logs = Logs(database, keyring)
    places: list[Place] = []
    if settings.checkpoint_dir is not None:
        places.append(Folder(settings.checkpoint_dir, logs))
    if settings.checkpoint_webhook is not None:
        places.append(Webhook(settings.checkpoint_webhook))
    return Pushing(places, logs, interval_s=settings.checkpoint_interval_s)


def open_bundling(settings: Settings, databases: Databases) -> Bundling:
    """Put together what writes evidence bundles."""
    return Bundling(
        keyring=open_keyring(settings, Randomness()),
        reading=databases.consent,
        clock=clock.now,
        made_by=f"aboveboard {version('aboveboard')}",
        history=histories(settings.checkpoint_dir),
    )


def open_continuing(settings: Settings, databases: Databases) -> Continuing:
    """Put together what begins new epochs: before the service starts, and for commands."""
    random = Randomness()
    return Continuing(
        keyring=open_keyring(settings, random),
        writing=CommandWriter(databases.consent),
        reading=databases.consent,
        clock=clock.now,
        ids=clock.uuid7(random),
    )


@dataclass(frozen=True, slots=True)
class Telling:
    """What tells sites of what happens."""

    webhooks: Webhooks
    delivering: Delivering


def open_telling(
    settings: Settings, databases: Databases, writing: Writer | CommandWriter, auditing: Auditing
) -> Telling:
    """Put webhooks together, for the service and for commands beside it."""
    random = Randomness()
    feeds: list[Feed] = [ConsentFeed(auditing), ModerationFeed(databases.moderation)]
    targets = Targets(split_list(settings.webhook_targets))
    sealing = Sealing(KeyFolder(settings.data_dir).get("pepper", make=False), random)
    sender = Sender(
        poster=Poster(check=targets.check_address),
        targets=targets,
        sealing=sealing,
        clock=clock.now,
    )
    reading = databases.aboveboard
    webhooks = Webhooks(
        feeds=feeds,
        targets=targets,
        sealing=sealing,
        sender=sender,
        writing=writing,
        reading=reading,
        clock=clock.now,
        ids=clock.uuid7(random),
    )
    delivering = Delivering(
        feeds=feeds,
        sender=sender,
        writing=writing,
        reading=reading,
        clock=clock.now,
        random=random,
        # Only one process serves SQLite: after a crash the next one goes on with its leases.
        holder="alone" if reading.is_sqlite else random(16).hex(),
    )
    return Telling(webhooks, delivering)


def open_webhooks(
    settings: Settings, databases: Databases
) -> tuple[Webhooks, Callable[[], Awaitable[None]]]:
    """Return the webhooks for a command, and what lets go of their connections."""
    keyring = open_keyring(settings, Randomness())
    auditing = Auditing(keyring=keyring, reading=databases.consent)
    telling = open_telling(settings, databases, CommandWriter(databases.aboveboard), auditing)
    return telling.webhooks, telling.delivering.close


def open_sweeper(databases: Databases) -> Sweeper:
    """Return what looks after the bytes of records that were erased."""
    erased_from = (RECORD, RECORD_PURPOSE, SUBJECT, IDEMPOTENCY)
    return Sweeper(databases.consent, [table.name for table in erased_from])


@dataclass(frozen=True, slots=True)
class Subjects:
    """The use cases of a person's rights."""

    accessing: Accessing
    erasing: Erasing
    restricting: Restricting
    sweeper: Sweeper


def open_subjects(
    settings: Settings,
    databases: Databases,
    writing: Writing,
    *,
    keyring: Keyring,
    ids: clock.Ids,
) -> Subjects:
    """Put together what answers a person, for the service and for commands beside it."""
    reading, note = databases.consent, Erasures(settings.data_dir).note
    sweeper = open_sweeper(databases)
    return Subjects(
        Accessing(keyring=keyring, reading=reading, clock=clock.now),
        Erasing(
            keyring=keyring,
            writing=writing,
            reading=reading,
            clock=clock.now,
            ids=ids,
            note=note,
            sweep=sweeper.sweep,
            sweep_later=sweeper.note,
        ),
        Restricting(keyring=keyring, writing=writing, clock=clock.now, ids=ids, note=note),
        sweeper,
    )


def open_examining(settings: Settings, databases: Databases) -> Examining:
    """Put together what checks the rows of consent."""
    return Examining(databases.consent, open_keyring(settings, Randomness()))


def open_intake(settings: Settings, databases: Databases, sweeper: Sweeper) -> Intake:
    """Put together what takes evidence bundles in."""
    return Intake(
        keyring=open_keyring(settings, Randomness()),
        writing=CommandWriter(databases.consent),
        sweep=sweeper.sweep,
    )


def open_reapplying(settings: Settings, databases: Databases, sweeper: Sweeper) -> Reapplying:
    """Put together what erases again after a restore."""
    return Reapplying(
        keyring=open_keyring(settings, Randomness()),
        writing=CommandWriter(databases.consent),
        reading=databases.consent,
        clock=clock.now,
        sweep=sweeper.sweep,
    )


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
    writing: PolicyWriting,
    model: Classifier,
) -> Governance:
    """Put together what policies need, for the service and for commands beside it."""
    keys, reading = KeyFolder(settings.data_dir), databases.moderation
    address_keys = Daily(keys, "address", clock=clock.now)
    pseudonyms = Pseudonyms(author_key=keys.get(AUTHOR, make=False), address_key=address_keys)
    tracing = Tracing(pseudonyms)

    def compiling(number: str, content: str) -> Policy:
        return document.read_json(content).policy(number, policies.default.bands)

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
    rehearsing = Rehearsing(reading=reading, tracing=tracing)
    return Governance(policies, configuring, rehearsing, tracing, pseudonyms, address_keys)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The use cases of review, and what looks after the bytes of comments that were erased."""

    review: Review
    sweeper: Sweeper


def open_erasing(
    settings: Settings, databases: Databases, writing: ErasingWriting
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


def open_review(
    settings: Settings,
    databases: Databases,
    writing: ReviewWriting,
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
    return Reviewed(review, sweeper)


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


def review_routes(
    settings: Settings, review: Review
) -> tuple[CaseRoutes, DecisionRoutes, ReviewRoutes]:
    """Return what offers review over HTTP."""
    fingerprint = fingerprints(settings, "review")
    return (
        CaseRoutes(
            review, clock=clock.now, fingerprint=fingerprint, cursors=open_cursors(settings)
        ),
        DecisionRoutes(review, refuse=problems.render, fingerprint=fingerprint),
        ReviewRoutes(review, fingerprint=fingerprint),
    )


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


def assemble(settings: Settings, databases: Databases) -> ASGIApp:
    """Put the service together over migrated databases."""
    accounts = open_accounts(settings, databases)
    random = Randomness()
    ids = clock.uuid7(random)

    comments = Writer(databases.moderation, limit=settings.queue_limit)
    moderating = open_moderation(settings, databases, comments, ids)
    governance, reviewed = moderating.governance, moderating.reviewed

    choices = Writer(databases.consent, limit=settings.queue_limit)
    keyring = open_keyring(settings, random)
    recording = Recording(keyring=keyring, writing=choices, clock=clock.now, ids=ids)
    standing = StandingRead(keyring=keyring, looking=databases.consent, clock=clock.now)
    publishing = Publishing(
        keyring=keyring,
        writing=choices,
        reading=databases.consent,
        clock=clock.now,
        changed=standing.forget,
    )
    showing = Showing(keyring=keyring, writing=choices, clock=clock.now)
    configuring = Configuring(
        writing=choices, reading=databases.consent, clock=clock.now, changed=standing.forget
    )
    proving = Proving(keyring=keyring, reading=databases.consent)
    auditing = Auditing(keyring=keyring, reading=databases.consent)
    administering = Writer(databases.aboveboard, limit=settings.queue_limit)
    telling = open_telling(settings, databases, administering, auditing)
    pushing = open_pushing(settings, databases.consent, keyring)
    subjects = open_subjects(settings, databases, choices, keyring=keyring, ids=ids)

    catalogue = Catalogue()
    CommentRoutes(
        moderating.screening, refuse=problems.render, fingerprint=fingerprints(settings, "comments")
    ).declare(catalogue.declare, batch_bytes=BATCH_BYTES)
    PolicyRoutes(
        configuring=governance.configuring,
        policies=governance.policies,
        rehearsing=governance.rehearsing,
        clock=clock.now,
    ).declare(catalogue.declare, policy_bytes=BATCH_BYTES)
    for offered in (
        *review_routes(settings, reviewed.review),
        EventRoutes(recording=recording, showing=showing),
        StandingRoutes(standing=standing),
        SettingRoutes(configuring=configuring),
        NoticeRoutes(publishing=publishing, host_of=accounts.host_of),
        SubjectRoutes(
            accessing=subjects.accessing,
            erasing=subjects.erasing,
            restricting=subjects.restricting,
        ),
        LogRoutes(proving=proving),
        RecordRoutes(auditing=auditing),
        HistoryRoutes(auditing=auditing),
        StatisticsRoutes(counting=Counting(reading=databases.consent)),
        EvidenceRoutes(auditing=auditing, bundling=open_bundling(settings, databases)),
        WebhookRoutes(telling.webhooks),
    ):
        offered.declare(catalogue.declare)

    spoken = open_dialects(
        settings,
        databases,
        accounts,
        comments,
        governance.policies,
        moderating.screening,
        reviewed.review,
        ids,
        catalogue,
    )

    writers = (comments, choices, administering)
    chores: Chores = {  # by the names that metrics and logs tell
        "forget_keys": moderating.screening.forget_keys,
        "shred_due": subjects.erasing.shred_due,
        "retention": subjects.erasing.keep_to_retention,
        "sweep": partial(subjects.sweeper.finish, choices),
        "address_keys": partial(asyncio.to_thread, governance.address_keys.destroy),
        "forget_deliveries": telling.delivering.forget,
        "comment_retention": reviewed.review.keep_to_retention,
        "comment_alarm": reviewed.review.alarm,
        "comment_index": reviewed.review.tidy,
        "comment_sweep": partial(reviewed.sweeper.finish, comments),
    }
    house = Housekeeping(keyring.keeping, chores)
    metrics = open_metrics(writers, pushing, telling.delivering, house, moderating.screening)
    probes = Probes(
        metrics,
        {
            "aboveboard": Head(databases.aboveboard, administering).check,
            "moderation": Head(databases.moderation, comments).check,
            "consent": Head(databases.consent, choices).check,
        },
        token=settings.metrics_token,
    )
    described = orjson.dumps(openapi.describe(catalogue.operations, version=version("aboveboard")))

    async def openapi_json(_request: Request) -> Response:
        return Response(described, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(sync, keyring.keeping)
            for writer in writers:
                writer.start()
                stack.push_async_callback(writer.stop)
            for closing in (pushing, telling.delivering, spoken.calling_back):
                stack.push_async_callback(closing.close)
            for work in (
                house.run(),
                pushing.run(),
                telling.delivering.run(),
                spoken.calling_back.run(),
                moderating.selection.follow(moderating.use),
            ):
                stack.callback(asyncio.create_task(work).cancel)
            # What start-up made stays; requests make much that soon goes by itself.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_OBJECTS)
            yield
            probes.stopping = True

    doors = open_doors(catalogue, spoken.dialects, Authenticator(accounts))
    app = Starlette(
        routes=[
            *routes(doors),
            Route("/healthz", probes.healthz),
            Route("/readyz", probes.readyz),
            Route("/metrics", probes.metrics),
            Route("/openapi.json", openapi_json),
        ],
        exception_handlers={HTTPException: no_such_route},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # one address, one spelling
    return Observed(Entrance(doors, app), metrics=metrics, access_log=settings.access_log)


@dataclass(frozen=True, slots=True)
class Spoken:
    """The APIs of others, and what tells their clients of what happens later."""

    dialects: Dialects
    calling_back: CallingBack


def open_dialects(
    settings: Settings,
    databases: Databases,
    accounts: Accounts,
    writing: Writer,
    policies: Policies,
    screening: Screening,
    review: Review,
    ids: clock.Ids,
    catalogue: Catalogue,
) -> Spoken:
    """Put the APIs of others together, and what sites set for them."""
    dialects, reading, random = Dialects(), databases.moderation, Randomness()
    targets = Targets(split_list(settings.webhook_targets))
    pepper = KeyFolder(settings.data_dir).get("pepper", make=False)
    keys = Seal(pepper, CALLBACK_KEY, random)
    callbacks = Callbacks(writing=writing, reading=reading, clock=clock.now, seal=keys.seal_text)
    configuring = CompatConfiguring(writing=writing, looking=reading, clock=clock.now)
    feedbacking = Feedbacking(screening, review)
    secrets = Seal(pepper, CORAL_SECRET, random)
    CompatRoutes(configuring, seal=secrets.seal_text).declare(catalogue.declare)
    AkismetRoutes(
        screening=screening,
        feedbacking=feedbacking,
        configuring=configuring,
        reading=reading,
        host_of=accounts.host_of,
        clock=clock.now,
        ids=ids,
        callbacks=callbacks,
    ).declare(dialects.declare)
    PerspectiveRoutes(
        screening=screening,
        feedbacking=feedbacking,
        configuring=configuring,
        public_url=settings.public_url,
        boundary=lambda: random(16).hex(),
    ).declare(dialects.declare)
    OpenaiRoutes(screening=screening, governing=policies, configuring=configuring, ids=ids).declare(
        dialects.declare
    )
    CoralRoutes(screening=screening, configuring=configuring, unseal=secrets.open_text).declare(
        dialects.declare
    )
    calling_back = CallingBack(
        callbacks,
        poster=Poster(check=targets.check_address),
        targets=targets,
        unseal=keys.open_text,
        clock=clock.now,
        random=random,
    )
    return Spoken(dialects, calling_back)


def open_doors(
    catalogue: Catalogue, dialects: Dialects, authenticator: Authenticator
) -> dict[str, Doorway]:
    """Make a door for every path."""
    return {**catalogue.doors(authenticator), **dialects.doors(authenticator)}


def open_metrics(
    writers: Iterable[Writer],
    pushing: Pushing,
    delivering: Delivering,
    house: Housekeeping,
    screening: Screening,
) -> Metrics:
    """Have everything counted that counts for itself."""
    metrics = Metrics()
    for writer in writers:
        metrics.watch(writer)
    metrics.follow(
        "aboveboard_checkpoint_pushes",
        "Checkpoints handed on to where they are kept",
        ["place", "outcome"],
        pushing.outcomes,
    )
    metrics.follow(
        "aboveboard_webhook_tries",
        "Tries to deliver to webhooks",
        ["outcome"],
        delivering.outcomes,
    )
    metrics.follow(
        "aboveboard_chores", "Rounds of housekeeping", ["chore", "outcome"], house.outcomes
    )
    metrics.follow(
        "aboveboard_texts_held",
        "Texts held because they could not be scored or judged",
        ["step"],
        screening.failures,
    )
    metrics.follow_deliveries(lambda: delivering.open)
    return metrics


def open_selection(settings: Settings) -> Selection:
    """Put together what knows which classifier is used."""
    return Selection(settings.data_dir, split_list(settings.trusted_pipelines))


def default_policy(model: Classifier) -> Policy:
    """Return the policy of a site that has set none: the thresholds that came with the model."""
    bands = {label: Bands(at.hold, at.spam) for label, at in model.thresholds.items()}
    return Policy(f"default-{model.name}", bands)
