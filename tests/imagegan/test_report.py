"""The report of image runs: what it shows of whole and of broken runs, and how it looks in a real browser."""

import base64
import html
import io
import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import imagegan
from imagegan.cli import imagegan as command_line
from imagegan.metrics.neighbours import nearest, nearest_images
from seqgan.core.run import checkpoints, describe
from seqgan.errors import SeqGANError
from tests.browser import Browser, browser  # noqa: F401
from tests.imagegan.tiny import as_options

FEW = {"images": 60, "steps": 4, "validate_every": 2}


def call(*words: object) -> str:
    result = CliRunner().invoke(command_line, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*words: object) -> str:
    with pytest.raises((SeqGANError, click.ClickException)) as caught:
        command_line.main(list(map(str, words)), standalone_mode=False)
    return str(caught.value)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("imagegan.training.HELD_OUT", 60)
        for model in ("cgan", "dcgan"):
            options = ["--run-dir", folder / model, "--threads", 1, "--quiet", *as_options(model, **FEW)]
            output = call("train", "--model", model, *options)
            assert f"on one page: {folder / model / 'report.html'}" in output
    return folder


@pytest.fixture
def run(runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs / "cgan", tmp_path / "cgan"))


def said(path: Path) -> str:
    return html.unescape(path.read_text(encoding="utf-8"))


def pictures(text: str) -> dict[str, Image.Image]:
    found = re.findall(r'src="data:image/\w+;base64,([^"]*)" width="(\d+)" height="(\d+)" alt="([^"]*)"', text)
    opened = {alt: Image.open(io.BytesIO(base64.b64decode(data))) for data, _, _, alt in found}
    assert all(opened[alt].size == (int(width), int(height)) for _, width, height, alt in found)
    return opened


def test_a_run_ends_with_its_page(runs: Path) -> None:
    place = runs / "cgan" / "report.html"
    text, seen = said(place), pictures(said(place))
    assert place.stat().st_size < 2_000_000
    assert {"samples of the stage final", "samples over the course of training"} < set(seen)
    assert [f"samples of the class {number}" for number in range(10)] == [name for name in seen if "class" in name]
    assert seen["samples of the stage final"].size == (560, 280)
    assert all(heading in text for heading in ("variety", "held-out", "d_loss", "g_loss"))
    assert call("report", runs / "cgan").strip() == str(place)
    assert said(place) == text


def test_below_each_sample_stands_the_nearest_training_image(runs: Path) -> None:
    both = pictures(said(runs / "dcgan" / "report.html"))["samples and their nearest training images"]
    pixels = torch.from_numpy(np.array(both.resize((280, 56), Image.Resampling.NEAREST))).view(2, 28, 10, 28)
    samples, shown = (row.permute(1, 0, 2).unsqueeze(1).to(torch.uint8) for row in pixels)
    from imagegan.runs import load_images

    known = load_images(runs / "dcgan", 60).train.images
    assert (shown.unsqueeze(1) == known).flatten(2).all(dim=2).any(dim=1).all()
    floats = samples.float() / 127.5 - 1
    assert torch.equal(shown, known[nearest_images(floats, known)])


def test_the_nearest_image_of_a_copy_is_itself() -> None:
    known = torch.randint(0, 256, (9, 1, 4, 4), dtype=torch.uint8)
    copies = known[[3, 7]].float() / 127.5 - 1
    assert nearest_images(copies, known).tolist() == [3, 7]
    assert nearest(copies, known).tolist() == [0, 0]


def test_a_run_can_be_repeated_by_its_command(runs: Path, tmp_path: Path) -> None:
    [line] = re.findall("<pre>(.*?)</pre>", (runs / "dcgan" / "report.html").read_text(encoding="utf-8"))
    program, *words = shlex.split(html.unescape(line))
    assert program == "imagegan"
    call(*words, "--run-dir", tmp_path / "again", "--quiet")
    for name in ("config", "seed", "threads", "data"):
        assert describe(tmp_path / "again")[name] == describe(runs / "dcgan")[name]
    assert (tmp_path / "again" / "metrics.jsonl").read_bytes() == (runs / "dcgan" / "metrics.jsonl").read_bytes()


def test_the_page_has_the_numbers_of_the_newest_evaluation(run: Path) -> None:
    call("evaluate", run, "--count", 40, "--seed", 3, "--stage", max(checkpoints(run)))
    call("report", run)
    text = said(run / "report.html")
    assert "The numbers are those of the stage 4, 3 being the seed of its samples." in text
    assert '<th scope="row">kid-random</th>' in text  # which no training measures at its end
    assert "Training has not ended" not in text
    call("evaluate", run, "--count", 40)
    call("report", run)
    assert "The numbers are those of the stage final, 0 being" in said(run / "report.html")


def test_what_is_missing_or_damaged_is_told(run: Path) -> None:
    shutil.rmtree(run / "evaluations")
    (run / "training.gif").write_bytes(b"no picture")
    with open(run / "metrics.jsonl", "a") as file:
        file.write("{broken\n")
    call("report", run)
    text = said(run / "report.html")
    assert f"measure it with: imagegan evaluate {run}" in text
    assert "training.gif is no picture" in text
    assert "is not valid JSON" in text
    assert "samples of the stage final" in text
    for path in checkpoints(run).values():
        path.unlink()
    call("report", run)
    assert "Training has not ended: 0 steps so far" in said(run / "report.html")


def test_a_training_from_python_ends_with_a_page(tmp_path: Path) -> None:
    trained = imagegan.train("gan", data="ring", run_dir=tmp_path / "run", images=60, steps=2, threads=1)
    text = said(trained.folder / "report.html")
    assert "has not been evaluated" in text
    assert "samples of the stage final" in pictures(text)
    assert "Nearest training images" not in text  # points are no images


def test_what_is_no_run_of_images_is_refused(runs: Path, tmp_path: Path) -> None:
    assert "is not a run directory" in refusal("report", tmp_path)
    assert "--output" in refusal("report", runs / "cgan", runs / "dcgan")
    call("save", runs / "dcgan", tmp_path / "model")
    assert "is a saved model" in refusal("report", tmp_path / "model")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(
    runs: Path,
    browser: Browser,  # noqa: F811
    width: int,
    scheme: str,
    tmp_path: Path,
) -> None:
    call("report", runs / "cgan", runs / "dcgan", "--output", tmp_path / "two.html")
    browser.open(tmp_path / "two.html", width, scheme)
    assert browser.run("return document.documentElement.scrollWidth") == width
    broken = "return [...document.images].filter((image) => !image.naturalWidth).length"
    assert browser.run(broken) == 0
    browser.hover(browser.find("svg[data-chart]"))
    step, *values = browser.find("#tip").text.splitlines()
    assert step.startswith("step ")
    assert [value.partition(":")[0] for value in values] == ["cgan", "dcgan"]
    assert browser.errors() == []
    assert {url.partition(":")[0] for url in browser.requested()} <= {"file", "data"}
