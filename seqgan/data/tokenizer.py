"""Text <-> ids by sentencepiece, as characters, words, subwords, or pieces between whitespace.

The model is trained on the training split alone and stored in the run, which needs no other file to encode and decode.
sentencepiece learns the vocabulary and splits text into subwords; characters and words are looked up one by one. In
every kind each unknown token is one UNK (sentencepiece alone merges neighbouring ones), and nothing in a text is taken
for one of sentencepiece's special pieces."""

import io
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import sentencepiece
from nltk.tokenize.treebank import TreebankWordDetokenizer

from seqgan.core.log import say
from seqgan.data.splits import some_of
from seqgan.data.tokens import LINE_BREAK, SPLIT
from seqgan.errors import CheckpointError, ConfigError
from seqgan.symbols import BOS, EOS, PAD, UNK

Kind = Literal["char", "word", "bpe", "unigram", "whitespace"]

BY_BLANKS = ("word", "whitespace")
BLANK = "\u2581"  # what sentencepiece writes for a blank
SHOWN_UNKNOWN = "\u2047"  # an unknown token, decoded
SHOWN_END = "\u23ce"  # EOS
# Characters that sentencepiece reserves, and those that end a token or a line of what it reads, are replaced by
# noncharacters, which Unicode keeps out of texts. A noncharacter in a text is always unknown.
NONCHARACTERS = [chr(0xFDD0 + number) for number in range(6)]
MARK = NONCHARACTERS[0]  # the special pieces begin with it
MOST_TEXTS = 1_000_000  # that a vocabulary of subwords is learned from
RESERVED = dict(zip((BLANK, "\u2585", "\x1f", "\t", LINE_BREAK), NONCHARACTERS[1:], strict=True))
ESCAPES = RESERVED | dict.fromkeys(NONCHARACTERS, "\x1f")
UNESCAPES = {there: here for here, there in RESERVED.items()} | {"\x1f": MARK}


