"""A text is tokenised once, whole corpora are kept by what they hold, and memory and map give the same."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqgan
from seqgan.data import cache, encoding, numbered, stored, workers
from seqgan.data.batches import Batches, near
from seqgan.data.corpus import Corpus, load_corpus
from seqgan.data.encoding import MOST_HELD_OUT, encoded, prepare
from seqgan.data.pieces import CHARACTERS, cut, in_batches, opened
from seqgan.data.ragged import Ragged
from seqgan.data.spans import in_parts, shortened
from seqgan.data.splits import PARTS, hashes, overlap, split
from seqgan.data.tokenizer import Tokenizer
from seqgan.data.tokens import _TREEBANK, SPLIT, words
from seqgan.errors import SeqGANError
from seqgan.evaluation import summary
from seqgan.symbols import EOS, UNK
from tests.conftest import TINY, tiny_lines

KINDS = ["char", "word", "whitespace", "bpe"]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every corpus is a large one, and the cache its own."""
    monkeypatch.setattr(encoding, "LARGE", 1)
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "cache"


def corpus_of(lines: list[str]) -> Corpus:
    return Corpus("some", **split(lines))


def ids_of(made: encoding.EncodedCorpus) -> dict[str, list[list[int]]]:
    return {part: list(made.whole(part)) for part in PARTS}


# --- once


