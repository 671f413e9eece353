"""The report of text runs: what it says of whole and of broken runs, and how it looks in a real browser."""

import html
import json
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner

import seqgan
from seqgan import report
from seqgan.cli import seqgan as command_line
from seqgan.core import page
from seqgan.core.run import checkpoints, describe
from seqgan.errors import SeqGANError
from tests.browser import Browser, browser  # noqa: F401
from tests.conftest import _as_options, tiny_lines
from tests.imagegan.tiny import as_options

EVIL = "</script><script>alert(1)</script> <b>&amp;"
POEM = "床前明月光 疑是地上霜"
LINES = [
    *tiny_lines(50),
    *(f"{EVIL}{number}" for number in range(40)),
    *(POEM[number % 5 :] for number in range(40)),
]
SIZES: dict[str, Any] = {"embedding_dim": 8, "hidden_dim": 8, "batch_size": 16, "mle_epochs": 2, "max_length": 45}
GAME: dict[str, Any] = {
    **SIZES,
    "d_embedding_dim": 8,
    "filter_sizes": (1, 2),
    "num_filters": (4, 4),
    "d_batch_size": 16,
    "iterations": 4,
    "validate_every": 2,
}
ROUNDS: dict[str, Any] = {"d_samples": 16, "d_pretrain_rounds": 2, "g_batch_size": 8}
CONFIGS: dict[str, dict[str, Any]] = {
    "mle": SIZES,
    "seqgan": {**GAME, **ROUNDS, "rollouts": 2},
    "maligan": {**GAME, **ROUNDS},
    "relgan": {**GAME, "temperature": 5.0},
}


def call(*words: object) -> str:
    result = CliRunner().invoke(command_line, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*words: object) -> str:
    with pytest.raises((SeqGANError, click.ClickException)) as caught:
        command_line.main(list(map(str, words)), standalone_mode=False)
    assert caught.value.exit_code == 2
    message = caught.value.format_message() if isinstance(caught.value, click.ClickException) else str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every algorithm, by the command line."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "corpus.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    for name, config in CONFIGS.items():
        options = ["--algorithm", name, "--preset", "quick", "--threads", 1, "--run-dir", folder / name, "--quiet"]
        call("train", "--corpus", folder / "corpus.txt", *options, *_as_options(config))
    return folder


@pytest.fixture
def run(runs: Path, tmp_path: Path) -> Path:
    """A copy of the SeqGAN run, to break."""
    return Path(shutil.copytree(runs / "seqgan", tmp_path / "seqgan"))


def said(path: Path) -> str:
    """A page as text."""
    return html.unescape(path.read_text(encoding="utf-8"))


# --- what it says


def test_the_page_is_written_at_the_end_and_again_by_the_command(runs: Path) -> None:
    place = runs / "seqgan" / "report.html"
    first = place.read_bytes()
    assert len(first) < 2_000_000
    assert call("report", runs / "seqgan").strip() == str(place)
    assert place.read_bytes() == first


def test_its_table_is_the_one_that_training_ends_with(runs: Path) -> None:
    from seqgan.reporting import tables

    trained = seqgan.load(runs / "seqgan")
    [closing] = list(tables(trained.evaluate().rows, short=True))
    text = (runs / "seqgan" / "report.html").read_text(encoding="utf-8")
    for line in closing.cells:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in line[1:])
        assert f'<tr><th scope="row">{line[0]}</th>{cells}</tr>' in text
    for note in closing.signatures:
        assert html.escape(note).replace("&#x27;", "&#39;") in text


def test_texts_of_users_are_shown_as_text(runs: Path) -> None:
    text = (runs / "seqgan" / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in said(runs / "seqgan" / "report.html")
    assert re.findall("<script[^>]*>", text) == ['<script type="application/json" id="data">', "<script>"]
    assert text.count("</script>") == 2


def test_a_name_of_a_run_cannot_end_the_script(runs: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(runs / "mle", tmp_path / "<" / "script><b>"))
    call("report", place, runs / "mle", "--output", tmp_path / "two.html")
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    [data] = re.findall('id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["runs"] == ["script><b>", "mle"]
    assert "script><b>" not in text


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("mle", ["log-probability"]),
        ("seqgan", ["reward to go", "advantage", "log-probability"]),
        ("maligan", ["reward of the text", "log-probability"]),
        ("relgan", ["log-probability"]),
    ],
)
def test_tokens_are_shaded_by_what_is_known_of_them(runs: Path, name: str, kinds: list[str]) -> None:
    text = (runs / name / "report.html").read_text(encoding="utf-8")
    [data] = re.findall('id="data">(.*?)</script>', text, re.DOTALL)
    [view] = json.loads(data)["views"]
    assert [kind["name"] for kind in view] == kinds
    assert len(tokens_of(text)[0][1]) == len(kinds)


