"""`seqgan demo`: what its page says of texts, its errors, and the page in a real browser."""

import html
import json
import math
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

import seqgan
from seqgan import demo
from seqgan.core import demo as serving
from seqgan.errors import UsageError
from seqgan.model import TextModel
from tests.browser import Browser, browser  # noqa: F401
from tests.conftest import tiny_lines
from tests.serving import needs_gradio, served
from tests.test_report import CONFIGS, EVIL, SIZES, refusal

UNKNOWN = "漢"
LINES = [*tiny_lines(60), *(f"{EVIL}{number}" for number in range(40))]
TEXTS = """return [...document.querySelectorAll("article")].map((article) =>
  [...article.querySelectorAll("[data-at]")].map((token) => token.firstChild.data).join(""))"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a discriminator, and one with labels and none."""
    folder = tmp_path_factory.mktemp("runs")
    seqgan.train(LINES, preset="quick", run_dir=folder / "game", threads=1, tokenizer="char", **CONFIGS["seqgan"])
    moods = [("glad", "sad")[number % 2] for number in range(100)]
    seqgan.train(LINES, labels=moods, algorithm="mle", run_dir=folder / "moods", threads=1, tokenizer="char", **SIZES)
    return folder


@pytest.fixture(scope="module")
def game(runs: Path) -> TextModel:
    return seqgan.load(runs / "game", device="cpu").model()


def test_texts_of_the_page_are_those_of_the_library_with_the_probability_of_each_token(game: TextModel) -> None:
    texts = demo.written("game", game, 20, "hi", None, 7, temperature=0.9, top_k=50)
    assert [text.text for text in texts] == game.generate(20, prompt="hi", seed=7, temperature=0.9, top_k=50)
    drawn = game.generate_detailed(20, prompt="hi", seed=7, temperature=0.9, top_k=50)
    assert {generated.ended for generated in drawn} == {True, False}
    for text, score, generated in zip(texts, game.score([text.text for text in texts]), drawn, strict=True):
        assert (text.given, text.seed, text.real) == (2, 7, score.real)
        assert text.real is not None
        assert text.per_token == -score.per_token
        assert "".join(token.text for token in text.tokens).removesuffix("⏎") == text.text
        assert text.tokens[-1].text.endswith("⏎") == generated.ended
        probabilities = [token.probability for token in text.tokens]
        assert probabilities == [math.exp(value) for value in score.by_token][: len(probabilities)]


def test_a_text_is_continued_from_a_token_on(game: TextModel) -> None:
    [old] = demo.written("game", game, 1, "", None, 7)
    for at in (0, 1, 5):
        new = demo.continued(old, at, game, 8)
        assert new.text == game.generate(1, prompt=old.text[:at], seed=8)[0]
        assert new.text.startswith(old.text[:at])
        assert (new.given, new.seed) == (at, 8)
        assert new.text != old.text


def test_labels_and_missing_discriminators(runs: Path, game: TextModel) -> None:
    model = seqgan.load(runs / "moods", device="cpu").model()
    texts = demo.written("moods", model, 2, "", "sad", 1)
    assert [(text.label, text.real) for text in texts] == [("sad", None)] * 2
    scores = model.score([text.text for text in texts], label="sad")
    assert [text.per_token for text in texts] == [-score.per_token for score in scores]
    assert demo.continued(texts[0], 2, model, 2).label == "sad"
    assert {text.label for text in demo.written("moods", model, 8, "", None, 1)} == {"glad", "sad"}
    assert demo.written("game", game, 1, "", "sad", 1)[0].label is None  # beside a run that has labels
    with pytest.raises(UsageError, match="no label"):
        demo.written("moods", model, 1, "", "furious", 1)
    assert "P(real)" not in demo.rendered(texts)


def test_texts_are_escaped_and_can_be_downloaded(game: TextModel) -> None:
    [text] = demo.written("game", game, 1, "", None, 7)
    page = demo.rendered([text._replace(text=EVIL, tokens=[demo.Token(EVIL, 0.25)], column=EVIL)])
    assert "<script" not in page
    assert "<b>" not in page
    assert "P(real)" in page
    address = re.search(r'href="data:[^,]+,([^"]*)"', page)
    assert address
    line = json.loads(unquote(html.unescape(address[1])))
    assert (line["text"], line["tokens"], line["seed"]) == (EVIL, [[EVIL, 0.25]], 7)


def test_doubt_is_least_for_a_certain_token_and_bounded() -> None:
    assert demo.Token("a", 1.0).doubt == 0
    assert demo.Token("a", 0.5).doubt == pytest.approx(math.log(2) / demo.DOUBTFUL)
    assert demo.Token("a", 0.0).doubt == 1


# --- errors of the command


