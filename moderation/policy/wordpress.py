"""WordPress's lists of comment moderation and disallowed keys, as lists of a policy.

Pure. WordPress takes a line for a piece of text, in any letter case, and holds it against text,
name, e-mail address, URL, address and user agent of a comment (`wp_check_comment_disallowed_list`
and `check_comment` in its `wp-includes/comment.php`). A line that begins an address becomes the
network of all such addresses; every other one an entry of `contains`.
"""

import ipaddress
import re
from typing import Any

from moderation.policy.matching import Kind
from moderation.verdict import Verdict

MODERATION = "wordpress-moderation"
DISALLOWED = "wordpress-disallowed"
_BEGINNING = re.compile(r"(?:[0-9]{1,3}\.){1,3}|(?:[0-9]{1,3}\.){3}[0-9]{1,3}")


def read_lists(moderation: str, disallowed: str) -> dict[str, Any]:
    """Return the members of a policy that has both lists, each where it has a line.

    What WordPress holds is held; what it puts into the trash is spam.
    """
    lists = [
        _read(MODERATION, Verdict.HOLD, moderation),
        _read(DISALLOWED, Verdict.SPAM, disallowed),
    ]
    return {"lists": [found for found in lists if len(found) > 2]}  # noqa: PLR2004 - name, verdict


def _read(name: str, verdict: Verdict, text: str) -> dict[str, Any]:
    entries: dict[Kind, list[str]] = {}
    for line in dict.fromkeys(map(str.strip, text.splitlines())):
        if line:
            network = _network(line)
            kind = Kind.CONTAINS if network is None else Kind.NETWORKS
            entries.setdefault(kind, []).append(line if network is None else network)
    return {"name": name, "verdict": verdict.value, **{k.value: v for k, v in entries.items()}}


def _network(line: str) -> str | None:
    """Return the network that a line stands for, where it is an address or begins one."""
    if _BEGINNING.fullmatch(line):
        parts = line.rstrip(".").split(".")
        line = f"{'.'.join([*parts, *['0'] * (4 - len(parts))])}/{8 * len(parts)}"
    elif ":" not in line and "/" not in line:
        return None
    try:
        return str(ipaddress.ip_network(line, strict=False))
    except ValueError:
        return None
