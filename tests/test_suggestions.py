"""Commands that messages give can be copied into a shell as they stand, whatever a path holds."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from seqgan.core.files import in_shell

ROOT = Path(__file__).parents[1]
COMMAND = re.compile(r"(\b(seqgan|imagegan) [a-z]+|--(resume|data-dir|run-dir|ratings)) $")
SOURCES = [path for package in ("seqgan", "imagegan") for path in sorted((ROOT / package).rglob("*.py"))]


def bare_paths(source: str) -> Iterator[str]:
    """What an f-string puts after a command without a call that quotes it; `name` is that of a corpus."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for text, value in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(text, ast.Constant) and isinstance(value, ast.FormattedValue)):
                continue
            shown = ast.unparse(value.value)
            if COMMAND.search(text.value) and not isinstance(value.value, ast.Call) and shown not in ("name", "word"):
                yield shown


def test_a_path_in_a_suggested_command_is_quoted() -> None:
    assert not [(path, bare) for path in SOURCES for bare in bare_paths(path.read_text(encoding="utf-8"))]


def test_a_bare_path_would_be_found() -> None:
    assert list(bare_paths('f"go on with: seqgan train --resume {folder}"')) == ["folder"]
    assert not list(bare_paths('f"go on with: seqgan train --resume {in_shell(folder)}"'))


def test_a_path_is_one_word_of_a_shell() -> None:
    for name in ("runs/poems", "my runs/1", "it's", "Läufe/ü 1", "$HOME", "a;b"):
        assert shlex.split(in_shell(Path(name))) == [name]
    assert in_shell(Path("runs/poems-1")) == "runs/poems-1"  # as one would type it
