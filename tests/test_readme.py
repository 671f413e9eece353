"""The README's Python runs as it stands there, from top to bottom, and names what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import seqgan
from imagegan.cli import imagegan as images
from seqgan.cli import seqgan as text

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_in_the_readme_runs(tmp_path: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(snippets) >= 5  # the front door, and four parts of one's own
    code = "\n".join(snippets)
    for part in ("reward=", "discriminator=", "policy=", "seqgan.register("):
        assert part in code
    (tmp_path / "readme.py").write_text(code, encoding="utf-8")
    words = [sys.executable, "readme.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


def test_the_readme_lists_every_public_name() -> None:
    table = README[README.index("All public names") : README.index("### Components of your own")]
    for name in seqgan.__all__:
        assert f"`seqgan.{name}" in table, name


@pytest.mark.parametrize(("package", "command", "fewest"), [("seqgan", text, 15), ("imagegan", images, 10)])
def test_every_command_and_option_in_the_readme_exists(package: str, command: Any, fewest: int) -> None:
    lines = [line for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    used = [line.split("#")[0].split() for line in lines if line.startswith(f"$ {package} ")]
    assert len(used) > fewest
    for _, _, *words in used:
        group = command
        while words and hasattr(group, "commands"):
            group = group.commands[words.pop(0)]
        options = {word for word in words if word.startswith("--")}
        known = {name for parameter in group.params for name in (*parameter.opts, *parameter.secondary_opts)}
        configured = {
            "--tokenizer",
            "--max-length",
            "--overlong",
            "--vocab-size",
            "--mle-epochs",
            "--control",
            "--size",
        }
        assert options <= known | configured, words
