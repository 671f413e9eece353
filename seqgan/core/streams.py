"""stdout and stderr, which may be closed, full, or unable to say a character."""

import codecs
import contextlib
import json
import os
import signal
import sys
from typing import NoReturn

# As JSON does it, so that JSON stays JSON.
ESCAPED = "seqgan.escaped"


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPED, _escaped)


def prepare() -> None:
    r"""Make both streams usable whatever they are.

    The encoding stays the one that the terminal, or whoever set PYTHONIOENCODING, expects; characters that it lacks
    are written as `\uXXXX`, from which they can be had again. ASCII means that nobody has chosen, and becomes UTF-8 (as
    it does for click). A stream that is closed gets a place, so that no file of
    ours can be opened in its stead: what is meant for stdout is refused there, what is meant for stderr vanishes."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            plain = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if plain else stream.encoding, errors=ESCAPED)


def give_up_stdout() -> None:
    """Let what stdout did not take vanish; Python would try once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_at_once(code: int) -> NoReturn:
    """End without what Python and torch do at the end, which takes memory and complains where there is none."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def no_more_interruptions() -> None:
    """From here on the end is near: a second Ctrl-C would only add a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