def test_without_gradio_the_command_says_what_to_install(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert 'pip install "seqgan[demo]"' in refusal("demo", runs / "game")


def test_a_port_that_is_taken_and_a_host_that_there_is_not() -> None:
    with serving.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert serving.address(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(UsageError, match=f"port {port}: address already in use; give another --port"):
            serving.listen("127.0.0.1", port)
    for host in ("no.such.host.invalid", "x" * 70, "203.0.113.1"):
        with pytest.raises(UsageError, match=r"cannot listen on .*or --host"):
            serving.listen(host, 0)


def test_telemetry_is_off_before_gradio_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    with pytest.raises(UsageError):
        serving.prepare()
    assert serving.os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert serving.os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


@needs_gradio
def test_a_damaged_run_and_a_taken_port_are_errors_of_the_command(runs: Path, tmp_path: Path) -> None:
    assert "no run" in refusal("demo", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "address already in use" in refusal("demo", runs / "moods", "--port", taken.getsockname()[1])


# --- in a browser


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    saved = seqgan.load(runs / "moods").save_pretrained(runs / "saved")
    with served("seqgan", runs / "game", runs / "moods", saved) as found:
        yield found


def opened(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> list[str]:  # noqa: F811
    browser.open(address, width, scheme)
    browser.wait("return document.querySelector('article')")
    return list(browser.run(TEXTS))


def changed(browser: Browser, before: list[str]) -> list[str]:  # noqa: F811
    return list(browser.wait(TEXTS + " .join() !== arguments[0] && " + TEXTS[7:], ",".join(before)))


def click(browser: Browser, text: str) -> None:  # noqa: F811
    [button] = browser.driver.find_elements("xpath", f"//button[normalize-space()='{text}']")
    button.click()


def fill(browser: Browser, label: str, value: str) -> None:  # noqa: F811
    field = browser.driver.find_element(
        "xpath", f"//label[.//*[normalize-space()='{label}']]//*[self::input or self::textarea]"
    )
    field.clear()
    field.send_keys(value)


@needs_gradio
def test_type_click_and_see_the_text_change(address: str, browser: Browser) -> None:  # noqa: F811
    first = opened(browser, address)
    assert len(first) == 4 * 3  # of two stages, a run of MLE, a saved model
    headings = [heading.text for heading in browser.driver.find_elements("css selector", "#texts h2")]
    assert headings == ["game mle", "game final", "moods mle", "saved"]
    fill(browser, "prompt", "hi anna")
    click(browser, "write")
    begun = changed(browser, first)
    assert all(text.startswith("hi anna") for text in begun)
    assert len(browser.driver.find_elements("css selector", ".given")) == len(begun) * len("hi anna")
    click(browser, "new seed")
    other = changed(browser, begun)
    assert all(text.startswith("hi anna") for text in other)
    fill(browser, "seed", "5")
    click(browser, "write")
    fifth = changed(browser, other)
    assert "seed 5" in browser.find("article").text
    click(browser, "new seed")
    again = changed(browser, fifth)
    fill(browser, "seed", "5")
    click(browser, "write")
    assert changed(browser, again) == fifth


@needs_gradio
def test_a_click_on_a_token_writes_that_text_on_from_there(address: str, browser: Browser) -> None:  # noqa: F811
    first = opened(browser, address)
    one, two = [at for at, text in enumerate(first) if len(text) > 10][:2]  # the seed of the page is a random one
    browser.find(f"article[data-text='{two}'] [data-at='3']").click()
    second = changed(browser, first)
    assert second[two][:3] == first[two][:3]
    assert [at for at in range(len(first)) if second[at] != first[at]] == [two]
    browser.press(browser.find(f"article[data-text='{one}'] [data-at='1']"), "\ue007")  # enter
    third = changed(browser, second)
    assert [at for at in range(len(first)) if third[at] != second[at]] == [one]
    assert third[one][0] == second[one][0]


@needs_gradio
def test_columns_scores_numbers_and_labels(address: str, browser: Browser) -> None:  # noqa: F811
    first = opened(browser, address)
    scores = [
        len(s.find_elements("css selector", "meter"))
        for s in browser.driver.find_elements("css selector", "#texts section")
    ]
    assert scores == [3, 3, 0, 0]  # there is a discriminator for the first two
    assert not browser.find(".tokens small").is_displayed()
    browser.driver.find_element("xpath", "//label[normalize-space()='probabilities as numbers']//input").click()
    assert re.fullmatch(r"\d\.\d\d|<\.01", browser.find(".tokens small").text)
    for column in ("game mle", "moods mle", "saved"):
        browser.driver.find_element("xpath", f"//label[normalize-space()='{column}']//input").click()
    click(browser, "write")
    assert changed(browser, first) == first[3:6]
    assert browser.find("#texts h2").text == "game final"
    browser.driver.find_element("xpath", "//label[normalize-space()='game final']//input").click()
    click(browser, "write")
    assert "0 columns were chosen; choose 1 to 6" in browser.wait(
        "return document.querySelector('.toast-body')?.innerText"
    )


@needs_gradio
@pytest.mark.parametrize(
    ("prompt", "message"),
    [(f"hi {UNKNOWN}", f"outside the vocabulary: {UNKNOWN}"), ("hi " * 200, "the prompt has 600 tokens; this model")],
)
def test_an_error_is_one_message_on_the_page_and_the_texts_stay(
    address: str,
    browser: Browser,  # noqa: F811
    prompt: str,
    message: str,
) -> None:
    first = opened(browser, address)
    fill(browser, "prompt", prompt)
    click(browser, "write")
    told = browser.wait("return document.querySelector('.toast-body')?.innerText")
    assert message in told
    assert "Traceback" not in told
    assert browser.run(TEXTS) == first


@needs_gradio
def test_texts_are_copied_and_downloaded(address: str, browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    first = opened(browser, address)
    browser.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    browser.find("[data-copy]").click()
    browser.wait("return document.querySelector('[data-copy]').textContent === 'copied'")
    copied = browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == first[0].removesuffix("⏎")
    browser.find("a[download]").click()
    browser.until((tmp_path / "texts.jsonl").is_file)
    lines = (tmp_path / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == [text.removesuffix("⏎") for text in first]


@needs_gradio
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_asks_nothing_of_the_network(
    address: str,
    browser: Browser,  # noqa: F811
    width: int,
    scheme: str,
) -> None:
    opened(browser, address, width, scheme)
    assert browser.run("return document.documentElement.scrollWidth") == width
    text = browser.run("return getComputedStyle(document.querySelector('.tokens')).color")
    assert (min(map(int, re.findall(r"\d+", text))) > 128) == (scheme == "dark")
    assert browser.errors() == []
    outside = [url for url in browser.requested() if not url.startswith((address, "data:", "blob:"))]
    assert outside == []
