"""Everything that can go wrong in consent.

ConsentError
├── BannerNotFound
├── CheckFailed
│   ├── EvidenceInvalid
│   └── LedgerDamaged
├── CheckpointInvalid
├── CursorInvalid
├── EventInvalid
├── EventRefused
│   ├── ActorRefused
│   ├── AskedTooSoon
│   ├── BannerUnknown
│   ├── DecisionsInconsistent
│   ├── EventTypeUnsupported
│   ├── MethodIsNoAct
│   ├── NotAsked
│   ├── NothingToRenew
│   ├── NoticeSuperseded
│   ├── NoticeUnknown
│   ├── OccurredInFuture
│   ├── OccurredTooLongAgo
│   ├── PurposeNotInNotice
│   ├── ServedInvalid
│   ├── ServedUnknown
│   ├── SignalMissing
│   ├── SubjectKindRefused
│   ├── SubjectRestricted
│   ├── TooManyLinks
│   └── ValidityInconsistent
├── ForkRefused
├── HistoryBroken
│   ├── HistoryRewritten
│   └── HistoryTruncated
├── IdempotencyInFlight
├── IdempotencyKeyMissing
├── IdempotencyMismatch
├── ImportRefused
├── IntakeRefused
├── LogBehind
├── LogNotFound
├── MappingInvalid
├── MerkleError
│   ├── FrontierInvalid
│   ├── OutsideTree
│   └── ProofInvalid
├── NoticeInvalid
├── NoticeNotFound
├── ReceiptInvalid
├── RecordErased
├── RecordNotFound
├── RestrictionInvalid
├── SettingDamaged
├── StringInvalid
├── SubjectInvalid
├── SubjectNotFound
└── VaultUnreadable

ValueError
└── MemberRepeated
"""

from typing import ClassVar


class ConsentError(Exception):
    """The root of this tree; never raised itself."""


class BannerNotFound(ConsentError):
    """No banner of that digest is archived for this site."""


class CheckFailed(ConsentError):
    """A history does not hold what was signed; never raised itself.

    *check* names the first check that failed, *epoch* and *index* the first entry that it found.
    """

    def __init__(
        self, check: str, finding: str, *, epoch: int | None = None, index: int | None = None
    ) -> None:
        where = "" if epoch is None else f"epoch {epoch}: "
        entry = "" if index is None else f"entry {index}: "
        super().__init__(f"{check}: {where}{entry}{finding}")
        self.check = check
        self.finding = finding
        self.epoch = epoch
        self.index = index


class EvidenceInvalid(CheckFailed):
    """An evidence bundle does not prove what it says, or what should go into one would not.

    Its checks are zip, manifest, seal, key, checkpoint, notice, remembered, banner, continued,
    truncated, entries, root, records, leaf, erasure and files.
    """


class LedgerDamaged(CheckFailed):
    """What the database holds of a site's history is not what was written.

    Its checks are head, notice, banner, entry, tile, record, root, signature, continued, truncated,
    index, subject and standing.
    """


class CheckpointInvalid(ConsentError):
    """A checkpoint, verifier key or tlog-proof is malformed, or no trusted key signed it."""


class CursorInvalid(ConsentError):
    """The cursor of a list was not made by this service."""


class EventInvalid(ConsentError):
    """An event is none, or holds what has no canonical form: a float, a null, a huge integer.

    Of a saved event it is what is wrong with the file. In the service it is a fault of the caller
    in the code, not of the client: the wire refuses such values first.
    """


class EventRefused(ConsentError):
    """An event may not be recorded as it stands; never raised itself.

    *code* is the word machines read in the problem document; it never changes.
    """

    code: ClassVar[str]


class ActorRefused(EventRefused):
    """An event of this type is not brought about by this actor."""

    code = "actor_refused"


class AskedTooSoon(EventRefused):
    """The subject has said no, and may not be asked about it again yet."""

    code = "asked_too_soon"


class BannerUnknown(EventRefused):
    """The event says that a banner was shown which is not archived: nobody could show it later."""

    code = "banner_unknown"


class DecisionsInconsistent(EventRefused):
    """The decisions do not say what the event type says."""

    code = "decisions_inconsistent"


class EventTypeUnsupported(EventRefused):
    """The event type is only computed or only imported; nobody may send it."""

    code = "event_type_unsupported"


class MethodIsNoAct(EventRefused):
    """Consent is claimed from something that is no act of the subject."""

    code = "method_is_no_act"


class NotAsked(EventRefused):
    """Consent is claimed from a subject who was never asked with this notice."""

    code = "not_asked"


class NothingToRenew(EventRefused):
    """Consent is renewed that was not given before."""

    code = "nothing_to_renew"


