"""A demo served by its real command, for tests in a browser; they skip where gradio is missing."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason='gradio is missing: pip install "seqgan[demo]"')


@contextlib.contextmanager
def served(package: str, *words: str | Path) -> Iterator[str]:
    """The address of a demo, which ends with Ctrl-C: it says so, exits with 130, and has written no traceback."""
    command = [sys.executable, "-m", package, "demo", *map(str, words), "--port", "0", "--device", "cpu"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + (process.communicate(timeout=60)[1] if process.poll() is not None else "")
        yield found[0]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert errors.strip() == "stopped", errors
    finally:
        process.kill()
        process.wait()
