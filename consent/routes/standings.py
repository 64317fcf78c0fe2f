"""`/v1/consent/standing`: whether something may be done for a subject."""

from collections.abc import Callable, Sequence

from consent.choices.choice import SubjectKind
from consent.choices.regime import RegimeSource, sec_gpc
from consent.errors import SubjectKindRefused
from consent.recording.standing import StandingRead, Visitor, together
from consent.routes.call import Answer, Call
from consent.wire import standings as wire

IN_A_URL = frozenset({SubjectKind.DEVICE, SubjectKind.EXTERNAL})


class StandingRoutes:
    """Asking where subjects stand."""

    def __init__(self, *, standing: StandingRead) -> None:
        self._standing = standing

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/standing",
            handler=self.ask,
            name="getStanding",
            summary="May I? For a device or an external id and one purpose",
            scope="consent:read",
            query=wire.StandingIn,
            answers={200: wire.StandingOut},
        )
        operation(
            method="POST",
            path="/v1/consent/standing:query",
            handler=self.ask_many,
            name="queryStanding",
            summary="May I? For any kind of subject and several purposes",
            scope="consent:read",
            body=wire.StandingQueryIn,
            answers={200: wire.StandingsOut},
        )

    async def ask(self, call: Call) -> Answer:
        """Answer 200 with one standing; refuses kinds whose ids must not be in a URL."""
        asked = wire.StandingIn.model_validate_strings(call.query())
        if asked.subject_kind not in IN_A_URL:
            raise SubjectKindRefused(
                f"expected a device or external id in a URL, got {asked.subject_kind.value}; "
                "use POST /v1/consent/standing:query"
            )
        (answer,) = await self._standing.ask(
            call.site(asked.site),
            asked.subject_kind,
            asked.subject_id,
            [asked.purpose],
            _visitor(asked, [] if asked.sec_gpc is None else [asked.sec_gpc]),
        )
        return 200, wire.standing(answer)

    async def ask_many(self, call: Call) -> Answer:
        """Answer 200 with a standing for every purpose."""
        asked = wire.StandingQueryIn.model_validate_json(call.body)
        site_id, visitor = call.site(asked.site), _visitor(asked, asked.sec_gpc)
        subjects = asked.subjects or ([asked.subject] if asked.subject else [])
        each = [
            await self._standing.ask(site_id, one.kind, one.id, asked.purposes, visitor)
            for one in subjects
        ]
        if asked.subjects is None:
            return 200, wire.standings(each[0])
        return 200, wire.several(together(each), each)


def _visitor(asked: wire.StandingIn | wire.StandingQueryIn, headers: Sequence[str]) -> Visitor:
    return Visitor(
        asked.jurisdiction,
        RegimeSource(asked.jurisdiction_source),
        asked.gpc_js or sec_gpc(headers),
        asked.vendor,
    )
