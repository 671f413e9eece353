"""The commands around corpora: list, show, export, add, fetch. Like cli.py, it imports no torch at the top."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from seqgan.cli.shared import reading_options, shown_text
from seqgan.core.bounds import PATH, PATH_NAME, STEPS, TEXT, OneOf
from seqgan.core.options import completing
from seqgan.data.reading import Reading


def _known(ctx: click.Context, incomplete: str) -> list[str]:
    from seqgan.data import store
    from seqgan.data.corpus import bundled

    return [*bundled(), *store.names()]


def _stored(ctx: click.Context, incomplete: str) -> list[str]:
    from seqgan.data import store

    return store.names()


def _public(ctx: click.Context, incomplete: str) -> list[str]:
    from seqgan.data.fetching import sources

    return list(sources())


CORPORA = completing(_known)


@click.group()
def corpora() -> None:
    """Bundled and stored corpora."""


@corpora.command("list")
def list_corpora() -> None:
    """Name, language, size and licence of every corpus: bundled, stored, and those that can be fetched."""
    from seqgan.data import store
    from seqgan.data.corpus import bundled
    from seqgan.data.fetching import sources

    line = "{:10}  {:8}  {:>7} texts  {:16}  {}"
    for entry in bundled().values():
        shown = (entry["name"], entry["language"], f"{entry['count']:,}", entry["licence"], entry["description"])
        click.echo(line.format(*shown))
    stored = store.names()
    for name in stored:
        about = store.about(name)
        count = sum(about["report"]["split"].values())
        schema = about.get("description") or f"added from {about.get('source')}"
        click.echo(line.format(name, about.get("language") or "", f"{count:,}", about.get("licence") or "", schema))
    for name, entry in sources().items():
        if name not in stored:
            shown = (name, entry["language"], "?", entry["licence"], entry["description"])
            click.echo(line.format(*shown) + f" (seqgan corpora fetch {name})")


@corpora.command()
@click.argument("name", type=TEXT, shell_complete=CORPORA)
@click.option("-n", "--count", type=STEPS, default=5, help="texts to show", show_default=True)
@click.option("--split", type=OneOf(["train", "valid", "test"]), default="train", show_default=True)
@reading_options
def show(name: str, count: int, split: str, reading: Reading) -> None:
    """Sizes and source of a corpus (by name, path or hf: address), and its first texts."""
    from seqgan.data.corpus import described, load_corpus

    corpus = load_corpus(name, **reading._asdict())
    about = described(name) or {"name": corpus.name}
    for key, value in {**about, **about.get("report", {}), **corpus.provenance}.items():
        if value is not None and key != "report":
            click.echo(f"{key.replace('_', ' ')}: {_shown(value)}")
    for note in corpus.notes:
        click.echo(note, err=True)
    for text in getattr(corpus, split)[:count]:
        click.echo(shown_text(text))


@corpora.command()
@click.argument("name", type=TEXT, shell_complete=CORPORA)
@click.argument("folder", type=PATH)
@reading_options
@click.option("--overwrite", is_flag=True, help="replace the files of those names")
def export(name: str, folder: Path, reading: Reading, overwrite: bool) -> None:
    """Write the splits of a corpus to FOLDER: train.txt, valid.txt, test.txt; .jsonl where a text has several lines."""
    from seqgan.core import files, outputs
    from seqgan.data.corpus import as_files, load_corpus

    contents = as_files(load_corpus(name, **reading._asdict()))
    files.make_folder(folder)
    writers = {file: outputs.writer(folder / file, overwrite=overwrite) for file in contents}
    for file, data in contents.items():
        writers[file](data)
        kind = "labels" if file.endswith(".labels") else "texts"
        click.echo(f"{folder / file}: {len(data.splitlines())} {kind}")


@corpora.command("add")
@click.argument("path", type=PATH_NAME)
@click.option("--name", type=TEXT, required=True, help="its name: --corpus NAME")
@reading_options
@click.option("--overwrite", is_flag=True, help="replace a corpus of that name")
def add_corpus(path: str, name: str, reading: Reading, overwrite: bool) -> None:
    """Clean the texts of a file, folder or pattern, split them by hash, and store them under a name; reports what was
    changed or dropped."""
    from seqgan.data import store
    from seqgan.data.corpus import read_all, refuse_bundled_name

    refuse_bundled_name(name)
    labels: list[str] = []
    texts, notes = read_all(path, reading, labels)
    for note in notes:
        click.echo(note, err=True)
    facts = {"source": os.path.abspath(path), **({"label_column": reading.label_column or "label"} if labels else {})}
    report = store.add(name, texts, facts, labels=labels, overwrite=overwrite)
    _print_report(name, report)


@corpora.command("fetch")
@click.argument("name", type=TEXT, shell_complete=completing(_public, files=False))
@click.option("--overwrite", is_flag=True, help="fetch again what was fetched before")
def fetch_corpus(name: str, overwrite: bool) -> None:
    """Download a public corpus (seqgan corpora list), check its sha256, and store it under its name."""
    from seqgan.core.log import transfer
    from seqgan.data.fetching import fetch

    with transfer(name) as progress:
        report = fetch(name, progress, overwrite=overwrite)
    _print_report(name, report)


@corpora.command("remove")
@click.argument("name", type=TEXT, shell_complete=completing(_stored, files=False))
def remove_corpus(name: str) -> None:
    """Remove a stored corpus. A run that was trained on it can then no longer be resumed or evaluated."""
    from seqgan.data import store
    from seqgan.data.corpus import refuse_bundled_name

    refuse_bundled_name(name)
    click.echo(f"removed {name} from {store.remove(name)}")


def _print_report(name: str, report: Mapping[str, Any]) -> None:
    from seqgan.data.store import folder_of

    for key, value in report.items():
        click.echo(f"{key.replace('_', ' ')}: {_shown(value)}")
    click.echo(f"stored in {folder_of(name)}; train on it with seqgan train --corpus {name}")


def _shown(value: Any) -> str:
    return ", ".join(f"{count} {part}" for part, count in value.items()) if isinstance(value, dict) else str(value)
