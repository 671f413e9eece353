"""Several real processes by torchrun, one thread each."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def launched(*words: str | Path, restarts: int = 0) -> subprocess.Popen[str]:
    """Two processes of `words` (`-m module` or a script, and its arguments)."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    output, errors = process.communicate(timeout=240)
    return process.returncode, output, errors


def process_of(launcher: subprocess.Popen[str], rank: int) -> int | None:
    """The process id of one of those that a launcher has started."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    for child in map(int, children):
        try:
            if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                return child
        except OSError:  # it has just ended
            continue
    return None
