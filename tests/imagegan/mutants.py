"""Functions with a mistake put in, to see whether a test notices."""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from imagegan.variants import VARIANTS

FOUND = (AssertionError, RuntimeError, AttributeError, TypeError, ValueError, IndexError)  # how a check says so


class Mutant(NamedTuple):
    """Where, what stands there, and what is put in its place."""

    module: ModuleType
    name: str  # a function, or Class.method
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}: {self.old} > {self.new}"


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """The function with its mistake, wherever it is used."""
    module, (within, _, name) = mutant.module, mutant.name.rpartition(".")
    owner = getattr(module, within) if within else module
    original = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(original)))
    assert mutant.old in source, f"{name} has changed: it no longer says {mutant.old}"
    changed: dict[str, Any] = {}
    code = compile(source.replace(mutant.old, mutant.new, 1), f"<mutant of {name}>", "exec")
    exec(code, vars(module), changed)
    users = [owner] if within else _users(name, original)
    variants = [variant for variant, function in VARIANTS.items() if function is original]
    for user in users:
        setattr(user, name, changed[name])
    VARIANTS.update(dict.fromkeys(variants, changed[name]))
    try:
        yield
    finally:
        for user in users:
            setattr(user, name, original)
        VARIANTS.update(dict.fromkeys(variants, original))


def _users(name: str, function: Any) -> list[Any]:
    """The modules that have imported it, tests too."""
    ours = [
        module
        for place, module in sys.modules.items()
        if place.startswith(("imagegan", "seqgan.core", "tests.imagegan"))
    ]
    return [module for module in ours if vars(module).get(name) is function]
