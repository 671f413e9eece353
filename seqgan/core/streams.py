"""stdout and stderr, which may be closed, full, or unable to encode a character."""

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
    r"""Make both streams usable.

    The encoding stays that of the terminal or of PYTHONIOENCODING; characters that it lacks are written as `\uXXXX`.
    ASCII means that no encoding was chosen, and becomes UTF-8 (as in click). A stream that is closed is opened on the
    null device, so that no other file gets its descriptor: writing to stdout fails there, writing to stderr is lost."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            plain = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if plain else stream.encoding, errors=ESCAPED)


def give_up_stdout() -> None:
    """Discard what stdout did not take: Python would try once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_at_once(code: int) -> NoReturn:
    """Exit without the clean-up of Python and torch, which takes memory and complains where there is none."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def no_more_interruptions() -> None:
    """Ignore Ctrl-C while the process ends: it would only add a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
