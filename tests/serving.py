"""Servers for as long as a test wants them: any of this process, and a demo by its real command, for tests in a browser
that skip where gradio is missing."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[1]
needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason='gradio is missing: pip install "seqgan[demo]"')


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """The address of a server that answers from a thread."""
    with server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


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
