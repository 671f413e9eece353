"""What a large corpus costs beside training: whole processes on a text of any size, made from the bundled speeches.

A line joins halves of sentences, of different ones, until it has 27 words, so that the words are those of English and
hardly a line comes twice."""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqgan.data.corpus import load_corpus
from seqgan.errors import SeqGANError

WORDS = 27  # of a line
OPTIONS = "--preset quick --mle-epochs 0 --iterations 1 --seed 0"


class Cost(NamedTuple):
    """What one training took."""

    to_first_step: float  # seconds, from the command on
    outside: float  # seconds that no step was taken in
    processor: float  # seconds of all cores, training and the processes that helped included
    peak_bytes: int  # of the process, memory-mapped pages included
    disk_bytes: int  # that are kept for the next run


def lines(count: int, seed: int = 0) -> Iterator[str]:
    """So many lines of crossed sentences."""
    corpus, rng = load_corpus("speeches"), random.Random(seed)
    sentences = [text.split() for text in (*corpus.train, *corpus.valid, *corpus.test)]
    halves = [half for words in sentences for half in (words[: len(words) // 2], words[len(words) // 2 :]) if half]
    for _ in range(count):
        words: list[str] = []
        while len(words) < WORDS:
            words += rng.choice(halves)
        yield " ".join(words[:WORDS])


def measure(count: int) -> list[Cost]:
    """A first and a second run on the same text, as a user starts them; the cache is their own.

    Raises:
        SeqGANError: a run fails."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "lines.txt"
        with text.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines(count))
        return [_cost(text, Path(folder), number) for number in (1, 2)]


def _cost(text: Path, folder: Path, number: int) -> Cost:
    home, began, first = folder / "home", time.perf_counter(), 0.0
    words = ["train", "--corpus", str(text), "--run-dir", str(folder / f"run-{number}"), *OPTIONS.split()]
    command, environment = [sys.executable, "-m", "seqgan", *words], {**os.environ, "SEQGAN_HOME": str(home)}
    told: list[str] = []
    with (folder / "stdout").open("w+", encoding="utf-8") as stdout:
        with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment) as process:
            for line in process.stderr or ():
                told.append(line)
                if not first and re.search(r"step 1/\d", line):
                    first = time.perf_counter()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        stdout.seek(0)
        trained = re.search(r"\((\d+) s of training\)", stdout.read())
    if process.returncode or not trained or not first:
        raise SeqGANError(f"seqgan {' '.join(words)} ended with {process.returncode}: {(told or [''])[-1].strip()}")
    disk = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    processor = usage.ru_utime + usage.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(first - began, seconds - float(trained[1]), processor, usage.ru_maxrss * unit, disk)
