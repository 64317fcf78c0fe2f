"""Everything that can go wrong in moderation.

ModerationError
├── BundleRefused
│   ├── BundleNotFound
│   ├── BundleTampered
│   └── BundleUnreadable
├── CommentNotFound
├── CursorInvalid
├── IdempotencyInFlight
├── IdempotencyMismatch
├── PolicyConflict
├── PolicyInvalid
│   └── PatternInvalid
└── PolicyNotFound
"""


class ModerationError(Exception):
    """The root of this tree; never raised itself."""


class BundleRefused(ModerationError):
    """A model bundle may not be used; never raised itself."""


class BundleNotFound(BundleRefused):
    """No bundle lies where one was expected."""


class BundleTampered(BundleRefused):
    """A file of the bundle does not have the digest that was promised."""


class BundleUnreadable(BundleRefused):
    """The bundle's format, version or shape is not one this release reads."""


class CommentNotFound(ModerationError):
    """No such comment on this site."""


class CursorInvalid(ModerationError):
    """The cursor of a list was not made by this service."""


class IdempotencyInFlight(ModerationError):
    """A request with the same idempotency key is still being answered."""


class IdempotencyMismatch(ModerationError):
    """The idempotency key was used before with another body."""


class PolicyConflict(ModerationError):
    """The policy that was to be replaced is not the present one any more."""


class PolicyInvalid(ModerationError):
    """The policy cannot be used like that."""


class PatternInvalid(PolicyInvalid):
    """An entry of a list cannot be held against comments."""


class PolicyNotFound(ModerationError):
    """The site has no such version of its policy."""