@pytest.mark.parametrize("algorithm", ["mle", "seqgan"])
def test_a_text_is_cut_into_words_once_in_a_run_with_its_evaluation(
    algorithm: str, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()

    def counting(split: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
        return lambda text: seen.update([text]) or split(text)

    monkeypatch.setattr(numbered, "SPLIT", {way: counting(split) for way, split in SPLIT.items()})
    monkeypatch.setattr(Tokenizer, "encode_all", lambda *_: pytest.fail("a text is encoded outside"))
    options: dict[str, Any] = {"mle_epochs": 1, "mle_patience": 0}
    more = {"iterations": 1, "rollouts": 1, "d_pretrain_rounds": 1} if algorithm == "seqgan" else {}
    seqgan.train(corpus_file, algorithm=algorithm, tokenizer="whitespace", run_dir=tmp_path / "run", **options, **more)
    assert seen == Counter(tiny_lines())


def test_the_tokens_are_looked_up_again_by_a_second_run(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(corpus_of(tiny_lines()), "word", 20)
    monkeypatch.setattr(encoding.cutting, "cut", lambda *_: pytest.fail("cut again"))
    second = prepare(corpus_of(tiny_lines()), "word", 20)
    other = prepare(corpus_of(tiny_lines()), "word", 15)  # another vocabulary of the same words
    assert ids_of(first) == ids_of(second) != ids_of(other)
    assert len(list(large.iterdir())) == 3


# --- the same in memory, from the map, and text by text


@pytest.mark.parametrize("kind", KINDS)
def test_memory_and_map_hold_the_same_ids(kind: Any, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(tiny_lines(300))
    mapped = prepare(corpus, kind, 40)
    assert len(entries(large)) == (2 if kind in SPLIT else 1)
    monkeypatch.setattr(encoding, "LARGE", 10**9)
    held = prepare(corpus, kind, 40)
    assert held.tokenizer.model == mapped.tokenizer.model == Tokenizer.train(corpus.train, kind, 40).model
    assert ids_of(held) == ids_of(mapped)
    for part in PARTS:
        by_text = [[*ids, EOS] for ids in held.tokenizer.encode_all(getattr(corpus, part))]
        assert list(held.whole(part)) == by_text
    in_batches = [
        [Batches(near(made.dataset(6).train.sequences, torch.device("cpu")), 16, 3).at(step) for step in (1, 9)]
        for made in (held, mapped)
    ]
    for ours, theirs in zip(*in_batches, strict=True):
        assert ours.tokens.equal(theirs.tokens)
        assert ours.mask.equal(theirs.mask)


@pytest.mark.parametrize("vocab_size", [100, 70_000])
def test_ids_take_two_bytes_where_the_vocabulary_fits(vocab_size: int, large: Path) -> None:
    lines = [f"w{number}" for number in range(vocab_size)]
    made = prepare(Corpus("many", lines, ["w1"], ["w2 w3"]), "whitespace", 100_000)
    assert made.ids.ids.element_size() == (2 if vocab_size == 100 else 4)
    assert made.whole("test")[0] == [*made.tokenizer.encode("w2 w3"), EOS]


@pytest.mark.parametrize("overlong", ["truncate", "split", "drop"])
@pytest.mark.parametrize("max_length", [1, 2, 3, 7, 50])
def test_spans_are_what_lists_would_be(overlong: Any, max_length: int) -> None:
    rng = random.Random(max_length)
    rows = [[*(rng.randrange(4, 9) for _ in range(rng.randrange(0, 9))), EOS] for _ in range(50)]
    expected, owners = list[list[int]](), list[int]()
    for number, row in enumerate(rows):
        parts = [row[at : at + max_length] for at in range(0, len(row), max_length)]
        if overlong == "drop" and len(parts) > 1:
            continue
        kept = ([part for part in parts if part != [EOS]] or parts) if overlong == "split" else parts[:1]
        expected += kept
        owners += [number] * len(kept)
    whole = Ragged.of(rows)
    starts, lengths, of = shortened(whole.starts.numpy(), whole.lengths.numpy(), max_length, overlong)
    assert list(Ragged.spans(whole.ids, starts, lengths)) == expected
    assert of.tolist() == owners


def test_parts_of_any_size_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Ragged.of([[UNK] * (number % 4) + [5, EOS] for number in range(40)])
    for size in (1, 3, 7, 10**6):
        monkeypatch.setattr("seqgan.data.spans.PART", size)
        assert rows.counted(UNK).tolist() == [number % 4 for number in range(40)]
        assert rows.occurrences(7).tolist() == [0, 0, 60, 40, 0, 40, 0]
        assert sum(len(flat) for _, flat, _ in in_parts(*map(np.asarray, (rows.ids, rows.starts, rows.lengths)))) == 140


def test_rows_that_stay_on_the_host_make_the_batches_of_those_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is one without values, so the widths are compared, which an accelerator must not be asked for."""
    rows = Ragged.of([[7] * (1 + number % 5) + [EOS] for number in range(30)])
    monkeypatch.setattr("seqgan.data.batches.on_cpu", lambda _: False)
    there = Batches(rows, 4, 1).at(2)
    assert there.tokens.shape == (4, 6)
    monkeypatch.setattr("seqgan.data.ragged.on_cpu", lambda _: False)
    assert there.tokens.equal(Batches(rows, 4, 1).at(2).tokens)
    moved: list[Any] = []
    monkeypatch.setattr(Ragged, "to", lambda self, device: moved.append(device) or self)
    near(rows, torch.device("meta"))
    monkeypatch.setattr("seqgan.data.batches.RESIDENT", 10)
    near(rows, torch.device("meta"))
    assert moved == [torch.device("meta")]


# --- texts


def test_texts_in_a_file_are_the_texts_in_memory(large: Path) -> None:
    texts = ["first", "", "zweite Zeile ü", "三\nfour", "five 😀", *map(str, range(100))]
    kept = stored.gathered(iter(texts))
    assert isinstance(kept, stored.Stored)
    assert list(kept) == texts
    assert [kept[number] for number in range(-3, 3)] == [texts[number] for number in range(-3, 3)]
    assert list(kept[2:9:3]) == texts[2:9:3]
    assert list(kept.chosen(np.array([4, 0, 4]))) == ["five 😀", "first", "five 😀"]
    assert kept.size == sum(len(text.encode()) for text in texts)
    assert not list(large.glob("*"))  # the file has no name
    with pytest.raises(IndexError):
        kept[len(texts)]


def test_a_corpus_is_the_same_from_memory_and_from_a_file(
    corpus_file: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = load_corpus(corpus_file)
    monkeypatch.setattr(stored, "IN_MEMORY", 10**9)
    held = load_corpus(corpus_file)
    assert isinstance(filed.train, stored.Stored)
    assert isinstance(held.train, list)
    assert [list(getattr(filed, part)) for part in PARTS] == [getattr(held, part) for part in PARTS]
    assert filed.provenance == held.provenance
    assert filed.provenance["texts_sha256"] == hashlib.sha256(_as_told(held)).hexdigest()


def _as_told(corpus: Corpus) -> bytes:
    """What `load_corpus` hashes of given splits: each part's digest behind that of all before it."""
    digests = [
        hashlib.sha256("".join(text + "\n" for text in getattr(corpus, part)).encode()).hexdigest() for part in PARTS
    ]

    def of(*parts: str) -> str:
        return "".join(hashlib.sha256(part.encode()).hexdigest() for part in parts)

    first = hashlib.sha256(of(digests[0], "valid", digests[1]).encode()).hexdigest()
    return of(first, "test", digests[2]).encode()


def test_overlaps_are_counted_by_hashes() -> None:
    splits = {"train": ["a", "b", "b"], "valid": ["b", "c", "c"], "test": ["c", "a", "d"]}
    assert overlap(splits) == {"valid": 1, "test": 2}
    assert len(np.unique(hashes(tiny_lines()))) == len(set(tiny_lines()))


def test_at_most_ten_thousand_held_out_texts_are_used_and_the_numbers_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "MOST_HELD_OUT", 5)
    lines = tiny_lines(200)
    run = seqgan.train(lines, algorithm="mle", run_dir=tmp_path / "run", tokenizer="char", **TINY)
    parts = split(lines)
    assert len(parts["valid"]) > 5 < len(parts["test"])
    used = run.encoded()
    assert len(used.corpus.valid) == len(used.corpus.test) == 5
    assert set(used.corpus.valid) <= set(parts["valid"])
    result = run.evaluate()
    told = {"valid": f"5/{len(parts['valid'])}", "test": f"5/{len(parts['test'])}"}
    assert result.facts["chosen"] == told
    assert f"|valid:{told['valid']}|" in result["mle"]["nll-valid"].signature
    assert f"|test:{told['test']}|" in result["mle"]["bleu-2"].signature
    assert f"5 of the {len(parts['test'])} test texts are measured, by a choice that is always the same." in summary(
        result
    )
    assert run.evaluate(seed=3)["mle"]["nll-test"].value == result["mle"]["nll-test"].value
    again = seqgan.load(tmp_path / "run").encoded()
    assert (again.corpus.valid, again.corpus.test) == (used.corpus.valid, used.corpus.test)
    assert MOST_HELD_OUT == 10_000


# --- told


def test_every_slow_part_of_a_run_is_told(
    corpus_file: Path, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seqgan.core.log.SLOW", -1.0)
    monkeypatch.setattr("seqgan.data.tokenizer.MOST_TEXTS", 30)
    options: dict[str, Any] = {**TINY, "algorithm": "mle", "vocab_size": 60, "progress": True}
    told = {}
    for kind in ("word", "bpe"):
        seqgan.train(corpus_file, run_dir=tmp_path / kind, tokenizer=kind, **options)
        told[kind] = capsys.readouterr().err
    for part in ("reading texts", "splitting the corpus", "identifying texts", "drawing samples", "scoring texts"):
        assert f"{part}  100%" in told["word"]
    assert "cutting texts into words  100%" in told["word"]
    assert "encoding  100%" in told["bpe"]
    assert "the vocabulary is learned from 30 of the 43 texts, chosen at random" in told["bpe"]
    assert "chosen at random" not in told["word"]


# --- words


def test_plain_lines_are_cut_as_nltk_cuts_them() -> None:
    rng = random.Random(0)
    letters = [
        *"abstdnm Z9.,:;?!-''_(é中１\"\t$",
        "n't",
        "'s",
        "'ll",
        "'re ",
        " can't",
        "it's",
        "cannot",
        "d'ye",
        "..",
        "--",
    ]
    lines = ["".join(rng.choice(letters) for _ in range(rng.randrange(14))) for _ in range(20_000)]
    corpus = load_corpus("speeches")
    for line in [*lines, *corpus.train, *corpus.valid]:
        assert words(line) == _TREEBANK.tokenize(line)


def test_several_processes_cut_texts_as_one_does() -> None:
    lines = ["It's one; isn't it?", *tiny_lines(95)]
    batches = list(in_batches(lines, 200))
    one, some = cut(lines, "word"), list(workers.in_processes(batches, "word", 3))
    assert len(some) == len(batches) > 5
    assert [token for batch in some for token in _tokens(batch)] == [token for row in one for token in row]
    assert cut(lines, "word", processes=2).numbers.tolist() == one.numbers.tolist()


def _tokens(batch: numbered.Numbered) -> Iterator[str]:
    return (batch.types[number] for number in batch.numbers if number != numbered.END)


def test_processes_end_with_what_has_begun_them_and_a_lost_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *a, **k: begun.append(start(*a, **k)) or begun[-1])
    results = workers.in_processes(iter([["a b"]] * 9), "word", 2)
    next(results)
    begun[1].kill()
    begun[1].wait()
    with pytest.raises(SeqGANError, match="was ended"):
        list(results)
    assert all(process.poll() is not None for process in begun)


def test_few_texts_start_no_process(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    really = encoding.cutting.cut
    monkeypatch.setattr(
        encoding.cutting,
        "cut",
        lambda texts, way, folder, processes: used.append(processes) or really(texts, way, folder),
    )
    monkeypatch.setattr(encoding, "cores", lambda: 4)
    prepare(corpus_of(tiny_lines()), "word", 20)
    monkeypatch.setattr(encoding, "MANY", 10)
    for kind in ("word", "char"):
        prepare(corpus_of(tiny_lines(61)), kind, 20)  # type: ignore[arg-type]
    assert used == [1, 4, 1]


# --- the cache


def entries(place: Path) -> list[Path]:
    return sorted(place.iterdir())


@pytest.mark.parametrize("damage", ["cut short", "a byte changed", "a file missing", "no list of files", "empty"])
def test_a_damaged_entry_is_made_again(damage: str, large: Path) -> None:
    corpus = corpus_of(tiny_lines())
    right = ids_of(prepare(corpus, "word", 20))
    for entry in entries(large):
        for path in entry.glob("*.npy"):
            if damage == "cut short":
                path.write_bytes(path.read_bytes()[:-3])
            elif damage == "a byte changed":
                path.write_bytes(path.read_bytes()[:-1] + b"\x07")
            elif damage == "a file missing":
                path.unlink()
            elif damage == "empty":
                path.write_bytes(b"")
        if damage == "no list of files":
            (entry / "about.json").write_text("{")
    assert ids_of(prepare(corpus, "word", 20)) == right
    names = [entry.name for entry in entries(large)]
    assert len(names) == 2
    assert not [name for name in names if "partial" in name]


def test_where_nothing_can_be_written_entries_go_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "file"))
    place = cache.folder()
    assert place != tmp_path / "file" / "cache"
    corpus = corpus_of(tiny_lines())
    made = prepare(corpus, "char", 0)
    assert made.whole("train")[0] == [*made.tokenizer.encode(corpus.train[0]), EOS]
    assert list(place.iterdir())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions bind no administrator")
def test_a_read_only_cache_is_not_needed(large: Path) -> None:
    large.mkdir(parents=True)
    large.chmod(0o500)
    assert ids_of(prepare(corpus_of(tiny_lines()), "char", 0))["train"]
    assert not list(large.iterdir())


PREPARE = """
import sys, time
from seqgan.data import encoding, stored
encoding.LARGE, stored.IN_MEMORY = 1, 100
from seqgan.data.pieces import in_batches
if "slow" in sys.argv:
    import seqgan.data.pieces as pieces
    real = pieces.numbered
    pieces.in_batches = lambda texts: in_batches(texts, 300)
    pieces.numbered = lambda *a: print("batch", flush=True) or time.sleep(0.2) or real(*a)
from seqgan.data.corpus import Corpus
from seqgan.data.splits import split
made = encoding.prepare(Corpus("some", **split([f"line {n} of {n * n}" for n in range(300)])), "word", 100)
print(made.ids.ids.tolist())
"""


def preparing(home: Path, *words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "SEQGAN_HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", PREPARE, *words], stdout=subprocess.PIPE, text=True, env=environment)


def test_two_processes_may_make_an_entry_at_once(tmp_path: Path) -> None:
    both = [preparing(tmp_path, "slow") for _ in range(2)]
    told = [process.communicate()[0].splitlines()[-1] for process in both]
    assert told[0] == told[1]
    assert not [entry for entry in entries(tmp_path / "cache") if "partial" in entry.name]
    assert len(entries(tmp_path / "cache")) == 2


def test_what_was_killed_while_it_encoded_is_made_by_the_next_one(tmp_path: Path) -> None:
    with preparing(tmp_path, "slow") as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    assert [entry for entry in entries(tmp_path / "cache") if "partial" in entry.name]
    with preparing(tmp_path) as process:
        assert process.stdout
        told = json.loads(process.stdout.read())
    assert len([*filter(lambda token: token == EOS, told)]) == 300
    assert not [entry for entry in entries(tmp_path / "cache") if "partial" in entry.name]


def test_the_numbers_of_tokens_are_kept_and_opened_again(tmp_path: Path) -> None:
    made = cut(["a b", "", "b c\nd"], "whitespace", tmp_path)
    again = opened(tmp_path)
    assert list(made) == list(again) == [["a", "b"], [], ["b", "c", "\n", "d"]]
    assert made.counts() == again.counts() == {"a": 1, "b": 2, "c": 1, "\n": 1, "d": 1}
    assert made[1:].counts() == {"b": 1, "c": 1, "\n": 1, "d": 1}


def test_a_corpus_trains_from_the_map_as_from_memory(
    corpus_file: Path, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1, "seed": 5}
    mapped = seqgan.train(corpus_file, run_dir=tmp_path / "mapped", **options)
    monkeypatch.setattr(encoding, "LARGE", 10**9)
    monkeypatch.setattr(stored, "IN_MEMORY", 10**9)
    held = seqgan.train(corpus_file, run_dir=tmp_path / "held", **options)
    weights = [(run.folder / "generator.safetensors").read_bytes() for run in (mapped, held)]
    assert weights[0] == weights[1]
    closing = [json.loads((run.folder / "evaluations" / "training.json").read_text()) for run in (mapped, held)]
    assert closing[0] == closing[1]
    assert encoded(mapped.corpus(), mapped.model().tokenizer).ids.lengths.equal(held.encoded().ids.lengths)


def test_a_batch_has_so_many_characters_however_long_texts_are() -> None:
    texts = ["ab", "cde", "", "f" * 30, "gh", "i"]
    assert list(in_batches(texts, 9)) == [["ab", "cde", ""], ["f" * 30], ["gh", "i"]]
    assert list(in_batches([], 9)) == []
    long = ["x" * 1000] * 5000
    assert max(sum(map(len, batch)) for batch in in_batches(long)) <= CHARACTERS
    assert [text for batch in in_batches(long) for text in batch] == long
