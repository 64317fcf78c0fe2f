"""Tests of moderation.model.training and .evaluation, on data made here."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moderation.errors import DataUnreadable, EvaluationRefused
from moderation.model import bundle, calibration, corpus, evaluation, fitting, invention, training
from moderation.verdict import LABELS, Label

ROWS = 220  # of each source


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _row(text: str, labels: dict[str, float], split: str = "train") -> dict[str, Any]:
    return {"text": text, "labels": labels, "split": split, "meta": {"sample": "random"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every source, small: rows with the word "bad" are positive for all their labels."""
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(0)  # noqa: S311 - reproducible, not secret
    keys = {label: key for key, label in corpus.KEYS.items()}
    for name, source in corpus.SOURCES.items():
        rows = []
        for at in range(ROWS):
            words = [f"w{draw.randrange(3000)}" for _ in range(12)]
            value = at % 3 == 0
            text = " ".join([*words, "bad" if value else "good", "erotica" if at % 5 else "x"])
            rows.append(_row(text, {keys[label]: float(value) for label in source.labels}))
        labels = rows[0]["labels"]
        rows += [_row(f"official test {at}", labels, "test") for at in range(3)]
        _write(folder / f"{name}.jsonl.gz", rows)
    (folder / "lists").mkdir()
    with gzip.open(folder / "lists/surge_profanity_en.csv.gz", "wt") as file:
        file.write("text,canonical_form_1,canonical_form_2,canonical_form_3,category_1\n")
        file.write("erotica,erotica,,,sexual anatomy / sexual acts\n")
        file.write("fucker,fuck,,,sexual anatomy / sexual acts\n")
        file.write("slurword,slur,,,racial / ethnic slurs\n")
        file.write("Peter,peter,,,sexual anatomy / sexual acts\n")
    with gzip.open(folder / "lists/ldnoobw_badwords.tsv.gz", "wt") as file:
        file.write("en\tbondage\nen\tsexuality\nde\tschlimm\n")
    return folder


def test_training_gives_the_same_bundle_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same data, same seed: the same manifest to the byte, which loads and has learnt."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    digests = [
        training.train(data, tmp_path / out, name="tiny", made="2026-01-01", jobs=1)
        for out in ("one", "two")
    ]

    assert digests[0] == digests[1]
    found = bundle.load(tmp_path / "one", digest=digests[0])
    bad, good = found.scorer.score(["w1 w2 w3 bad", "w1 w2 w3 good"])[:, LABELS.index("toxicity")]
    assert bad > good
    assert set(found.manifest["sources"]) == {
        *(f"{name}.jsonl.gz" for name, of in corpus.SOURCES.items() if of.language == "en"),
        *(Path(name).name for name in corpus.LISTS),
    }
    card = (tmp_path / "one" / "card.md").read_text()
    assert str(found.manifest["metrics"]["development"]["toxicity"]["auc"]) in card
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert metrics == found.manifest["metrics"]


def test_a_run_that_was_cut_off_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the work folder is not fitted again, and changes nothing; other data is."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    fitted: list[float] = []
    fit = fitting.regression

    def counted(*arguments: Any, **how: Any) -> Any:  # noqa: ANN401
        if len(fitted) == 4:
            raise KeyboardInterrupt
        fitted.append(how["penalty"])
        return fit(*arguments, **how)

    def train(out: str, seed: int) -> str:
        return training.train(
            data,
            tmp_path / out,
            name="t",
            made="2026-01-01",
            seed=seed,
            jobs=1,
            work=tmp_path / "w",
        )

    monkeypatch.setattr(fitting, "regression", counted)
    with pytest.raises(KeyboardInterrupt):
        train("cut", 7)
    monkeypatch.setattr(fitting, "regression", lambda *a, **how: fitted.append(0) or fit(*a, **how))
    again = train("again", 7)
    assert len(fitted) == 2 * len(fitting.HEADS) - 1  # spam's head is fitted once

    monkeypatch.setattr(fitting, "regression", fit)
    whole = training.train(data, tmp_path / "whole", name="t", made="2026-01-01", jobs=1)
    assert again == whole


