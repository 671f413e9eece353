"""The page of `seqgan demo`: texts of several policies side by side, token by token."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.core import demo
from seqgan.core import page as pages
from seqgan.errors import UsageError
from seqgan.model import Scored, TextModel
from seqgan.report import language
from seqgan.symbols import EOS

TEMPLATE, SCRIPT = (Path(__file__).with_name(f"demo.{ending}") for ending in ("html", "js"))
MOST_TEXTS, MOST_COLUMNS, LONGEST_PROMPT = 8, 6, 2000
ANY = "any, by frequency"
DOUBTFUL = 6.0  # nats at which a token is shaded most: a probability of 1 in 400
Models = Mapping[str, Callable[[], TextModel]]


class Token(NamedTuple):
    text: str
    probability: float  # after all before it, at temperature 1

    @property
    def doubt(self) -> float:
        """How much it is shaded, from 0 to 1."""
        return min(1.0, -math.log(max(self.probability, 1e-30)) / DOUBTFUL)


class Shown(NamedTuple):
    """A text of the page."""

    column: str
    text: str
    label: str | None
    seed: int
    given: int  # tokens of its prompt
    tokens: list[Token]
    real: float | None
    per_token: float  # nats


def written(
    column: str, model: TextModel, count: int, prompt: str, label: str | None, seed: int, **options: Any
) -> list[Shown]:
    """Texts of a model; a label is that of a model which is conditioned on labels.

    Raises:
        UsageError: a prompt is too long or holds unknown tokens, a number is out of range, or there is no such
            label."""
    drawn = model.generate_detailed(count, prompt=prompt, label=label if model.labels else None, seed=seed, **options)
    labels = [text.label or "" for text in drawn] if model.labels else None
    scores = model.score([text.text for text in drawn], label=labels)
    given = len(model.tokenizer.encode(prompt)) if prompt else 0
    return [
        Shown(
            column, text.text, text.label, seed, given, _tokens(model, score, text.ended), score.real, -score.per_token
        )
        for text, score in zip(drawn, scores, strict=True)
    ]


def _tokens(model: TextModel, score: Scored, ended: bool) -> list[Token]:
    """The tokens of a text; its end is one of them where the policy has written it."""
    [ids] = model.encode([score.text])
    return [
        Token(model.tokenizer.shown(token), math.exp(log_prob))
        for token, log_prob in zip(ids, score.by_token, strict=True)
        if token != EOS or ended
    ]


def continued(text: Shown, at: int, model: TextModel, seed: int, **options: Any) -> Shown:
    """A text written anew from a token on."""
    [ids] = model.encode([text.text])
    [other] = written(text.column, model, 1, model.tokenizer.decode(ids[:at]), text.label, seed, **options)
    return other


def rendered(texts: Sequence[Shown]) -> str:
    columns: dict[str, list[tuple[int, Shown]]] = {}
    for number, text in enumerate(texts):
        columns.setdefault(text.column, []).append((number, text))
    lines = [json.dumps(_as_json(text), ensure_ascii=False) for text in texts]
    spoken = language([text.text for text in texts])
    return pages.rendered(TEMPLATE, {"columns": columns, "lines": "\n".join(lines), "language": spoken}).decode()


def _as_json(text: Shown) -> dict[str, Any]:
    return {**text._asdict(), "tokens": [(token.text, round(token.probability, 6)) for token in text.tokens]}


def page(models: Models) -> Any:
    """The page, as blocks of gradio."""
    import gradio as gr

    labels = list(dict.fromkeys(label for model in models.values() for label in model().labels))
    names = list(models)

    @demo.told
    def write(
        columns: list[str], prompt: str, count: int, label: str, seed: int, temperature: float, top_k: int, top_p: float
    ) -> Any:
        if not 1 <= len(columns) <= MOST_COLUMNS:
            raise UsageError(f"{len(columns)} columns were chosen; choose 1 to {MOST_COLUMNS}")
        if len(prompt) > LONGEST_PROMPT:
            raise UsageError(f"the prompt has {len(prompt)} characters; give at most {LONGEST_PROMPT}")
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        under = None if label == ANY else label
        texts = [
            text
            for column in names
            if column in columns
            for text in written(column, models[column](), count, prompt, under, seed, **options)
        ]
        return texts, rendered(texts)

    @demo.told
    def write_on(texts: list[Shown], temperature: float, top_k: int, top_p: float, event: gr.EventData) -> Any:
        options, old = {"temperature": temperature, "top_k": top_k, "top_p": top_p}, texts[event.text]
        new = continued(old, event.at, models[old.column](), demo.new_seed(), **options)
        texts = [new if text is old else text for text in texts]
        return texts, rendered(texts)

    with gr.Blocks(title="seqgan", analytics_enabled=False) as blocks:
        texts = gr.State([])
        with gr.Row(elem_id="sides"):
            with gr.Column(scale=1, min_width=260):
                columns = gr.CheckboxGroup(names, value=names[:MOST_COLUMNS], label="side by side")
                label = gr.Dropdown([ANY, *labels], value=ANY, label="written under", visible=bool(labels))
                temperature = gr.Slider(0, 2, 1, step=0.05, label="temperature")
                top_k = gr.Slider(0, 200, 0, step=1, label="top-k (0: all)", precision=0)
                top_p = gr.Slider(0.05, 1, 1, step=0.05, label="top-p")
                count = gr.Slider(1, MOST_TEXTS, 3, step=1, label="texts of each", precision=0)
                seed = gr.Number(demo.new_seed(), label="seed", precision=0, minimum=0, maximum=2**53)
                numbers = gr.Checkbox(False, label="probabilities as numbers")
            with gr.Column(scale=3, min_width=300):
                prompt = gr.Textbox(label="prompt", placeholder="begin a text", max_lines=4, max_length=LONGEST_PROMPT)
                with gr.Row():
                    go = gr.Button("write", variant="primary", min_width=120)
                    another = gr.Button("new seed", min_width=120)
                shown = gr.HTML(js_on_load=SCRIPT.read_text(encoding="utf-8"), apply_default_css=False, elem_id="texts")
        drawing = [temperature, top_k, top_p]
        asked = {"fn": write, "inputs": [columns, prompt, count, label, seed, *drawing], "outputs": [texts, shown]}
        for event in (go.click, prompt.submit, blocks.load):
            event(**asked, **demo.LISTENING)
        another.click(demo.new_seed, None, seed, **demo.LISTENING).then(**asked, **demo.LISTENING)
        shown.click(write_on, [texts, *drawing], [texts, shown], **demo.LISTENING)
        numbers.change(None, numbers, js="(on) => document.body.classList.toggle('numbers', on)")
    return blocks
