"""A corpus is a list of texts in three splits: given ones, or by a hash of each text."""

import hashlib
import json
import os
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files as resources
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from seqgan.core import schema
from seqgan.core.bounds import TEXT, YES_NO, checked
from seqgan.core.config import nearest
from seqgan.core.log import tracked
from seqgan.data import hub, store
from seqgan.data.folders import files_of, is_pattern
from seqgan.data.labels import labels_of, refuse_ids
from seqgan.data.readers import read_texts
from seqgan.data.reading import FOLDERS, SUFFIXES, Reading, kind_of, stem_of
from seqgan.data.splits import FEWEST_TEXTS, PARTS, completed, overlap
from seqgan.data.stored import gathered
from seqgan.data.tables import Say
from seqgan.data.texts import a_list_of_texts, as_file, as_text
from seqgan.errors import CorpusError, quoted

BUNDLED = {
    **dict.fromkeys(("file", "language", "licence", "description", "tokenizer"), schema.TEXT),
    **dict.fromkeys(("labels", "label_column"), schema.TEXT_OR_NOTHING),
    "count": schema.COUNT,
}
MOST_NOTES = 20  # of a folder of thousands of files


@dataclass(frozen=True)
class Corpus:
    """Texts in three splits, and where they come from. Copies of a text are in the same split."""

    name: str
    train: Sequence[str]
    valid: Sequence[str]
    test: Sequence[str]
    tokenizer: str | None = None  # the kind that suits it, where that is known
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()  # what was taken where its files left a choice
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)  # split -> those of its texts; none: without

    @cached_property
    def texts_sha256(self) -> str:
        """What identifies the texts, their labels and their splits, whatever file or format they were read from: the
        sha256 that `load_corpus` finds for `as_files`."""
        train, valid, test = (file_sha256(getattr(self, part), self.labels.get(part, ())) for part in PARTS)
        return _sha256(_sha256(train.encode(), b"valid", valid.encode()).encode(), b"test", test.encode())


