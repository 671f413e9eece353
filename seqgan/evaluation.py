"""What a run achieved, or any file of texts: every policy beside held-out real text, each number with its signature.

The references are the test split; the real row is the validation split, scored as if it had been generated. All rows
have the same number N of texts, since most of these numbers depend on it."""

import math
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from seqgan import __version__
from seqgan.core.stats import blocks, standard_error
from seqgan.data.batches import pad
from seqgan.data.corpus import Corpus
from seqgan.data.symbols import UNK
from seqgan.data.tokens import suitable_tokens
from seqgan.errors import UsageError
from seqgan.generation import TextModel
from seqgan.metrics import METRICS, Aggregation, Measured, View, discrimination, nll
from seqgan.rewards import judging
from seqgan.rollout import in_chunks

MOST_SAMPLES = 10_000
Row = dict[str, Measured]

ORDERS = (2, 3, 4, 5)
# title of a table -> its columns
TABLES: dict[str, Sequence[str]] = {
    "what training achieved": (
        *("nll-valid", "entropy", "bleu-3", "backward-bleu-3", "self-bleu-3", "distinct", "seen-4"),
        *("d-accuracy", "d-auc"),
    ),
    "BLEU: n-grams of the samples that stand in the references": [f"bleu-{n}" for n in ORDERS],
    "backward BLEU: n-grams of the references that stand in the samples": [f"backward-bleu-{n}" for n in ORDERS],
    "Self-BLEU: how alike the samples are": [f"self-bleu-{n}" for n in ORDERS],
    "variety: the share of different samples and n-grams": ["distinct", *(f"distinct-{n}" for n in (1, 2, 3))],
    "novelty: the share that stands in the training texts, and the longest copied span": [
        *("seen", "seen-lines", *(f"seen-{n}" for n in ORDERS), "copied", "copied-longest")
    ],
    "form": ("length", "form", "unknown"),
    "likelihood, in nats": ("nll-valid", "nll-valid-char", "nll-test", "nll-test-char", "entropy"),
    "the discriminator, on the test split": ("d-accuracy", "d-auc", "d-bce", "d-spread"),
}
SHORT = next(iter(TABLES))


@dataclass
class Evaluation:
    """Rows of numbers, and what is to be said beside them."""

    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "rows": {name: row_as_json(row) for name, row in self.rows.items()},
            **self.facts,
        }


def row_as_json(row: Row) -> dict[str, dict[str, Any]]:
    """`{"bleu-2": {"value": ..., "stderr": ..., "signature": ...}, ...}`; null where there is no standard error."""
    return {
        name: {**number._asdict(), "stderr": None if math.isnan(number.stderr) else number.stderr}
        for name, number in row.items()
    }


def evaluate_texts(
    samples: Sequence[str],
    references: Sequence[str] = (),
    training: Sequence[str] = (),
    *,
    tokens: str | None = None,
    aggregation: Aggregation = "sentence",
) -> Row:
    """Everything that can be measured on texts alone, whoever wrote them.

    `tokens` are words, chars or whatever whitespace separates; left out, what suits the script of the samples.

    Raises:
        UsageError: there is no sample."""
    if not samples:
        raise UsageError("there is no sample to measure")
    view = View(samples, references, training, tokens or suitable_tokens(samples), aggregation)
    return {name: number for measure in METRICS.values() for name, number in measure(view).items()}


def same_script(samples: Sequence[str], others: Sequence[str], what: str) -> None:
    """Refuse to compare texts in different scripts, where nothing could match.

    Raises:
        UsageError: most letters of one are of another script than most of the other's."""
    ours, theirs = script_of(samples), script_of(others)
    if ours != theirs:
        raise UsageError(
            f"the samples are in {ours} script and the {what} in {theirs}, so nothing can match; give {what} like them"
        )


def script_of(texts: Sequence[str]) -> str:
    """The script of most letters, by the first word of their Unicode names: LATIN, CYRILLIC, EAST ASIAN ..."""
    letters = (character for text in texts[:1000] for character in text if character.isalpha())
    scripts = Counter(unicodedata.name(letter, "NO").split()[0] for letter in letters)
    usual = scripts.most_common(1)[0][0] if scripts else "NO"
    return "EAST ASIAN" if usual in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL") else usual


