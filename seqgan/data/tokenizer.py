"""Text <-> ids by sentencepiece, as characters, words, subwords, or whatever stands between blanks.

The model is trained on the training split alone and kept in the run, so that a run reads and writes text by itself."""

import io
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import sentencepiece
from nltk.tokenize.treebank import TreebankWordDetokenizer

from seqgan.data.symbols import BOS, EOS, PAD, UNK
from seqgan.data.tokens import words
from seqgan.errors import CheckpointError, ConfigError

Kind = Literal["char", "word", "bpe", "unigram", "whitespace"]


class Tokenizer:
    """One of five ways to cut a text. It writes back exactly what it knows (words: but for rare spacing)."""

    def __init__(self, kind: str, model: bytes) -> None:
        self.kind, self.model = kind, model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            specials = [
                self._processor.pad_id(),
                self._processor.bos_id(),
                self._processor.unk_id(),
                self._processor.eos_id(),
            ]
        except (RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError("the tokenizer model is damaged or is not a sentencepiece model") from error
        if specials != [PAD, BOS, UNK, EOS]:
            raise CheckpointError(
                "the tokenizer model was not made by seqgan: "
                f"its special ids are {specials}, not {[PAD, BOS, UNK, EOS]}"
            )

    @classmethod
    def train(cls, texts: Sequence[str], kind: Kind = "char", vocabulary: int = 5000) -> "Tokenizer":
        """Learn a vocabulary of at most this many tokens (characters: all of them) from texts.

        Raises:
            ConfigError: the kind is unknown, or sentencepiece cannot make such a vocabulary from these texts."""
        if kind not in get_args(Kind):
            raise ConfigError(f"there is no tokenizer {kind!r}; choose one of {', '.join(get_args(Kind))}")
        prepared = [_prepare(kind, text) for text in texts]
        by_blanks = kind in ("word", "whitespace")
        if kind == "char":
            vocabulary = len(set().union(*prepared)) + EOS + 2
        elif by_blanks:
            vocabulary = min(vocabulary, len({word for text in prepared for word in text.split()}) + EOS + 1)
        buffer = io.BytesIO()
        options: dict[str, Any] = {
            "model_type": "word" if by_blanks else kind,
            "vocab_size": vocabulary,
            "hard_vocab_limit": False,
            "pad_id": PAD,
            "bos_id": BOS,
            "unk_id": UNK,
            "eos_id": EOS,
            # Nothing may be rewritten, dropped or lost on the way: the defaults narrow full-width punctuation,
            # squeeze blanks, skip long lines, and leave out rare characters.
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "max_sentence_length": max(4192, *(len(text.encode()) + 1 for text in prepared)),
            "character_coverage": 1.0,
            "add_dummy_prefix": by_blanks,  # a word begins with a blank; for characters that blank would be a token
            "num_threads": 1,
            "minloglevel": 2,
        }
        try:
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(prepared), model_writer=buffer, **options)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1][:200]
            raise ConfigError(
                f"sentencepiece cannot make a {kind} vocabulary of {vocabulary} from {len(texts)} texts: {reason}"
            ) from error
        return cls(kind, buffer.getvalue())

    def __len__(self) -> int:
        """V, the size of the vocabulary, special ids included."""
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BOS and EOS."""
        ids: list[int] = self._processor.encode(_prepare(self.kind, text), out_type=int)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, up to the first EOS; PAD and BOS are no text."""
        kept = []
        for token in ids:
            if token == EOS:
                break
            if token not in (PAD, BOS):
                kept.append(int(token))
        text: str = self._processor.decode(kept)
        return _words_to_text(text.split()) if self.kind == "word" else text

    def cut(self, text: str, size: int) -> list[str]:
        """A text in pieces of at most this many tokens, each written as it stands in the text."""
        prepared = _prepare(self.kind, text)
        places = self._processor.encode(prepared, out_type="offset_mapping")["offsets"]
        groups = [places[start : start + size] for start in range(0, len(places), size)]
        parts = [prepared[group[0][0] : group[-1][1]].strip() for group in groups]
        return [_words_to_text(part.split()) for part in parts] if self.kind == "word" else parts

    def unknown(self, text: str) -> list[str]:
        """The characters or words of a text that are not in the vocabulary."""
        prepared = _prepare(self.kind, text)
        parts = prepared.split() if self.kind in ("word", "whitespace") else list(dict.fromkeys(prepared))
        return [part for part in parts if UNK in self._processor.encode(part, out_type=int)]


def _prepare(kind: str, text: str) -> str:
    """Put blanks between the tokens where sentencepiece is to cut at blanks."""
    return " ".join(words(text)) if kind == "word" else " ".join(text.split()) if kind == "whitespace" else text


def _words_to_text(parts: Sequence[str]) -> str:
    """nltk's detokeniser, with the blanks around a dash that it loses."""
    text: str = TreebankWordDetokenizer().detokenize(list(parts))
    return re.sub(r"\s*--\s*", " -- ", text)
