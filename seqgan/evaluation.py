"""What a run achieved: every policy beside held-out real text, each number with its signature.

The references are the test split; the real row is the validation split, scored as if it had been generated. All rows
have the same number N of texts, since most of these numbers depend on it, and texts that were too long to be learned
whole are cut, split or dropped here as they were there."""

import math
import random
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from seqgan.core.stats import blocks, blocks_of, standard_error
from seqgan.data.batches import Encoded, encode, pad
from seqgan.data.corpus import Corpus
from seqgan.data.symbols import EOS, UNK
from seqgan.data.texts import as_learned
from seqgan.data.tokens import suitable_tokens
from seqgan.errors import UsageError
from seqgan.generation import TextModel
from seqgan.metrics import Aggregation, Measured, View, discrimination, nll
from seqgan.metrics.texts import measure
from seqgan.rewards import judging
from seqgan.rollout import in_chunks
from seqgan.tables import Evaluation, Row

MOST_SAMPLES = 10_000
ROWS = 128  # of real text, in which unknown words are filled in together


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
    first = next(iter(models.values()))
    fitted = as_learned(corpus, first.tokenizer, first.policy.longest, first.long)
    count = count or min(len(fitted.valid), MOST_SAMPLES)
    if count > len(fitted.valid):
        raise UsageError(
            f"{count} texts were asked for, but the validation split, which is the row of real text, has "
            f"{len(fitted.valid)}; all rows must have the same number: ask for no more than that"
        )
    tokens = tokens or tokens_of(first.tokenizer.kind, fitted.test)
    too_long = "" if fitted is corpus else f"{first.long}@{first.policy.longest}"

    def on_texts(samples: Sequence[str]) -> Row:
        return measure(View(samples, fitted.test, fitted.train, tokens, aggregation, too_long))

    held_out = {
        part: encode(getattr(corpus, part), first.tokenizer, first.policy.longest, first.long)
        for part in ("valid", "test")
    }
    draws = {name: model.draw(count, seed=seed) for name, model in models.items()}
    texts = {name: [first.tokenizer.decode(row) for row in drawn] for name, drawn in draws.items()}
    texts["real"] = random.Random(seed).sample(fitted.valid, count)
    rows = {name: on_texts(several) for name, several in texts.items()}
    for name, model in models.items():
        rows[name] |= _likelihood(model, held_out, draws[name])
        if model.discriminator:
            rows[name] |= _judged(model, model.discriminator, held_out["test"].rows, draws[name], seed)
    for name, several in texts.items():
        ids = draws[name] if name in draws else [[*first.tokenizer.encode(text), EOS] for text in several]
        rows[name]["unknown"] = _per([row.count(UNK) for row in ids], list(map(len, ids)), f"n:{count}", first)
    for name, other in (("mle", "final"), ("final", "mle")):
        if {name, other} <= models.keys():
            rows[name][f"kl-to-{other}"] = _divergence(models[name], models[other], draws[name])
    overlap = dict(corpus.provenance.get("overlap", {}))
    long = {"too_long": sum(part.too_long for part in held_out.values()), "long": first.long}
    facts = {"seed": seed, **long, "longest": first.policy.longest, "overlap": overlap}
    return Evaluation(rows, facts, texts, fitted.test)


def tokens_of(kind: str, texts: Sequence[str]) -> str:
    """What to count for a run with this kind of tokenizer, which learned such texts."""
    own = {"char": "chars", "word": "words", "whitespace": "whitespace"}
    return own.get(kind) or suitable_tokens(texts)


def _likelihood(model: TextModel, held_out: Mapping[str, Encoded], drawn: Sequence[Sequence[int]]) -> Row:
    """NLL of held-out text per token (the end is one, an unknown token counts as UNK) and per character; entropy."""
    row = {}
    for split, (rows, characters, *_) in held_out.items():
        losses, sizes = (-nll.text_log_probs(model.policy, rows)).tolist(), [len(ids) for ids in rows]
        by_token = _per(losses, sizes, f"rows:{len(rows)}|per:token", model)
        scale = sum(sizes) / characters  # of all rows together: its own spread is not in the error
        signature = by_token.signature.replace("per:token", "per:character")
        row[f"nll-{split}"] = by_token
        row[f"nll-{split}-char"] = Measured(by_token.value * scale, by_token.stderr * scale, signature)
    surprises = (-nll.text_log_probs(model.policy, drawn, drawn=True)).tolist()
    row["entropy"] = _per(surprises, [len(ids) for ids in drawn], f"n:{len(drawn)}|per:token", model)
    return row


