"""Imports go one way and never climb."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"errors", "shapes", "symbols"},
    {"core"},
    {"ops"},
    {"sampling", "losses"},
    {"data"},
    {"models"},
    {"metrics"},
    {"reporting"},
    {"rollout", "advantages", "rewards"},
    {"choice"},
    {"algorithms"},
    {"model"},
    {"runs"},
    {"by_label"},
    {"evaluation", "bench", "temperature"},
    {"pretrained"},
    {"warm_start"},
    {"language_models", "planes"},
    {"report"},
    {"training"},
    {"library"},
    {"ratings", "compare", "demo"},
    {"ablation", "sweep"},
    {"cli", "__main__"},
]
CORE = [
    {"bounds", "files", "hub", "jobs", "launch", "memory", "phase", "plots", "schema", "stats", "streams"},
    {"checkpoint", "config", "demo", "device", "folder", "log", "record", "report", "weights"},
    {"loggers", "outputs", "overview", "rendezvous", "seed"},
    {"distributed", "page", "pretrained"},
    {"game", "losses", "run"},
    {"loop", "starting"},
    {"command", "options"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FREE_OF_TORCH = [
    "seqgan/__init__.py",
    *(f"seqgan/cli/{path.name}" for path in sorted((ROOT / "seqgan" / "cli").glob("*.py"))),
    "seqgan/bench/counts.py",
    "seqgan/bench/arms.py",
    "seqgan/algorithms/configs.py",
    *(f"imagegan/cli/{path.name}" for path in sorted((ROOT / "imagegan" / "cli").glob("*.py"))),
    "imagegan/variants/configs.py",
    "imagegan/bench/ranges.py",
]


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_module_has_a_layer() -> None:
    assert {
        path.stem
        for path in (ROOT / "seqgan").iterdir()
        if path.name not in ("__init__.py", "py.typed", "README.md", "__pycache__")
    } == set(LEVEL)


def test_no_module_imports_what_lies_above_it() -> None:
    climbing, front_door = [], len(LAYERS)  # seqgan/__init__.py stands above everything
    for path in (ROOT / "seqgan").rglob("*.py"):
        part = path.relative_to(ROOT / "seqgan").parts[0].removesuffix(".py")
        for name in imports(path):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if package == "seqgan" and target in LEVEL and LEVEL[target] > LEVEL.get(part, front_door):
                climbing.append(f"{path.relative_to(ROOT)} imports {name}")
    assert climbing == []


def test_modules_of_the_core_import_only_what_lies_below_them() -> None:
    level = {name: level for level, names in enumerate(CORE) for name in names}
    folder = ROOT / "seqgan" / "core"
    assert {path.stem for path in folder.glob("*.py")} == {*level, "__init__"}
    climbing = {
        f"{path.name} imports {target}"
        for path in folder.glob("*.py")
        for name in imports(path)
        if (target := name.removeprefix("seqgan.core.").partition(".")[0]) in level
        if name.startswith("seqgan.core.") and level[target] >= level[path.stem]
    }
    assert climbing == set()


def test_no_modules_import_each_other() -> None:
    """Neither directly nor by way of others, imports within functions included; the packages' front doors aside."""
    paths = [path for name in ("seqgan", "imagegan") for path in (ROOT / name).glob("*/**/*.py")]
    paths += [path for name in ("seqgan", "imagegan") for path in (ROOT / name).glob("[a-z]*.py")]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    graph = {name: {used for used in imports(path) if used in modules} - {name} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()


def test_imagegan_uses_the_core_of_seqgan_and_nothing_else_of_it() -> None:
    allowed = {"core", "errors", "shapes", "__version__"}
    foreign = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "imagegan").rglob("*.py")
        for name in imports(path)
        if name.startswith("seqgan.") and name.split(".")[1] not in allowed
    }
    assert foreign == set()


def test_the_core_knows_neither_tokens_nor_pixels() -> None:
    for path in (ROOT / "seqgan" / "core").glob("*.py"):
        assert not any(name.startswith(("seqgan.data", "seqgan.models", "imagegan")) for name in imports(path)), path


def test_the_command_line_answers_without_torch() -> None:
    import subprocess
    import sys

    for module in ("seqgan", "seqgan.cli", "imagegan.cli", "seqgan.algorithms.configs", "seqgan.core.folder"):
        code = f"import sys, {module}; assert not {{'torch', 'numpy', 'sentencepiece', 'nltk'}} & set(sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True)
    for name in FREE_OF_TORCH:
        assert "torch" not in set(imports(ROOT / name, everywhere=False)), name
