"""A site's keys, derived once and kept at hand: pseudonyms, wrapping, signing.

The raw keys are handed in; they live in files outside every database.
"""

import hmac
from collections.abc import Callable, Mapping

from consent.choices.choice import SubjectKind
from consent.choices.record import SubjectKey
from consent.errors import VaultUnreadable
from consent.log.checkpoint import Signer, Verifier
from consent.log.keeping import Keeping
from consent.log.ledger import Head
from consent.sealing.vault import DataKey, Random, SiteWrapping


class Keyring:
    """Every key that recording needs, by site; newest versions seal, older ones still open.

    *subject_keys* and *wrapping_keys* answer every version there is, the same mapping for as long
    as none is added: they are asked again and again, so that a key made meanwhile comes into use.
    *log_key* answers the private key of a log, *log_vkey* the public one of a log whose private key
    is elsewhere; *keeping* keeps what the logs' keys last signed.
    """

    def __init__(
        self,
        *,
        subject_keys: Callable[[], Mapping[int, bytes]],
        wrapping_keys: Callable[[], Mapping[int, bytes]],
        fingerprint_key: bytes,
        log_key: Callable[[str, int, bool], bytes],
        log_vkey: Callable[[str, int], str | None] = lambda _site_id, _epoch: None,
        keeping: Keeping,
        random: Random,
    ) -> None:
        self._subject_keys = subject_keys
        self._wrapping_keys = wrapping_keys
        self._fingerprint_key = fingerprint_key
        self._fingerprints = hmac.new(fingerprint_key, digestmod="sha256")
        self._log_key = log_key
        self._log_vkey = log_vkey
        self.keeping = keeping
        self.random = random
        self._derived_from: Mapping[int, bytes] | None = None
        self._subjects: dict[str, list[SubjectKey]] = {}
        self._wrappings: dict[tuple[str, int], SiteWrapping] = {}
        self._signers: dict[tuple[str, int, str], Signer] = {}
        self._verifiers: dict[tuple[str, int, str], Verifier] = {}

    def refs(self, site_id: str, kind: SubjectKind, subject_id: str) -> list[str]:
        """Return the subject's pseudonyms under every live version, the newest first.

        Raises SubjectInvalid.
        """
        versions = self._subject_keys()
        if versions is not self._derived_from:
            self._subjects, self._derived_from = {}, versions
        keys = self._subjects.get(site_id)
        if keys is None:
            keys = self._subjects[site_id] = [
                SubjectKey(site_id, key, version=version)
                for version, key in sorted(versions.items(), reverse=True)
            ]
        return [key.ref(kind, subject_id) for key in keys]

    @property
    def wrapping_version(self) -> int:
        """The version under which data keys are wrapped now."""
        return max(self._wrapping_keys())

    def wrapping(self, site_id: str) -> SiteWrapping:
        """Return what wraps data keys now, under the newest version.

        It is asked for once a transaction, under the lock of the site's head: a rotation passes
        the site's rows before or after it.
        """
        return self._wrapping(site_id, self.wrapping_version)

    def unwrap(self, site_id: str, subject_ref: str, version: int, wrapped: bytes) -> DataKey:
        """Unwrap a data key. Raises VaultUnreadable."""
        return self._wrapping(site_id, version).unwrap(subject_ref, wrapped)

    def signer(self, site_id: str, epoch: int, origin: str, *, make: bool = False) -> Signer:
        """Return the signer of a log; only for a log about to be opened its key is made."""
        place = (site_id, epoch, origin)
        signer = self._signers.get(place)
        if signer is None:
            signer = self._signers[place] = Signer(origin, self._log_key(site_id, epoch, make))
        return signer

    def verifier(self, site_id: str, epoch: int, origin: str) -> Verifier:
        """Return a log's public key, also of one that was taken over without its private key."""
        place = (site_id, epoch, origin)
        verifier = self._verifiers.get(place)
        if verifier is None:
            vkey = self._log_vkey(site_id, epoch)
            verifier = self._verifiers[place] = (
                Verifier.from_vkey(vkey) if vkey else self.signer(*place).verifier
            )
        return verifier

    def checkpoint(self, head: Head) -> str:
        """Write down what was signed last of a log."""
        verifier = self.verifier(head.site_id, head.epoch, head.origin)
        return verifier.render(head.frontier.size, head.root, head.signature)

    def signs(self, site_id: str, epoch: int) -> bool:
        """Whether the private key of a log is here."""
        return self._log_vkey(site_id, epoch) is None

    def first_signer(self, site_id: str, epoch: int, origin: str) -> Signer:
        """Return the signer of a log that is about to be opened."""
        return self.signer(site_id, epoch, origin, make=True)

    def fingerprint(self, site_id: str, body: bytes) -> str:
        """Return the keyed digest of a request's body: nobody without the key can try bodies."""
        keyed = self._fingerprints.copy()
        keyed.update(site_id.encode() + b"\0" + body)
        return keyed.hexdigest()

    def served_key(self, site_id: str) -> bytes:
        """Return the key of a site's served tokens."""
        return hmac.digest(
            self._fingerprint_key, b"consent-served/v1\x00" + site_id.encode(), "sha256"
        )

    def _wrapping(self, site_id: str, version: int) -> SiteWrapping:
        place = (site_id, version)
        wrapping = self._wrappings.get(place)
        if wrapping is None:
            keys = self._wrapping_keys()
            if version not in keys:
                known = ", ".join(map(str, sorted(keys)))
                raise VaultUnreadable(
                    f"expected a key-encryption key of version {known}, got {version}"
                )
            wrapping = self._wrappings[place] = SiteWrapping(
                site_id, keys[version], version=version
            )
        return wrapping
