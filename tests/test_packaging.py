"""The wheel as a user gets it: it holds what it should, imports by itself, and trains. No network."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, as it is and unpacked, and the wheel made of it: what the sdist leaves
    out is missing in the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # from 3.11.4 on
    [unpacked] = [path for path in folder.iterdir() if path.is_dir()]
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=unpacked)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [built] = dist.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_the_corpora_and_only_two_import_names(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = run(
        "git", "ls-files", "--cached", "--others", "--exclude-standard", "seqgan", "imagegan", cwd=ROOT
    ).split()
    assert set(tracked) <= names
    assert {f"seqgan/_corpora/{path.name}" for path in (ROOT / "corpora").iterdir()} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"seqgan", "imagegan"}
    assert {"seqgan/py.typed", "imagegan/py.typed"} <= names


def test_the_sdist_holds_every_readme_with_its_pictures(dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = run("git", "ls-files", "--", "README.md", "*/README.md", ".assets", cwd=ROOT).split()
    assert {"README.md", "seqgan/README.md", "imagegan/README.md"} < set(listed) <= names


def test_the_wheel_holds_the_readmes_of_the_packages_and_the_first_one_as_its_description(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    readmes = {name for name in archive.namelist() if name.endswith("README.md")}
    assert readmes == {
        "seqgan/README.md",
        "seqgan/bench/README.md",
        "seqgan/_corpora/README.md",
        "imagegan/README.md",
    }
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    head, _, description = archive.read(metadata).decode("utf-8").partition("\n\n")
    assert "Description-Content-Type: text/markdown" in head
    assert description.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_an_installed_wheel_imports_and_trains(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
        cwd=tmp_path,
    )
    code = (
        "import importlib, pkgutil, pathlib, seqgan, imagegan\n"
        f"assert pathlib.Path(seqgan.__file__).is_relative_to({str(site)!r})\n"
        "for package in (seqgan, imagegan):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        module.name.endswith('__main__') or importlib.import_module(module.name)\n"
        "from seqgan.data.corpus import load_corpus\n"
        f"assert load_corpus('poems').provenance['texts'] > 1000\n"
    )
    run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    small = ["--mle-epochs", "1", "--hidden-dim", "8", "--embedding-dim", "8", "--threads", "1", "--quiet"]
    command = [
        sys.executable,
        "-m",
        "seqgan",
        "train",
        "--corpus",
        "poems",
        "--algorithm",
        "mle",
        "--run-dir",
        "run",
        *small,
    ]
    run(*command, cwd=tmp_path, PYTHONPATH=str(site))
    poems = run(sys.executable, "-m", "seqgan", "generate", "run", "-n", "3", cwd=tmp_path, PYTHONPATH=str(site))
    assert len(poems.splitlines()) == 3
