"""The user's corpora: added from a file or fetched from a public source, stored by name, split once.

They lie in `$SEQGAN_HOME/corpora` (else `~/.local/share/seqgan/corpora`), a folder each: train.txt, valid.txt, test.txt
(.jsonl where a text has several lines), train.labels and so on where texts have labels, and about.json, with the counts
of what was changed or dropped."""

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgan.core import files, schema
from seqgan.core.config import nearest
from seqgan.data.splits import FEWEST_TEXTS, split
from seqgan.data.texts import as_file
from seqgan.data.tokens import TOKENS, suitable_tokens
from seqgan.errors import CorpusError, SeqGANError, quoted, why

NAME = r"[A-Za-z0-9][\w.-]{0,99}"
ABOUT = {
    "sha256": schema.TEXT,
    "report": schema.TABLE,
    **dict.fromkeys(("description", "language", "licence", "label_column"), schema.TEXT_OR_NOTHING),
}
SPLITS = ("train", "valid", "test")
SHINGLE = 3  # tokens that near-duplicates are compared by, at a time
ALIKE = 0.5  # share of common shingles from which two texts are near-duplicates
COMMON = 200  # a shingle that more texts than this contain is no evidence for any pair of them


def folder_of(name: str) -> Path:
    home = os.environ.get("SEQGAN_HOME")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (Path(home) if home else data / "seqgan") / "corpora" / name


def names() -> list[str]:
    parent = folder_of(".")
    return sorted(path.parent.name for path in parent.glob("*/about.json")) if parent.is_dir() else []


def kept_file(folder: Path, part: str) -> Path:
    """The file of a split, as `as_file` names it."""
    path = folder / f"{part}.jsonl"
    return path if path.is_file() else path.with_suffix(".txt")


def has(name: str) -> bool:
    return bool(re.fullmatch(NAME, name)) and (folder_of(name) / "about.json").is_file()


def about(name: str) -> dict[str, Any]:
    """The description of a stored corpus.

    Raises:
        CorpusError: its description is damaged."""
    path = folder_of(name) / "about.json"
    advice = f"add or fetch the corpus {quoted(name)} again"
    known = schema.read(path, CorpusError, advice)
    schema.check(path, known, ABOUT, CorpusError, advice=advice)
    schema.check(path, known["report"], {"split": schema.COUNTS}, CorpusError, "report: ", advice)
    return known


def read(name: str) -> tuple[dict[str, list[str]], dict[str, list[str]], str]:
    """The splits of a stored corpus, their labels if they have any, and its sha256.

    Raises:
        CorpusError: a file is missing, or was changed since it was stored."""
    known, digest = about(name), hashlib.sha256()

    def lines_of(path: Path) -> list[str]:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise CorpusError(f"cannot read {path} ({why(error)}); add or fetch {quoted(name)} again") from error
        digest.update(hashlib.sha256(raw).digest())
        return raw.decode("utf-8", errors="replace").split("\n")[:-1]

    splits, labels = dict[str, list[str]](), dict[str, list[str]]()
    for part in SPLITS:
        path = kept_file(folder_of(name), part)
        lines = lines_of(path)
        splits[part] = list(map(json.loads, lines)) if path.suffix == ".jsonl" else lines
        if known.get("label_column"):
            labels[part] = lines_of(folder_of(name) / f"{part}.labels")
    if digest.hexdigest() != known.get("sha256"):
        raise CorpusError(
            f"the files in {folder_of(name)} are not as they were stored; add or fetch {quoted(name)} again"
        )
    return splits, labels, digest.hexdigest()


def refuse_name(name: str, overwrite: bool) -> None:
    """Refuse a name before any work is done.

    Raises:
        CorpusError: the name is invalid or taken."""
    if not re.fullmatch(NAME, name) or name.endswith((".txt", ".gz", ".csv", ".tsv", ".json", ".jsonl", ".parquet")):
        raise CorpusError(
            f"{quoted(name)} cannot be a name; letters, digits, ., - and _ were expected, and no suffix of a file"
        )
    if folder_of(name).exists() and not overwrite:
        raise CorpusError(
            f"there is a corpus {quoted(name)} already (in {folder_of(name)}); choose another name, or give --overwrite"
        )