def evaluate_models(
    models: Mapping[str, TextModel],
    corpus: Corpus,
    *,
    count: int | None = None,
    seed: int = 0,
    tokens: str | None = None,
    aggregation: Aggregation = "sentence",
) -> Evaluation:
    """A row for each model, and one for held-out real text, all of `count` texts (left out: as many as there are).

    Raises:
        UsageError: there are fewer validation texts than `count`."""
    count = count or min(len(corpus.valid), MOST_SAMPLES)
    if count > len(corpus.valid):
        raise UsageError(
            f"{count} texts were asked for, but the validation split, which is the row of real text, has "
            f"{len(corpus.valid)}; all rows must have the same number: ask for no more than that"
        )
    tokenizer = next(iter(models.values())).tokenizer
    tokens = tokens or tokens_of(tokenizer.kind, corpus)
    text_options: dict[str, Any] = {"tokens": tokens, "aggregation": aggregation}
    rows = {}
    for name, model in models.items():
        drawn = model.draw(count, seed=seed)
        texts = [tokenizer.decode(row) for row in drawn]
        rows[name] = {
            **_likelihood(model, corpus, drawn),
            **evaluate_texts(texts, corpus.test, corpus.train, **text_options),
            **_unknown([row.count(UNK) / len(row) for row in drawn]),
            **(_judged(model, model.discriminator, corpus.test, drawn, seed) if model.discriminator else {}),
        }
    real = random.Random(seed).sample(corpus.valid, count)
    encoded = [tokenizer.encode(text) for text in real]
    rows["real"] = {
        **evaluate_texts(real, corpus.test, corpus.train, **text_options),
        **_unknown([ids.count(UNK) / max(1, len(ids)) for ids in encoded]),
    }
    return Evaluation(rows, {"seed": seed, **_moved(models, count, seed)})


def tokens_of(kind: str, corpus: Corpus) -> str:
    """What to count for a run with this kind of tokenizer."""
    own = {"char": "chars", "word": "words", "whitespace": "whitespace"}
    return own.get(kind) or suitable_tokens(corpus.train)


def _likelihood(model: TextModel, corpus: Corpus, drawn: Sequence[Sequence[int]]) -> Row:
    """NLL of held-out text per token (the end is one, an unknown token counts as UNK) and per character; entropy."""
    row = {}
    for split, texts in {"valid": corpus.valid, "test": corpus.test}.items():
        rows = model.encode(texts)
        losses = (-nll.text_log_probs(model.policy, rows)).tolist()
        for name, sizes in {"": [len(row) for row in rows], "-char": [len(text) for text in texts]}.items():
            unit = "character" if name else "token"
            row[f"nll-{split}{name}"] = _per(losses, sizes, f"texts:{len(texts)}|per:{unit}|err:blocks")
    surprises = (-nll.text_log_probs(model.policy, drawn, drawn=True)).tolist()
    row["entropy"] = _per(surprises, [len(ids) for ids in drawn], f"n:{len(drawn)}|per:token|err:blocks")
    return row


def _per(totals: Sequence[float], sizes: Sequence[int], signature: str) -> Measured:
    """The sum of one over the sum of the other, with its spread over blocks."""
    pairs = list(zip(totals, sizes, strict=True))

    def ratio(part: Sequence[tuple[float, int]]) -> float:
        return sum(total for total, _ in part) / max(1, sum(size for _, size in part))

    return Measured(ratio(pairs), float(standard_error([ratio(part) for part in blocks(pairs)])), signature)


def _unknown(shares: Sequence[float]) -> Row:
    error = standard_error([sum(block) / len(block) for block in blocks(shares)])
    return {"unknown": Measured(sum(shares) / len(shares), float(error), f"n:{len(shares)}|err:blocks")}


def _judged(
    model: TextModel, discriminator: nn.Module, test: Sequence[str], drawn: Sequence[Sequence[int]], seed: int
) -> Row:
    """How well the discriminator tells the test split from samples, and how much its verdicts on samples differ."""
    rng = torch.Generator(model.device).manual_seed(seed)
    fitting = [row[: model.policy.longest] for row in model.encode(test)]
    with judging(discriminator) as judge:
        real = in_chunks(judge, model.policy.fill_unknown(pad(fitting, model.device).tokens, rng))
        fake = in_chunks(judge, pad(drawn, model.device).tokens)
    values = _verdict(real, fake)
    pairs = zip(blocks(range(len(real))), blocks(range(len(fake))), strict=False)
    in_blocks = [_verdict(real[list(some)], fake[list(others)]) for some, others in pairs]
    signature = f"real:{len(real)}|n:{len(fake)}|unknown:filled by the policy|err:blocks"
    return {
        name: Measured(value, float(standard_error([block[name] for block in in_blocks])), signature)
        for name, value in values.items()
    }


