"""JSON and TOML files: read and written in one place, and checked field by field before use."""

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from seqgan.errors import SeqGANError, quoted, why

FORMAT = 2  # of runs, checkpoints and saved models
CHECKSUM = "checksum"


class Field(NamedTuple):
    """The values that a field may have."""

    name: str
    holds: Callable[[Any], bool]
    needed: bool = True  # else it may be missing


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


TEXT = Field("a text", lambda value: isinstance(value, str) and value != "")
MAYBE_EMPTY = Field("a text, perhaps an empty one", _text)
PATH = Field("a path or an empty text", _text)
TEXT_OR_NOTHING = Field("a text or null", lambda value: value is None or _text(value), needed=False)
WHOLE = Field("a whole number from 0", lambda value: _whole(value) and 0 <= value < 2**63)
COUNT = Field("a whole number from 1", lambda value: _whole(value) and 1 <= value < 2**63)
SIZE = Field("a whole number from 1 to 16777216", lambda value: _whole(value) and 1 <= value <= 2**24)
THREADS = Field("a whole number from 0 to 4096", lambda value: _whole(value) and 0 <= value <= 4096)
TABLE = Field("a table", lambda value: isinstance(value, dict))
WORDS = Field("a table of texts", lambda value: isinstance(value, dict) and all(map(_text, value.values())))
COUNTS = Field(
    "a table of whole numbers from 0", lambda value: isinstance(value, dict) and all(map(WHOLE.holds, value.values()))
)
NUMBER = Field("a number", _number)
FINITE = Field("a finite number", lambda value: isinstance(value, float) and math.isfinite(value))
DURATION = Field("a number from 0", lambda value: _number(value) and 0 <= value < math.inf)
TEXTS = Field("a list of texts", lambda value: isinstance(value, list) and all(map(_text, value)))
NAMES = TEXTS._replace(needed=False)
MEASURED = Field(
    "a number or a list of texts", lambda value: (_number(value) and math.isfinite(value)) or TEXTS.holds(value)
)


def read(path: Path, error: type[SeqGANError], advice: str, *, pipe: bool = False) -> dict[str, Any]:
    """The table in a JSON file, or in one that ends in .toml.

    A `pipe` is accepted where the user names the file; of a file that a program wrote it would block for ever.

    Raises:
        error: it cannot be read, or holds no table (FileNotFoundError passes)."""
    try:
        if not pipe and path.exists() and not path.is_file() and not path.is_dir():
            raise error(f"{path} is a pipe or a device, but a file was expected; {advice}")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as reason:
        raise error(f"{path} cannot be read: {why(reason)}; {advice}") from reason
    return table(raw, str(path), error, advice, toml=path.suffix.lower() == ".toml")


def table(raw: bytes, where: str, error: type[SeqGANError], advice: str, *, toml: bool = False) -> dict[str, Any]:
    """Parse a table of JSON or TOML.

    Raises:
        error: it is no JSON (`toml`: no TOML), or no table."""
    language = "TOML" if toml else "JSON"
    try:
        text = raw.decode("utf-8-sig")
        if not text.strip() and not toml:
            raise error(f"{where} is empty; {language} was expected; {advice}")
        content = tomllib.loads(text) if toml else json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as reason:
        raise error(
            f"{where} is not text in UTF-8: byte {reason.start + 1} belongs to no character; {advice}"
        ) from reason
    except RecursionError as reason:
        raise error(f"{where} is not read: it is nested too deeply; {advice}") from reason
    except ValueError as reason:
        problem = "a number has too many digits" if "set_int_max_str_digits" in str(reason) else why(reason)
        raise error(f"{where} is not valid {language} ({problem}); {advice}") from reason
    if not isinstance(content, dict):
        raise error(f"{where} holds {named(content)}, but a table was expected; {advice}")
    return content


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """A table as JSON that `read` gives back, for people to read as well; half a character is escaped as JSON can."""
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode(errors="backslashreplace")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; keys that stand twice are an error, as in TOML."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {quoted(next(key for key in keys if keys.count(key) > 1))} stands twice")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def named(value: Any) -> str:
    """The name of a type of JSON or TOML."""
    names = {dict: "a table", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "a null" if value is None else f"a {type(value).__name__}")


def entries(path: Path, key: str, fields: Mapping[str, Field], error: type[SeqGANError]) -> dict[str, dict[str, Any]]:
    """The tables that a file lists under a key, by the name in each.

    Raises:
        error: it cannot be read, or an entry lacks something."""
    advice = "install the package again"
    try:
        listed = read(path, error, advice).get(key)
    except FileNotFoundError as reason:
        raise error(f"{path} is missing; {advice}") from reason
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise error(f"{path}: {key} is no list of tables, which was expected; {advice}")
    for number, entry in enumerate(listed, start=1):
        check(path, entry, {"name": TEXT, **fields}, error, f"{key} {number}: ", advice)
    return {entry["name"]: entry for entry in listed}


def check(
    path: Path,
    content: Mapping[str, Any],
    fields: Mapping[str, Field],
    error: type[SeqGANError],
    where: str = "",
    advice: str = "restore it from a copy",
) -> None:
    """Check the fields of a table; the message names the first that is wrong.

    Raises:
        error: a needed field is missing, or one holds something else."""
    for name, kind in fields.items():
        if name not in content and not kind.needed:
            continue
        if name not in content or not kind.holds(content[name]):
            found = f"is {quoted(content[name], 40)}" if name in content else "is missing"
            raise error(f"{path}: {where}{name} {found}, but {kind.name} was expected; {advice}")


# --- whether a description is still what was written


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """A table with the checksum of all the rest."""
    rest = {name: value for name, value in content.items() if name != CHECKSUM}
    return {**rest, CHECKSUM: _checksum(rest)}


def refuse_changed(path: Path, content: Mapping[str, Any], error: type[SeqGANError], config: Collection[str]) -> None:
    """Check the checksum of a table, where it has one. `config` are the names that belong into its table `config`, so
    that the message can name those that are missing.

    Raises:
        error: something in it was changed."""
    if CHECKSUM not in content or content == with_checksum(content):
        return
    missing = [name for name in config if name not in content.get("config", {})]
    gone = f": its config lacks {', '.join(missing[:5])}" if missing else ""
    raise error(
        f"{path} is not what was written, since its checksum is another{gone}; restore it from a copy, or, if the "
        f"change is meant, remove its {CHECKSUM}"
    )


def _checksum(content: Mapping[str, Any]) -> str:
    written = json.loads(json.dumps(content))  # as it is when it is read again
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