def keep(
    name: str,
    splits: Mapping[str, Sequence[str]],
    facts: Mapping[str, Any],
    *,
    overwrite: bool,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Store a corpus, whole or not at all.

    Raises:
        CorpusError: the name is invalid or taken."""
    refuse_name(name, overwrite)
    folder = folder_of(name)
    partial, aside = (folder.with_name(f".{name}.{os.getpid()}.{kind}") for kind in ("partial", "old"))
    files.make_folder(partial)
    try:
        digest = hashlib.sha256()
        for part in SPLITS:
            suffix, raw = as_file(splits[part])
            for file, content in {part + suffix: raw, **_labels_file(part, labels)}.items():
                digest.update(hashlib.sha256(content).digest())
                files.write(partial / file, content)
        about = {"name": name, **facts, "sha256": digest.hexdigest()}
        files.write(partial / "about.json", schema.json_bytes(about))
        if folder.exists():
            files.rename(folder, aside)
        files.rename(partial, folder)
    except SeqGANError:
        if aside.exists() and not folder.exists():
            files.rename(aside, folder)  # what was there before is still whole
        raise
    finally:
        for leftover in (partial, aside):
            shutil.rmtree(leftover, ignore_errors=True)
    return folder


def _labels_file(part: str, labels: Mapping[str, Sequence[str]] | None) -> dict[str, bytes]:
    return {f"{part}.labels": as_file(labels[part])[1]} if labels else {}


def remove(name: str) -> Path:
    """Remove a corpus, at once and nothing else with it; returns its former folder.

    Raises:
        CorpusError: there is none of that name, or something else lies in its folder.
        StorageError: the disk refuses."""
    folder = folder_of(name)
    if not has(name):
        raise CorpusError(f"there is no stored corpus {quoted(name)} to remove{nearest(name, names())}")
    made = {"about.json", *(kept_file(folder, part).name for part in SPLITS), *(f"{part}.labels" for part in SPLITS)}
    if folder.is_symlink() or (other := sorted({path.name for path in folder.iterdir()} - made)):
        found = "is a link" if folder.is_symlink() else f"holds {quoted(other[0])}, which is no part of a corpus"
        raise CorpusError(f"{folder} {found}; move that elsewhere first")
    aside = folder.with_name(f".{name}.{os.getpid()}.old")
    files.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)
    return folder


def add(
    name: str,
    texts: Sequence[str],
    facts: Mapping[str, Any],
    *,
    labels: Sequence[str] = (),
    overwrite: bool = False,
) -> dict[str, Any]:
    """Clean texts, split them by hash, drop validation and test texts that resemble earlier ones, and store them; with
    the label of each, if there are any: where a text stands several times, its first.

    Returns:
        Counts of what was changed or dropped, by reason, sizes, lengths, vocabulary, unknown rates.

    Raises:
        CorpusError: the name is invalid or taken, or too little is left."""
    kept, reasons = cleaned(texts)
    splits = split(kept)
    cut = TOKENS[suitable_tokens(kept)]
    earlier = [cut(text) for text in splits["train"]]
    dropped = 0
    for part in ("valid", "test"):
        tokens = [cut(text) for text in splits[part]]
        alike = near_duplicates(tokens, earlier)
        splits[part] = [text for number, text in enumerate(splits[part]) if number not in alike]
        earlier += tokens
        dropped += len(alike)
    if dropped:
        reasons["dropped: in validation or test, but nearly a copy of a text in an earlier split"] = dropped
    if sum(map(len, splits.values())) < FEWEST_TEXTS or not all(splits.values()):
        raise CorpusError(
            f"of {len(texts)} texts {', '.join(f'{len(splits[part])} {part}' for part in SPLITS)} are left; at least "
            f"{FEWEST_TEXTS}, and one of each, are needed ({reasons})"
        )
    report = {"texts_given": len(texts), **reasons, **_measured(splits, cut)}
    first: dict[str, str] = {}
    for text, label in zip(texts, labels, strict=False):
        first.setdefault(_cleaned(text), label)
    by_split = {part: [first[text] for text in several] for part, several in splits.items()} if first else None
    keep(name, splits, {**facts, "report": report}, overwrite=overwrite, labels=by_split)
    return report


def _measured(splits: Mapping[str, Sequence[str]], cut: Callable[[str], Sequence[str]]) -> dict[str, Any]:
    tokens = {part: [cut(text) for text in texts] for part, texts in splits.items()}
    lengths = sorted(len(text) for texts in tokens.values() for text in texts)
    vocabulary = Counter(token for text in tokens["train"] for token in text)
    held_out = [token for part in ("valid", "test") for text in tokens[part] for token in text]
    once = sum(count == 1 for count in vocabulary.values()) / len(vocabulary)
    unknown = sum(token not in vocabulary for token in held_out) / max(1, len(held_out))
    return {
        "split": {part: len(texts) for part, texts in splits.items()},
        "tokens": cut.__name__,
        "length": f"{lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}",
        "vocabulary": f"{len(vocabulary)}, {once:.0%} of them once",
        "unknown_held_out": f"{unknown:.2%} of the tokens",
    }


# --- cleaning


def cleaned(texts: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Cleaned texts, and how many were changed or dropped, by reason.

    Composed characters (NFC), no control characters, single blanks within a line; no empty text, no second copy."""
    kept: dict[str, None] = {}
    what = Counter[str]()
    for text in texts:
        better = _cleaned(text)
        what["changed: blanks, control characters, decomposed letters"] += better != text
        if not better:
            what["dropped: empty"] += 1
        elif better in kept:
            what["dropped: a copy of an earlier text"] += 1
        else:
            kept[better] = None
    return list(kept), {reason: count for reason, count in what.items() if count}


def _cleaned(text: str) -> str:
    return "\n".join(map(_cleaned_line, text.split("\n"))).strip()


def _cleaned_line(line: str) -> str:
    line = unicodedata.normalize("NFC", line)
    line = "".join(" " if c.isspace() else c for c in line if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join(line.split())


def near_duplicates(held_out: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> set[int]:
    """Which of the held-out texts (as tokens) resemble another: half of all their shingles in common."""
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    known = [_shingles(text) for text in others]
    for number, shingles in enumerate(known):
        for shingle in shingles:
            where[shingle].append(number)
    found = set()
    for number, text in enumerate(held_out):
        own = _shingles(text)
        places = (where.get(shingle, ()) for shingle in own)
        common = Counter(other for place in places if len(place) <= COMMON for other in place)
        if any(count >= ALIKE * len(own | known[other]) for other, count in common.items()):
            found.add(number)
    return found


def _shingles(text: Sequence[str]) -> set[tuple[str, ...]]:
    """The runs of three tokens in a text; of a shorter text, the text."""
    return {tuple(text[i : i + SHINGLE]) for i in range(max(1, len(text) - SHINGLE + 1))}
