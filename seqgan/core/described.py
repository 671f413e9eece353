"""JSON files that describe something and may have been damaged: read, and checked field by field before use."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.errors import SeqGANError


class Kind(NamedTuple):
    """What a field may hold."""

    name: str
    holds: Callable[[Any], bool]
    needed: bool = True  # a field that is not may be missing


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Kind("a text", lambda value: isinstance(value, str) and value != "")
PATH = Kind("a path or an empty text", lambda value: isinstance(value, str))
TEXT_OR_NOTHING = Kind("a text or null", lambda value: value is None or isinstance(value, str), needed=False)
WHOLE = Kind("a whole number from 0", lambda value: _whole(value) and value >= 0)
COUNT = Kind("a whole number from 1", lambda value: _whole(value) and value >= 1)
THREADS = Kind("a whole number from 0 to 4096", lambda value: _whole(value) and 0 <= value <= 4096)
TABLE = Kind("a table", lambda value: isinstance(value, dict))
TABLE_OR_NOTHING = Kind("a table or null", lambda value: value is None or isinstance(value, dict), needed=False)
COUNTS = Kind("a table of counts", lambda value: isinstance(value, dict) and all(map(_whole, value.values())))
TEXTS = Kind("a list of texts", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value))
NAMES = TEXTS._replace(needed=False)


def read(path: Path, error: type[SeqGANError], advice: str) -> dict[str, Any]:
    """The table in a JSON file.

    Raises:
        error: it cannot be read, or holds no table (FileNotFoundError passes)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as reason:
        raise error(f"{path} cannot be read ({reason}); {advice}") from reason
    if not isinstance(content, dict):
        raise error(f"{path} holds a {type(content).__name__}, but a table was expected; {advice}")
    return content


def check(
    path: Path,
    content: Mapping[str, Any],
    fields: Mapping[str, Kind],
    error: type[SeqGANError],
    where: str = "",
    advice: str = "restore it from a copy",
) -> None:
    """Refuse a table whose fields are not what they should be, naming the first that is not.

    Raises:
        error: a needed field is missing, or one holds something else."""
    for name, kind in fields.items():
        if name not in content and not kind.needed:
            continue
        if name not in content or not kind.holds(content[name]):
            found = f"is {str(content[name])[:40]!r}" if name in content else "is missing"
            raise error(f"{path}: {where}{name} {found}, but {kind.name} was expected; {advice}")