@checked
def load_corpus(
    name: str | Path,
    *,
    text_column: Annotated[str | None, TEXT] = None,
    delimiter: Annotated[str | None, TEXT] = None,
    header: Annotated[bool | None, YES_NO] = None,
    split_on: Annotated[str | None, TEXT] = None,
    label_column: Annotated[str | None, TEXT] = None,
    labels: Annotated[str | None, TEXT] = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
) -> Corpus:
    """A corpus by what it is called: a bundled one, a stored one (`store`), a dataset of the hub, or files.

    `name` is looked up among the bundled corpora and the stored ones; `hf:owner/name[/config][:column]` is a
    dataset of the Hugging Face hub; anything that looks like a path is a file, a folder of files or a pattern such as
    `poems/*.txt`. `valid` and `test` are files (folders, patterns) with given splits; the others are taken from the
    texts by a hash of each.

    Args:
        text_column: the column of csv, json and parquet that holds the texts; `message.text` is a nested one.
        delimiter: what separates the fields of csv. Left out, it is found.
        header: whether the first line of csv names the columns; without a header they are called 1, 2, 3 ...
        split_on: where a text of a plain file ends: "line" (left out), "blank-line", "file", or a mark between
            texts: a line such as "---", or "<|endoftext|>", which may stand within a line.
        label_column: the column that holds the labels of the texts, or what a bundled corpus calls them.
        labels: a file of labels, one a line, as many as there are texts (those of `valid` and `test` stand beside them:
            valid.labels beside valid.txt); or "folders", where the label of a text is the folder its file lies in.

    Raises:
        CorpusError: no such corpus, file or column; malformed (file and line); or too few texts to split."""
    for place in (name, *filter(None, (valid, test))):
        if not isinstance(place, str | Path):
            raise CorpusError(
                f"the name or path of a corpus was expected, not {reprlib.repr(place)}; "
                "texts in memory go into seqgan.train as they are, or into a seqgan.Corpus"
            )
    if label_column is not None and labels is not None:
        raise CorpusError(f"--label-column {quoted(label_column)} and --labels {quoted(labels)}: give one of them")
    labels = labels if labels is None or labels == FOLDERS else str(Path(labels).resolve())
    name, notes = str(name), list[str]()
    reading = Reading(text_column, delimiter, header, split_on, label_column, labels)
    if name in bundled():
        entry = bundled()[name]
        found = _from_files(str(corpora_folder() / entry["file"]), _of_bundled(name, entry, reading), notes.append)
        found.name, found.path, found.tokenizer = name, name, entry["tokenizer"]
    elif name.startswith(hub.PREFIX):
        _refuse_others(reading, ("text_column", "label_column"), f"a dataset of the hub, {name},")
        splits, by_split = hub.read_hub(name, text_column, label_column)
        found = _Found(hub.parse(name).dataset.replace("/", "-"), "", splits, "", labels=by_split)
    elif store.has(name):
        stored = f"the stored corpus {quoted(name)}, which is read as it was stored,"
        _refuse_others(reading, ("label_column",), stored)
        splits, by_split, sha256 = store.read(name)
        found = _Found(name, name, splits, sha256)
        if label_column is not None:
            _refuse_other_column(name, store.about(name).get("label_column"), label_column)
            found.labels = by_split
    elif _looks_like_a_path(name):
        # Where texts of two kinds of files are given, an option may belong to the other one.
        kinds = {kind_of(Path(place)) for place in (name, valid, test) if place}
        how = reading.fitting(Path(name)) if len(kinds) > 1 and kind_of(Path(name)) != ".txt" else reading
        found = _from_files(name, how, notes.append)
    else:
        raise CorpusError(
            f"no corpus is called {quoted(name)}{nearest(name, [*bundled(), *store.names()])} (give a file by its path)"
        )
    for part, given in {"valid": valid, "test": test}.items():
        if given:
            alike = kind_of(Path(given)) == kind_of(Path(name))
            how = reading if alike else reading.fitting(Path(given))
            if how.labels and how.labels != FOLDERS:
                how = how._replace(labels=str(labels_beside(Path(given))))
            held_out = _from_files(str(given), how, notes.append)
            found.splits = {**found.splits, part: gathered(chain.from_iterable(held_out.splits.values()))}
            found.sha256 = _sha256(found.sha256.encode(), part.encode(), held_out.sha256.encode())
            if found.labels:
                found.labels[part] = [label for several in held_out.labels.values() for label in several]
    given_splits = {part: _absolute(given) if given else None for part, given in (("valid", valid), ("test", test))}
    corpus = replace(_corpus(found, {**reading._asdict(), **given_splits}), notes=notes[:MOST_NOTES])
    pipe = os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)
    if name.startswith(hub.PREFIX) or pipe:  # a dataset may change, and a pipe is read once: the run stores the texts
        in_memory = corpus_in_memory(corpus)
        return replace(in_memory, provenance={**in_memory.provenance, "source": name})
    return corpus


def _refuse_others(reading: Reading, allowed: Sequence[str], source: str) -> None:
    for name, value in reading._asdict().items():
        if value is not None and name not in allowed:
            raise CorpusError(f"{source} takes no --{name.replace('_', '-')}; leave that out")


