"""Human ratings: a sheet of real and generated texts in random order, and the analysis of filled sheets.

The SeqGAN paper's claim for poems is a human score (Yu et al. 2017, table 2); here raters do not
know which text is generated."""

import csv
import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.core import outputs, schema
from seqgan.core.bounds import REAL, WHOLE
from seqgan.core.stats import permutation_test, standard_error
from seqgan.data.texts import as_text
from seqgan.errors import UsageError, quoted, why
from seqgan.library import TrainedRun
from seqgan.runs import stages_of

COLUMNS = ["number", "text", "rating"]


class Rated(NamedTuple):
    """The ratings of one kind of texts."""

    mean: float
    stderr: float  # over texts: each counts with the mean of its ratings
    texts: int
    ratings: int


def sheet_of(run: TrainedRun, count: int, seed: int) -> dict[str, list[str]]:
    """As many texts of each kind: real ones from the test split, and those of every policy of the run.

    Raises:
        UsageError: the test split has fewer."""
    model = run.model()
    test = run.encoded().learned("test", model.policy.max_length, model.overlong)
    if count > len(test):
        raise UsageError(f"the test split has {len(test)} real texts; ask for no more than that, not for {count}")
    chosen = random.Random(seed).sample(list(test), count)
    # Tokenised and decoded as samples are, so that spacing does not reveal the real ones.
    texts = {"real": [" ".join(model.tokenizer.pieces(text, len(text) + 1)) for text in chosen]}
    return texts | {
        stage: list(map(as_text, run.generate(count, stage=stage, seed=seed))) for stage in stages_of(run.description)
    }


def sheet_at(path: Path, *, overwrite: bool = False) -> tuple[Callable[[bytes], None], Callable[[bytes], None]]:
    """Writers for a sheet and for its key beside it.

    Raises:
        UsageError: one of them exists already, and may hold ratings."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file; give the name of a new file for the sheet")
    return outputs.writer(path, overwrite=overwrite), outputs.writer(key_of(path), overwrite=overwrite)


def key_of(path: Path) -> Path:
    return path.with_name(path.name + ".key.json")


def write_sheet(path: Path, texts: Mapping[str, Sequence[str]], seed: int, *, overwrite: bool = False) -> Path:
    """Write a sheet to fill in, and beside it the key with the source of each text; returns the path of the key.

    Raises:
        UsageError: there is a sheet already: it may have ratings in it."""
    write, write_key = sheet_at(path, overwrite=overwrite)
    entries = [(source, text) for source, several in texts.items() for text in several]
    random.Random(seed).shuffle(entries)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([number, text, ""] for number, (_, text) in enumerate(entries, start=1))
    key = {"sources": [source for source, _ in entries], "texts": [_digest(text) for _, text in entries], "seed": seed}
    write_key((json.dumps(key, indent=1) + "\n").encode())
    write(sheet.getvalue().encode())
    return key_of(path)


def read_sheets(paths: Sequence[Path]) -> list[dict[str, dict[int, float]]]:
    """The ratings of several people, who filled in copies of one sheet (each with a copy of its key beside it).

    Raises:
        UsageError: they are not of the same sheet, or one of them cannot be read."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError(f"{' and '.join(map(str, paths))}: a sheet was given twice; give each person's sheet once")
    keys = {key_of(path): path for path in paths}
    sheets = [read_ratings(path) for path in paths]
    if len({key.read_bytes() for key in keys}) > 1:
        raise UsageError(f"{' and '.join(map(str, paths))} are not copies of one sheet: their keys differ")
    return sheets