def tokens_of(text: str) -> list[tuple[str, list[float]]]:
    found = re.findall('<span data-v="([^"]*)">(.*?)</span>', text, re.DOTALL)
    return [(html.unescape(token), [float(value) for value in values.split()]) for values, token in found]


def test_the_last_token_of_a_text_earns_the_verdict_of_the_text(runs: Path) -> None:
    text = (runs / "seqgan" / "report.html").read_text(encoding="utf-8")
    lines = re.findall(r'<p class="tokens"><span class="verdict">([^<]*)</span>(.*?)</p>', text, re.DOTALL)
    assert len(lines) == 16
    for verdict, line in lines:
        *_, (_, (reward, *_)) = tokens_of(line)
        assert abs(float(torch.tensor(reward).sigmoid()) - float(verdict)) < 0.011  # --preset quick pays log-odds


def test_log_probabilities_are_those_of_the_policy(runs: Path) -> None:
    text = (runs / "mle" / "report.html").read_text(encoding="utf-8")
    real = re.findall(r'<p class="tokens">(.*?)</p>', text.split("(held out)</h3>")[-1], re.DOTALL)
    model = seqgan.load(runs / "mle")
    for line in real:
        tokens = tokens_of(line)
        assert tokens[-1][0] == "\u23ce" or len(tokens) == 45
        if tokens[-1][0] == "\u23ce":
            shown = "".join(token for token, _ in tokens[:-1])
            [score] = model.score([shown])
            assert [value for _, (value,) in tokens] == pytest.approx(score.by_token, rel=0.02)


def test_chinese_texts_are_whole(runs: Path) -> None:
    text = (runs / "mle" / "report.html").read_text(encoding="utf-8")
    held_out = seqgan.load(runs / "mle").corpus().test
    poems = [poem for poem in held_out if poem[0] in POEM]
    assert any(poem in text for poem in poems)


def test_a_run_can_be_repeated_by_its_command(runs: Path, tmp_path: Path) -> None:
    [line] = re.findall("<pre>(.*?)</pre>", (runs / "maligan" / "report.html").read_text(encoding="utf-8"))
    program, *words = shlex.split(html.unescape(line))
    assert program == "seqgan"
    call(*words, "--run-dir", tmp_path / "again", "--quiet")
    for name in ("config", "seed", "threads", "corpus"):
        assert describe(tmp_path / "again")[name] == describe(runs / "maligan")[name]
    for name in ("metrics.jsonl", "generator.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (runs / "maligan" / name).read_bytes()


def test_values_beside_those_of_the_preset_are_listed(runs: Path) -> None:
    text = (runs / "mle" / "report.html").read_text(encoding="utf-8")
    assert '<tr><th scope="row">hidden_dim</th><td>8</td><td>64</td></tr>' in text
    assert "differs from --preset quick" in text


def test_several_runs_are_side_by_side(runs: Path, tmp_path: Path) -> None:
    call("report", runs / "seqgan", runs / "mle", runs / "seqgan", "--output", tmp_path / "two.html")
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    [data] = re.findall('id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["runs"] == ["seqgan", "mle"]  # the same run twice is one
    [nll, *_] = json.loads(data)["charts"]
    assert {(line["run"], line["valid"]) for line in nll["lines"]} == {(0, False), (0, True), (1, False), (1, True)}
    assert '<th scope="col">seqgan final</th>' in text
    assert '<th scope="col">mle mle</th>' in text


def test_a_control_is_told(runs: Path, tmp_path: Path) -> None:
    options = [*_as_options(CONFIGS["seqgan"]), "--control", "shuffled", "--threads", 1, "--quiet", "--preset", "quick"]
    call("train", "--corpus", runs / "corpus.txt", "--run-dir", tmp_path / "run", *options)
    assert "Training paid a control (--control shuffled)" in said(tmp_path / "run" / "report.html")


def test_a_custom_reward_is_not_called_by_a_report(tmp_path: Path) -> None:
    calls: list[int] = []

    def lengths(texts: Sequence[str]) -> list[float]:
        calls.append(len(texts))
        return [float(len(text)) for text in texts]

    config = {name: value for name, value in CONFIGS["seqgan"].items() if not name.startswith(("d_", "num", "filter"))}
    reward = seqgan.rewards.on_text(lengths)
    trained = seqgan.train(LINES, preset="quick", run_dir=tmp_path / "run", threads=1, reward=reward, **config)
    text = said(trained.folder / "report.html")
    assert "custom reward" in text
    assert "log-probability" in text
    before = len(calls)
    call("report", trained.folder)
    assert len(calls) == before


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["明月几时有"], "zh"), (["月がきれいですね"], "ja"), (["달이 밝다"], "ko"), (["a moon, 月"], ""), ([], "")],
)
def test_a_script_tells_the_language_of_texts(texts: Sequence[str], expected: str) -> None:
    assert report.language(texts) == expected


