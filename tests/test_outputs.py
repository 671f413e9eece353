"""What a command writes where someone told it to: never over what is there, unless it is told that as well."""

import json
import os
import threading
from pathlib import Path

import pytest

from imagegan.cli import imagegan
from imagegan.cli.options import writer_for
from seqgan.cli import seqgan
from seqgan.core import outputs
from seqgan.core.command import _commands
from seqgan.core.run import create
from seqgan.errors import SeqGANError, StorageError, UsageError
from seqgan.ratings import key_of, write_sheet
from tests.test_cli import call, refusal

TEXT = b"a thesis\n"


def told(path: Path, *, overwrite: bool = False) -> str:
    with pytest.raises(UsageError) as refused:
        outputs.writer(path, overwrite=overwrite)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_a_new_file_is_written_with_the_permissions_that_are_usual(tmp_path: Path) -> None:
    outputs.writer(tmp_path / "new.txt")(TEXT)
    (tmp_path / "usual.txt").touch()
    assert (tmp_path / "new.txt").read_bytes() == TEXT
    assert (tmp_path / "new.txt").stat().st_mode == (tmp_path / "usual.txt").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.txt", "usual.txt"]


def test_what_exists_is_replaced_only_where_one_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(b"ten years\n")
    path.chmod(0o640)
    assert "--overwrite" in told(path)
    assert path.read_bytes() == b"ten years\n"
    outputs.writer(path, overwrite=True)(TEXT)
    assert path.read_bytes() == TEXT
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_of_somebody_elses_with_the_ending_of_ours_stays(tmp_path: Path) -> None:
    beside = tmp_path / "out.txt.partial"
    beside.write_bytes(TEXT)
    outputs.writer(tmp_path / "out.txt")(b"new\n")
    assert beside.read_bytes() == TEXT


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_and_what_it_leads_to_is_written(there: bool, tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    if there:
        target.write_bytes(b"before\n")
    link.symlink_to(target)
    told(link)
    outputs.writer(link, overwrite=True)(TEXT)
    assert link.is_symlink()
    assert target.read_bytes() == TEXT


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    outputs.writer(pipe)(TEXT)
    reader.join(timeout=20)
    assert read == [TEXT]
    assert pipe.is_fifo()


def test_a_device_is_written_through(tmp_path: Path) -> None:
    outputs.writer(Path(os.devnull))(TEXT)
    assert Path(os.devnull).is_char_device()
    if Path("/dev/full").exists():
        with pytest.raises(StorageError, match="cannot write to /dev/full"):
            outputs.writer(Path("/dev/full"))(TEXT)


def test_standard_output_is_written_through_where_it_is_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    outputs.writer(Path("/dev/stdout"))(TEXT)
    assert capfd.readouterr().out == f"before\n{TEXT.decode()}"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_a_missing_one_and_a_name_too_long_are_refused(overwrite: bool, tmp_path: Path) -> None:
    assert "is a folder" in told(tmp_path, overwrite=overwrite)
    assert "there is no folder" in told(tmp_path / "none" / "out.txt", overwrite=overwrite)
    with pytest.raises(UsageError, match="file name too long"):
        outputs.writer(tmp_path / ("a" * 300), overwrite=overwrite)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match="too many levels of symbolic links"):
        outputs.writer(tmp_path / "loop", overwrite=overwrite)
    outputs.writer(tmp_path / ("a" * 255))(TEXT)


OF_A_RUN = ["run.json", "metrics.jsonl", "checkpoints/step-00000009.pt", "tokenizer.model", "evaluations/new.json"]
OF_A_RUN += [".lock", "generator.safetensors", "mle/generator.safetensors", "config.json"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create(tmp_path / "run", {"package": "seqgan", "algorithm": "mle", "seed": 0}, {"tokenizer.model": b"words"})
    return tmp_path / "run"


@pytest.mark.parametrize("name", OF_A_RUN)
def test_nothing_that_a_run_is_made_of_is_an_output(name: str, run: Path, tmp_path: Path) -> None:
    assert "is a part of the run in" in told(run / name, overwrite=True)
    (tmp_path / "link").symlink_to(run / name)
    assert "is a part of the run in" in told(tmp_path / "link", overwrite=True)
    outputs.writer(run / "mine.txt")(TEXT)


@pytest.mark.parametrize("name", ["samples.txt", "samples.png", "corpus/train.txt", "best/generator.safetensors"])
def test_nor_is_what_a_run_leaves_at_its_end(name: str, run: Path) -> None:
    told(run / name, overwrite=True)


def test_generate_refuses_before_it_loads_anything(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(TEXT)
    message, code = refusal("generate", tmp_path / "no run", "--output", path)
    assert (code, "exists already" in message) == (2, True)
    assert "is not a run directory" in refusal("generate", tmp_path / "no run", "--output", path, "--overwrite")[0]
    assert path.read_bytes() == TEXT


@pytest.mark.parametrize("command", ["generate", "walk"])
def test_pictures_are_refused_likewise(command: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(TEXT)
    with pytest.raises(SeqGANError, match="exists already"):
        imagegan.main([command, str(tmp_path / "no run"), "--output", str(path)], standalone_mode=False)
    with pytest.raises(SeqGANError, match="is not a run directory"):
        imagegan.main([command, str(tmp_path / "no run"), "--output", str(path), "--overwrite"], standalone_mode=False)
    with pytest.raises(SeqGANError, match="is not a run directory"):
        imagegan.main([command, str(tmp_path / "no run")], standalone_mode=False)


def test_what_a_run_gets_where_nobody_names_a_file_is_made_anew(run: Path) -> None:
    for content in (b"first", b"second"):
        writer_for(None, run / "generated.png", overwrite=False)(content)
    assert (run / "generated.png").read_bytes() == b"second"


def test_a_corpus_is_exported_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_bytes(TEXT)
    assert "test.txt exists already" in refusal("corpora", "export", "poems", tmp_path)[0]
    assert [path.name for path in tmp_path.iterdir()] == ["test.txt"]
    call("corpora", "export", "poems", tmp_path, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.txt", "train.txt", "valid.txt"]
    assert (tmp_path / "test.txt").read_bytes() != TEXT


def test_a_rating_sheet_and_its_key_are_replaced_only_where_one_asks_for_it(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    texts = {"real": ["one", "two"], "final": ["three", "four"]}
    write_sheet(sheet, texts, seed=1)
    key = key_of(sheet).read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write_sheet(sheet, texts, seed=2)
    sheet.unlink()
    with pytest.raises(UsageError, match=r"key.json exists already"):
        write_sheet(sheet, texts, seed=2)
    write_sheet(sheet, texts, seed=2, overwrite=True)
    assert json.loads(key_of(sheet).read_bytes()) != json.loads(key)
    with pytest.raises(UsageError, match="is no file"):
        write_sheet(Path(os.devnull), texts, seed=1, overwrite=True)


def test_every_command_that_names_an_output_can_overwrite_it() -> None:
    for group in (seqgan, imagegan):
        for path, command in _commands(group, group.name or ""):
            options = {option for param in command.params for option in param.opts}
            if options & {"--output", "--blind"}:
                assert "--overwrite" in options, path