def _corpus(found: "_Found", address: Mapping[str, str | None]) -> Corpus:
    splits, labels = completed(found.splits, found.labels)
    if labels:
        refuse_ids(labels)
    count = sum(map(len, splits.values()))
    if count < FEWEST_TEXTS or not all(splits.values()):
        different = len({text for texts in splits.values() for text in texts})
        copies = f", only {different} of them different" if different < count else ""
        empty = [part for part, texts in splits.items() if not texts]
        if min(count, different) >= FEWEST_TEXTS:
            raise CorpusError(
                f"{found.path or 'the list'} holds {count} texts{copies}, none of which is in the "
                f"{' or '.join(empty)} split, but each needs one at least; give more texts, or that split by itself"
            )
        lines = ", one a line (else see --split-on)," if found.path else ""
        raise CorpusError(
            f"{found.path or 'the list'} holds {count} text{'' if count == 1 else 's'}{copies}; "
            f"at least {FEWEST_TEXTS}{lines} are needed to train, validate and test"
        )
    corpus = Corpus(found.name, splits["train"], splits["valid"], splits["test"], found.tokenizer, labels=labels)
    sha256 = corpus.texts_sha256
    provenance = {
        "path": found.path,
        **address,
        "sha256": found.sha256 or sha256,
        "texts_sha256": sha256,
        "texts": count,
        "split": {part: len(texts) for part, texts in splits.items()},
        "overlap": overlap(splits),
    }
    return replace(corpus, provenance=provenance)


def corpus_in_memory(
    texts: "Corpus | Iterable[str]", name: str = "texts", labels: Iterable[Any] | None = None
) -> Corpus:
    """A corpus from texts, perhaps with a label for each, or from a Corpus with given splits: checked, and without a
    path.

    Raises:
        CorpusError: too few texts, an empty split, one of them is no text, or not every text has a label."""
    if isinstance(texts, Corpus):
        name, tokenizer = texts.name, texts.tokenizer
        splits: Mapping[str, Iterable[str]] = {"train": texts.train, "valid": texts.valid, "test": texts.test}
        by_split: Mapping[str, Iterable[Any]] = texts.labels
        if labels is not None:
            raise CorpusError("a seqgan.Corpus holds its own labels: Corpus(..., labels={'train': [...], ...})")
    else:
        tokenizer, splits, by_split = None, {"train": texts}, {} if labels is None else {"train": labels}
    lists = {part: list(map(as_text, a_list_of_texts(given))) for part, given in splits.items()}
    found = _Found(name, "", {part: list(filter(None, texts)) for part, texts in lists.items()}, "", tokenizer)
    if by_split:
        found.labels = {part: _of_texts(texts, by_split.get(part, ()), part) for part, texts in lists.items()}
    return _corpus(found, dict.fromkeys((*Reading._fields, "valid", "test")))


def _of_texts(texts: Sequence[str], labels: Iterable[Any], part: str) -> list[str]:
    """The labels of the texts that are not empty."""
    values = labels_of(labels)
    if len(values) != len(texts):
        raise CorpusError(f"{len(values)} labels were given for {len(texts)} texts ({part}); give one for each")
    return [label for text, label in zip(texts, values, strict=True) if text]


def as_files(corpus: Corpus) -> dict[str, bytes]:
    """A corpus as files: one of each split, by its name, and one of its labels, where they are there."""
    contents = {part: as_file(getattr(corpus, part)) for part in PARTS}
    files = {part + suffix: content for part, (suffix, content) in contents.items()}
    return files | {f"{part}.labels": as_file(labels)[1] for part, labels in corpus.labels.items()}


def file_sha256(texts: Sequence[str], labels: Iterable[str] = ()) -> str:
    """The sha256 of the content of `as_file`, which is not held in memory; of labels and texts as they are read."""
    several, digest = any("\n" in text for text in texts), hashlib.sha256()
    for label in labels:
        digest.update((label + "\n").encode())
    for text in tracked(texts, "identifying texts", len(texts)):
        digest.update(((json.dumps(text, ensure_ascii=False) if several else text) + "\n").encode())
    return digest.hexdigest()


@dataclass
class _Found:
    """The texts of a source by its splits ("train" if it has none)."""

    name: str
    path: str  # by which it is found again
    splits: Mapping[str, Sequence[str]]
    sha256: str
    tokenizer: str | None = None
    labels: dict[str, list[str]] = field(default_factory=dict)  # of the texts, by the same splits; none: without


