"""A corpus as ids. Each text is tokenised once in the life of a run, and of every later run on the same texts.

The ids of all texts, whole and each with its EOS, are one array. That of a large corpus lies in the cache
(`data.cache`), by the sha256 of the texts and of the tokenizer, and is memory-mapped; what is truncated, split or
dropped are spans of it. Where a tokenizer splits texts without a model, the tokens themselves are kept as well
(`data.pieces`): vocabularies are counted, and texts measured, without splitting them again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from seqgan.core.device import cores
from seqgan.core.log import tracked
from seqgan.data import cache
from seqgan.data import pieces as cutting
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.growing import Growing, mapped
from seqgan.data.labels import names_of, numbered
from seqgan.data.numbered import END
from seqgan.data.pieces import Pieces, in_batches
from seqgan.data.ragged import Ragged
from seqgan.data.spans import Overlong, in_parts, shortened
from seqgan.data.splits import some_of
from seqgan.data.stored import size_of
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.data.tokens import SPLIT
from seqgan.errors import CorpusError
from seqgan.symbols import EOS, UNK

T = TypeVar("T")

SPLITS = ("train", "valid", "test")
LONGEST_BY_DEFAULT = 64
MOST_HELD_OUT = 10_000  # validation texts, and as many test texts, that are used of a larger split
LARGE = 2**22  # characters; the ids of a smaller corpus are made again in a moment, and are not kept
MANY = 50_000  # texts; fewer are cut into words before processes that help have begun
LAYOUT = 1  # of what is kept; to be raised where texts are split otherwise than before
IDS, LENGTHS = "ids.npy", "lengths.npy"


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A corpus and its ids by one tokenizer, of at most `MOST_HELD_OUT` texts of each held-out split."""

    corpus: Corpus
    tokenizer: Tokenizer
    ids: Ragged  # of all texts, split after split, whole and each with EOS
    pieces: Pieces | None  # their tokens, at the same places; None where only a model knows them
    chosen: Mapping[str, str]  # held-out split -> how many of how many texts, 10000/40213; none where all are here

    @cached_property
    def _places(self) -> Mapping[str, slice]:
        ends = [*accumulate(len(getattr(self.corpus, part)) for part in SPLITS)]
        return {part: slice(start, end) for part, start, end in zip(SPLITS, [0, *ends], ends, strict=False)}

    def whole(self, part: str) -> Ragged:
        """The ids of the texts of a split, of any length."""
        return self.ids.part(self._places[part])

    def split(
        self, part: str, max_length: int, overlong: Overlong, labels: Sequence[str] | None = None
    ) -> EncodedSplit:
        """A split with at most `max_length` ids in a sequence. A longer text is truncated (and then has no EOS), split
        into several sequences, dropped, or an error. Labels are numbered as in `labels`, left out in alphabetical
        order; of none, without them.

        Raises:
            CorpusError: a text is too long and `overlong` is "error", none is left, or the texts have not these
                labels."""
        whole = self.whole(part)
        lengths = whole.lengths.numpy()
        long = lengths > max_length
        if overlong == "error" and long.any():
            first = int(long.argmax())
            raise CorpusError(
                f"a text has {lengths[first]} tokens, more than --max-length {max_length}: "
                f"{getattr(self.corpus, part)[first][:60]!r}; "
                "raise the limit, or choose --overlong truncate, split or drop"
            )
        if overlong == "drop" and len(long) and long.all():
            raise CorpusError(
                f"no text is left: all {len(lengths)} are longer than --max-length {max_length}; "
                "raise it, or choose --overlong truncate or split"
            )
        starts, lengths, owners = shortened(whole.starts.numpy(), lengths, max_length, overlong)
        lost = 0 if overlong == "split" else int(whole.lengths.sum()) - int(lengths.sum())
        sequences = Ragged.spans(whole.ids, starts, lengths)
        labels = names_of(self.corpus.labels) if labels is None else labels
        if labels:
            numbers = np.array(numbered(self.corpus.labels.get(part, ()), labels, whole), dtype=np.int64)
            sequences = sequences.labelled(numbers[owners])
        return EncodedSplit(sequences, owners, int(long.sum()), lost)

    def dataset(
        self, max_length: int = 0, overlong: Overlong = "truncate", labels: Sequence[str] | None = None
    ) -> TokenDataset:
        """The training and validation splits; `max_length` 0 takes the longest training text, within reason; `labels`
        as for `split`.

        Raises:
            CorpusError: as `split`, of any split."""
        max_length = max_length or min(LONGEST_BY_DEFAULT, self.whole("train").max_length)
        labels = names_of(self.corpus.labels) if labels is None else labels
        train, valid, _ = (self.split(part, max_length, overlong, labels) for part in SPLITS)
        numbers = train.sequences.labels
        counts = [] if numbers is None else numbers.bincount(minlength=len(labels)).tolist()
        return TokenDataset(train, valid, self.tokenizer, max_length, dict(zip(labels, counts, strict=True)))

    def back(self, number: int) -> str:
        """A training text encoded and decoded, if all its tokens were known."""
        if self.pieces:
            return self.tokenizer.joined(self.pieces[number])
        ids = self.ids[number]
        return self.corpus.train[number] if UNK in ids else self.tokenizer.decode(ids)  # subwords lose nothing

    def learned(self, part: str, max_length: int, overlong: Overlong, labels: Sequence[str] | None = None) -> "Learned":
        """The texts of a split as a policy sees them."""
        return Learned(self, part, self.split(part, max_length, overlong, labels))


