"""Checks on a corpus before training: tokenizer, copies, truncation, vocabulary size, unknown rate, overlap of splits.

Each is one line, where there is something to report. Slow checks read a random part of the texts."""

import numpy as np

from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import EncodedCorpus
from seqgan.data.spans import Overlong
from seqgan.data.splits import hashes, some_of
from seqgan.data.suitable import suitable_tokenizer
from seqgan.data.tokenizer import round_trip
from seqgan.symbols import EOS

TOKENS_PER_TYPE = 8  # fewer than this, and most of the vocabulary is hardly ever seen
MUCH_UNKNOWN = 0.1
MUCH_CHANGED = 0.02  # share of texts that do not survive encoding and decoding
LOOKED_AT = 2000  # texts of a split
FEW = 30  # training texts of a label
SHOWN = 12  # labels
SPLITS = ("train", "valid", "test")


def corpus_checks(
    corpus: Corpus,
    encoded: EncodedCorpus,
    texts: TokenDataset,
    asked: int,
    source: str,
    *,
    overlong: Overlong = "truncate",
    automatic: bool = False,
) -> list[str]:
    """What is being learned from, and what is wrong with it. `asked` is the vocabulary's size by that `source`;
    `automatic`: --tokenizer is auto."""
    sizes = f"{len(corpus.train):,} train, {len(corpus.valid):,} valid, {len(corpus.test):,} test texts"
    tokenizer, vocab_size = encoded.tokenizer, len(encoded.tokenizer)
    lines = [f"{corpus.name}: {sizes}; {vocab_size:,} tokens in the vocabulary, at most {texts.max_length} in a text"]
    lines += [*_copies(corpus), *_labels(corpus, texts)]
    for part, count in corpus.provenance.get("overlap", {}).items():
        if count:
            lines.append(
                f"warning: {count} of the {len(getattr(corpus, part))} {part} texts are in an earlier split as well; "
                "what is measured on them is too good"
            )
    if automatic:
        kind, reason = suitable_tokenizer(corpus)
        lines += [f"--tokenizer auto takes {kind}: {reason}"] if kind == tokenizer.kind else []
    lines += _changed(encoded)
    lines += _too_long(encoded, texts, overlong)
    if vocab_size < asked and tokenizer.kind != "char" and source.startswith(("command line", "config", "arguments")):
        lines.append(f"--vocab-size {asked} was asked for; the training text has no more than {vocab_size} tokens")
    counts = texts.train.sequences.occurrences(vocab_size)
    types, tokens = vocab_size - EOS - 1, int(counts.sum())
    by_words = tokenizer.kind in ("word", "whitespace")
    if tokens < TOKENS_PER_TYPE * types:
        rare = int((counts[EOS + 1 :] < 3).sum())
        smaller = ", a smaller --vocab-size or --tokenizer bpe" if by_words else ", or a smaller --vocab-size,"
        lines.append(
            f"advice: the text is small for its vocabulary ({tokens / types:.1f} tokens for each of {types:,}, "
            f"{rare / types:.0%} of which occur less than three times); more text"
            f"{'' if tokenizer.kind == 'char' else smaller} helps"
        )
    if texts.valid.unknown > MUCH_UNKNOWN:
        if source.startswith("from "):
            remedy = "a new tokenizer, without --init-from,"
        elif by_words:
            larger = "a larger --vocab-size" if vocab_size >= asked else "more text"
            remedy = f"{larger}, --tokenizer bpe or char"
        else:
            remedy = "more text"
        lines.append(
            f"advice: {texts.valid.unknown:.0%} of the validation tokens are unknown; {remedy} knows more of them"
        )
    return lines


def _copies(corpus: Corpus) -> list[str]:
    """Copies within a split: a text is learned, and counted, as often as it occurs."""
    splits = {part: getattr(corpus, part) for part in SPLITS}
    copies = {part: len(texts) - len(np.unique(hashes(texts))) for part, texts in splits.items()}
    counts = [f"{copies[part]:,} of the {len(texts):,} {part}" for part, texts in splits.items() if copies[part]]
    if not counts:
        return []
    return [f"warning: {', '.join(counts)} texts are copies of another in their split, learned as often as they occur"]


def _labels(corpus: Corpus, texts: TokenDataset) -> list[str]:
    """The labels of the texts, those that few have, and texts that stand with several."""
    if not texts.labels:
        return []
    by_count = sorted(texts.labels.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{label} {count:,}" for label, count in by_count[:SHOWN])
    lines = [f"{len(by_count)} labels, of which so many training texts have each: {shown}"]
    lines[0] += f" ... {by_count[-1][0]} {by_count[-1][1]:,}" if len(by_count) > SHOWN else ""
    if len(by_count) == 1:
        lines.append("warning: all texts have the same label, which says nothing")
    if rare := [f"{label} {count}" for label, count in by_count if count < FEW]:
        more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
        lines.append(
            f"warning: few training texts have the labels {', '.join(rare[:SHOWN])}{more}; what is written under them "
            "is hardly learned: give more texts, or join labels"
        )
    pairs = {pair for part, labels in corpus.labels.items() for pair in zip(getattr(corpus, part), labels, strict=True)}
    if several := len(pairs) - len({text for text, _ in pairs}):
        lines.append(f"{several:,} texts stand with several labels, and are learned under each")
    return lines


def _too_long(encoded: EncodedCorpus, texts: TokenDataset, overlong: Overlong) -> list[str]:
    """The share of the texts, and of their tokens, that are over the longest length, in every split."""
    splits = {"train": texts.train, "valid": texts.valid, "test": encoded.split("test", texts.max_length, overlong)}
    parts = []
    for part, rows in splits.items():
        count = len(getattr(encoded.corpus, part))
        if rows.overlong:
            lost = rows.lost / (rows.lost + int(rows.sequences.lengths.sum()))
            tokens = f", {lost:.2%} of the tokens" if lost else ""
            parts.append(f"{part} {rows.overlong / count:.2%} of the texts{tokens}")
    became = {"truncate": "truncated there", "split": "several rows each", "drop": "left out", "error": "refused"}[
        overlong
    ]
    remedy = "" if overlong == "split" else " (a larger --max-length or --overlong split keeps them whole)"
    return [f"longer than --max-length {texts.max_length}, and {became}: {'; '.join(parts)}{remedy}"] if parts else []


def _changed(encoded: EncodedCorpus) -> list[str]:
    """Whether texts survive encoding and decoding, unknown tokens aside."""
    tokenizer, numbers = encoded.tokenizer, some_of(range(len(encoded.corpus.train)), LOOKED_AT)
    texts = [encoded.corpus.train[number] for number in numbers]
    backs = [
        (text, back) for text, number in zip(texts, numbers, strict=True) if (back := encoded.back(number)) != text
    ]
    if len(backs) <= MUCH_CHANGED * len(texts):
        return []
    text, back = min(backs, key=lambda pair: len(pair[0]))
    single = tokenizer.kind == "word" and all(round_trip("whitespace", text) == text for text in texts)
    others = "whitespace, bpe and char" if single else "bpe and char"  # none of which loses anything
    return [
        f"advice: {len(backs) / len(texts):.0%} of the training texts are decoded by --tokenizer {tokenizer.kind} with "
        f"other spacing or signs ({text[:40]!r} as {back[:40]!r}); {others} keep them as they are"
    ]
