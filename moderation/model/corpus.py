"""Labelled comments to train on and to measure with: read, cleaned of twins, told apart.

What is known of the public sources is written here: licence class, which labels are taken from
each, how much they weigh. A file of one's own, CSV or JSON Lines with a `text` and columns named
like the labels, is a source too.

Rules kept here: only sources of a permissive licence class; a missing label is unknown, never
negative; a column in which every known value is positive is never used; official valid and test
rows are never trained on; no near-duplicate of a held-out row is trained on.
"""

import csv
import gzip
import hashlib
import io
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.errors import DataUnreadable
from moderation.verdict import Label

KEYS = {
    "spam": Label.SPAM,
    "toxic": Label.TOXICITY,
    "severe_toxic": Label.SEVERE_TOXICITY,
    "obscene": Label.OBSCENE,
    "threat": Label.THREAT,
    "insult": Label.INSULT,
    "identity_hate": Label.IDENTITY_ATTACK,
    "sexual": Label.SEXUAL_EXPLICIT,
}
WIKI = (
    Label.TOXICITY,
    Label.SEVERE_TOXICITY,
    Label.OBSCENE,
    Label.THREAT,
    Label.INSULT,
    Label.IDENTITY_ATTACK,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A data file: its licence class, the labels taken from it, how much it weighs."""

    licence: str
    labels: tuple[Label, ...]
    weight: float = 1.0
    only_positive: bool = False  # its negatives differ from its positives by language, not kind
    ham: bool = False  # nobody labelled spam, but moderated pages hold next to none
    language: str = "en"
    whole: bool = False  # its own held-out rows are what its labels are measured on


SOURCES = {
    "jigsaw_wiki": Source("permissive (text share-alike)", WIKI),
    "wiki_context_cat": Source("permissive", (Label.TOXICITY,), ham=True),
    "civil_toxicspans": Source("permissive", (Label.TOXICITY, Label.SPAM)),
    "surge_toxicity": Source("permissive", (Label.TOXICITY,)),
    "gab_hate_corpus": Source("permissive (memory)", (Label.TOXICITY, Label.IDENTITY_ATTACK)),
    "edos_sexism": Source("permissive", (Label.IDENTITY_ATTACK,)),
    "hatemoji_build": Source("permissive", (Label.IDENTITY_ATTACK,)),
    "fox_news_comments": Source("permissive", (Label.IDENTITY_ATTACK, Label.SPAM)),
    "goemotions_ham": Source("permissive", (Label.SPAM,)),
    "sms_spam": Source("permissive (memory)", (Label.SPAM,)),
    "youtube_spam_4videos": Source("permissive (memory)", (Label.SPAM,)),
    "telegram_spam_samples": Source("permissive", (Label.SPAM,), only_positive=True),
    "spamassassin": Source("permissive", (Label.SPAM,), weight=0.3),
    "germeval2018_de": Source(
        "permissive",
        (Label.TOXICITY, Label.OBSCENE, Label.INSULT, Label.IDENTITY_ATTACK),
        language="de",
        whole=True,
    ),
}
# For measuring alone: share-alike, non-commercial or unclear licences, or made to test with.
MEASURED = (
    "bias_madlibs77k",
    "blog_comment_spam_lm",
    "davidson_hsol",
    "germeval2021_de",
    "hatexplain_valtest",
    "kaggle_insults",
    "mlma_en_fr_ar",
    "paradetox",
    "perspective_wiki2k_scores",
    "stormfront",
    "told_br_pt",
    "tweeteval_hate",
    "tweeteval_offensive",
    "unhealthy_conversations",
)
LISTS = {
    "lists/surge_profanity_en.csv.gz": "permissive",
    "lists/ldnoobw_badwords.tsv.gz": "permissive",
}


_OWN = Source("own", tuple(Label), whole=True)

_DEV_SHARE = 20  # percent of the groups of rows that are held out
_SHINGLES = 4  # by which near-duplicates are grouped
_SKETCHES = (1, 0x9E3779B1, 0x85EBCA6B)
_ALONE = 3  # words; a shorter text is compared word by word, not pair by pair
_POSITIVE, _NEGATIVE = 0.5, 0.3  # shares of raters; between them a row is left out
_WORDS = re.compile(r"[^\W_]+")
_SHORTEST = 4  # letters of a term
_EXPLETIVES = frozenset({"fuck", "ass", "shit", "bitch", "dick", "suck", "bastard", "damn", "hell"})
# Most who write these mean no sexual act: names of people and everyday words, crimes and diseases
# in the news, slurs and insults, which have labels of their own. A label taken from them would hold
# every comment that thanks Peter.
_OTHERWISE = frozenset(
    b"bareback bates booty bugger busty butt chocha cialis coot cornhole diddle dingleberries "
    b"dingleberry dipstick domination dong escort eunuch finger grope groper hardcore hooker "
    b"hooters juggs knob lolita muff neonazi nobs nude nudity panties panty pecker pegging "
    b"peter pissing playboy ponyplay ramrod sack santorum scat scissoring sexual sexuality "
    b"sexually shrimping skeet smut snatch snowballing spunk swastika swinger topless twink "
    b"twinkie undressing viagra vibrator wang weenie weiner "
    b"daterape fecal genitals incest intercourse paedophile pedo pedophile rape raping rapist "
    b"rectum sadism semen sodomy sphincter "
    b"beaner beaners bulldyke coon coons darkie faggot honkey jigaboo jiggaboo jiggerboo kike "
    b"negro nigga nigger paki pikey poof raghead slanteye slut spastic spic towelhead tranny "
    b"wetback whore arse arsehole arsewipe ballbag bellend bollock bollocks bollox bumhole "
    b"bunghole butthole cajones douche douchebag jackarse jagoff knobhead knobheads mofo mofos "
    b"mong nob nobhead nobheads peckerhead prick pricks pus puss tosser twat twatface twats "
    b"twatt wank wanker wankers wnker".split()
)


SPLITS = ("train", "valid", "test")
"""What a row is for; nobody learns from the last two."""


@dataclass(slots=True)
class Example:
    """A text with what is known about it.

    *held*: no head is fitted on it. *measured*: it has the prevalence of comments at large, as
    far as its source has, so that figures and calibration may rest on it.
    """

    text: str
    labels: dict[Label, bool]
    source: str
    weight: float
    group: int
    held: bool
    measured: bool


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data file as objects with `text`, `labels` and `split`.

    Raises DataUnreadable, which names the line: of CSV the one a row begins in.
    """
    number = 0
    try:
        with _opened(path) as lines:
            if path.name.removesuffix(".gz").endswith(".csv"):
                number = 1
                # Strict, or a quote that is never closed takes the rest of the file for one cell.
                table = csv.DictReader(lines, strict=True)
                _check_columns(table.fieldnames or (), path)
                number = table.line_num + 1
                for record in table:
                    yield _own_row(record, f"{path} line {number}")
                    number = table.line_num + 1
                return
            for number, line in enumerate(lines, 1):
                record = json.loads(line)
                public = isinstance(record, dict) and "labels" in record
                yield (_public_row if public else _own_row)(record, f"{path} line {number}")
    except _FOREIGN as error:
        place = f"{path} line {number}" if number else f"{path}"
        raise DataUnreadable(f"{place}: expected a labelled row, got {error}") from error


_FOREIGN = (
    OSError,
    EOFError,
    UnicodeDecodeError,
    csv.Error,
    ValueError,
    RecursionError,
    zlib.error,
)


def _opened(path: Path) -> io.TextIOBase:
    # Excel's "CSV UTF-8" begins with a byte order mark, which would be of the first column's name.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _check_columns(names: Sequence[str], path: Path) -> None:
    """Refuse a table of which one column would hide another."""
    for name in ("text", "split", *Label):
        if names.count(name) > 1:
            raise DataUnreadable(
                f"{path} line 1: expected one column {name}, got {names.count(name)}"
            )
    if names and not set(names) & set(Label):
        raise DataUnreadable(f"{path} line 1: expected a column of {', '.join(Label)}, got {names}")


def _own_row(record: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a row whose labels stand beside its text; an empty cell is unknown."""
    text = _text(record, place)
    beyond = [cell for cell in record.get(None, ()) if cell]
    if beyond:  # most likely a comma of the text, which would move every label
        raise DataUnreadable(f"{place}: expected a cell a column, got {len(beyond)} beyond them")
    labels = {
        _OF_LABEL[label]: _share(record[label], label, place)
        for label in Label
        if record.get(label) not in (None, "")
    }
    return {"text": text, "labels": labels, "split": _split(record, place)}


_OF_LABEL = {label: key for key, label in KEYS.items()}


def _public_row(record: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a row that has its labels together, by the names in `KEYS`; null is unknown."""
    text, given = _text(record, place), record["labels"]
    if not isinstance(given, dict):
        raise DataUnreadable(f"{place}: expected labels by name, got {type(given).__name__}")
    unknown = sorted(given.keys() - KEYS)
    if unknown:
        raise DataUnreadable(f"{place}: expected labels of {', '.join(KEYS)}, got {unknown}")
    labels = {key: _share(value, key, place) for key, value in given.items() if value is not None}
    return record | {"text": text, "labels": labels, "split": _split(record, place)}


def _split(record: dict[str, Any], place: str) -> str:
    """Return what a row is for; of one in any other part nothing would be learnt or measured."""
    found = record.get("split") or "train"
    if found not in SPLITS:
        raise DataUnreadable(f"{place}: expected split {', '.join(SPLITS)}, got {found!r:.60}")
    return str(found)


def _text(record: Any, place: str) -> str:  # noqa: ANN401 - JSON
    if not isinstance(record, dict):
        raise DataUnreadable(f"{place}: expected a row, got {type(record).__name__}")
    text = record.get("text")
    if not isinstance(text, str):
        got = type(text).__name__ if "text" in record else sorted(map(str, record))
        raise DataUnreadable(f"{place}: expected a text, got {got}")
    return text


def _share(value: Any, name: str, place: str) -> float:  # noqa: ANN401 - JSON
    """Return the share of raters who said yes."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= 1:
        raise DataUnreadable(f"{place}: expected {name} from 0 to 1, got {value!r:.60}")
    return found


def known(labels: dict[str, float]) -> dict[Label, bool]:
    """Return the labels the raters agreed on; whatever is absent stays unknown."""
    return {
        KEYS[key]: value >= _POSITIVE
        for key, value in labels.items()
        if value >= _POSITIVE or value < _NEGATIVE
    }


def sources(data: Path, language: str = "en") -> dict[Path, Source]:
    """Return the files in *data* that may be trained on, the public ones of *language* first.

    Raises DataUnreadable when there is none.
    """
    found = {
        path: source
        for name, source in SOURCES.items()
        if source.language == language and (path := data / f"{name}.jsonl.gz").is_file()
    }
    found |= dict.fromkeys(own(data), _OWN)
    if not found:
        raise DataUnreadable(f"{data}: expected labelled .csv or .jsonl files, found none")
    return found


def own(data: Path) -> list[Path]:
    """Return the files in *data* that are no public ones.

    Raises DataUnreadable where *data* is no folder, or a name cannot be stated in a manifest.
    """
    if not data.is_dir():
        raise DataUnreadable(f"{data}: expected a folder of labelled comments, found none")
    public = {f"{name}.jsonl.gz" for name in (*SOURCES, *MEASURED)}
    found = [
        path
        for pattern in ("*.csv", "*.csv.gz", "*.jsonl", "*.jsonl.gz")
        for path in sorted(data.glob(pattern))
        if path.name not in public
    ]
    for path in found:
        if not path.name.isprintable():
            raise DataUnreadable(f"expected a file name that can be printed, got {path.name!a}")
    return found


def examples(data: Path, *, language: str = "en", fold: int = 0) -> list[Example]:
    """Return every row that may be trained on or held out, source by source.

    *fold*, 0 to 4, says which fifth of the groups is held out.
    """
    found: list[Example] = []
    kept_apart = reserved(data)
    for path, source in sources(data, language).items():
        mine = list(_of_source(path, source))
        apart = np.isin(_numbers(each.text for each in mine), kept_apart).tolist()
        found += [each for each, test in zip(mine, apart, strict=True) if not test]
    for example, group in zip(found, groups([each.text for each in found]), strict=True):
        example.group = group
        alike = example.measured or example.source == "jigsaw_wiki"
        example.held = alike and group % 100 // _DEV_SHARE == fold
    held = {example.group for example in found if example.held}
    return [example for example in found if example.held or example.group not in held]


def reserved(data: Path) -> NDArray[np.uint64]:
    """Return the numbers (`seen`) of all valid and test rows: no training row may equal one.

    A text that is in both the training and the test rows of its publisher is a test row.
    """
    names = [f"{name}.jsonl.gz" for name in (*SOURCES, *MEASURED)]
    paths = [*(data / name for name in names if (data / name).is_file()), *own(data)]
    return seen(row["text"] for path in paths for row in rows(path) if row["split"] != "train")


def _of_source(path: Path, source: Source) -> Iterator[Example]:
    name = path.name.partition(".")[0]
    mine = [row for row in rows(path) if row["split"] == "train"]
    usable = [
        label
        for label in source.labels
        if source.only_positive or any(known(row["labels"]).get(label) is False for row in mine)
    ]
    for row in mine:
        labels = {label: value for label, value in known(row["labels"]).items() if label in usable}
        if source.ham:
            labels[Label.SPAM] = False
        if not labels or (source.only_positive and not any(labels.values())):
            continue
        whole = (
            name == "jigsaw_wiki"
            and row.get("meta", {}).get("sample") == "random"
            and len(labels) == len(WIKI)
        )
        measured = whole or Label.SPAM in labels or source.whole
        yield Example(row["text"], labels, name, source.weight, 0, held=False, measured=measured)


def groups(texts: Sequence[str]) -> list[int]:
    """Return a number a text that near-duplicates share.

    Three min-wise sketches of four pairs of neighbouring words each (Broder, 1997): texts that
    agree in one are twins, and so are the twins of twins.
    """
    leader: dict[tuple[int, int], tuple[int, int]] = {}

    def find(sketch: tuple[int, int]) -> tuple[int, int]:
        while (above := leader.setdefault(sketch, sketch)) != sketch:
            leader[sketch] = leader[above]
            sketch = above
        return sketch

    firsts = []
    for text in texts:
        first, *others = _sketches(text)
        root = find(first)
        for sketch in others:
            other = find(sketch)
            root, other = min(root, other), max(root, other)
            leader[other] = root
        firsts.append(first)
    return [crc32(b"%d %d" % find(first)) for first in firsts]


def _sketches(text: str) -> list[tuple[int, int]]:
    words = _WORDS.findall(text.lower())
    if len(words) > _ALONE:
        words = [" ".join(pair) for pair in pairwise(words)]
    hashes = [crc32(word.encode("utf-8", "replace")) for word in set(words)] or [0]
    distinct = np.unique(np.array(hashes, dtype=np.uint32))
    return [
        (at, crc32(np.sort(distinct * np.uint32(mixer))[:_SHINGLES].tobytes()))
        for at, mixer in enumerate(_SKETCHES)
    ]


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its name. Raises DataUnreadable."""
    found = {}
    for path in paths:
        try:
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataUnreadable(f"expected a file that can be read, got: {error}") from error
    return found


def seen(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a number for each different text, white space and letter case aside, ascending.

    A bundle keeps those of what it was made with: an evaluation looks whether it has one.
    """
    return np.unique(_numbers(texts))


def _numbers(texts: Iterable[str]) -> NDArray[np.uint64]:
    folded = (" ".join(text.casefold().split()).encode("utf-8", "replace") for text in texts)
    digests = b"".join(hashlib.sha256(text).digest()[:8] for text in folded)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def profanities(data: Path, language: str = "en") -> frozenset[bytes]:
    """Return the single words of the lists of profanities in *data*; none without a list."""
    return frozenset(
        term.lower().encode()
        for term, _ in _listed(data, language)
        if term.isascii() and term.isalpha() and len(term) >= _SHORTEST
    )


def explicit_terms(data: Path) -> frozenset[bytes]:
    """Return words for sexual acts and anatomy, without those that mostly mean something else."""
    found = frozenset(
        term.lower().encode()
        for term, sexual in _listed(data, "en")
        if sexual and term.isalpha() and len(term) >= _SHORTEST
    )
    return found - _OTHERWISE


def _listed(data: Path, wanted: str) -> Iterator[tuple[str, bool]]:
    """Yield the terms of the lists in a language, and whether each is sexual and no expletive."""
    path = data / "lists/surge_profanity_en.csv.gz"
    if wanted == "en" and path.is_file():
        for row in csv.DictReader(_list(path)):
            try:
                forms = {row["canonical_form_1"], row["canonical_form_2"], row["canonical_form_3"]}
                anatomy = row["category_1"].startswith("sexual anatomy")
                yield row["text"], anatomy and not forms & _EXPLETIVES
            except KeyError as error:
                raise DataUnreadable(f"{path}: expected a column {error}, got {[*row]}") from error
    path = data / "lists/ldnoobw_badwords.tsv.gz"
    if path.is_file():
        for line in _list(path):
            language, _, term = line.rstrip("\n").partition("\t")
            if language == wanted:
                yield term, not any(bad in term for bad in _EXPLETIVES)


def _list(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from lines
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataUnreadable(f"{path}: expected a list, got {error}") from error