def _per(totals: Sequence[float], sizes: Sequence[int], signature: str, model: TextModel) -> Measured:
    """The sum of one over the sum of the other, with its spread over blocks."""
    pairs = list(zip(totals, sizes, strict=True))

    def ratio(part: Sequence[tuple[float, int]]) -> float:
        return sum(total for total, _ in part) / max(1, sum(size for _, size in part))

    error = float(standard_error([ratio(part) for part in blocks(pairs)]))
    return Measured(ratio(pairs), error, f"{signature}|err:blocks-{blocks_of(len(pairs))}|{_tokens_of(model)}")


def _tokens_of(model: TextModel) -> str:
    """What a token is to a policy, for a signature: kind and size of the vocabulary, and the longest text."""
    return f"tok:{model.tokenizer.kind}/{len(model.tokenizer)}|long:{model.long}@{model.policy.longest}"


def _divergence(drawing: TextModel, other: TextModel, drawn: Sequence[Sequence[int]]) -> Measured:
    """KL(drawing || other) per token, over the samples of `drawing`."""

    def measure(rows: Sequence[Sequence[int]]) -> float:
        batch = pad(rows, drawing.device)
        return nll.divergence(drawing.policy, other.policy, batch.tokens, batch.mask)

    error = float(standard_error([measure(part) for part in blocks(drawn)]))
    signature = f"n:{len(drawn)}|per:token|err:blocks-{blocks_of(len(drawn))}|{_tokens_of(drawing)}"
    return Measured(measure(drawn), error, signature)


def _judged(
    model: TextModel,
    discriminator: nn.Module,
    test: Sequence[Sequence[int]],
    drawn: Sequence[Sequence[int]],
    seed: int,
) -> Row:
    """How well the discriminator tells the test split from samples, and how much its verdicts on samples differ.

    It is the run's last discriminator, for the samples of every policy alike."""
    rng = torch.Generator(model.device).manual_seed(seed)
    parts = [pad(test[start : start + ROWS], model.device).tokens for start in range(0, len(test), ROWS)]
    with judging(discriminator) as judge:
        real = torch.cat([judge(model.policy.fill_unknown(part, rng)) for part in parts]).cpu()
        fake = in_chunks(judge, pad(drawn, model.device).tokens).cpu()
    pairs = zip(blocks(range(len(real))), blocks(range(len(fake))), strict=False)
    in_blocks = [_verdict(real[list(some)], fake[list(others)]) for some, others in pairs]
    errors = f"err:blocks-{blocks_of(min(len(real), len(fake)))}"
    signature = f"judge:the last|real:{len(real)}|n:{len(fake)}|unknown:filled in|{errors}|{_tokens_of(model)}"
    return {
        name: Measured(value, float(standard_error([block[name] for block in in_blocks])), signature)
        for name, value in _verdict(real, fake).items()
    }


def _verdict(real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
    return {
        "d-accuracy": discrimination.accuracy(real, fake),
        "d-auc": discrimination.auc(real, fake),
        "d-bce": discrimination.cross_entropy(real, fake),
        "d-spread": float(fake.std()) if len(fake) > 1 else 0.0,
    }


def remarks(result: Evaluation) -> list[str]:
    """What the numbers say, in words; above all when they say that nothing was gained."""
    rows, facts = result.rows, result.facts
    lines = [facts["kept"] + "."] if "kept" in facts else []
    if facts.get("too_long"):
        became = {"cut": "they are cut", "split": "each is several rows", "drop": "they are left out"}[facts["long"]]
        lines.append(
            f"{facts['too_long']} validation and test texts are longer than --max-length {facts['longest']}: {became}."
        )
    if rows["real"]["unknown"].value > 0:
        lines.append(
            f"{rows['real']['unknown'].value:.2%} of the real tokens are unknown: the NLL counts each as one token UNK."
        )
    for part, count in facts.get("overlap", {}).items():
        if count:
            lines.append(
                f"{count} {part} texts stand in an earlier split as well: what is measured on them is too good."
            )
    if "mle" in rows and "kl-to-mle" in rows.get("final", {}):
        before, after = rows["mle"], rows["final"]
        changes = ", ".join(
            f"{name} {after[key].value - before[key].value:{pattern}}"
            for name, key, pattern in (("validation NLL", "nll-valid", "+.4f"), ("entropy", "entropy", "+.4f"))
        )
        lines.append(
            f"Adversarial training moved the policy by KL {after['kl-to-mle'].value:.4f} nats per token "
            f"(the other way round {before['kl-to-final'].value:.4f}); {changes}."
        )
        if after["kl-to-mle"].value < 1e-4:
            lines.append("That is next to nothing: the adversarial phase had no effect.")
        if "d-bce" in after and after["d-bce"].value > discrimination.NOISE:
            lines.append(
                "On held-out text the discriminator is hardly better than guessing "
                f"(cross-entropy {after['d-bce'].value:.3f}, guessing {math.log(2):.3f}): its reward is mostly noise."
            )
    if "self-bleu-2" not in rows["real"]:
        lines.append("Self-BLEU is undefined for a single text.")
    return lines