@dataclass(frozen=True, eq=False)
class Learned(Sequence[str]):
    """Texts as a policy sees them: those over the limit truncated, split or dropped, each text in the place of its
    sequence."""

    source: EncodedCorpus
    part: str
    split: EncodedSplit

    def __len__(self) -> int:
        return len(self.split.sequences)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self[number] for number in range(*which.indices(len(self)))]
        if not self._is_part[which]:
            return self.text_of(which)
        if self.part == "train":  # of which there may be more than memory is to hold
            return self._joined(which)
        if which not in self._held:
            self._held[which] = self._joined(which)
        return self._held[which]

    def _joined(self, which: int) -> str:
        """A part of a text."""
        tokenizer, pieces = self.source.tokenizer, self.pieces
        if pieces:
            return tokenizer.joined(pieces[which]).strip()
        return tokenizer.decode(self.split.sequences[which]).strip()

    def __iter__(self) -> Iterator[str]:
        if self.split.overlong:
            return (self[number] for number in range(len(self)))
        return iter(getattr(self.source.corpus, self.part))

    @cached_property
    def _held(self) -> dict[int, str]:
        return {}

    @cached_property
    def _is_part(self) -> NDArray[np.bool_]:
        whole = self.source.whole(self.part).lengths.numpy()
        return self.split.sequences.lengths.numpy() < whole[self.split.texts]

    @cached_property
    def pieces(self) -> Pieces | None:
        """The tokens of each, where they are kept."""
        rows, pieces = self.split.sequences, self.source.pieces
        return pieces and replace(pieces, starts=rows.starts.numpy(), lengths=rows.lengths.numpy())

    def text_of(self, number: int) -> str:
        """The whole text that sequence `number` is of."""
        return getattr(self.source.corpus, self.part)[int(self.split.texts[number])]

    def characters(self) -> int:
        return sum(map(len, self))


def prepare(corpus: Corpus, kind: Kind, vocab_size: int) -> EncodedCorpus:
    """A corpus as ids of a new tokenizer, which is learned from its training texts.

    Raises:
        ConfigError: there is no such vocabulary."""
    fewer = with_fewer_held_out(corpus)
    if kind not in SPLIT:
        return _encoded(corpus, fewer, Tokenizer.train(corpus.train, kind, vocab_size), None)
    pieces = _pieces(fewer, kind)
    counts = pieces[: len(corpus.train)].counts()
    return _encoded(corpus, fewer, Tokenizer.from_counts(counts, kind, vocab_size), pieces)


def encoded(corpus: Corpus, tokenizer: Tokenizer) -> EncodedCorpus:
    """A corpus as ids of a tokenizer that is there already."""
    fewer = with_fewer_held_out(corpus)
    return _encoded(corpus, fewer, tokenizer, _pieces(fewer, tokenizer.kind) if tokenizer.kind in SPLIT else None)


