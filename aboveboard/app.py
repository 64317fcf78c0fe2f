"""The parts list: everything the service is made of, put together once.

The parts of either half are in `consenting` and `moderating`, those of webhooks in `telling`. No
work at import time.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
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
from aboveboard.background import Background
from aboveboard.checkpoints import Pushing
from aboveboard.consenting import open_bundling, open_consent, open_pushing
from aboveboard.dialects import Dialects
from aboveboard.housekeeping import Chores, Housekeeping, sync
from aboveboard.installation import Databases, open_accounts
from aboveboard.keys import KeyFolder
from aboveboard.limits import BATCH_BYTES
from aboveboard.moderating import Moderating, fingerprints, open_cursors, open_moderation
from aboveboard.observe import Head, Metrics, Observed, Probes
from aboveboard.operations import Catalogue, Doorway, Entrance, no_such_route, routes
from aboveboard.posting import Poster
from aboveboard.randomness import Randomness
from aboveboard.sealing import Seal
from aboveboard.settings import Settings, split_list
from aboveboard.targets import Targets
from aboveboard.telling import open_telling
from aboveboard.webhooks.callbacks import CallingBack
from aboveboard.webhooks.delivering import Delivering
from aboveboard.webhooks.messages import MESSAGES
from aboveboard.webhooks.routes import WebhookRoutes
from aboveboard.writer import Writer
from consent.audit.statistics import Counting
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
from moderation.compat.akismet.callbacks import Callbacks
from moderation.compat.akismet.routes import AkismetRoutes
from moderation.compat.configuring import Configuring as CompatConfiguring
from moderation.compat.coral.routes import CoralRoutes
from moderation.compat.feedback import Feedbacking
from moderation.compat.openai.routes import OpenaiRoutes
from moderation.compat.perspective.routes import PerspectiveRoutes
from moderation.compat.routes import CompatRoutes
from moderation.review.reviewing import Review
from moderation.routes.authors import AuthorRoutes
from moderation.routes.cases import CaseRoutes
from moderation.routes.comments import CommentRoutes
from moderation.routes.decisions import DecisionRoutes
from moderation.routes.policies import PolicyRoutes
from moderation.routes.review import ReviewRoutes
from moderation.screening import Screening

CORAL_SECRET = b"coral-secret/v1\x00"
CALLBACK_KEY = b"akismet-callback/v1\x00"
GARBAGE_OBJECTS = 20_000  # new containers before Python looks for cycles; its own default is 700


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


def assemble(settings: Settings, databases: Databases) -> ASGIApp:
    """Put the service together over migrated databases."""
    accounts = open_accounts(settings, databases)
    ids = clock.uuid7(Randomness())

    comments = Writer(databases.moderation, limit=settings.queue_limit)
    moderating = open_moderation(settings, databases, comments, ids)
    governance, reviewed = moderating.governance, moderating.reviewed

    choices = Writer(databases.consent, limit=settings.queue_limit)
    consenting = open_consent(settings, databases, choices, ids)
    subjects = consenting.subjects

    administering = Writer(databases.aboveboard, limit=settings.queue_limit)
    telling = open_telling(settings, databases, administering, consenting.auditing)
    pushing = open_pushing(settings, databases.consent, consenting.keyring)

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
        AuthorRoutes(reviewed.authors),
        EventRoutes(recording=consenting.recording, showing=consenting.showing),
        StandingRoutes(standing=consenting.standing),
        SettingRoutes(configuring=consenting.configuring),
        NoticeRoutes(publishing=consenting.publishing, host_of=accounts.host_of),
        SubjectRoutes(
            accessing=subjects.accessing,
            erasing=subjects.erasing,
            restricting=subjects.restricting,
        ),
        LogRoutes(proving=consenting.proving),
        RecordRoutes(auditing=consenting.auditing),
        HistoryRoutes(auditing=consenting.auditing),
        StatisticsRoutes(counting=Counting(reading=databases.consent)),
        EvidenceRoutes(auditing=consenting.auditing, bundling=open_bundling(settings, databases)),
        WebhookRoutes(telling.webhooks),
    ):
        offered.declare(catalogue.declare)

    spoken = open_dialects(
        settings,
        databases,
        accounts,
        comments,
        moderating,
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
        "comment_retention": reviewed.upkeep.keep_to_retention,
        "comment_alarm": reviewed.upkeep.alarm,
        "comment_places": reviewed.upkeep.place,
        "comment_index": reviewed.erasing.tidy,
        "comment_sweep": partial(reviewed.sweeper.finish, comments),
    }
    house = Housekeeping(consenting.keyring.keeping, chores, clock=clock.now)
    background = Background(
        {  # by the names that metrics and logs tell
            "housekeeping": house.run,
            "checkpoints": pushing.run,
            "webhooks": telling.delivering.run,
            "callbacks": spoken.calling_back.run,
            "model": partial(moderating.selection.follow, moderating.use),
        }
    )
    metrics = open_metrics(
        writers, pushing, telling.delivering, house, background, moderating.screening
    )
    probes = Probes(
        metrics,
        {
            "aboveboard": Head(databases.aboveboard, administering).check,
            "moderation": Head(databases.moderation, comments).check,
            "consent": Head(databases.consent, choices).check,
        },
        token=settings.metrics_token,
    )
    described = orjson.dumps(
        openapi.describe(
            catalogue.operations,
            version=version("aboveboard"),
            messages=MESSAGES,
            public_url=settings.public_url,
        )
    )

    async def openapi_json(_request: Request) -> Response:
        return Response(described, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(sync, consenting.keyring.keeping)
            for writer in writers:
                writer.start()
                stack.push_async_callback(writer.stop)
            for closing in (pushing, telling.delivering, spoken.calling_back):
                stack.push_async_callback(closing.close)
            background.start()
            stack.callback(background.cancel)
            # What start-up made stays; requests make much that soon goes by itself.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_OBJECTS)
            yield
            probes.stopping = True

    authenticator = Authenticator(accounts)
    doors: dict[str, Doorway] = {
        **catalogue.doors(authenticator),
        **spoken.dialects.doors(authenticator),
    }
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
    moderating: Moderating,
    ids: clock.Ids,
    catalogue: Catalogue,
) -> Spoken:
    """Put the APIs of others together, and what sites set for them."""
    dialects, reading, random = Dialects(), databases.moderation, Randomness()
    screening = moderating.screening
    targets = Targets(split_list(settings.webhook_targets))
    pepper = KeyFolder(settings.data_dir).get("pepper", make=False)
    keys = Seal(pepper, CALLBACK_KEY, random)
    callbacks = Callbacks(writing=writing, reading=reading, clock=clock.now, seal=keys.seal_text)
    configuring = CompatConfiguring(writing=writing, looking=reading, clock=clock.now)
    feedbacking = Feedbacking(screening, moderating.reviewed.review)
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
    OpenaiRoutes(
        screening=screening,
        governing=moderating.governance.policies,
        configuring=configuring,
        ids=ids,
    ).declare(dialects.declare)
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


def open_metrics(
    writers: Iterable[Writer],
    pushing: Pushing,
    delivering: Delivering,
    house: Housekeeping,
    background: Background,
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
        "aboveboard_work_failures",
        "Works beside the serving that had to begin anew",
        ["work"],
        background.failures,
    )
    metrics.follow(
        "aboveboard_texts_held",
        "Texts held because they could not be scored or judged",
        ["step"],
        screening.failures,
    )
    metrics.follow_deliveries(lambda: delivering.open)
    return metrics
