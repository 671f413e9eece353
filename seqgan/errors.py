"""The errors a user can cause. Each message says what came, what was expected, and what to do.

A message is one line that a terminal shows as it is: no line break, no control character, no value of a megabyte."""

import unicodedata

LONGEST = 1500  # characters of a message
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # kinds of characters that a terminal obeys or cannot show


def one_line(text: str) -> str:
    """A message with its line breaks as blanks, what cannot be seen escaped, and the middle left out if it is long."""
    line = _seen(" ".join(text[: 3 * LONGEST].split() + text[3 * LONGEST :][-LONGEST:].split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 500]} ... {line[-495:]}"


def quoted(value: object, most: int = 60) -> str:
    """A value that came from outside, as a message shows it: shortened, escaped, a text within quotes."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # an integer of too many digits, or a custom object whose repr fails
        text = f"a {type(value).__name__} that cannot be shown"
    short = text if len(text) <= most else text[:most] + "..."
    return repr(short) if isinstance(value, str) else _seen(short)


def why(error: Exception) -> str:
    """The reason that the system gives, without its error number."""
    reason = getattr(error, "strerror", None) or (str(error).strip().splitlines() or ["no reason is given"])[0]
    return f"{reason[:1].lower()}{reason[1:120]}"


def _seen(text: str) -> str:
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in UNSEEN else c for c in text)


class SeqGANError(Exception):
    """An expected error: shown in one line, without a traceback."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class UsageError(SeqGANError):
    """The command or its options cannot be carried out as given."""

    exit_code = 2


class ConfigError(UsageError):
    """A hyper-parameter is unknown, of the wrong type, or out of range."""


class CorpusError(UsageError):
    """A text file or a corpus cannot be read, or holds too little."""


class DataError(UsageError):
    """Images or their labels cannot be read, or are not what a command needs."""


class RunError(UsageError):
    """A run directory is missing, in use, of another package, or was made with other options."""


class CheckpointError(RunError):
    """A checkpoint is damaged, of another run, or belongs to another model."""


class StorageError(SeqGANError):
    """The disk refused: full, read-only, or without permission."""


class ShortageError(SeqGANError):
    """There is not enough memory."""


class LostError(SeqGANError):
    """Other processes of the training have ended."""


class DivergedError(SeqGANError):
    """A loss or a weight became NaN or infinite."""