def test_what_ships_is_fitted_on_all_rows(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads meet the held-out rows after they were measured on them; spam's never does."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    run = fitting.Training(data, tmp_path / "w", seed=7, jobs=1, say=lambda _: None)
    rows: list[int] = []
    fit = fitting.regression

    def counted(matrix: Any, *arguments: Any, **how: Any) -> Any:  # noqa: ANN401
        rows.append(matrix.shape[0])
        return fit(matrix, *arguments, **how)

    monkeypatch.setattr(fitting, "regression", counted)

    heads = [
        fitting.Head(Label.TOXICITY, frozenset({"jigsaw_wiki"}), 0.15),
        fitting.Head(Label.SPAM, None, 0.3),
    ]

    scorer, rehearsed, _ = training.fit(run, heads)

    held = sum(each.source == "jigsaw_wiki" for each in run.held)
    first, _, again = rows
    assert held
    assert again == first + held
    differ = (scorer.weights != rehearsed.weights).any(axis=0)
    assert differ[LABELS.index("toxicity")]
    assert not differ[LABELS.index("spam")]
    assert scorer.stage is rehearsed.stage
    assert scorer.calibration is rehearsed.calibration


def test_a_bundle_of_another_language_learns_its_sources_alone(data: Path, tmp_path: Path) -> None:
    """German rows make a German bundle, which says so; what it has no rows for stays silent."""
    digest = training.train(
        data, tmp_path / "de", name="de", made="2026-01-01", language="de", jobs=1
    )

    found = bundle.load(tmp_path / "de", digest=digest)
    lists = [Path(name).name for name in corpus.LISTS]
    assert list(found.manifest["sources"]) == ["germeval2018_de.jsonl.gz", *lists]
    assert found.manifest["labels"]["toxicity"]["languages"] == ["de"]
    assert found.manifest["labels"]["spam"]["evidence"] == "none"
    scores = found.scorer.score(["w1 w2 w3 bad", "w1 w2 w3 good"])
    assert scores[0, 1] > 0.5 > scores[1, 1]


def test_own_data_of_two_labels_make_a_bundle(tmp_path: Path) -> None:
    """A CSV file and a JSON Lines file teach the labels they know; the others stay silent."""
    draw = random.Random(1)  # noqa: S311 - reproducible, not secret
    lines = ["text,spam,toxicity"]
    for at in range(600):
        words = " ".join(f"w{draw.randrange(900)}" for _ in range(8))
        lines.append(f'"{words} {"casino" if at % 3 == 0 else "garden"}",{int(at % 3 == 0)},')
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    with (tmp_path / "yours.jsonl").open("w") as file:
        for at in range(600):
            words = " ".join(f"w{draw.randrange(900)}" for _ in range(8))
            row = {
                "text": f"{words} {'moron' if at % 4 == 0 else 'friend'}",
                "toxicity": at % 4 == 0,
            }
            file.write(json.dumps(row) + "\n")

    training.train(tmp_path, tmp_path / "b", name="own", made="2026-01-01", jobs=1)

    found = bundle.load(tmp_path / "b")
    scores = found.scorer.score(["w1 w2 casino", "w1 w2 garden", "w1 w2 moron", "w1 w2 friend"])
    assert scores[0, 0] > 0.5 > scores[1, 0]
    assert scores[2, 1] > 0.5 > scores[3, 1]
    assert scores[:, LABELS.index("threat")].max() < 0.01
    assert found.manifest["labels"]["threat"]["evidence"] == "none"
    assert found.thresholds[Label.THREAT].hold is None
    assert {each["licence"] for each in found.manifest["sources"].values()} == {"own"}


def _texts(count: int, word: str, *, held: bool) -> list[str]:
    """Return texts with *word*, all held out or all fitted on."""
    draw = random.Random(word)  # noqa: S311 - reproducible, not secret
    found: list[str] = []
    while len(found) < count:
        text = " ".join([*(f"w{draw.randrange(900)}" for _ in range(8)), word])
        if (corpus.groups([text])[0] % 100 < 20) is held:
            found.append(text)
    return found


def _table(path: Path, labels: str, *rows: tuple[list[str], str]) -> None:
    """Write CSV with the *labels*, each of the texts with the cells beside them."""
    lines = [f"{text},{cells}" for texts, cells in rows for text in texts]
    path.write_text("\n".join([f"text,{labels}", *lines]))


def _evidence(folder: Path) -> dict[str, str]:
    labels = bundle.load(folder).manifest["labels"]
    return {name: of["evidence"] for name, of in labels.items() if of["evidence"] != "none"}


@pytest.mark.parametrize("fitted", [0, 17])
def test_a_label_that_only_held_out_rows_know_stays_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: int
) -> None:
    """All rows together would be enough; what was measured had nothing to go by."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    _table(
        tmp_path / "ours.csv",
        "toxicity,insult",
        (_texts(25, "moron", held=True), "1,"),
        (_texts(25, "friend", held=True), "0,"),
        (_texts(fitted, "idiot", held=False), "1,"),
        *((_texts(30, "liar" if held else "ugly", held=held), ",1") for held in (True, False)),
        *((_texts(30, "bread" if held else "tree", held=held), ",0") for held in (True, False)),
    )
    told: list[str] = []

    training.train(tmp_path, tmp_path / "b", name="b", made="2026-01-01", jobs=1, say=told.append)

    assert _evidence(tmp_path / "b") == {"insult": "labelled"}
    few = "toxicity has too few rows to be fitted: expected 20 positive and 20 negative"
    said = [line for line in told if line.startswith("toxicity")]
    assert said == [f"{few}, got {fitted} and 0"] * 2  # of both its heads
    (silent,) = (line for line in told if line.startswith("calibrated"))
    assert silent.startswith("calibrated; silent for want of rows: spam, toxicity, ")


def test_the_same_heads_are_fitted_both_times(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a label with two heads, one with too few rows at first is left out when they are more."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    name = "jigsaw_wiki.jsonl.gz"
    (tmp_path / name).write_bytes((data / name).read_bytes())
    _table(
        tmp_path / "ours.csv",
        "toxicity",
        *((_texts(19, "moron" if held else "idiot", held=held), "1") for held in (True, False)),
        *((_texts(19, "bread" if held else "tree", held=held), "0") for held in (True, False)),
    )
    run = fitting.Training(tmp_path, tmp_path / "w", seed=7, jobs=1, say=lambda _: None)
    both = fitting.Head(Label.TOXICITY, frozenset({"jigsaw_wiki"}), 0.15)
    ours = fitting.Head(Label.TOXICITY, frozenset({"ours"}), 0.1)
    fitted: list[float] = []
    fit = fitting.regression
    monkeypatch.setattr(
        fitting, "regression", lambda *a, **how: fitted.append(how["penalty"]) or fit(*a, **how)
    )

    found = training.fit(run, [both, ours])

    assert run.learnable([both, ours]) == [both]
    assert len(fitted) == 2
    assert list(found.crossed) == [Label.TOXICITY]


def test_copies_of_one_text_are_not_enough_to_measure_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near-duplicates share a fold: the others have no positive, so the label stays silent."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    _table(
        tmp_path / "ours.csv",
        "spam",
        (_texts(1, "pills", held=True) * 40, "1"),
        *((_texts(75, "bread" if held else "tree", held=held), "0") for held in (True, False)),
    )
    told: list[str] = []

    training.train(tmp_path, tmp_path / "b", name="b", made="2026-01-01", jobs=1, say=told.append)

    assert _evidence(tmp_path / "b") == {}
    assert [line for line in told if line.startswith("calibrated; silent for want of rows: spam, ")]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "text,spam\n",
        "text,spam\nhello,0\n",
        "text,spam\n" + "hello,1\n" * 50,
        "text,spam,split\n" + "hello,1,test\nbye,0,test\n" * 50,
        "text,spam\n" + ",1\n   ,0\n" * 50,
    ],
)
def test_data_that_teach_nothing_are_refused(tmp_path: Path, content: str) -> None:
    """Empty, one row, one class, test rows alone, blank texts."""
    (tmp_path / "ours.csv").write_text(content)

    with pytest.raises(
        DataUnreadable, match=r"expected 40 rows to fit on and 10 held out, .* got "
    ):
        training.train(tmp_path, tmp_path / "b", name="b", made="2026-01-01", jobs=1)
    assert not (tmp_path / "b").exists()


def test_a_stage_that_was_half_written_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was cut off while it kept a head does not take the half for the whole."""
    monkeypatch.setattr(invention, "_MADE_UP", 30)
    _table(tmp_path / "ours.csv", "spam", (_texts(30, "x", held=True), "0"))

    def cut(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    def train(out: str, work: str) -> str:
        return training.train(
            tmp_path, tmp_path / out, name="b", made="2026-01-01", jobs=1, work=tmp_path / work
        )

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            train("b", "w")

    assert train("b", "w") == train("c", "other")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "comment,spam\nhello,1\n", "line 2: expected a text"),
        ("a.jsonl", '{"text": "x", "spam": 1}\n{"text"\n', "line 2"),
        ("a.csv", "text,spam\nhello,yes\n", "line 2"),
        ("a.jsonl", "[]\n", "line 1"),
        ("a.txt", "hello", "found none"),
    ],
)
def test_data_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    """File and line are in the error."""
    (tmp_path / name).write_text(content)

    with pytest.raises(DataUnreadable, match=message):
        corpus.examples(tmp_path)


