"""Measured numbers for people (tables) and for programs (JSON); each number with its signature in both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seqgan import __version__
from seqgan.metrics import Measured

Row = dict[str, Measured]


ORDERS = (2, 3, 4, 5)
# title of a table -> its columns
TABLES: dict[str, Sequence[str]] = {
    "what training achieved": (
        *("nll-valid", "entropy", "bleu-3", "backward-bleu-3", "self-bleu-3", "distinct", "d-auc"),
    ),
    "BLEU: n-grams of the samples that stand in the references": [f"bleu-{n}" for n in ORDERS],
    "backward BLEU: n-grams of the references that stand in the samples": [f"backward-bleu-{n}" for n in ORDERS],
    "Self-BLEU: how alike the samples are": [f"self-bleu-{n}" for n in ORDERS],
    "variety: the share of different samples and n-grams": ["distinct", *(f"distinct-{n}" for n in (1, 2, 3))],
    "novelty: the share that stands in the training texts, and the longest copied span": [
        *("seen", "seen-lines", *(f"seen-{n}" for n in ORDERS), "copied", "copied-longest")
    ],
    "form": ("length", "form", "unknown"),
    "likelihood, in nats": ("nll-valid", "nll-valid-char", "nll-test", "nll-test-char", "entropy"),
    "how far apart the policies are: KL per token, in nats": ("kl-to-mle", "kl-to-final"),
    "the discriminator, on the test split": ("d-accuracy", "d-auc", "d-bce", "d-spread"),
}
SHORT = next(iter(TABLES))


@dataclass
class Evaluation:
    """Rows of numbers, what is to be said beside them, and the texts that were measured."""

    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    references: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "rows": {name: row_as_json(row) for name, row in self.rows.items()},
            **self.facts,
        }


def row_as_json(row: Row) -> dict[str, dict[str, Any]]:
    """`{"bleu-2": {"value": ..., "stderr": ..., "signature": ...}, ...}`; null where there is no standard error."""
    return {
        name: {**number._asdict(), "stderr": None if math.isnan(number.stderr) else number.stderr}
        for name, number in row.items()
    }


class Table(NamedTuple):
    title: str
    headings: list[str]
    cells: list[list[str]]
    signatures: list[str]


def tables(rows: Mapping[str, Row], *, short: bool = False) -> Iterator[Table]:
    """Title, headings, cells and signatures of each table; what no row has is left out."""
    for title, columns in TABLES.items():
        shown = [name for name in columns if any(name in row for row in rows.values())]
        if (title == SHORT) != short or not shown:
            continue
        cells = [
            [name, *(as_cell(row.get(column)) for column in shown)]
            for name, row in rows.items()
            if any(column in row for column in shown)
        ]
        yield Table(title, ["", *(name.replace("-", " ") for name in shown)], cells, _signatures(rows, shown))


def as_cell(number: Measured | None) -> str:
    """`0.228 ±.007`"""
    if number is None:
        return ""
    error = "" if math.isnan(number.stderr) else f" ±{number.stderr:.3f}".replace("±0.", "±.")
    return f"{number.value:.3f}{error}"


def _signatures(rows: Mapping[str, Row], columns: Sequence[str]) -> list[str]:
    """One line for each signature, with the columns it belongs to."""
    owners: dict[str, list[str]] = {}
    for column in columns:
        for signature in dict.fromkeys(row[column].signature for row in rows.values() if column in row):
            owners.setdefault(signature, []).append(column)
    return [f"{', '.join(_joined(names))}: {signature}" for signature, names in owners.items()]


def _joined(names: Sequence[str]) -> list[str]:
    """bleu-2, bleu-3, bleu-4, bleu-5 -> bleu-2..5"""
    groups: dict[str, list[str]] = {}
    for name in names:
        stem, _, order = name.rpartition("-")
        groups.setdefault(*((f"{stem}-", []) if order.isdigit() else (name, []))).append(order)
    return [
        stem if not stem.endswith("-") else stem + "..".join(dict.fromkeys((orders[0], orders[-1])))
        for stem, orders in groups.items()
    ]
