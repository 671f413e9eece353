"""Measured numbers for people (tables) and for programs (JSON); each number with its signature in both."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from seqgan import __version__
from seqgan.core import report
from seqgan.core.config import nearest
from seqgan.core.report import Measured, as_cell, as_difference, finite, metrics_of, rows_as_json, signatures
from seqgan.core.stats import mean_influences
from seqgan.errors import UsageError, one_line, quoted

Row = dict[str, Measured]
Pairs = Sequence[tuple[str, str]]

REAL = "real"  # the row of held-out text
ORDERS = (2, 3, 4, 5)
# title of a table -> the metrics in it
TABLES: dict[str, Sequence[str]] = {
    "what training achieved": (
        *(
            "nll-valid",
            "nll-test",
            "entropy",
            "bleu-3",
            "backward-bleu-3",
            "self-bleu-3",
            "distinct",
            "d-auc",
            "d-gain",
            "nll-test-text",
            "recognised",
        ),
    ),
    "BLEU: n-grams of the samples that are in the references": [f"bleu-{n}" for n in ORDERS],
    "backward BLEU: n-grams of the references that are in the samples": [f"backward-bleu-{n}" for n in ORDERS],
    "Self-BLEU: how alike the samples are": [f"self-bleu-{n}" for n in ORDERS],
    "variety: the share of different samples and n-grams": ["distinct", *(f"distinct-{n}" for n in (1, 2, 3))],
    "novelty: the share that is in the training texts, and the longest copied span": [
        *("seen", "seen-lines", *(f"seen-{n}" for n in ORDERS), "copied", "copied-longest")
    ],
    "labels: the share of texts that a classifier takes for texts of their label; real: on the test split": (
        "recognised",
    ),
    "form": ("length", "repeats", "form", "unknown"),
    "likelihood, in nats": (
        *(f"nll-{split}{of}" for split in ("valid", "test") for of in ("", "-char", "-text", "-known", "-unknown")),
        "entropy",
    ),
    "how far apart the policies are: KL per token, in nats": ("kl-to-mle", "kl-to-final"),
    "the discriminator, on the test split": ("d-accuracy", "d-auc", "d-bce", "d-logit-std"),
    "what the discriminator knows, in nats per text": ("d-gain", "d-gain-bias", "d-effective", "d-slope"),
}
SHORT = next(iter(TABLES))
CHOSEN = "best-of-"  # of how many draws of the policy of MLE the discriminator has chosen each sample of a row
OF_REWARD = "reward-"  # and the name of the reward: what texts earn, where it was asked for
LABELLED = ("nll-test", "distinct", "distinct-2", "bleu-3", "recognised")  # of the texts of each label
WIDEST = 4  # columns of numbers side by side
LEGEND = (
    "± is a standard error, of a difference the paired one; * a difference of more than two of them "
    "(of blocks and seeds: as many as Student's t asks at 5%)"
)


@dataclass(repr=False)
class Evaluation:
    """Rows of numbers, the facts they depend on, and the texts that were measured.

    `evaluation["final"]["bleu-3"].value` is a number, `print(evaluation)` shows all of them."""

    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    references: Sequence[str] = ()
    pairs: Pairs | None = None  # the rows to be compared; left out: every two
    labels: dict[str, dict[str, Row]] = field(default_factory=dict)  # label -> rows of its texts

    def __getitem__(self, name: str) -> Row:
        """
        Raises:
            UsageError: there is no such row."""
        if name not in self.rows:
            raise UsageError(f"there is no row {quoted(name)}{nearest(str(name), self.rows)}")
        return self.rows[name]

    def __str__(self) -> str:
        return markdown(self.rows, self.pairs, aligned=True)

    def __repr__(self) -> str:
        return f"<Evaluation of {', '.join(self.rows)}: {len(_metrics(self.rows))} numbers; print it to see them>"

    def _repr_markdown_(self) -> str:
        return markdown(self.rows, self.pairs)

    @property
    def differences(self) -> dict[str, Row]:
        """`{"final - mle": {"bleu-3": Measured(difference, paired error, signature), ...}, ...}`."""
        return differences(self.rows, self.pairs)

    def as_json(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "rows": rows_as_json(self.rows),
            "differences": {name: differences_as_json(row) for name, row in self.differences.items()},
            **({"labels": {label: rows_as_json(rows) for label, rows in self.labels.items()}} if self.labels else {}),
            **self.facts,
        }


def differences_as_json(row: Row) -> dict[str, dict[str, Any]]:
    """As JSON, with `t`, the difference in paired standard errors (null where that error is 0 or unknown), and whether
    the number `differs`."""
    return {
        name: {
            **number.as_json(),
            "t": finite(number.value / number.stderr if number.stderr else math.nan),
            "differs": bool(number.differs),
        }
        for name, number in row.items()
    }


def differences(rows: Mapping[str, Row], pairs: Pairs | None = None) -> dict[str, Row]:
    """Of the rows in pairs; left out, of every policy and those before it, and of every policy and real text. All that
    is measured alike in both."""
    if pairs is None:
        policies = [name for name in rows if name != REAL]
        pairs = [(later, earlier) for at, later in enumerate(policies) for earlier in policies[:at]]
        pairs += [(name, REAL) for name in policies if REAL in rows]
    return {_pair(first, second): _difference(rows[first], rows[second]) for first, second in pairs}


def _pair(first: str, second: str) -> str:
    """`final - mle`, and within a run that has a name `poems-1 final - mle`."""
    group, _, stage = second.rpartition(" ")
    return f"{first} - {stage if group and group == first.rpartition(' ')[0] else second}"


def _difference(first: Row, second: Row) -> Row:
    both = [name for name in first if name in second and first[name].comparable(second[name])]
    return {name: first[name] - second[name] for name in both}


def closing_numbers(rows: Mapping[str, Row]) -> dict[str, float]:
    """`{"final/bleu-3": 0.076, ...}`: of each policy the numbers of the short table that are defined."""
    stages = {name: row for name, row in rows.items() if name != REAL}
    found = {
        f"{name}/{metric}": row[metric].value
        for name, row in stages.items()
        for metric in TABLES[SHORT]
        if metric in row
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def over_seeds(rows: Sequence[Row], seeds: Sequence[int]) -> Row:
    """The mean of each number over the runs of an arm; of a single run its own."""
    if len(rows) == 1:
        return rows[0]
    order = np.argsort(seeds, kind="stable").tolist()
    source = f"seeds {sorted(seeds)}"  # arms of the same seeds are paired seed by seed
    means: Row = {}
    for name in rows[0]:
        numbers = [rows[at][name] for at in order if name in rows[at]]
        signatures = {_of_any_seed(number.signature, len(rows)) for number in numbers}
        if len(numbers) == len(rows) and len(signatures) == 1:
            values = [number.value for number in numbers]
            influences = {source: mean_influences(values, np.arange(len(values)))}
            means[name] = Measured.of(float(np.mean(values)), influences, signatures.pop())
    return means


def _of_any_seed(signature: str, count: int) -> str:
    """A signature without what differs from seed to seed: the way the error was found, and the discriminator."""
    parts = [part for part in signature.split("|") if not part.startswith(("err:", "discriminator:"))]
    mine = ["discriminator:of each run"] if "discriminator:" in signature else []
    return "|".join([*mine, *parts, f"err:{count} seeds"])


class Table(NamedTuple):
    title: str
    headings: list[str]
    cells: list[list[str]]
    signatures: list[str]


def tables(
    rows: Mapping[str, Row],
    pairs: Pairs | None = None,
    *,
    short: bool = False,
    between: Mapping[str, Row] | None = None,
    widest: int = WIDEST,
) -> Iterator[Table]:
    """Title, headings, cells and signatures of each table: a line for each metric, a column for each row, and between
    two policies their difference. A row of `CHOSEN` samples is a table by itself, with its differences from the
    policies, and so are all other differences. What no row has is left out.

    `between` are the differences, where they were found before, as of rows that were read from a file; a table has
    `widest` columns of numbers at most."""
    between = dict(differences(rows, pairs) if between is None else between)
    policies = [name for name in rows if name != REAL and not name.startswith(CHOSEN)]
    of_both = [name for name in between if not name.endswith(f" - {REAL}") and CHOSEN not in name]
    beside = {name: between.pop(name) for name in of_both if len(policies) == 2}
    columns = {name: rows[name] for name in policies} | beside | {name: rows[name] for name in rows if name == REAL}
    rewards = [name for name in _metrics(rows) if name.startswith(OF_REWARD)]
    for title, metrics in {**TABLES, SHORT: [*TABLES[SHORT], *rewards], "what texts earn, by reward": rewards}.items():
        if (title == SHORT) == short:
            for table in _tables(title, columns, metrics, beside, widest):
                notes = [*signatures(rows, [line[0] for line in table.cells]), *([LEGEND] if short and beside else [])]
                yield table._replace(signatures=notes)
    if short:
        return
    for chosen in (name for name in rows if name.startswith(CHOSEN)):
        against = {pair: between.pop(pair) for pair in list(between) if chosen in pair and f" - {REAL}" not in pair}
        title = f"{chosen}: the discriminator chooses among {chosen.removeprefix(CHOSEN)} draws of mle"
        alone = {chosen: rows[chosen]}
        for table in _tables(title, {**alone, **against}, _metrics(alone), against, widest):
            yield table._replace(signatures=[*signatures(alone, [line[0] for line in table.cells]), LEGEND])
    if between:
        for table in _tables("differences", between, _metrics(rows), between, widest):
            yield table._replace(signatures=[LEGEND])


def label_tables(labels: Mapping[str, Mapping[str, Row]]) -> Iterator[Table]:
    """A table for each number that texts have by label: a line for each label, a column for each row."""
    for metric in LABELLED:
        rows = {label: {name: row[metric] for name, row in of.items() if metric in row} for label, of in labels.items()}
        columns = list(dict.fromkeys(name for row in rows.values() for name in row))
        if columns:
            cells = [[one_line(label), *(as_cell(row.get(name)) for name in columns)] for label, row in rows.items()]
            owners: dict[str, list[str]] = {}
            for name in columns:
                together = _range([row[name].signature for row in rows.values() if name in row])
                owners.setdefault(together, []).append(name)
            notes = [f"{', '.join(names)}: {signature}" for signature, names in owners.items()]
            yield Table(f"{metric}, by label", ["", *columns], cells, notes)


def _range(signatures: Sequence[str]) -> str:
    """Signatures as one: where they differ, from the least to the most, n:98..151."""
    parts = []
    for several in zip(*(signature.split("|") for signature in signatures), strict=False):
        ordered = sorted(set(several), key=lambda part: [int(number) for number in re.findall(r"\d+", part)])
        last = ordered[-1].partition(":")[2]
        parts.append(ordered[0] if len(ordered) == 1 else f"{ordered[0]}..{last}")
    return "|".join(parts)


def _tables(
    title: str, columns: Mapping[str, Row], metrics: Sequence[str], between: Mapping[str, Row], widest: int
) -> Iterator[Table]:
    """One table, or several of at most so many columns each; some columns are differences."""
    shown = [name for name in metrics if any(name in row for row in columns.values())]
    there = [name for name, row in columns.items() if any(metric in row for metric in shown)]
    for start in range(0, len(there), widest):
        some = there[start : start + widest]
        cells = [_line(metric, {name: columns[name] for name in some}, between) for metric in shown]
        yield Table(title, ["", *some], [line for line in cells if any(line[1:])], [])


def _line(metric: str, columns: Mapping[str, Row], between: Mapping[str, Row]) -> list[str]:
    numbers = {name: row.get(metric) for name, row in columns.items()}
    cells = [as_difference(number) if name in between else as_cell(number) for name, number in numbers.items()]
    return [metric, *cells]


def _metrics(rows: Mapping[str, Row]) -> list[str]:
    """Every number that a row has, in the order of the tables; others last."""
    return metrics_of(rows, (name for title, names in TABLES.items() if title != SHORT for name in names))


def markdown(rows: Mapping[str, Row], pairs: Pairs | None = None, *, aligned: bool = False) -> str:
    """All numbers as one table of Markdown, the differences of the rows among its columns, and below it the signatures;
    `aligned` for reading it as plain text."""
    between = differences(rows, pairs)
    columns = {**rows, **between}
    headings = ["", *map(one_line, columns)]
    table = report.markdown(headings, [_line(name, columns, between) for name in _metrics(rows)], aligned=aligned)
    return "\n".join([table, "", f"{LEGEND}.", "", "```text", *signatures(rows, _metrics(rows)), "```"])
