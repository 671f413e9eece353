"""What a training achieved: the policy after MLE beside the final one, under the same texts and discriminator."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from seqgan.data.batches import encode, pad
from seqgan.data.texts import Texts
from seqgan.metrics import discrimination, diversity, nll
from seqgan.models.generator import Generator, sample
from seqgan.rewards import judging
from seqgan.rollout import in_chunks

SAMPLES = 1000

# name -> (heading, how to print it)
COLUMNS: dict[str, tuple[str, str]] = {
    "nll": ("NLL/token", "{:.3f}"),
    "nll_per_character": ("NLL/char", "{:.3f}"),
    "entropy": ("entropy", "{:.3f}"),
    "distinct": ("distinct", "{:.1%}"),
    "d_accuracy": ("D acc.", "{:.1%}"),
    "d_auc": ("D AUC", "{:.3f}"),
    "reward_spread": ("spread", "{:.3f}"),
}


def compare(
    policies: dict[str, Generator], discriminator: nn.Module | None, texts: Texts, test: Sequence[str], seed: int
) -> dict[str, Any]:
    """One row of figures for each policy ("mle", "final"), and how far the final one moved.

    NLL is of the validation split, in nats; entropy, distinct and reward spread are of 1,000 samples; accuracy and AUC
    are the final discriminator's on the test split against as many of those samples."""
    rows = {stage: _row(policy, discriminator, texts, test, seed) for stage, policy in policies.items()}
    result: dict[str, Any] = {
        "rows": rows,
        "signature": f"NLL: {len(texts.valid.rows)} validation texts; "
        f"entropy, distinct, reward spread: {SAMPLES} samples, seed {seed}; "
        f"D: {len(test)} test texts against as many samples",
        "unknown": texts.valid.unknown,
    }
    if {"mle", "final"} <= policies.keys() and discriminator is not None:
        after = sample(policies["final"], SAMPLES, rng=_rng(policies["final"], seed))
        before = sample(policies["mle"], SAMPLES, rng=_rng(policies["mle"], seed))
        result["kl_final_to_mle"] = nll.divergence(policies["final"], policies["mle"], after.tokens, after.mask)
        result["kl_mle_to_final"] = nll.divergence(policies["mle"], policies["final"], before.tokens, before.mask)
    return result


def _row(
    policy: Generator, discriminator: nn.Module | None, texts: Texts, test: Sequence[str], seed: int
) -> dict[str, float]:
    valid = nll.likelihood(policy, texts.valid.rows)
    drawn = sample(policy, SAMPLES, rng=_rng(policy, seed))
    row = {
        "nll": valid.per_token,
        "nll_per_character": valid.total / texts.valid.characters,
        "entropy": nll.entropy(policy, drawn.tokens, drawn.mask),
        "distinct": diversity.distinct(texts.decode(drawn.tokens.tolist())),
    }
    if discriminator is not None:
        device = drawn.tokens.device
        with judging(discriminator) as judge:
            held_out = pad(encode(test, texts.tokenizer, texts.longest).rows, device).tokens
            real = in_chunks(judge, policy.fill_unknown(held_out, _rng(policy, seed)))
            fake = in_chunks(judge, drawn.tokens)
        matched = fake[: len(real)]
        row["d_accuracy"] = discrimination.accuracy(real, matched)
        row["d_auc"] = discrimination.auc(real, matched)
        row["d_bce"] = discrimination.cross_entropy(real, matched)
        row["reward_spread"] = float(fake.std())
    return row


def _rng(policy: Generator, seed: int) -> torch.Generator:
    return torch.Generator(next(policy.parameters()).device).manual_seed(seed)


def remarks(result: dict[str, Any]) -> list[str]:
    """What the figures say, in words; above all when they say that nothing was gained.

    `result` is that of `compare` with what training knows beside it: which steps were kept, how many texts were cut."""
    rows = result["rows"]
    lines = [result["kept"] + "."]
    if result["too_long"]:
        lines.append(f"{result['too_long']} texts are longer than --max-length; --long says what became of them.")
    if result["unknown"] > 0:
        lines.append(
            f"{result['unknown']:.2%} of the validation tokens are unknown: the NLL counts each as one token UNK."
        )
    if "kl_final_to_mle" in result:
        before, after = rows["mle"], rows["final"]
        lines.append(
            f"Adversarial training moved the policy by KL {result['kl_final_to_mle']:.4f} nats per token "
            f"(the other way round {result['kl_mle_to_final']:.4f}); "
            f"validation NLL {after['nll'] - before['nll']:+.4f}, entropy {after['entropy'] - before['entropy']:+.4f}, "
            f"D accuracy {100 * (after['d_accuracy'] - before['d_accuracy']):+.1f} points."
        )
        if result["kl_final_to_mle"] < 1e-4:
            lines.append("That is next to nothing: the adversarial phase had no effect.")
        if after["d_bce"] > discrimination.NOISE:
            lines.append(
                "On held-out text the discriminator is hardly better than guessing "
                f"(cross-entropy {after['d_bce']:.3f}, guessing {math.log(2):.3f}): its reward is mostly noise."
            )
    return lines


def table_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells for printing; a column that no row has is left out."""
    rows = result["rows"]
    shown = [(name, *column) for name, column in COLUMNS.items() if any(name in row for row in rows.values())]
    headings = ["policy", *(heading for _, heading, _ in shown)]
    cells = [
        [stage, *(pattern.format(row[name]) if name in row else "" for name, _, pattern in shown)]
        for stage, row in rows.items()
    ]
    return headings, cells
