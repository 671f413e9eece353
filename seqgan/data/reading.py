"""How a file is to be read: its kind by its name, and the options for what it does not show.

The command line loads this to answer --help, and none of what reads."""

import re
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
CSV = (".csv", ".tsv")
LINE, BLANK_LINE, FILE = "line", "blank-line", "file"  # values of --split-on; any other is what separates texts
FOLDERS = "folders"  # a value of --labels


def kind_of(path: Path) -> str:
    """The suffix that says how to read a file; `.gz` may follow it, and an unknown one means plain text."""
    return suffix_of(path) or ".txt"


def suffix_of(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else ""


def stem_of(path: Path) -> str:
    name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    return re.sub(re.escape(kind_of(path)) + "$", "", name, flags=re.IGNORECASE) or name


class Reading(NamedTuple):
    """How texts are found in a file, where it does not show it. None: not given."""

    text_column: str | None = None  # `message.text` is a nested one
    delimiter: str | None = None  # of csv
    header: bool | None = None  # whether the first line of a csv file names its columns
    split_on: str | None = None  # where a text of a plain file ends: line, blank-line, file, or a mark such as ---
    label_column: str | None = None  # what the texts are labelled with
    labels: str | None = None  # a file of labels, one a line; or "folders": a text's is the folder its file lies in

    def over(self, other: "Reading") -> "Reading":
        """These options, and those of another where they are not given."""
        return other._replace(**{name: value for name, value in self._asdict().items() if value is not None})

    def fitting(self, path: Path) -> "Reading":
        """The options that a file of this kind has, of those that were given for one of another kind."""
        if kind_of(path) == ".txt":
            return Reading(split_on=self.split_on, labels=self.labels)
        if kind_of(path) in CSV:
            return self._replace(split_on=None)
        return Reading(self.text_column, label_column=self.label_column, labels=self.labels)


NOT_GIVEN = Reading()
