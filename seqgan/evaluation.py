"""What a run achieved: every policy beside held-out real text, each number with its signature.

The references are the test split; the real row is the validation split, scored as if it had been generated. All rows
have the same number N of texts, since most of these numbers depend on it, and texts that were too long to be learned
whole are cut, split or dropped here as they were there."""

import math
import random
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from seqgan.core.stats import blocks, standard_error
from seqgan.data.batches import Encoded, encode, pad
from seqgan.data.corpus import Corpus
from seqgan.data.symbols import UNK
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
    tokens = tokens or tokens_of(first.tokenizer.kind, corpus)
    too_long = "" if fitted is corpus else f"{first.long}@{first.policy.longest}"

    def on_texts(samples: Sequence[str]) -> Row:
        return measure(View(samples, fitted.test, fitted.train, tokens, aggregation, too_long))

    held_out = {
        part: encode(getattr(corpus, part), first.tokenizer, first.policy.longest, first.long)
        for part in ("valid", "test")
    }
    rows = {}
    for name, model in models.items():
        drawn = model.draw(count, seed=seed)
        rows[name] = {
            **_likelihood(model, held_out, drawn),
            **on_texts([model.tokenizer.decode(row) for row in drawn]),
            **_unknown([row.count(UNK) / len(row) for row in drawn]),
            **(_judged(model, model.discriminator, held_out["test"].rows, drawn, seed) if model.discriminator else {}),
        }
    real = random.Random(seed).sample(fitted.valid, count)
    encoded = [first.tokenizer.encode(text) for text in real]
    rows["real"] = {**on_texts(real), **_unknown([ids.count(UNK) / max(1, len(ids)) for ids in encoded])}
    facts = {"seed": seed, "too_long": sum(part.too_long for part in held_out.values())}
    return Evaluation(rows, {**facts, **_moved(models, count, seed)})


def tokens_of(kind: str, corpus: Corpus) -> str:
    """What to count for a run with this kind of tokenizer."""
    own = {"char": "chars", "word": "words", "whitespace": "whitespace"}
    return own.get(kind) or suitable_tokens(corpus.train)


def _likelihood(model: TextModel, held_out: Mapping[str, Encoded], drawn: Sequence[Sequence[int]]) -> Row:
    """NLL of held-out text per token (the end is one, an unknown token counts as UNK) and per character; entropy."""
    row = {}
    for split, (rows, characters, _, _) in held_out.items():
        losses = (-nll.text_log_probs(model.policy, rows)).tolist()
        sizes = [len(ids) for ids in rows]
        by_token = _per(losses, sizes, f"texts:{len(rows)}|per:token|err:blocks")
        row[f"nll-{split}"] = by_token
        scale = sum(sizes) / characters
        signature = f"texts:{len(rows)}|per:character|err:blocks"
        row[f"nll-{split}-char"] = Measured(by_token.value * scale, by_token.stderr * scale, signature)
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
    model: TextModel, discriminator: nn.Module, test: Sequence[Sequence[int]], drawn: Sequence[Sequence[int]], seed: int
) -> Row:
    """How well the discriminator tells the test split from samples, and how much its verdicts on samples differ."""
    rng = torch.Generator(model.device).manual_seed(seed)
    with judging(discriminator) as judge:
        real = in_chunks(judge, model.policy.fill_unknown(pad(test, model.device).tokens, rng))
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