def test_an_evaluation_refuses_rows_the_bundle_was_made_with(tmp_path: Path) -> None:
    """One test row among the training rows, whatever its case and spaces, stops the measuring."""
    row = _row("Some  OFFICIAL row", dict.fromkeys(corpus.KEYS, 0.0), "test")
    _write(tmp_path / "jigsaw_wiki.jsonl.gz", [row])
    scorer = bundle.shipped().scorer

    with pytest.raises(EvaluationRefused, match=r"jigsaw_wiki: .* first 'Some  OFFICIAL row'"):
        evaluation.measure(scorer, tmp_path, seen=corpus.seen(["some official row"]))
    found = evaluation.measure(scorer, tmp_path, seen=corpus.seen(["another row"]))
    assert found.figures["test_random"]["toxicity"]["rows"] == 1


def test_test_rows_of_files_with_one_stem_are_both_measured(tmp_path: Path) -> None:
    """The second goes by its whole name."""
    (tmp_path / "a.csv").write_text("text,spam,split\nhello,1,test\n")
    (tmp_path / "a.jsonl").write_text('{"text": "bye", "spam": 0, "split": "test"}\n')

    found = evaluation.measure(bundle.shipped().scorer, tmp_path, seen=corpus.seen([])).figures

    positives = {name: of["spam"]["positives"] for name, of in found["own_tests"].items()}
    assert positives == {"a": 1, "a.jsonl": 0}