def _verdict(real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
    return {
        "d-accuracy": discrimination.accuracy(real, fake),
        "d-auc": discrimination.auc(real, fake),
        "d-bce": discrimination.cross_entropy(real, fake),
        "d-spread": float(fake.std()) if len(fake) > 1 else 0.0,
    }


def _moved(models: Mapping[str, TextModel], count: int, seed: int) -> dict[str, float]:
    """How far the final policy is from that after MLE: KL per token, both ways."""
    if not {"mle", "final"} <= models.keys():
        return {}
    distances = {}
    for name, drawing, other in (("kl_final_to_mle", "final", "mle"), ("kl_mle_to_final", "mle", "final")):
        batch = pad(models[drawing].draw(count, seed=seed), models[drawing].device)
        distances[name] = nll.divergence(models[drawing].policy, models[other].policy, batch.tokens, batch.mask)
    return distances


# --- in words and tables


def remarks(result: Evaluation) -> list[str]:
    """What the numbers say, in words; above all when they say that nothing was gained."""
    rows, facts = result.rows, result.facts
    lines = [facts["kept"] + "."] if "kept" in facts else []
    if facts.get("too_long"):
        lines.append(f"{facts['too_long']} texts are longer than --max-length; --long says what became of them.")
    if rows["real"]["unknown"].value > 0:
        lines.append(
            f"{rows['real']['unknown'].value:.2%} of the real tokens are unknown: the NLL counts each as one token UNK."
        )
    if "kl_final_to_mle" in facts:
        before, after = rows["mle"], rows["final"]
        changes = ", ".join(
            f"{name} {after[key].value - before[key].value:{pattern}}"
            for name, key, pattern in (("validation NLL", "nll-valid", "+.4f"), ("entropy", "entropy", "+.4f"))
        )
        lines.append(
            f"Adversarial training moved the policy by KL {facts['kl_final_to_mle']:.4f} nats per token "
            f"(the other way round {facts['kl_mle_to_final']:.4f}); {changes}."
        )
        if facts["kl_final_to_mle"] < 1e-4:
            lines.append("That is next to nothing: the adversarial phase had no effect.")
        if "d-bce" in after and after["d-bce"].value > discrimination.NOISE:
            lines.append(
                "On held-out text the discriminator is hardly better than guessing "
                f"(cross-entropy {after['d-bce'].value:.3f}, guessing {math.log(2):.3f}): its reward is mostly noise."
            )
    if "self-bleu-2" not in rows["real"]:
        lines.append("Self-BLEU is undefined for a single text.")
    return lines


def tables(
    rows: Mapping[str, Row], *, short: bool = False
) -> Iterator[tuple[str, list[str], list[list[str]], list[str]]]:
    """Title, headings, cells and signatures of each table; what no row has is left out."""
    for title, columns in TABLES.items():
        shown = [name for name in columns if any(name in row for row in rows.values())]
        if (title == SHORT) != short or not shown:
            continue
        cells = [
            [name, *(_cell(row.get(column)) for column in shown)]
            for name, row in rows.items()
            if any(column in row for column in shown)
        ]
        yield title, ["", *(name.replace("-", " ") for name in shown)], cells, _signatures(rows, shown)


def _cell(number: Measured | None) -> str:
    if number is None:
        return ""
    error = "" if math.isnan(number.stderr) else f" ±{number.stderr:.3f}".replace("±0.", "±.")
    return f"{number.value:.3f}{error}"


def _signatures(rows: Mapping[str, Row], columns: Sequence[str]) -> list[str]:
    """One line for each signature, with the columns it belongs to."""
    owners: dict[str, list[str]] = {}
    for column in columns:
        for signature in dict.fromkeys(row[column].signature for row in rows.values() if column in row):
            owners.setdefault(signature, []).append(column)
    return [f"{', '.join(_joined(names))}: {signature}" for signature, names in owners.items()]


def _joined(names: Sequence[str]) -> list[str]:
    """bleu-2, bleu-3, bleu-4, bleu-5 -> bleu-2..5"""
    groups: dict[str, list[str]] = {}
    for name in names:
        stem, _, order = name.rpartition("-")
        groups.setdefault(*((f"{stem}-", []) if order.isdigit() else (name, []))).append(order)
    return [
        stem if not stem.endswith("-") else stem + "..".join(dict.fromkeys((orders[0], orders[-1])))
        for stem, orders in groups.items()
    ]