class NoticeSuperseded(EventRefused):
    """The notice version shown is no longer the current one in substance."""

    code = "notice_superseded"


class NoticeUnknown(EventRefused):
    """The event names a notice, version or language that was never published."""

    code = "notice_unknown"


class OccurredInFuture(EventRefused):
    """The act is said to lie further ahead than a client's clock may be wrong."""

    code = "occurred_in_future"


class OccurredTooLongAgo(EventRefused):
    """The act is said to lie further back than an offline queue may hold it."""

    code = "occurred_too_long_ago"


class PurposeNotInNotice(EventRefused):
    """A decision names a purpose, or a basis for it, that the notice shown does not hold."""

    code = "purpose_not_in_notice"


class ServedInvalid(EventRefused):
    """The served token is not one of this site, for this notice, of the last day."""

    code = "served_invalid"


class ServedUnknown(EventRefused):
    """The event answers a request that was not made to this subject with this notice."""

    code = "served_unknown"


class SignalMissing(EventRefused):
    """A choice is put down to a signal that the event does not show."""

    code = "signal_missing"


class SubjectKindRefused(EventRefused):
    """This caller may not speak for a subject of this kind."""

    code = "subject_kind_refused"


class SubjectRestricted(EventRefused):
    """Processing is restricted for this subject: only what takes consent away is recorded."""

    code = "subject_restricted"


class TooManyLinks(EventRefused):
    """A subject is linked with as many others as a person plausibly has."""

    code = "too_many_links"


class ValidityInconsistent(EventRefused):
    """A validity or a next question stands where it cannot, or lies in the past."""

    code = "validity_inconsistent"


class ForkRefused(ConsentError):
    """Signing would give one log two histories."""


class HistoryBroken(ConsentError):
    """A log does not continue a checkpoint that was kept elsewhere; never raised itself."""


class HistoryRewritten(HistoryBroken):
    """The log holds other entries than the kept checkpoint was signed over."""


class HistoryTruncated(HistoryBroken):
    """The log holds fewer entries than the kept checkpoint was signed over."""


class IdempotencyInFlight(ConsentError):
    """A request with the same idempotency key is still being answered."""


class IdempotencyKeyMissing(ConsentError):
    """An event came without an idempotency key."""


class IdempotencyMismatch(ConsentError):
    """The idempotency key was used before with another body."""


class ImportRefused(ConsentError):
    """A row of another tool's export cannot be read as a choice."""


class IntakeRefused(ConsentError):
    """A bundle cannot be taken in: it is not whole, or the site has a history already."""


class LogBehind(ConsentError):
    """The stored log is older than what its key has signed: it was put back from a copy."""


class LogNotFound(ConsentError):
    """No such log: the site has none, or none of that epoch."""


class MappingInvalid(ConsentError):
    """A column mapping is malformed, or does not fit the export."""


class MemberRepeated(ValueError):
    """An object of JSON has a member twice."""


class MerkleError(ConsentError):
    """A tree, a proof or a question about them does not hold; never raised itself."""


class FrontierInvalid(MerkleError):
    """The stored right edge of a tree is not one."""


class OutsideTree(MerkleError):
    """A proof was asked for an index or a size that the tree does not have."""


class ProofInvalid(MerkleError):
    """An inclusion or consistency proof does not prove what it is held against."""


class NoticeInvalid(ConsentError):
    """A notice cannot be published as it stands."""


class NoticeNotFound(ConsentError):
    """No such notice, version or language on this site."""


class ReceiptInvalid(ConsentError):
    """A receipt does not prove what it says.

    *step* names the first step that failed:
    json, members, event, commitment, leaf, proof, inclusion or checkpoint.
    """

    def __init__(self, step: str, finding: str) -> None:
        super().__init__(f"{step}: {finding}")
        self.step = step


class RecordErased(ConsentError):
    """The record was erased; its place in the log remains."""

    def __init__(self, record_id: str) -> None:
        super().__init__(f"record {record_id} was erased")
        self.record_id = record_id


class RecordNotFound(ConsentError):
    """No such record on this site."""


class RestrictionInvalid(ConsentError):
    """Processing cannot be restricted until then."""


class SettingDamaged(ConsentError):
    """What a site has set is stored, and cannot be read."""


class StringInvalid(ConsentError):
    """A TC or GPP string does not decode: cut short, of another version, or no such string."""


class SubjectInvalid(ConsentError):
    """A subject's identifier does not have the form of its kind."""


class SubjectNotFound(ConsentError):
    """Nothing is held about this subject."""


class VaultUnreadable(ConsentError):
    """A sealed record or wrapped key does not open: wrong key, wrong place, or altered."""