class Tokenizer:
    """One of five ways to tokenise a text. Known tokens decode exactly (words: except for rare spacing)."""

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
            pieces = [self._processor.id_to_piece(token) for token in range(len(self))]
        except (RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError("the tokenizer model is damaged or is not a sentencepiece model") from error
        if specials != [PAD, BOS, UNK, EOS]:
            raise CheckpointError(
                "the tokenizer model was not made by seqgan: "
                f"its special ids are {specials}, not {[PAD, BOS, UNK, EOS]}"
            )
        blank = "" if kind in BY_BLANKS else " "
        self._texts = [_replaced(UNESCAPES, piece.replace(BLANK, blank)) for piece in pieces]
        self._texts[UNK] = SHOWN_UNKNOWN
        self._ids = {text: token for token, text in enumerate(self._texts) if token > EOS}

    @classmethod
    def train(cls, texts: Sequence[str], kind: Kind = "char", vocab_size: int = 5000) -> "Tokenizer":
        """Learn a vocabulary of at most this many tokens (characters: all of them) from texts; subwords from a random
        million of them, if there are more.

        Raises:
            ConfigError: the kind is unknown, or sentencepiece cannot make such a vocabulary from these texts."""
        if kind in SPLIT:
            return cls.from_counts(Counter(token for text in texts for token in SPLIT[kind](text)), kind, vocab_size)
        if kind not in get_args(Kind):
            raise ConfigError(f"there is no tokenizer {kind!r}; choose one of {', '.join(get_args(Kind))}")
        chosen = some_of(texts, MOST_TEXTS)
        if len(chosen) < len(texts):
            say(f"the vocabulary is learned from {len(chosen):,} of the {len(texts):,} texts, chosen at random")
        prepared = [_replaced(ESCAPES, text) for text in chosen]
        alphabet = len(set().union(*prepared))
        if vocab_size <= alphabet + EOS:
            raise ConfigError(
                f"a {kind} vocabulary of {vocab_size} has no room for the {alphabet} characters of the texts; "
                f"give a --vocab-size of {alphabet + EOS + 1} or more, far more for subwords, or --tokenizer char"
            )
        return cls(kind, _learned(prepared, kind, vocab_size, f"{len(prepared)} texts"))

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], kind: Kind, vocab_size: int = 5000) -> "Tokenizer":
        """A vocabulary of the most frequent words, or of all characters, from how often each occurs.

        Raises:
            ConfigError: sentencepiece cannot hold one of the words."""
        lines = [f"{_replaced(ESCAPES, token)}\t{count}" for token, count in counts.items()]
        vocab_size = len(counts) + EOS + 2 if kind == "char" else min(vocab_size, len(counts) + EOS + 1)
        model = _learned(lines, kind, vocab_size, f"{len(counts)} different tokens", input_format="tsv")
        try:
            return cls(kind, model)
        except CheckpointError as error:
            longest = max(counts, key=len)
            raise ConfigError(
                f"sentencepiece cannot hold the longest word of the texts, of {len(longest)} characters "
                f"({longest[:20]!r}...); leave it out, or choose --tokenizer char or bpe"
            ) from error

    def grown(self, texts: Sequence[str], vocab_size: int = 5000) -> "Tokenizer":
        """This tokenizer with the tokens that one trained on these texts has and this one has not, as further ids.

        Subwords: what is added to bpe is merged after all that it knows.

        Raises:
            ConfigError: sentencepiece cannot make such a vocabulary from these texts."""
        kind: Any = self.kind
        other = Tokenizer.train(texts, kind, vocab_size)
        model, added = self.model, [token for text, token in other._ids.items() if text not in self._ids]
        lowest = min(self._processor.get_score(token) for token in range(len(self)))
        for number, token in enumerate(added, start=1):
            score = other._processor.get_score(token) if kind == "unigram" else lowest - number
            model += _piece(other._processor.id_to_piece(token), score)
        return Tokenizer(kind, model)

    def added_to(self, other: "Tokenizer") -> list[str]:
        """The tokens that this one has beyond those of another, which it is grown from."""
        return self._texts[len(other) :]

    def __len__(self) -> int:
        """V, the size of the vocabulary, special ids included."""
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BOS and EOS."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts, as `encode`, faster than one by one."""
        if self.kind in SPLIT:
            split, known = SPLIT[self.kind], self._ids
            return [[known.get(token, UNK) for token in split(text)] for text in texts]
        escaped = [_replaced(ESCAPES, text) for text in texts]
        encoded: list[list[int]] = self._processor.encode(escaped, out_type=int)
        return [
            [self._ids.get(token, UNK) for token in self._tokens(text)] if UNK in ids else ids
            for text, ids in zip(texts, encoded, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, up to the first EOS; PAD and BOS decode to nothing."""
        kept = []
        for token in ids:
            if token == EOS:
                break
            if token not in (PAD, BOS):
                kept.append(self._texts[token])
        return self.joined(kept)

    def shown(self, token: int) -> str:
        """An id as a part of a text that is shown token by token, the end of a text included."""
        if token == EOS:
            return SHOWN_END
        return self.decode([token]) + (" " if self.kind in BY_BLANKS else "")

    def pieces(self, text: str, size: int) -> list[str]:
        """A text in pieces of at most this many tokens, each as it is in the text."""
        tokens = self._tokens(text)
        return [self.joined(tokens[start : start + size]).strip() for start in range(0, len(tokens), size)]

    def round_trip(self, text: str) -> str:
        """A text encoded and decoded, if all its tokens were known."""
        return self.joined(self._tokens(text))

    def ids_of(self, tokens: Sequence[str]) -> list[int]:
        """The id of each token."""
        return [self._ids.get(token, UNK) for token in tokens]

    def joined(self, tokens: Sequence[str]) -> str:
        """Tokens as text."""
        return _joined(self.kind, tokens)

    def unknown(self, text: str) -> list[str]:
        """The characters or words of a text that are not in the vocabulary."""
        return [token for token in dict.fromkeys(self._tokens(text)) if token not in self._ids]

    def readable(self) -> list[str]:
        """The words or characters that are in the vocabulary, blanks aside."""
        return [token for token in self._ids if token.strip() and (self.kind in BY_BLANKS or len(token) == 1)]

    def _tokens(self, text: str) -> Sequence[str]:
        """The tokens of a text, known or not; unknown subwords are single characters."""
        if self.kind in SPLIT:
            return SPLIT[self.kind](text)
        pieces: list[str] = self._processor.encode(_replaced(ESCAPES, text), out_type=str)
        tokens: list[str] = []
        for piece in pieces:
            token = _replaced(UNESCAPES, piece.replace(BLANK, " "))
            tokens += [token] if token in self._ids else list(token)
        return tokens


def _learned(lines: Sequence[str], kind: str, vocab_size: int, source: str, **more: Any) -> bytes:
    """A model of sentencepiece.

    Raises:
        ConfigError: it cannot make one."""
    by_blanks, buffer = kind in BY_BLANKS, io.BytesIO()
    options: dict[str, Any] = {
        "model_type": "word" if by_blanks else kind,
        "vocab_size": vocab_size,
        "hard_vocab_limit": False,
        "pad_id": PAD,
        "bos_id": BOS,
        "unk_id": UNK,
        "eos_id": EOS,
        **{f"{name}_piece": f"{MARK}<{name}>" for name in ("pad", "bos", "unk", "eos")},
        # Lossless: the defaults narrow full-width punctuation,
        # collapse blanks, skip long lines, and leave out rare characters.
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "max_sentence_length": max(4192, *(len(line.encode()) + 1 for line in lines), 0),
        "character_coverage": 1.0,
        "add_dummy_prefix": by_blanks,  # a word begins with a blank; for characters that blank would be a token
        "num_threads": 1,
        "minloglevel": 2,
        **more,
    }
    try:
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=buffer, **options)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(  # without the reason, a condition of a line of C++
            f"sentencepiece cannot make a {kind} vocabulary of {vocab_size} from {source}, which hold too little; "
            "give more texts, or choose --tokenizer char"
        ) from error
    return buffer.getvalue()


def _piece(text: str, score: float) -> bytes:
    """A piece as sentencepiece's model file holds it: appended to the bytes of a model it is one more of its pieces.

    The file is a message of protocol buffers, in which a repeated field may go on anywhere: field 1 of the model are
    its pieces, of which field 1 is the text and field 2 the score."""
    raw = text.encode()
    piece = b"\x0a" + _varint(len(raw)) + raw + b"\x15" + struct.pack("<f", score)
    return b"\x0a" + _varint(len(piece)) + piece


def _varint(number: int) -> bytes:
    """A whole number in base 128, the lowest digits first, each but the last with its highest bit set."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _replaced(characters: Mapping[str, str], text: str) -> str:
    """A text with some characters replaced by others."""
    return re.sub(f"[{''.join(characters)}]", lambda found: characters[found[0]], text)


def round_trip(kind: Kind, text: str) -> str:
    """A text split into its tokens and joined again, of a kind that needs no model."""
    return _joined(kind, SPLIT[kind](text))


def _joined(kind: str, tokens: Sequence[str]) -> str:
    join = {"word": _words_to_line, "whitespace": " ".join}.get(kind)
    return _lines_to_text(tokens, join) if join else "".join(tokens)


def _words_to_line(parts: list[str]) -> str:
    """nltk's detokeniser, which loses the blanks around a dash; they are restored."""
    line: str = TreebankWordDetokenizer().detokenize(parts)
    return re.sub(r"\s*--\s*", " -- ", line)


def _lines_to_text(tokens: Iterable[str], join: Callable[[list[str]], str]) -> str:
    """Tokens as text, in which a line break ends a line."""
    lines: list[list[str]] = [[]]
    for token in tokens:
        if token == LINE_BREAK:
            lines.append([])
        else:
            lines[-1].append(token)
    return LINE_BREAK.join(map(join, lines))