def read_ratings(path: Path) -> dict[str, dict[int, float]]:
    """The ratings in a filled sheet: source -> number of the text -> rating. Empty ones are left out.

    Raises:
        UsageError: no sheet, no key beside it, a changed text, or a rating that is no number (names the line)."""
    key_path = key_of(path)
    try:
        key = schema.read(key_path, UsageError, "it must be as --blind wrote it")
    except FileNotFoundError as error:
        raise UsageError(
            f"{key_path} is missing: the key holds the source of each text; copy it beside the sheet"
        ) from error
    schema.check(key_path, key, {"sources": schema.TEXTS, "texts": schema.TEXTS}, UsageError)
    sources, digests = key["sources"], key["texts"]
    if len(sources) != len(digests) or not sources:
        raise UsageError(
            f"{key_path}: sources and texts are of {len(sources)} and {len(digests)} texts, not of as many"
        )
    ratings: dict[str, dict[int, float]] = {source: {} for source in sources}
    for line, number, text, rating in _rows(path):
        if not 1 <= number <= len(sources) or _digest(text) != digests[number - 1]:
            raise UsageError(f"{path}, line {line}: number {number} is not the text that --blind wrote there")
        if rating is not None:
            if number in ratings[sources[number - 1]]:
                raise UsageError(f"{path}, line {line}: number {number} is rated twice")
            ratings[sources[number - 1]][number] = rating
    return ratings


def _rows(path: Path) -> Iterator[tuple[int, int, str, float | None]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path}: {why(error)}; a sheet in UTF-8 was expected, as --blind wrote it"
        ) from error
    reader = csv.DictReader(io.StringIO(content))
    if (found := reader.fieldnames or []) != COLUMNS:
        raise UsageError(
            f"{path} has the columns {quoted(', '.join(found))}; "
            f"{', '.join(COLUMNS)} were expected, with commas between them"
        )
    try:
        for row in reader:
            line, rating = reader.line_num, (row["rating"] or "").strip()
            if None in row:
                raise UsageError(
                    f"{path}, line {line}: more fields than {', '.join(COLUMNS)}; is a comma left unquoted?"
                )
            try:
                number = WHOLE.check(WHOLE.read((row["number"] or "").strip()))
                given = REAL.check(REAL.read(rating)) if rating else None
            except ValueError as error:
                raise UsageError(
                    f"{path}, line {line}: number {quoted(row['number'] or '')} with rating {quoted(rating)}; "
                    "numbers were expected, such as 3 or 4.5"
                ) from error
            yield line, number, row["text"] or "", given
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num + 1}: malformed CSV ({error})") from error


def analyse(sheets: Sequence[Mapping[str, Mapping[int, float]]]) -> tuple[dict[str, Rated], dict[str, float]]:
    """The mean rating of every source, and for every two of them the chance of such a difference by luck.

    One sheet for each rater, all of the same texts. A text counts once, with the mean of what its raters gave it; the
    test relabels texts (`permutation_test`).

    Raises:
        UsageError: a source has fewer than two rated texts."""
    by_text: dict[str, dict[int, list[float]]] = {}
    for sheet in sheets:
        for source, given in sheet.items():
            for number, rating in given.items():
                by_text.setdefault(source, {}).setdefault(number, []).append(rating)
    means = {source: [sum(r) / len(r) for r in texts.values()] for source, texts in by_text.items()}
    missing = [source for sheet in sheets for source in sheet if len(means.get(source, [])) < 2]
    if missing or not means:
        raise UsageError(
            f"fewer than two texts of {', '.join(dict.fromkeys(missing)) or 'any source'} are rated; "
            "fill in numbers in the column rating"
        )
    rated = {
        source: Rated(
            sum(values) / len(values),
            float(standard_error(values)),
            len(values),
            sum(map(len, by_text[source].values())),
        )
        for source, values in means.items()
    }
    chances = {f"{a} - {b}": permutation_test(means[a], means[b]) for a, b in combinations(sorted(means), 2)}
    return rated, chances


def as_json(rated: Mapping[str, Rated], chances: Mapping[str, float]) -> dict[str, Any]:
    signature = "err:texts|test:two-sided permutation of texts, 10000 rounds"
    return {
        "ratings": {source: {**values._asdict(), "signature": signature} for source, values in rated.items()},
        "p": dict(chances),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]