def test_texts_are_marked_with_their_language(tmp_path: Path) -> None:
    texts = [f"明月{a}{b}" for a in "东西南北" for b in "山水花鸟风雪"]
    trained = seqgan.train(texts, algorithm="mle", preset="quick", run_dir=tmp_path / "run", threads=1, **SIZES)
    text = said(trained.folder / "report.html")
    assert text.count('<li class="text" lang="zh">') == len(re.findall('<li class="text"', text)) > 0
    assert '<p class="tokens" lang="zh">' in text
    assert '<html lang="en">' in text


# --- runs that are broken, or not done


def test_a_damaged_record_costs_what_follows_the_damage(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[5] = "{broken"
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    call("report", run)
    text = said(run / "report.html")
    assert "metrics.jsonl, line 6 is not valid JSON" in text
    [data] = re.findall('id="data">(.*?)</script>', text, re.DOTALL)
    assert max(len(line["x"]) for chart in json.loads(data)["charts"] for line in chart["lines"]) == 5
    assert "what training achieved" in text
    assert "reward to go" in text


def test_a_run_that_was_not_evaluated_says_so(run: Path) -> None:
    shutil.rmtree(run / "evaluations")
    call("report", run)
    text = said(run / "report.html")
    assert f"The run has not been evaluated; measure it with: seqgan evaluate {run}" in text
    assert "<figcaption>" in text


@pytest.mark.parametrize("damage", ["{", '{"rows": 3}', '{"rows": {"mle": {"bleu-3": {"value": "a"}}}}'])
def test_a_damaged_evaluation_costs_the_tables_alone(run: Path, damage: str) -> None:
    (run / "evaluations" / "training.json").write_text(damage)
    call("report", run)
    text = said(run / "report.html")
    assert "measure the run again" in text
    assert "<figcaption>" in text


def test_a_run_without_a_checkpoint_says_that_nothing_is_trained(run: Path) -> None:
    for path in checkpoints(run).values():
        path.unlink()
    call("report", run)
    assert "Nothing has been trained yet" in said(run / "report.html")


def test_a_run_that_is_not_done_says_how_far_it_is(run: Path) -> None:
    newest = max(checkpoints(run))
    (run / "evaluations" / "training.json").unlink()
    call("report", run)
    assert "Training has not ended" in said(run / "report.html")
    assert newest > 0


def test_a_damaged_checkpoint_costs_the_texts_alone(run: Path) -> None:
    for path in checkpoints(run).values():
        path.write_bytes(b"nothing")
    call("report", run)
    text = said(run / "report.html")
    assert "<figcaption>" in text
    assert "what training achieved" in text
    assert 'class="tokens"' not in text


def test_a_corpus_that_is_gone_costs_the_real_texts_alone(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    options = ["--algorithm", "mle", "--preset", "quick", "--threads", 1, "--quiet", *_as_options(SIZES)]
    call("train", "--corpus", tmp_path / "corpus.txt", "--run-dir", tmp_path / "run", *options)
    (tmp_path / "corpus.txt").unlink()
    call("report", tmp_path / "run")
    text = said(tmp_path / "run" / "report.html")
    assert "cannot read the corpus" in text
    assert 'class="tokens"' in text
    assert "(held out)" not in text
    call("report", tmp_path / "run", "--corpus", runs / "corpus.txt")
    assert "(held out)" in said(tmp_path / "run" / "report.html")


# --- what is refused


def test_what_is_no_run_of_the_package_is_refused(runs: Path, tmp_path: Path) -> None:
    assert "is not a run directory" in refusal("report", tmp_path)
    assert "is not a run directory" in refusal("report", tmp_path / "nowhere")
    assert "is a file" in refusal("report", runs / "corpus.txt")
    call("save", runs / "mle", tmp_path / "model")
    assert "is a saved model" in refusal("report", tmp_path / "model")
    assert "several runs" in refusal("report", runs / "mle", runs / "seqgan")


def test_a_run_of_images_is_refused(runs: Path, tmp_path: Path) -> None:
    from imagegan.cli import imagegan

    words = ["train", "--model", "gan", "--run-dir", tmp_path / "images", "--threads", 1, "--quiet"]
    CliRunner().invoke(imagegan, list(map(str, [*words, *as_options("gan", steps=1)])), catch_exceptions=False)
    message = refusal("report", runs / "mle", tmp_path / "images", "--output", tmp_path / "out.html")
    assert "is a run of imagegan" in message
    assert not (tmp_path / "out.html").exists()


def test_a_file_that_exists_is_kept_but_for_the_report_of_a_run(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    place.write_text("mine")
    assert "exists already" in refusal("report", run, "--output", place)
    assert place.read_text() == "mine"
    call("report", run, "--output", place, "--overwrite")
    assert place.read_bytes() == (run / "report.html").read_bytes()
    call("report", run, "--output", run / "report.html")
    assert "is a part of the run" in refusal("report", run, "--output", run / "samples.txt", "--overwrite")
    assert "there is no folder" in refusal("report", run, "--output", tmp_path / "no" / "page.html")


def test_a_report_that_fails_costs_no_run(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> bytes:
        raise ValueError("no page today")

    monkeypatch.setattr(page, "rendered", refuse)
    options = ["--algorithm", "mle", "--preset", "quick", "--threads", 1, *_as_options(SIZES)]
    output = call("train", "--corpus", runs / "corpus.txt", "--run-dir", tmp_path / "run", *options)
    assert "report.html was not written: no page today" in output
    assert "on one page" not in output
    assert (tmp_path / "run" / "evaluations" / "training.json").is_file()


# --- how it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(runs: Path, browser: Browser, width: int, scheme: str) -> None:  # noqa: F811
    browser.open(runs / "seqgan" / "report.html", width, scheme)
    assert browser.run("return document.documentElement.scrollWidth") == width

    chart = browser.find("svg[data-chart]")
    browser.hover(chart)
    step, *values = browser.find("#tip").text.splitlines()
    assert re.fullmatch(r"step \d+", step)
    assert re.fullmatch(r"[\d.]+( \(step \d+\))?", values[0])
    assert re.fullmatch(r"validation: [\d.]+( \(step \d+\))?", values[1])
    browser.press(chart, "\ue014")  # the right arrow
    assert int(browser.find("#tip").text.split()[1]) > int(step.split()[1])

    details = browser.find("details.table")
    assert not details.find_element("css selector", "table").is_displayed()
    browser.press(details.find_element("css selector", "summary"), "\ue007")  # enter
    assert details.find_element("css selector", "table").is_displayed()
    assert browser.run("return document.documentElement.scrollWidth") == width

    token = browser.find("[data-v]")
    colours = []
    for choice in browser.driver.find_elements("css selector", "fieldset input"):
        choice.click()
        colours.append(browser.run("return getComputedStyle(arguments[0]).backgroundColor", token))
    assert len(colours) == 3
    assert len(set(colours)) > 1
    browser.hover(token)
    assert [line.rpartition(" ")[0] for line in browser.find("#tip").text.splitlines()] == [
        "reward to go",
        "advantage",
        "log-probability",
    ]
    assert browser.errors() == []
    assert {url.partition(":")[0] for url in browser.requested()} <= {"file", "data"}


def test_nothing_moves_while_the_page_is_loaded(runs: Path, browser: Browser) -> None:  # noqa: F811
    browser.open(runs / "seqgan" / "report.html")
    script = "let s = 0; new PerformanceObserver((l) => l.getEntries().forEach((e) => s += e.value))"
    script += ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => arguments[0](s), 200);"
    assert browser.driver.execute_async_script(script) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_background(runs: Path, browser: Browser, scheme: str) -> None:  # noqa: F811
    browser.open(runs / "seqgan" / "report.html", 1280, scheme)
    shown = browser.run(
        """const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const style = getComputedStyle(document.documentElement), named = (name) => style.getPropertyValue("--" + name);
        const painted = (...colours) => { for (const c of colours) { pen.fillStyle = c; pen.fillRect(0, 0, 1, 1); }
          return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const mixed = (hue) => `color-mix(in srgb, ${named(hue)} ${named("shade") * 100}%, transparent)`;
        const pairs = [];
        for (const back of ["back", "card"])
          for (const front of ["text", "soft"]) pairs.push([named(front), [named(back)], 4.5]);
        for (const hue of ["pos", "neg"]) pairs.push([named("text"), [named("back"), mixed(hue)], 4.5]);
        for (let i = 0; i < 8; i++) pairs.push([named("c" + i), [named("card")], 3]);
        return pairs.map(([front, back, least]) => [painted(front), painted(...back), least]);"""
    )
    for front, back, least in shown:
        assert contrast(front, back) >= least, (front, back)


def contrast(first: Sequence[int], second: Sequence[int]) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: Sequence[int]) -> float:
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def test_two_runs_have_a_legend_and_both_values(runs: Path, browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    call("report", runs / "seqgan", runs / "mle", "--output", tmp_path / "two.html")
    browser.open(tmp_path / "two.html", 360)
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert browser.find(".legend").text.split() == ["seqgan", "mle"]
    browser.hover(browser.find("svg[data-chart]"))
    names = [line.rpartition(":")[0] for line in browser.find("#tip").text.splitlines()[1:]]
    assert names == ["seqgan", "seqgan validation", "mle", "mle validation"]
    assert browser.errors() == []
