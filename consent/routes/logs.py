"""`/v1/consent/logs/…`: what anyone may ask, without a key."""

from collections.abc import Callable
from functools import partial

from consent.errors import LogNotFound, OutsideTree
from consent.log.tiles import Place, parse_level
from consent.recording.proving import Proving
from consent.routes.call import PROBLEM, Answer, Call
from consent.wire import logs as wire

LOG = "/v1/consent/logs/{site}/{epoch}"
TEXT = "text/plain"
BYTES = "application/octet-stream"
PUBLIC = ((b"access-control-allow-origin", b"*"),)
FRESH = (*PUBLIC, (b"cache-control", b"no-cache"))
FOR_EVER = (*PUBLIC, (b"cache-control", b"public, max-age=31536000, immutable"))


class LogRoutes:
    """The public log of a site."""

    def __init__(self, *, proving: Proving) -> None:
        self._proving = proving

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        public = partial(operation, method="GET", scope=None)
        written = partial(
            public,
            answers={200: TEXT, 404: PROBLEM},
            media=f"{TEXT}; charset=utf-8".encode(),
            headers=FRESH,
        )
        proved = partial(public, answers={200: wire.HashesOut, 404: PROBLEM}, headers=FOR_EVER)
        cut = partial(
            public, answers={200: BYTES, 404: PROBLEM}, media=BYTES.encode(), headers=FOR_EVER
        )
        public(
            path="/v1/consent/logs/{site}",
            handler=self.list_logs,
            name="listLogs",
            summary="List the epochs of a site's log",
            answers={200: wire.LogsOut, 404: PROBLEM},
            headers=FRESH,
        )
        written(
            path=f"{LOG}/key",
            handler=self.key,
            name="getLogKey",
            summary="Read the log's verifier key (C2SP signed-note)",
        )
        written(
            path=f"{LOG}/checkpoint",
            handler=self.checkpoint,
            name="getCheckpoint",
            summary="Read the newest signed checkpoint (C2SP tlog-checkpoint)",
        )
        proved(
            path=f"{LOG}/proof/inclusion",
            handler=self.inclusion,
            name="getInclusionProof",
            summary="Prove that a leaf is in the tree of a size (RFC 9162 §2.1.3)",
            query=wire.InclusionIn,
        )
        proved(
            path=f"{LOG}/proof/consistency",
            handler=self.consistency,
            name="getConsistencyProof",
            summary="Prove that the log only grew between two sizes (RFC 9162 §2.1.4)",
            query=wire.ConsistencyIn,
        )
        written(
            path=f"{LOG}/proof/{{index}}.tlog-proof",
            handler=self.proof,
            name="getProof",
            summary="Prove a leaf up to the newest checkpoint, as a file (C2SP tlog-proof)",
        )
        cut(
            path=f"{LOG}/tile/entries/{{place:path}}",
            handler=self.entries,
            name="getEntries",
            summary="Read a bundle of 256 entries, or part of one (C2SP tlog-tiles)",
        )
        cut(
            path=f"{LOG}/tile/{{level}}/{{place:path}}",
            handler=self.tile,
            name="getTile",
            summary="Read a tile of 256 node hashes, or part of one (C2SP tlog-tiles)",
        )

    async def list_logs(self, call: Call) -> Answer:
        """Answer 200 with origin, key and size of every epoch."""
        return 200, wire.logs(await self._proving.list_logs(call.path["site"]))

    async def key(self, call: Call) -> Answer:
        """Answer 200 with the verifier key as text."""
        vkey = await self._proving.vkey(call.path["site"], _epoch(call))
        return 200, f"{vkey}\n".encode()

    async def checkpoint(self, call: Call) -> Answer:
        """Answer 200 with the newest checkpoint as text."""
        return 200, (await self._proving.checkpoint(call.path["site"], _epoch(call))).encode()

    async def inclusion(self, call: Call) -> Answer:
        """Answer 200 with the hashes; 404 where the log has no such leaf or size."""
        asked = wire.InclusionIn.model_validate_strings(call.query())
        path = await self._proving.inclusion(
            call.path["site"], _epoch(call), index=asked.index, size=asked.size
        )
        return 200, wire.hashes(path)

    async def consistency(self, call: Call) -> Answer:
        """Answer 200 with the hashes; 404 where the log has no such sizes."""
        asked = wire.ConsistencyIn.model_validate_strings(call.query())
        path = await self._proving.consistency(
            call.path["site"], _epoch(call), old_size=asked.from_, new_size=asked.to
        )
        return 200, wire.hashes(path)

    async def proof(self, call: Call) -> Answer:
        """Answer 200 with the tlog-proof as text; 404 where the log has no such leaf."""
        index = _index(call.path["index"])
        proof = await self._proving.proof(call.path["site"], _epoch(call), index)
        return 200, proof.encode()

    async def tile(self, call: Call) -> Answer:
        """Answer 200 with the hashes; 404 unless the signed tree has all that is asked for."""
        level, place = parse_level(call.path["level"]), Place.parse(call.path["place"])
        return 200, await self._proving.tile(call.path["site"], _epoch(call), level, place)

    async def entries(self, call: Call) -> Answer:
        """Answer 200 with the entries; 404 unless the signed tree has all that is asked for."""
        place = Place.parse(call.path["place"])
        return 200, await self._proving.entries(call.path["site"], _epoch(call), place)


def _epoch(call: Call) -> int:
    text = call.path["epoch"]
    if not text.isascii() or not text.isdigit() or len(text) > 9 or text[0] == "0":  # noqa: PLR2004 - 32 bits
        raise LogNotFound("expected an epoch from 1, got something else")
    return int(text)


def _index(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or text != str(int(text)):  # noqa: PLR2004 - 63 bits
        raise OutsideTree("expected the index of a leaf, got something else")
    return int(text)