def _encoded(corpus: Corpus, fewer: Corpus, tokenizer: Tokenizer, pieces: Pieces | None) -> EncodedCorpus:
    ids = Ragged.end_to_end(*_ids(fewer, tokenizer, pieces))
    sizes = {part: (len(getattr(fewer, part)), len(getattr(corpus, part))) for part in SPLITS}
    chosen = {part: f"{some}/{count}" for part, (some, count) in sizes.items() if some < count}
    return EncodedCorpus(fewer, tokenizer, ids, pieces, chosen)


def encode_corpus(
    corpus: Corpus, tokenizer: Tokenizer, max_length: int = 0, overlong: Overlong = "truncate"
) -> TokenDataset:
    """The training and validation splits as ids of a tokenizer.

    Raises:
        CorpusError: a text of any split is too long and `overlong` is "error", or none is left of one."""
    return encoded(corpus, tokenizer).dataset(max_length, overlong)


def with_fewer_held_out(corpus: Corpus) -> Corpus:
    """A corpus with at most `MOST_HELD_OUT` validation and test texts, by a choice that is always the same."""
    if max(len(corpus.valid), len(corpus.test)) <= MOST_HELD_OUT:
        return corpus
    valid, test = some_of(corpus.valid, MOST_HELD_OUT), some_of(corpus.test, MOST_HELD_OUT)
    fewer = {part: some_of(labels, MOST_HELD_OUT) for part, labels in corpus.labels.items() if part != "train"}
    return replace(corpus, valid=valid, test=test, labels={**corpus.labels, **fewer})


# --- made, or taken from the cache


def _pieces(corpus: Corpus, way: str) -> Pieces:
    name = f"{way}-{version('nltk')}" if way == "word" else way
    count, tokens = _count(corpus), "characters" if way == "char" else "words"
    texts = tracked(_texts(corpus), f"cutting texts into {tokens}", count)
    processes = cores() if way == "word" and count >= MANY else 1
    return _kept(corpus, name, lambda folder: cutting.cut(texts, way, folder, processes), cutting.opened)


def _ids(corpus: Corpus, tokenizer: Tokenizer, pieces: Pieces | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    model = hashlib.sha256(tokenizer.model).hexdigest()[:16]
    name = f"{tokenizer.kind}-{version('sentencepiece')}-{model}"

    def make(folder: Path | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
        ids = Growing(folder and folder / IDS, np.uint16 if len(tokenizer) <= 2**16 else np.int32)
        lengths = Growing(folder and folder / LENGTHS, np.int64)
        for flat, of in (
            _by_pieces(tokenizer, pieces) if pieces else _by_model(tokenizer, _texts(corpus), _count(corpus))
        ):
            ids.append(flat)
            lengths.append(of)
        return ids.close(), lengths.close()

    return _kept(corpus, name, make, lambda folder: (mapped(folder / IDS), mapped(folder / LENGTHS)))


def _by_pieces(tokenizer: Tokenizer, pieces: Pieces) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """The ids of texts whose tokens are known, with their lengths."""
    known = np.array([EOS, *tokenizer.ids_of(pieces.types[END + 1 :])])
    for which, numbers, _ in in_parts(pieces.numbers, pieces.starts, pieces.lengths):
        yield known[numbers], pieces.lengths[which]


def _by_model(
    tokenizer: Tokenizer, texts: Iterable[str], count: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    for batch in in_batches(tracked(texts, "encoding", count)):
        rows = tokenizer.encode_all(batch)
        yield np.array([token for row in rows for token in (*row, EOS)]), np.array([len(row) + 1 for row in rows])


def _texts(corpus: Corpus) -> Iterator[str]:
    return chain.from_iterable(getattr(corpus, part) for part in SPLITS)


def _count(corpus: Corpus) -> int:
    return sum(len(getattr(corpus, part)) for part in SPLITS)


def _kept(corpus: Corpus, name: str, make: Callable[[Path | None], T], load: Callable[[Path], T]) -> T:
    """What `make` makes of a corpus: in memory of a small one, in the cache of a large one."""
    if sum(size_of(getattr(corpus, part)) for part in SPLITS) < LARGE:
        return make(None)
    return load(cache.entry(f"{corpus.texts_sha256[:32]}-{LAYOUT}-{name}", make))
