"""Everything that can go wrong in the service itself.

AboveboardError
├── AccountError
│   ├── KeyNotFound
│   ├── KeyTaken
│   ├── KeyUnusable
│   ├── ScopeUnknown
│   ├── SiteExists
│   ├── SiteNotFound
│   ├── SiteUnclear
│   └── UrlUnusable
├── BackupError
│   ├── BackupFailed
│   ├── BackupInvalid
│   └── RestoreRefused
├── CheckpointNotKept
├── LogUnreadable
├── NotPosted
├── RequestRefused
│   ├── AddressUnknown
│   ├── BodyTooLarge
│   ├── ClientGone
│   ├── HeaderAmbiguous
│   ├── IdempotencyKeyInvalid
│   ├── MediaTypeUnsupported
│   ├── QueryAmbiguous
│   ├── ScopeMissing
│   ├── TooManyFailures
│   └── Unauthenticated
├── SetupError
│   ├── AlreadyServing
│   ├── DataDirUnusable
│   ├── DurabilityOff
│   ├── KeyNotShown
│   ├── KeysChanged
│   ├── SchemaNewer
│   └── SettingsInvalid
├── StorageError
│   ├── QueueFull
│   ├── StorageBusy
│   └── StorageUnavailable
└── WebhookError
    ├── AddressRefused
    ├── DeliveryNotFound
    ├── SecretUnreadable
    ├── WebhookCursorInvalid
    ├── WebhookNotFound
    └── WebhookUnusable
"""


class AboveboardError(Exception):
    """The root of this tree; never raised itself."""


class AccountError(AboveboardError):
    """A site or key is not as asked; never raised itself."""


class KeyNotFound(AccountError):
    """No API key with this id."""


class KeyTaken(AccountError):
    """This very API key exists already."""


class KeyUnusable(AccountError):
    """An API key was proposed that is not of the one form that may be chosen."""


class ScopeUnknown(AccountError):
    """A scope was named that does not exist."""


class SiteExists(AccountError):
    """A site with this URL exists already."""


class SiteNotFound(AccountError):
    """No such site, or none that this caller may know of."""


class SiteUnclear(AccountError):
    """The key is good for several sites and the request names none."""


class UrlUnusable(AccountError):
    """A site's URL is not an http or https address with a host."""


class CheckpointNotKept(AboveboardError):
    """A checkpoint could not be handed on; *status* is what a webhook answered, if it did."""

    def __init__(self, finding: str, *, status: int | None = None) -> None:
        super().__init__(finding)
        self.status = status


class LogUnreadable(AboveboardError):
    """A log that is to be checked does not answer, or not as a log does."""


class NotPosted(AboveboardError):
    """A post had no answer; *why* is a word of `posting.Why`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"expected an answer, got {why}")
        self.why = why


class BackupError(AboveboardError):
    """A backup cannot be made, read or put back; never raised itself."""


class BackupFailed(BackupError):
    """A backup could not be made or put back, for a reason outside of it."""


class BackupInvalid(BackupError):
    """A file is no backup, or not as it was written."""


class RestoreRefused(BackupError):
    """A backup does not belong where it is to be put back."""


class RequestRefused(AboveboardError):
    """A request is turned away before a use case sees it; never raised itself."""


class AddressUnknown(RequestRefused):
    """The address names what can be nowhere."""


class BodyTooLarge(RequestRefused):
    """The body is larger than its route takes."""


class ClientGone(RequestRefused):
    """The client went away before its request was whole; nobody is there to answer."""


class HeaderAmbiguous(RequestRefused):
    """A header that says who asks, or of what, comes twice."""


class IdempotencyKeyInvalid(RequestRefused):
    """The idempotency key is malformed, or two different ones came."""


class MediaTypeUnsupported(RequestRefused):
    """The body is of a type or encoding that its route does not take."""


class QueryAmbiguous(RequestRefused):
    """A parameter of the query is there twice, or there are more than anything takes."""


class ScopeMissing(RequestRefused):
    """The key is good, but not for this."""


class TooManyFailures(RequestRefused):
    """Too many wrong keys came from this address."""


class Unauthenticated(RequestRefused):
    """No key came, or none that is known."""


class SetupError(AboveboardError):
    """The service cannot start as it is set up; never raised itself."""


class AlreadyServing(SetupError):
    """Another process serves this data directory on SQLite."""


class DataDirUnusable(SetupError):
    """The data directory or a key file in it cannot be used as it is."""


class DurabilityOff(SetupError):
    """The database server would acknowledge what a power cut can take back."""


class KeyNotShown(SetupError):
    """A key or a secret was made, and whoever is to have it could not be told."""


class KeysChanged(SetupError):
    """A key file is not the one that the databases were made with."""


class SchemaNewer(SetupError):
    """The tables were made by a newer release than this one."""


class SettingsInvalid(SetupError):
    """A setting is unknown or has a value that it cannot have."""


class StorageError(AboveboardError):
    """Something could not be stored; never raised itself."""


class QueueFull(StorageError):
    """More writes wait than may wait; try again soon."""


class StorageBusy(StorageError):
    """Another process is writing, and the caller would not wait."""


class StorageUnavailable(StorageError):
    """The database did not take the write; nothing was acknowledged."""


class WebhookError(AboveboardError):
    """A webhook is not as asked; never raised itself."""


class AddressRefused(WebhookError):
    """An address to post to leads inside, or would be read along."""


class DeliveryNotFound(WebhookError):
    """The webhook has no such delivery, or none any more."""


class SecretUnreadable(WebhookError):
    """A webhook's stored secret does not open under this installation's key."""


class WebhookCursorInvalid(WebhookError):
    """A cursor did not come from an earlier answer."""


class WebhookNotFound(WebhookError):
    """No such webhook, or none of this site."""


class WebhookUnusable(WebhookError):
    """A webhook cannot be as it was asked to be."""
