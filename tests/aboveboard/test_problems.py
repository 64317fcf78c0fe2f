"""Problem documents: every error has one, every one is described, none repeats its input."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ValidationError

import aboveboard.errors as service
import consent.errors as consent
import consent.wire.strict as consent_wire
import moderation.errors as moderation
import moderation.wire.comments as moderation_wire
from aboveboard import problems, protocol
from consent.wire.events import EventIn
from moderation.wire.strict import TEXT_LIMIT

PAGE = (Path(__file__).parents[2] / "docs" / "problems.md").read_text(encoding="utf-8")
OURS = {
    # What no client can cause: set-up, the model, and faults in the code or the files.
    consent.CheckpointInvalid,
    consent.EventInvalid,
    consent.EvidenceInvalid,
    consent.ImportRefused,
    consent.MappingInvalid,
    consent.ForkRefused,
    consent.FrontierInvalid,
    consent.IntakeRefused,
    consent.LedgerDamaged,
    consent.SettingDamaged,
    consent.HistoryRewritten,
    consent.HistoryTruncated,
    consent.ProofInvalid,
    consent.VaultUnreadable,
    moderation.DataUnreadable,
    moderation.SettingDamaged,
    moderation.EvaluationRefused,
    moderation.BundleNotFound,
    moderation.BundleTampered,
    moderation.BundleUnreadable,
    service.AlreadyServing,
    service.BackupFailed,
    service.BackupInvalid,
    service.RestoreRefused,
    service.CheckpointNotKept,
    service.DataDirUnusable,
    service.DurabilityOff,
    service.KeyNotShown,
    service.KeysChanged,
    service.NotPosted,
    service.LogUnreadable,
    service.SchemaNewer,
    service.SecretUnreadable,
    service.SettingsInvalid,
}


def leaves(root: type[Exception]) -> Iterator[type[Exception]]:
    """Walk down to the errors that are raised."""
    below = root.__subclasses__()
    if not below:
        yield root
    for error in below:
        yield from leaves(error)


RAISED = [
    error
    for root in (service.AboveboardError, moderation.ModerationError, consent.ConsentError)
    for error in leaves(root)
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_is_a_problem(error: type[Exception]) -> None:
    """What a client can cause is 4xx or 503; a fault of our own is 500 and says no more."""
    kind = problems.kind_of(error.__new__(error))

    if error in OURS:
        assert kind is problems.INTERNAL
    else:
        assert 400 <= kind.status < 500 or kind.status == 503


@pytest.mark.parametrize("root", [consent.EventRefused, moderation.ReviewRefused])
def test_a_refusal_has_a_code_of_its_own(root: Any) -> None:  # noqa: ANN401 - either tree
    """The code is the class's name in small letters, never shared, and described."""
    found = {error.code: error for error in root.__subclasses__()}

    assert len(found) == len(root.__subclasses__())
    for code, error in found.items():
        assert code == re.sub(r"(?<!^)(?=[A-Z])", "_", error.__name__).lower()
        assert f"`{code}`" in PAGE
        status, body = problems.render(error("expected one thing, got another"))
        assert orjson.loads(body)["code"] == code
        assert f"| `/problems/{problems.kind_of(error()).slug}` | {status} | `{code}` |" in PAGE


def test_every_kind_is_described() -> None:
    """The page has each type with its status, and none that does not exist."""
    kinds = {
        *problems.KINDS.values(),
        # Some the protocol answers itself, below the application.
        *(
            kind
            for module in (problems, protocol)
            for kind in vars(module).values()
            if isinstance(kind, problems.Kind)
        ),
    }
    told = {(f"/problems/{kind.slug}", kind.status) for kind in kinds}

    described = re.findall(r"^\| `(/problems/[a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE)

    assert {(address, int(status)) for address, status in described} == told


def test_a_slug_stands_for_one_status() -> None:
    """Kinds that share a slug share their status."""
    by_slug: dict[str, set[int]] = {}
    for kind in problems.KINDS.values():
        by_slug.setdefault(kind.slug, set()).add(kind.status)

    assert all(len(statuses) == 1 for statuses in by_slug.values())


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("canary"),
        consent.EventInvalid("canary"),
        consent.ForkRefused("canary"),
        service.SettingsInvalid("canary"),
    ],
)
def test_a_fault_of_ours_says_nothing_of_itself(error: Exception) -> None:
    """500 has a type and a title, and no detail."""
    status, body = problems.render(error)

    assert status == 500
    assert orjson.loads(body) == {
        "type": "/problems/internal",
        "title": "Something went wrong on our side",
        "status": 500,
    }


