"""Verifiers that others wrote, as processes that answer questions, one JSON object a line."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 300  # generous: tests assert facts, never speed

Question = dict[str, Any]


@dataclass(frozen=True)
class Stranger:
    """A verifier that shares no code with us."""

    command: list[str]

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """Ask questions; returns the answers in their order."""
        done = subprocess.run(  # noqa: S603
            self.command,
            input="".join(json.dumps(question) + "\n" for question in questions),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(questions)
        return answers

    def refusals(self, questions: Sequence[Question]) -> list[str]:
        """Ask questions; returns what was said against those that were refused."""
        return [answer["error"] for answer in self.ask(questions) if not answer["ok"]]