def test_a_public_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """An evaluation reads as training does."""
    (tmp_path / "jigsaw_wiki.jsonl.gz").write_bytes(b"no")

    with pytest.raises(DataUnreadable, match=r"jigsaw_wiki.jsonl.gz: expected a labelled row"):
        evaluation.measure(bundle.shipped().scorer, tmp_path, seen=corpus.seen([]))


def test_a_model_is_measured_in_its_own_language(tmp_path: Path) -> None:
    """On the official rows of that language; others say what it is worth beyond."""
    english = _row("An official row", dict.fromkeys(corpus.KEYS, 0.0), "test")
    german = _row("Eine amtliche Zeile", {"toxic": 1.0}, "test") | {"lang": "de"}
    _write(tmp_path / "jigsaw_wiki.jsonl.gz", [english])
    _write(tmp_path / "germeval2018_de.jsonl.gz", [german, german])
    scorer, none = bundle.shipped().scorer, corpus.seen([])

    found = {
        language: evaluation.measure(scorer, tmp_path, seen=none, language=language).figures
        for language in ("en", "de")
    }

    assert found["en"]["test_random"]["toxicity"]["rows"] == 1
    assert "test_official" not in found["en"]
    assert found["de"]["test_random"] == {}
    assert found["de"]["test_official"]["toxicity"]["rows"] == 2
    assert found["en"]["languages"]["de"]["labels"]["toxicity"]["rows"] == 2
    assert found["de"]["languages"] == {}


def test_only_permissive_sources_are_listed() -> None:
    """Licences are data in the code, and the sources made for measuring are absent."""
    assert not set(corpus.SOURCES) & set(corpus.MEASURED)
    for licence in [
        *(each.licence for each in corpus.SOURCES.values()),
        *corpus.LISTS.values(),
    ]:
        assert licence.startswith("permissive")
    assert "bias_madlibs77k" not in corpus.SOURCES


def test_official_test_rows_are_never_read(data: Path) -> None:
    """No example comes from a split other than train."""
    assert not [each for each in corpus.examples(data) if "official" in each.text]


def test_a_missing_label_is_unknown() -> None:
    """Absent keys stay absent, and raters who disagree leave a label unknown."""
    found = corpus.known({"toxic": 0.4, "spam": 0.0, "insult": 0.5})

    assert found == {Label.SPAM: False, Label.INSULT: True}


def test_a_column_without_negatives_is_not_used(data: Path, tmp_path: Path) -> None:
    """Where every known value is positive, the label says only which source a row is from."""
    for path in data.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = [_row(f"text number {at}", {"toxic": 1, "spam": at % 2}) for at in range(9)]
    _write(tmp_path / "civil_toxicspans.jsonl.gz", rows)

    mine = [each for each in corpus.examples(tmp_path) if each.source == "civil_toxicspans"]

    assert mine
    assert not [each for each in mine if Label.TOXICITY in each.labels]