def test_a_problem_is_what_the_rfc_says() -> None:
    """Type, title, status and detail; extension members come after."""
    status, body = problems.render(consent.RecordErased("019b"))

    assert status == 410
    assert orjson.loads(body) == {
        "type": "/problems/record-erased",
        "title": "This record was erased",
        "status": 410,
        "detail": "record 019b was erased",
        "record_id": "019b",
    }


for room in iter_modules([str(Path(consent_wire.__file__).parent)], "consent.wire."):
    import_module(room.name)
MODELS = sorted(
    {*moderation_wire.Wire.__subclasses__(), *consent_wire.Wire.__subclasses__()},
    key=lambda model: f"{model.__module__}.{model.__name__}",
)
CANARIES: list[Any] = [
    "canary" * 100_000,
    "canary\0",
    "canary",
    {"canary": "canary"},
    ["canary"],
    [{"canary": "canary"}],
    {"kind": "canary", "id": ["canary"]},
    -271828182845,
    2.71828182845,
    True,
    None,
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_what_does_not_fit_is_not_repeated(model: type[BaseModel]) -> None:
    """No canary, as a value or as a name, comes back from any input model."""
    refused = 0
    for canary in CANARIES:
        content = dict.fromkeys(
            (field.alias or name for name, field in model.model_fields.items()), canary
        )
        for shape in (content, {**content, "canary": canary}, {"canary_name": 1}, [content]):
            try:
                model.model_validate_json(orjson.dumps(shape))
            except ValidationError as error:
                refused += 1
                status, body = problems.render(error)
                assert status == 422
                assert b"canary" not in body
                assert b"71828" not in body

    assert refused > len(CANARIES)


def test_what_is_no_json_is_not_repeated() -> None:
    """A body that does not parse is 400 without the parser's words."""
    with pytest.raises(ValidationError) as caught:
        moderation_wire.CommentIn.model_validate_json(b'{"canary": canary}')

    status, body = problems.render(caught.value)

    assert status == 400
    assert b"canary" not in body


def test_what_does_not_fit_is_told_in_words_of_a_request() -> None:
    """A text has characters, not items; a parameter that is unknown is not in a body."""
    told = []
    for model, given in (
        (moderation_wire.ScoreIn, {"text": "x" * (TEXT_LIMIT + 1)}),
        (moderation_wire.PageIn, {"page": "2"}),
    ):
        with pytest.raises(ValidationError) as caught:
            model.model_validate_strings(given)
        told.append(orjson.loads(problems.render(caught.value)[1])["detail"])

    assert told == [
        "text: Text should have at most 100000 characters, not 100001",
        "request: Extra inputs are not permitted",
    ]


def test_many_errors_are_cut_short() -> None:
    """A document lists 20 places at most."""
    items = [{"purpose_id": "!", "decision": "maybe"} for _ in range(60)]
    with pytest.raises(ValidationError) as caught:
        EventIn.model_validate_json(orjson.dumps({"decisions": items}))

    _, body = problems.render(caught.value)

    assert len(orjson.loads(body)["errors"]) == 20


def test_errors_beyond_telling_are_counted() -> None:
    """A body of a million unknown members is refused without a list of them."""
    content = {f"k{number}": 1 for number in range(problems.LISTED_ERRORS)}
    with pytest.raises(ValidationError) as caught:
        moderation_wire.ScoreIn.model_validate(content)

    status, body = problems.render(caught.value)

    assert (status, "errors" in orjson.loads(body)) == (422, False)
    assert "got 10001" in orjson.loads(body)["detail"]


def test_messages_have_both_sides() -> None:
    """Every message that a problem may show, in the source, says what was expected."""
    packages = [Path(module.__file__ or "").parent for module in (service, moderation, consent)]
    raised = re.compile(r"raise (?:\w+\.)?([A-Z]\w+)\(\s*f?\"([^\"]*)")
    names = {
        error.__name__ for error in RAISED if problems.kind_of(error.__new__(error)).status < 500
    }
    found = [
        (path.name, match[1], match[2])
        for package in packages
        for path in package.glob("*.py")
        for match in raised.finditer(path.read_text(encoding="utf-8"))
        if match[1] in names
    ]

    assert len(found) > 20
    without = [place for place in found if "expected" not in place[2]]
    assert [place for place in without if place[1] != "ReceiptInvalid"] == []