def _from_files(place: str, reading: Reading, say: Say) -> _Found:
    """The texts of a file, a folder or a pattern."""
    files = files_of(place, say)
    mixed = len({kind_of(path) for paths in files.values() for path in paths}) > 1
    several = sum(map(len, files.values())) > 1
    labels: dict[str, list[str]] = {part: [] for part in files}
    digests: list[str] = []

    def read(part: str) -> Iterator[str]:
        for path in files[part]:
            digest, how = hashlib.sha256(), reading.fitting(path) if mixed else reading
            options: dict[str, Any] = {"digest": digest, "labels": labels[part], "say": say}
            yield from read_texts(path, how, may_be_empty=several, **options)
            digests.append(digest.hexdigest())

    splits = {part: gathered(tracked(read(part), "reading texts")) for part in files}
    sha256 = digests[0] if len(digests) == 1 else _sha256("".join(digests).encode())
    folder = Path(re.split(r"[*?[]", _absolute(place))[0] + "x").parent if is_pattern(place) else Path(_absolute(place))
    labels = labels if reading.label_column or reading.labels else {}
    return _Found(stem_of(folder) or "texts", _absolute(place), splits, sha256, labels=labels)


def labels_beside(path: Path) -> Path:
    """The file of the labels of held-out texts: valid.labels beside valid.txt."""
    return path.with_name(stem_of(path) + ".labels")


def _of_bundled(name: str, entry: Mapping[str, Any], reading: Reading) -> Reading:
    """How a bundled corpus is read: its labels are in a file of their own, under the name of a column."""
    if reading.label_column is None:
        return reading
    _refuse_other_column(name, entry.get("label_column"), reading.label_column)
    return reading._replace(label_column=None, labels=str(corpora_folder() / entry["labels"]))


def _refuse_other_column(name: str, column: str | None, asked: str) -> None:
    if asked != column:
        has = f"its labels are called {column}" if column else "it has no labels"
        raise CorpusError(f"the corpus {name} has no --label-column {quoted(asked)}; {has}")


def read_all(place: str, reading: Reading, labels: list[str] | None = None) -> tuple[list[str], list[str]]:
    """All texts of a file, a folder or a pattern, and what was taken where its files left a choice; `labels` takes in
    the label of each, where `reading` says what they are.

    Raises:
        CorpusError: as `read_texts`."""
    notes: list[str] = []
    found = _from_files(place, reading, notes.append)
    if labels is not None:
        labels += chain.from_iterable(found.labels.values())
    return [text for texts in found.splits.values() for text in texts], notes[:MOST_NOTES]


def _absolute(place: str | Path) -> str:
    """A path as it is found from everywhere; of a pattern, the folder before it."""
    return os.path.abspath(place) if is_pattern(str(place)) else str(Path(place).resolve())


def bundled() -> dict[str, dict[str, Any]]:
    """The manifest of the corpora that come with the package: name -> entry."""
    return schema.entries(corpora_folder() / "MANIFEST.toml", "corpus", BUNDLED, CorpusError)


def described(name: str) -> dict[str, Any]:
    """What is known of a bundled or stored corpus: its language, its licence ...; nothing of any other."""
    return bundled().get(name) or (store.about(name) if store.has(name) else {})


def refuse_bundled_name(name: str) -> None:
    """A stored corpus must not have the name of a bundled one.

    Raises:
        CorpusError: the name is that of a bundled corpus."""
    if name in bundled():
        raise CorpusError(f"{quoted(name)} is the name of a bundled corpus; choose another")


def corpora_folder() -> Path:
    """In an installed package the corpora lie inside it, in a checkout beside it."""
    installed = Path(str(resources("seqgan") / "_corpora"))
    return installed if installed.is_dir() else Path(str(resources("seqgan"))).parent / "corpora"


def _looks_like_a_path(name: str) -> bool:
    return os.path.exists(name) or "/" in name or is_pattern(name) or Path(name).suffix in {*SUFFIXES, ".gz"}


def _sha256(*parts: bytes) -> str:
    """Of one part its own, of several that of their digests."""
    digests = [hashlib.sha256(part).hexdigest() for part in parts]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
