// Answers questions about an aboveboard log, one JSON object a line, with Sigstore's verifier.
//
// Of @sigstore/verify it takes what checks a checkpoint and an inclusion proof; the rest of that
// package is about the bundles of Sigstore's own logs.

import { createHash, createPublicKey } from "node:crypto";
import { createInterface } from "node:readline";
import { verifyTLogInclusion } from "@sigstore/verify/dist/tlog/index.js";
import { verifyCheckpoint } from "@sigstore/verify/dist/tlog/checkpoint.js";

const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410

function log(vkey) {
  const [, name, id, key] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? fail("expected a verifier key");
  const typed = Buffer.from(key, "base64");
  const keyId = createHash("sha256").update(`${name}\n`).update(typed).digest().subarray(0, 4);
  if (keyId.toString("hex") !== id || typed.length !== 33 || typed[0] !== 1) {
    fail("expected an Ed25519 key with its id");
  }
  const publicKey = createPublicKey({
    key: Buffer.concat([ED25519_SPKI, typed.subarray(1)]),
    format: "der",
    type: "spki",
  });
  return { logID: Buffer.concat([keyId, Buffer.alloc(28)]), baseURL: name, publicKey };
}

function checkCheckpoint(trusted, envelope) {
  const opened = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [trusted]);
  if (opened.origin !== trusted.baseURL) {
    fail("expected a checkpoint under the name of its key");
  }
  return opened;
}

function checkRecord(trusted, proof, leaf) {
  const found = /^c2sp\.org\/tlog-proof@v1\n(?:extra .*\n)?index (\d+)\n((?:.+\n)*)\n([^]*)$/.exec(proof);
  const [, logIndex, path, envelope] = found ?? fail("expected a tlog-proof");
  const hashes = path.split("\n").slice(0, -1).map((line) => Buffer.from(line, "base64"));
  verifyTLogInclusion(
    {
      canonicalizedBody: Buffer.from(leaf, "base64"),
      inclusionProof: { checkpoint: { envelope }, hashes, logIndex },
    },
    [trusted],
  );
  return checkCheckpoint(trusted, envelope);
}

function ask(question) {
  const trusted = log(question.key);
  switch (question.ask) {
    case "checkpoint":
      return checkCheckpoint(trusted, question.checkpoint);
    case "record":
      return checkRecord(trusted, question.proof, question.leaf);
    default:
      return fail("expected a question about a checkpoint or a record");
  }
}

function fail(message) {
  throw new Error(message);
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { origin, logSize, logHash } = ask(JSON.parse(line));
    answer = { ok: true, origin, size: Number(logSize), root: logHash.toString("base64") };
  } catch (error) {
    answer = { ok: false, error: error.message };
  }
  console.log(JSON.stringify(answer));
}
