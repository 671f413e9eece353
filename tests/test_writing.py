"""Texts that are distinct or new, from many prompts, and found by beam search."""

import json
import re
from pathlib import Path

import pytest

import seqgan
from seqgan.errors import UsageError
from seqgan.metrics.novelty import Known
from tests.conftest import TINY, tiny_lines
from tests.test_cli import call, refusal

TEXTS = tiny_lines()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    folder = tmp_path_factory.mktemp("writing") / "run"
    return seqgan.train(TEXTS, run_dir=folder, **{**TINY, "algorithm": "mle", "threads": 1, "tokenizer": "word"})


def test_no_text_comes_twice(run: seqgan.TrainedRun) -> None:
    drawn = run.generate(200, temperature=0.5, seed=1)
    assert len(set(drawn)) < 200
    texts = run.generate(60, temperature=0.5, seed=1, distinct=True)
    assert len(set(texts)) == len(texts) == 60


def test_new_texts_are_not_in_the_training_split(tmp_path: Path) -> None:
    pairs = [f"{first} {second}" for first in "abcdef" for second in "abcdef"]
    options = {**TINY, "algorithm": "mle", "threads": 1, "tokenizer": "word", "max_length": 3}
    run = seqgan.train(pairs, run_dir=tmp_path / "run", **options)
    known = set(run.corpus().train)
    assert len(known & set(run.generate(300))) > 10
    new = run.generate(100, new=True)
    assert len(new) == 100
    assert not known & set(new)
    assert new == run.model().generate(100, exclude=known)
    written = call("generate", run.folder, "-n", 100, "--new", "--seed", 0).stdout.splitlines()
    assert written == new


def test_a_text_is_known_whatever_its_blanks_and_cut_short() -> None:
    known = Known(["a  bc d", "zz"])
    assert known.holds("abc d")
    assert not known.holds("abc")
    assert known.holds("abc", ended=False)
    assert not known.holds("abd", ended=False)
    assert not known.holds("zzz", ended=False)
    assert not Known([])


def test_where_too_few_texts_are_distinct_it_says_so(run: seqgan.TrainedRun) -> None:
    with pytest.raises(UsageError, match="of 1000 texts drawn only 1 are distinct, and 10 were asked for"):
        run.generate(10, top_k=1, distinct=True)


def test_every_prompt_is_continued_in_order(run: seqgan.TrainedRun) -> None:
    prompts = ["hi", "", "hi anna"]
    texts = run.generate(4, prompt=prompts, seed=2)
    assert len(texts) == 12
    assert all(text.startswith("hi") for text in (*texts[:4], *texts[8:]))
    assert all(text.startswith("hi anna") for text in texts[8:])
    assert run.generate(4, prompt=["hi"], seed=2) == run.generate(4, prompt="hi", seed=2)
    with pytest.raises(UsageError, match="outside the vocabulary: annna; did you mean anna"):
        run.generate(4, prompt=["hi", "annna"])
    with pytest.raises(UsageError, match=r"vocabulary: 漢; choose one of .*, cleo,.* or another of \d+$"):
        run.generate(4, prompt="hi 漢")
    with pytest.raises(
        UsageError, match="vocabulary: zebra annna; leave them out, or put tokens of the training texts in"
    ):
        run.generate(4, prompt="hi zebra annna")
    for wrong in ([], ["hi", 3], 3):
        with pytest.raises(UsageError, match="prompt"):
            run.generate(4, prompt=wrong)


def test_a_prompt_of_letters_is_told_the_letters_that_there_are(tmp_path: Path) -> None:
    options = {**TINY, "algorithm": "mle", "threads": 1, "tokenizer": "bpe", "vocab_size": 40}
    model = seqgan.train(TEXTS, run_dir=tmp_path / "run", **options).model()
    with pytest.raises(UsageError, match="outside the vocabulary: z; choose one of ") as caught:
        model.generate(1, prompt="hi z")
    assert all(len(name) == 1 for name in str(caught.value).partition("one of ")[2].partition(" or ")[0].split(", "))


def test_without_a_seed_it_tells_how_to_draw_the_same_texts_again(run: seqgan.TrainedRun) -> None:
    found = call("generate", run.folder, "-n", 3)
    [line] = found.stderr.splitlines()
    told = re.fullmatch(r"drawn with a new seed; --seed (\d+) draws the same texts again", line)
    assert told
    assert call("generate", run.folder, "-n", 3, "--seed", told[1]).stdout == found.stdout


def test_beam_search_writes_the_likeliest_texts_first(run: seqgan.TrainedRun) -> None:
    found = run.generate(5, beams=20)
    assert found == run.generate(5, beams=20)
    scores = [item.per_token for item in run.score(found)]
    assert scores == pytest.approx(sorted(scores, reverse=True), abs=1e-3)  # of the policy with UNK
    assert scores[0] >= max(item.per_token for item in run.score(run.generate(300, temperature=0.3))) - 1e-3
    assert all(text.startswith("hi") for text in run.generate(3, beams=3, prompt="hi"))
    with pytest.raises(UsageError, match="30 texts were asked for, but 20 beams find at most 20"):
        run.generate(30, beams=20)
    with pytest.raises(UsageError, match=r"beam search .* leave out beams, or temperature, distinct"):
        run.generate(3, beams=3, temperature=0.5, distinct=True)


def test_the_command_line_takes_all_of_it(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("hi\nhi anna\n")
    lines = call("generate", run.folder, "--prompts", prompts, "-n", 2, "--seed", 1, "--json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["prompt"] for row in rows] == ["hi", "hi", "hi anna", "hi anna"]
    assert all(row["text"].startswith(row["prompt"]) for row in rows)
    distinct = call("generate", run.folder, "-n", 20, "--new", "--distinct", "--seed", 3).stdout.splitlines()
    assert len(set(distinct)) == 20
    assert distinct == run.generate(20, seed=3, new=True, distinct=True)
    found = call("generate", run.folder, "--beams", 4)
    assert found.stdout.splitlines() == run.generate(4, beams=4)
    assert "--seed" not in found.stderr


def test_what_contradicts_itself_is_refused(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("hi\n")
    saved = run.save_pretrained(tmp_path / "saved")
    for words, message in (
        (("--prompt", "hi", "--prompts", prompts), "--prompt and --prompts were given; give one of them"),
        (
            ("--beams", "3", "--temperature", "0.7", "--new"),
            "--beams draws nothing, so it does not go with --new",
        ),
        (("--prompts", tmp_path / "nowhere.txt"), "nowhere.txt"),
        (("--beams", "3", "-n", "4"), "4 texts were asked for, but 3 beams find at most 3"),
    ):
        assert message in refusal("generate", run.folder, *words)[0]
    assert "--new needs the training texts, which the saved model" in refusal("generate", saved, "--new")[0]
