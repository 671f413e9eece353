"""How long the commands take to begin: whole processes, on a warm disk."""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 5


def measure() -> dict[str, float]:
    """Seconds of `seqgan --help`, and of `seqgan train` until its first step is done; medians, after one to warm up."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that no training outlives its bench
    return {
        "seqgan --help": _median(_help),
        "seqgan train, to its first step": _median(_first_step),
    }


def _median(timed: Callable[[], float]) -> float:
    timed()
    return statistics.median(timed() for _ in range(REPEATS))


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "seqgan", "--help"], check=True, capture_output=True)
    return time.perf_counter() - began


def _first_step() -> float:
    """The record has its first line within a quarter of a second of the first step."""
    with tempfile.TemporaryDirectory() as folder:
        run, began = Path(folder) / "run", time.perf_counter()
        command = [sys.executable, "-m", "seqgan", "train", "--corpus", "poems", "--run-dir", str(run)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not _has_a_step(run / "metrics.jsonl") and process.poll() is None:
                time.sleep(0.01)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


def _has_a_step(record: Path) -> bool:
    try:
        return json.loads(record.read_text(encoding="utf-8").splitlines()[0])["step"] >= 1
    except (OSError, IndexError, ValueError):
        return False
