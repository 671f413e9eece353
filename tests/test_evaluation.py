"""`seqgan evaluate` and `seqgan score`: one number of texts for all rows, signatures everywhere, nothing made up."""

import gzip
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import seqgan
from seqgan import evaluation
from seqgan.core.report import Measured
from seqgan.data.encoding import encoded
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import UsageError
from seqgan.evaluation import evaluate_models, judged_texts, summary
from seqgan.metrics import METRICS, residual
from seqgan.model import TextModel
from seqgan.models.lstm import LSTMPolicy
from seqgan.ratings import analyse, read_ratings
from seqgan.reporting import REAL, SHORT, TABLES, Evaluation, tables
from seqgan.runs import load_model
from seqgan.symbols import EOS, UNK
from tests.conftest import JUDGED, TINY_GAME, tiny_lines
from tests.test_cli import call, refusal

LINES = [f"{a} {b} and {b} {c}" for a in ("oh", "hi", "hm") for b in ("anna", "bo", "cleo", "dan") for c in range(30)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    folder = tmp_path_factory.mktemp("evaluation") / "run"
    return seqgan.train(LINES, run_dir=folder, threads=1, device="cpu", **TINY_GAME)


def evaluated(run: seqgan.TrainedRun, *more: str) -> dict[str, Any]:
    return json.loads(call("evaluate", run.folder, "--json", *more).stdout)


def test_there_is_a_row_for_every_policy_and_one_for_real_text_all_of_one_size(run: seqgan.TrainedRun) -> None:
    rows = evaluated(run, "-n", "20")["rows"]
    assert list(rows) == ["mle", "best-of-8", "final", "real"]
    texts_alone = set(rows["real"])
    assert texts_alone == {name for row in rows.values() for name in row} - {
        name for name in rows["mle"] | rows["final"] if name.startswith(("nll", "entropy", "d-", "kl-"))
    }
    for row in rows.values():
        for name in texts_alone:
            assert row[name]["signature"].startswith("n:20"), name


def test_every_number_has_a_value_and_a_signature(run: seqgan.TrainedRun) -> None:
    for row in evaluated(run)["rows"].values():
        for name, number in row.items():
            assert set(number) == {"value", "stderr", "signature"}, name
            assert re.search(r"\w+:", number["signature"]), name
            assert number["stderr"] is None or number["stderr"] >= 0, name


def test_the_references_are_the_test_split_and_the_real_row_is_the_validation_split(run: seqgan.TrainedRun) -> None:
    corpus = run.corpus()
    rows = evaluated(run)["rows"]
    by_hand = seqgan.evaluate(corpus.valid, corpus.test, corpus.train, tokens="words")
    assert f"refs:{len(corpus.test)}|" in rows["real"]["bleu-2"]["signature"]
    for name in ("bleu-2", "bleu-5", "self-bleu-3", "distinct-2", "seen-3"):
        assert rows["real"][name]["value"] == pytest.approx(by_hand[name].value)


@pytest.mark.parametrize("stage", ["mle", "final"])
def test_a_run_and_the_file_of_its_samples_give_the_same_numbers(
    stage: str, run: seqgan.TrainedRun, tmp_path: Path
) -> None:
    rows = evaluated(run, "--seed", "5", "-n", "25")["rows"]
    call("generate", run.folder, "-n", 25, "--seed", 5, "--stage", stage, "--output", tmp_path / "samples.txt")
    for part in ("train", "test"):
        (tmp_path / f"{part}.txt").write_text("\n".join(getattr(run.corpus(), part)) + "\n")
    files = ["--references", tmp_path / "test.txt", "--training", tmp_path / "train.txt", "--tokens", "words"]
    measured = json.loads(call("evaluate", "--samples", tmp_path / "samples.txt", *files, "--json").stdout)["rows"][
        "samples.txt"
    ]
    assert {"bleu-2", "backward-bleu-5", "self-bleu-5", "distinct", "seen-2", "length"} <= set(measured)
    for name, number in measured.items():
        assert rows[stage][name] == number, name


def test_a_gzipped_file_gives_the_same_numbers_and_an_empty_line_is_a_sample(tmp_path: Path) -> None:
    plain, packed, real = tmp_path / "s.txt", tmp_path / "s.txt.gz", tmp_path / "r.txt"
    plain.write_text("a b c\n\na b d\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    real.write_text("a b c\na c d\n")
    first, second = (
        json.loads(call("evaluate", "--samples", path, "--references", real, "--json").stdout)["rows"][path.name]
        for path in (plain, packed)
    )
    assert first == second
    assert first["bleu-2"]["signature"].startswith("n:3|refs:2|")


def test_corpus_bleu_is_another_number_with_another_signature(run: seqgan.TrainedRun) -> None:
    sentence, corpus = (evaluated(run, "--aggregate", how)["rows"]["real"] for how in ("sentence", "corpus"))
    assert sentence["bleu-3"]["value"] != corpus["bleu-3"]["value"]
    assert "agg:sentence-mean" in sentence["bleu-3"]["signature"]
    assert "agg:corpus" in corpus["bleu-3"]["signature"]


def test_text_can_be_counted_in_lower_case(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    samples, real, small = (tmp_path / name for name in ("samples.txt", "real.txt", "small.txt"))
    samples.write_text("The Cat sat\nTHE CAT SAT\na dog\n")
    real.write_text("the cat sat down\nA Dog Sat\n")
    small.write_text(samples.read_text().lower())
    files = ("--references", real, "--training", real, "--tokens", "words", "--json")
    cased, lowered = (
        json.loads(call("evaluate", "--samples", samples, *files, *more).stdout)["rows"]["samples.txt"]
        for more in ((), ("--lowercase", "--check"))
    )
    expected = seqgan.evaluate(small.read_text().splitlines(), [line.lower() for line in real.read_text().splitlines()])
    assert lowered["bleu-2"]["value"] == pytest.approx(expected["bleu-2"].value)
    assert lowered["bleu-2"]["value"] > cased["bleu-2"]["value"]
    assert lowered["distinct"]["value"] < cased["distinct"]["value"] == 1
    assert "|case:lc|" in lowered["bleu-2"]["signature"]
    assert "case" not in cased["bleu-2"]["signature"]
    assert "case:lc" in evaluated(run, "--lowercase")["rows"]["real"]["bleu-2"]["signature"]


def test_more_texts_than_real_ones_are_refused(run: seqgan.TrainedRun) -> None:
    message, code = refusal("evaluate", run.folder, "-n", 10_000)
    assert code == 2
    assert "validation split" in message
    assert str(len(run.corpus().valid)) in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of RUN, --samples and --ratings"),
        (["RUN", "--samples", "x.txt"], "RUN and --samples"),
        (["RUN", "--references", "x.txt"], "--references has nothing to do with RUN; it goes with --samples"),
        (["--samples", "nothing.txt"], "there is no file nothing.txt"),
        (["--samples", "x.txt", "-n", "5"], "-n has nothing to do with --samples"),
        (["--samples", "x.txt", "--check"], "--samples with --references"),
        (["--ratings", "x.csv", "--tokens", "words"], "--tokens has nothing to do with --ratings"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(words: list[str], message: str, run: seqgan.TrainedRun) -> None:
    assert message in refusal("evaluate", *(run.folder if word == "RUN" else word for word in words))[0]


def test_check_recomputes_with_nltk_and_sacrebleu_and_tells_the_difference(run: seqgan.TrainedRun) -> None:
    lines = call("evaluate", run.folder, "--check").stderr.splitlines()
    found = [re.search(r"^(.*) of (\d+) samples against (\w+) .*difference (\S+) in (\d+)", line) for line in lines]
    told = {(match[1], match[3]): (float(match[4]), int(match[5])) for match in found if match}
    of_sentences = {(name, library) for name in ("BLEU-2..5", "Self-BLEU-2..5") for library in ("nltk", "sacrebleu")}
    assert of_sentences < set(told)
    assert all(difference < 1e-9 for difference, _ in told.values())
    assert all(told[which][1] > 20 for which in of_sentences)


def test_the_evaluation_is_kept_in_the_run(run: seqgan.TrainedRun) -> None:
    printed = evaluated(run)
    assert json.loads((run.folder / "evaluations" / "evaluation.json").read_text()) == printed
    closing = json.loads((run.folder / "evaluations" / "training.json").read_text())
    assert closing["rows"] == printed["rows"]
    assert f"|n:{evaluation.JUDGED}|" in printed["rows"]["final"]["d-gain"]["signature"]
    assert JUDGED == 10_000


def test_every_metric_is_in_a_table_and_every_column_is_a_metric(run: seqgan.TrainedRun) -> None:
    rows = run.evaluate().rows
    measured = {name for row in rows.values() for name in row}
    columns = {name for title, names in TABLES.items() if title != SHORT for name in names}
    assert measured <= columns
    # Verse, unknown tokens, and texts with labels.
    only_of_some = {"form", "seen-lines", "nll-valid-unknown", "nll-test-unknown", "recognised"}
    assert columns - measured == only_of_some
    assert set(TABLES[SHORT]) <= columns
    assert len(METRICS) == 6


def test_tables_stand_with_their_signatures(run: seqgan.TrainedRun) -> None:
    for table in tables(run.evaluate().rows):
        assert table.signatures
        assert all(len(cells) == len(table.headings) for cells in table.cells)
    output = call("evaluate", run.folder).stdout
    assert "bleu-2..5: n:" in output
    assert " real " in output


def test_texts_too_long_to_be_learned_are_treated_here_as_they_were_there() -> None:
    corpus = seqgan.Corpus("overlong", ["a b c d e f g", "a b"], ["a b c d"], ["b c d e f"])
    words = encoded(corpus, Tokenizer.train(corpus.train, "whitespace", 50))
    assert [*words.learned("train", 100, "truncate")] == corpus.train
    assert [*words.learned("train", 4, "truncate")] == ["a b c d", "a b"]
    assert [*words.learned("train", 4, "split")] == ["a b c d", "e f g", "a b"]
    assert [*words.learned("train", 4, "drop")] == ["a b"]
    english = seqgan.Corpus("overlong", ["Isn't it fine, today?"] * 3, ["x"], ["x"])
    for kind, beginning in (("word", "Isn't it fine"), ("char", "Isn'"), ("bpe", "Is")):
        learned = encoded(english, Tokenizer.train(english.train, kind, 30)).learned("train", 4, "truncate")
        assert learned[0].startswith(beginning)
        assert len(learned[0]) <= 13
        assert learned.text_of(0) == english.train[0]


def test_score_gives_the_probability_of_every_text_and_the_discriminators_verdict(
    run: seqgan.TrainedRun, tmp_path: Path
) -> None:
    texts = [LINES[3], "zzz unknown ÄÖ", LINES[5] + " and very much longer than anything it has seen " * 3]
    (tmp_path / "t.txt").write_text("\n".join(texts) + "\n")
    lines = [json.loads(line) for line in call("score", run.folder, tmp_path / "t.txt", "--json").stdout.splitlines()]
    assert [line["text"] for line in lines] == [text.strip() for text in texts]
    policy = run.model().policy
    for line in lines:
        ids = [*run.model().tokenizer.encode(line["text"]), EOS]
        with torch.no_grad():
            expected = policy.log_probs(torch.tensor([ids])).sum().item()
        assert line["log_prob"] == pytest.approx(expected, rel=1e-4)
        assert line["per_token"] == pytest.approx(expected / len(ids), rel=1e-4)
        assert line["tokens"] == len(ids) == len(line["by_token"])
        assert sum(line["by_token"]) == pytest.approx(line["log_prob"])
        assert 0 < line["real"] < 1
    assert lines[1]["unknown"] > 0 == lines[0]["unknown"]
    plain = call("score", run.folder, tmp_path / "t.txt")
    assert plain.stdout.splitlines()[0].split("\t") == ["log_prob", "per_token", "tokens", "unknown", "real", "text"]
    assert "nats per token" in plain.stderr


def test_score_needs_no_discriminator(tmp_path: Path, run: seqgan.TrainedRun) -> None:
    model = load_model(run.folder)
    alone = seqgan.TextModel(model.policy, model.tokenizer)
    assert [item.real for item in alone.score(LINES[:2])] == [None, None]
    with pytest.raises(UsageError, match="no discriminator"):
        alone.prob_real(LINES[:2])


def test_a_rating_sheet_hides_whose_text_is_whose_and_the_key_tells(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    output = call("evaluate", run.folder, "--blind", sheet, "-n", 12).output
    assert f"--ratings {sheet}" in output
    rows = sheet.read_text().splitlines()
    assert rows[0] == "number,text,rating"
    assert len(rows) == 1 + 3 * 12
    assert not re.search("mle|final|real", sheet.read_text())
    key = json.loads((tmp_path / "sheet.csv.key.json").read_text())
    assert sorted(key["sources"]) == ["final"] * 12 + ["mle"] * 12 + ["real"] * 12
    assert key["sources"] != sorted(key["sources"])
    texts = {
        source: [row.split(",")[1] for row, s in zip(rows[1:], key["sources"], strict=True) if s == source]
        for source in ("real", "mle", "final")
    }
    assert set(texts["real"]) <= set(run.corpus().test)
    assert sorted(texts["mle"]) == sorted(run.generate(12, stage="mle", seed=0))

    # A rater who likes real texts (4 or 5), and cares for nothing else (1 to 5).
    rng = random.Random(0)
    filled = [rows[0]]
    for row, source in zip(rows[1:], key["sources"], strict=True):
        filled.append(row + str(rng.randint(4, 5) if source == "real" else rng.randint(1, 5)))
    sheet.write_text("\n".join(filled) + "\n")
    told = json.loads(call("evaluate", "--ratings", sheet, "--json").stdout)
    assert told["ratings"]["real"]["mean"] > 4
    assert told["ratings"]["real"]["texts"] == told["ratings"]["real"]["ratings"] == 12
    assert told["p"]["final - real"] < 0.05
    assert told["p"]["final - mle"] > 0.05
    assert "p = " in call("evaluate", "--ratings", sheet).output
    assert "exists already; replace it with --overwrite" in refusal("evaluate", run.folder, "--blind", sheet)[0]


def test_two_raters_count_once_a_text() -> None:
    first = {"real": {1: 4.0, 2: 5.0}, "mle": {3: 1.0, 4: 2.0}}
    second = {"real": {1: 2.0, 2: 5.0}, "mle": {3: 1.0, 4: 4.0}}
    rated, chances = analyse([first, second])
    assert (rated["real"].mean, rated["real"].texts, rated["real"].ratings) == (4.0, 2, 4)
    assert rated["real"].stderr == pytest.approx(1.0)  # of 3 and 5: standard deviation root 2, over root 2
    assert 0 < chances["mle - real"] <= 1


def test_an_unfilled_sheet_is_refused(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    call("evaluate", run.folder, "--blind", tmp_path / "s.csv", "-n", 3)
    assert read_ratings(tmp_path / "s.csv") == {"real": {}, "mle": {}, "final": {}}
    assert "fewer than two texts" in refusal("evaluate", "--ratings", tmp_path / "s.csv")[0]


def test_real_text_is_a_row_of_as_many_texts(tmp_path: Path) -> None:
    for name, lines in (("s", ["a b c", "b c d"]), ("r", ["a b c d"]), ("real", ["b c d e", "c d e f", "a b x y"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    files = ["--samples", tmp_path / "s.txt", "--references", tmp_path / "r.txt"]
    rows = json.loads(call("evaluate", *files, "--real", tmp_path / "real.txt", "--json").stdout)["rows"]
    assert rows["real"]["bleu-2"]["signature"] == rows["s.txt"]["bleu-2"]["signature"]
    assert rows["real"]["bleu-2"]["value"] == seqgan.evaluate(["b c d e", "c d e f"], ["a b c d"])["bleu-2"].value
    assert "not known" in call("evaluate", *files).stderr
    (tmp_path / "real.txt").write_text("b c d e\n")
    assert "every row must have as many" in refusal("evaluate", *files, "--real", tmp_path / "real.txt")[0]


def test_blank_lines_are_told_as_the_empty_samples_that_they_are(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("hi anna\n\nhi bo\n  \n\n")
    told = call("evaluate", "--samples", tmp_path / "s.txt")
    assert "n:5" in told.stdout
    assert f"3 of the 5 texts of {tmp_path / 's.txt'} are empty: a blank line is an empty sample, which " in told.stderr
    (tmp_path / "s.txt").write_text("hi anna\nhi bo\n")
    assert "empty" not in call("evaluate", "--samples", tmp_path / "s.txt").stderr


def test_a_wrong_name_of_a_row_is_told_with_those_that_there_are() -> None:
    found = Evaluation({"mle": {}, "final": {}, "real": {}})
    with pytest.raises(UsageError, match=r"^there is no row 'finl'; did you mean final\?$"):
        found["finl"]
    with pytest.raises(UsageError, match=r"^there is no row 'zzz'; choose one of mle, final, real$"):
        found["zzz"]
    assert found["mle"] == {}


def test_samples_of_any_format_keep_their_empty_texts(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    texts = [*run.generate(10), "", " "]
    (tmp_path / "s.txt").write_text("".join(text + "\n" for text in texts))
    (tmp_path / "s.jsonl").write_text("".join(json.dumps({"text": text, "ended": True}) + "\n" for text in texts))
    first, second = (
        json.loads(call("evaluate", "--samples", tmp_path / name, "--json").stdout)["rows"][name]
        for name in ("s.txt", "s.jsonl")
    )
    assert first == second
    assert first["distinct"]["signature"].startswith("n:12|")


@pytest.mark.parametrize("wrong", ["tokens='letters'", "aggregation='mean'"])
def test_unknown_ways_to_count_are_refused(wrong: str) -> None:
    """In a process of its own, where no type checker of the tests speaks first."""
    call = [sys.executable, "-c", f"import seqgan; seqgan.evaluate(['a b'], {wrong})"]
    told = subprocess.run(call, capture_output=True, text=True, check=False).stderr
    assert "UsageError" in told
    assert ", but one of" in told


@pytest.mark.parametrize("wrong", [{"temperature": -0.1}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_ways_to_draw_that_are_out_of_range_are_refused(wrong: dict[str, Any], run: seqgan.TrainedRun) -> None:
    with pytest.raises(UsageError, match="expected"):
        run.generate(1, **wrong)


def test_sheets_of_different_texts_are_not_added_up(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        call("evaluate", run.folder, "--blind", tmp_path / f"{name}.csv", "-n", 3, "--seed", seed)
    words = ["--ratings", tmp_path / "a.csv", "--ratings", tmp_path / "b.csv"]
    assert "are not copies of one sheet" in refusal("evaluate", *words)[0]


def test_a_numbers_signature_tells_the_vocabulary_the_blocks_and_the_judge(run: seqgan.TrainedRun) -> None:
    row = run.evaluate(count=25).rows["mle"]
    vocab_size = len(run.model().tokenizer)
    for name in ("nll-valid", "entropy", "unknown", "kl-to-final", "d-auc"):
        assert f"tok:word/{vocab_size}|overlong:truncate@" in row[name].signature, name
        assert re.search(r"err:(texts|blocks-\d+x\d+)\|", row[name].signature), name
    assert "err:jackknife-10x2|" in row["self-bleu-2"].signature
    assert re.match(r"discriminator:[0-9a-f]{8}\|", row["d-auc"].signature)


def test_a_calibrated_unknown_token_makes_the_nll_of_known_ones_no_better() -> None:
    held_out = ([f"{greeting} {name} {at}" for at, name in enumerate(NAMES)] for greeting in ("hi anna", "oh bo"))
    corpus = seqgan.Corpus("tiny", tiny_lines(40), *held_out)
    tokenizer = Tokenizer.train(corpus.train, "word")
    rows = []
    for logit in (-9.0, 1.0):
        torch.manual_seed(0)
        policy = LSTMPolicy(len(tokenizer), 8, 5, 6, init_std=0.5).eval()
        with torch.no_grad():
            policy.output.bias[UNK] = logit
        rows.append(evaluate_models({"it": TextModel(policy, tokenizer)}, encoded(corpus, tokenizer))["it"])
    ids = torch.tensor([[*tokenizer.encode(text), EOS] for text in corpus.test])
    with torch.no_grad():
        by_hand = policy.log_probs_drawn(ids)[ids != UNK], policy.log_probs(ids)[ids == UNK]
    for split in ("valid", "test"):
        known, unknown, both = ([row[f"nll-{split}{of}"] for row in rows] for of in ("-known", "-unknown", ""))
        assert known[0].value == pytest.approx(known[1].value)
        assert known[0].signature.startswith("rows:4|per:known-token|")
        assert unknown[0].value > unknown[1].value + 3
        assert both[0].value > both[1].value
    assert known[1].value == pytest.approx(-float(by_hand[0].mean()))
    assert unknown[1].value == pytest.approx(-float(by_hand[1].mean()))
    assert known[1].stderr > 0


NAMES = ["xerxes", "yves", "zoe", "ulf"]


def test_what_the_discriminator_knows_is_found_with_a_slope_of_the_validation_split(run: seqgan.TrainedRun) -> None:
    model, corpus = run.model("mle"), run.encoded()
    assert model.discriminator is not None
    rng = torch.Generator().manual_seed(0)
    test, valid = (
        judged_texts(
            model, model.discriminator, corpus.learned(part, model.policy.max_length, "truncate").split.sequences, rng
        )
        for part in ("test", "valid")
    )
    drawn = model.draw(evaluation.JUDGED, seed=0)
    fake = judged_texts(model, model.discriminator, drawn, rng)
    slope = residual.slope(valid, fake)
    assert slope > 0
    assert slope != pytest.approx(residual.slope(test, fake), rel=0.01)
    row = evaluate_models({"mle": model}, corpus, seed=0).rows["mle"]
    assert row["d-slope"].value == pytest.approx(slope, rel=1e-4)
    weights = (slope * fake).double().exp()
    assert row["d-gain"].value == pytest.approx(float((slope * test).mean() - weights.mean().log()), abs=1e-5)
    assert row["d-effective"].value == pytest.approx(float(weights.sum() ** 2 / (weights**2).sum()), rel=1e-4)
    assert row["d-gain-bias"].value == pytest.approx(0.5 / row["d-effective"].value - 0.5 / len(fake), rel=1e-4)
    per_text = -sum(run.log_probs(corpus.corpus.test, stage="mle")) / len(corpus.corpus.test)
    assert row["nll-test-text"].value == pytest.approx(per_text, rel=1e-4)
    assert "|per:text|" in row["d-gain"].signature
    assert "|per:text|" in row["nll-test-text"].signature


def known(gain: float, stderr: float, effective: float) -> list[str]:
    row = {"d-gain": Measured(gain, stderr, ""), "nll-test-text": Measured(90.0, 0.5, "")}
    rows = {"final": row | {"d-effective": Measured(effective, math.nan, "")}, REAL: {}}
    return [line for line in summary(Evaluation(rows, {"seed": 0})) if "knows" in line]


def test_the_summary_says_what_the_discriminator_knows_and_whether_it_is_anything() -> None:
    [much], [nothing], [unsure] = known(0.14, 0.02, 5000), known(0.03, 0.02, 5000), known(3.0, 0.2, 12)
    assert "knows 0.140 ±.020 nats per text that separate real text from what final writes" in much
    assert "whose NLL is 90.0 ±.5 nats per text." in much
    assert "no more than the error explains" in nothing
    assert "12 samples have nearly all of the weight" in unsure
