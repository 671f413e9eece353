"""What is better said before a long training than found out after it."""

from collections import Counter

from seqgan.data.corpus import Corpus
from seqgan.data.symbols import EOS
from seqgan.data.texts import Texts

TOKENS_PER_TYPE = 8  # fewer than this, and most of the vocabulary is hardly ever seen
MUCH_UNKNOWN = 0.1


def about_data(corpus: Corpus, texts: Texts, asked: int, source: str) -> list[str]:
    """What is being learned from, and what is wrong with it. `asked` is the vocabulary's size by that `source`."""
    sizes = f"{len(corpus.train):,} train, {len(corpus.valid):,} valid, {len(corpus.test):,} test texts"
    vocabulary = len(texts.tokenizer)
    lines = [f"{corpus.name}: {sizes}; {vocabulary:,} tokens in the vocabulary, at most {texts.longest} in a text"]
    for part, count in corpus.provenance.get("overlap", {}).items():
        if count:
            lines.append(
                f"warning: {count} of the {len(getattr(corpus, part))} {part} texts stand in an earlier split as well; "
                "what is measured on them is too good"
            )
    by_characters = texts.tokenizer.kind == "char"
    if vocabulary < asked and not by_characters and source.startswith(("command line", "config", "arguments")):
        lines.append(f"--vocabulary {asked} was asked for; the training text has no more than {vocabulary} tokens")
    counts = Counter(token for row in texts.train.rows for token in row)
    types, tokens = vocabulary - EOS - 1, sum(counts.values())
    if tokens < TOKENS_PER_TYPE * types:
        rare = sum(counts[token] < 3 for token in range(EOS + 1, vocabulary))
        lines.append(
            f"advice: the text is small for its vocabulary ({tokens / types:.1f} tokens for each of {types:,}, "
            f"{rare / types:.0%} of which occur less than three times); more text"
            f"{'' if by_characters else ', a smaller --vocabulary or --tokenizer bpe'} helps"
        )
    if texts.valid.unknown > MUCH_UNKNOWN:
        if source.startswith("from "):
            remedy = "a tokenizer of the text's own, without --from,"
        else:
            remedy = "more text" if by_characters else "a larger --vocabulary, --tokenizer bpe or char"
        lines.append(
            f"advice: {texts.valid.unknown:.0%} of the validation tokens are unknown; {remedy} knows more of them"
        )
    return lines
