"""Linux is where the tests run; the code must not need what only Linux has."""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = {"read_text", "write_text"}


def test_both_packages_train_without_what_other_systems_lack(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.elsewhere", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len((tmp_path / "texts.txt").read_text(encoding="utf-8").splitlines()) == 3
    assert (tmp_path / "grid.png").is_file()


def test_text_is_read_and_written_in_an_encoding_that_is_named() -> None:
    """Elsewhere the usual one is not UTF-8."""
    unnamed = set()
    for path in (path for name in ("seqgan", "imagegan") for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            whole = isinstance(node.func, ast.Name) and called == "open"
            binary = any(isinstance(arg, ast.Constant) and "b" in str(arg.value) for arg in node.args[1:])
            named = any(keyword.arg == "encoding" for keyword in node.keywords)
            if (called in TEXT or whole) and not binary and not named:
                unnamed.add(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert unnamed == set()