def test_near_duplicates_stand_on_one_side(data: Path, tmp_path: Path) -> None:
    """No training row has the group of a held-out row, and a copy with other case is grouped."""
    for path in data.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = "the quick brown fox jumps over the lazy dog again"
    rows = [_row(text, {"toxic": 0}), _row(text.upper() + "   again", {"toxic": 1})]
    _write(tmp_path / "surge_toxicity.jsonl.gz", rows)

    found = corpus.examples(tmp_path)

    held = {each.group for each in found if each.held}
    assert held
    assert not [each for each in found if not each.held and each.group in held]
    assert len({each.group for each in found if each.source == "surge_toxicity"}) <= 1


def test_weak_terms_leave_out_expletives_names_and_ordinary_words(data: Path) -> None:
    """Only sexual words that are not mostly curses, or mostly mean something else."""
    assert corpus.explicit_terms(data) == {b"erotica", b"bondage"}


def test_made_up_comments_repeat_with_the_seed() -> None:
    """The generator gives the same comments for one seed and others for another."""
    first, again, other = (invention.made_up(seed) for seed in (1, 1, 2))

    assert [each.text for each in first] == [each.text for each in again]
    assert [each.text for each in first] != [each.text for each in other]
    assert not [each for each in first if "{" in each.text or each.held]


def test_made_up_phrases_about_people_are_harmless_but_for_what_is_said_of_them() -> None:
    """Names and groups stand in rude ones as in others; none says anything of spam."""
    phrases = [each for each in invention.made_up(1) if each.source == invention.PHRASES]
    harmless = [each for each in phrases if not any(each.labels.values())]
    rude = [each for each in phrases if each.labels.get(Label.TOXICITY)]

    assert not [each for each in phrases if Label.SPAM in each.labels]
    for name in ("Peter", "Muslim"):
        assert [each for each in harmless if name in each.text]
        assert [each for each in rude if name in each.text]


def test_a_threshold_keeps_its_precision() -> None:
    """The lowest score with enough precision above it is chosen, ties taken whole."""
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.6, 0.1])
    truth = np.array([True, True, True, False, False, False])

    assert calibration.threshold(scores, truth, 0.7, least=1) == (0.7, 0.75)
    assert calibration.threshold(scores, truth, 0.99, least=1) == (0.8, 1.0)
    assert calibration.threshold(scores, truth, 0.99, least=3) is None


@pytest.mark.parametrize("positives", [100, 600])
def test_calibration_rises_and_is_right_on_average(positives: int) -> None:
    """Platt with few positives, isotonic with many: both rise and predict the share."""
    draw = np.random.default_rng(0)
    logits = draw.normal(size=3000)
    truth = np.zeros(3000, dtype=bool)
    truth[np.argsort(-(logits + draw.normal(size=3000)))[:positives]] = True

    curve = calibration.curve(logits, truth)

    grid = np.linspace(-12, 12, curve.size)
    assert (np.diff(curve) >= 0).all()
    assert abs(np.interp(logits, grid, curve).mean() - truth.mean()) < 0.01


def test_figures_of_one_class_are_absent() -> None:
    """An AUC needs both classes; without them the figure is missing, not invented."""
    found = evaluation.figures(np.array([0.1, 0.2]), np.array([False, False]))

    assert found["auc"] is None
    assert found["auc_interval"] is None
    assert found["ece"] == pytest.approx(0.15)


def test_calibration_error_is_over_bins_of_equal_mass() -> None:
    """Scores that are right on average in every bin have no error, shifted ones have the shift."""
    draw = np.random.default_rng(0)
    scores = draw.random(60_000)
    truth = draw.random(60_000) < scores

    assert evaluation.calibration_error(scores, truth) < 0.01
    shifted = evaluation.calibration_error(scores * 0.9, truth)
    assert shifted == pytest.approx(0.05, abs=0.01)


def test_the_interval_holds_the_figure() -> None:
    """A bootstrap interval is around the AUC, and narrower with more rows."""
    draw = np.random.default_rng(0)
    truth = draw.random(4000) < 0.3
    scores = draw.normal(size=4000) + truth

    few, many = (evaluation.figures(scores[:n], truth[:n]) for n in (300, 4000))

    for each in (few, many):
        assert each["auc_interval"][0] < each["auc"] < each["auc_interval"][1]
    assert np.diff(many["auc_interval"]) < np.diff(few["auc_interval"])
