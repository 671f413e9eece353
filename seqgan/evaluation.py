"""Evaluation of policies: a row for each, beside one of held-out real text, each number with its signature.

The references are the test split; the real row is the validation split, scored as if it had been generated. All rows
have the same number N of texts, since most of these numbers depend on it, and overlong texts are truncated, split or
dropped as in training."""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from seqgan.by_label import Labels
from seqgan.core.game import inference
from seqgan.core.log import tracked
from seqgan.core.report import DIFFERENT, Measured, as_cell, as_difference
from seqgan.core.stats import Units, mean_influences, ratio_influences, unit_blocks, units_of
from seqgan.data.batches import Texts, by_length, map_by_length, pad
from seqgan.data.encoding import SPLITS, EncodedCorpus, Learned
from seqgan.data.labels import numbered
from seqgan.data.ragged import Batch, Ragged
from seqgan.data.tokens import WAYS, tokens_of
from seqgan.errors import CorpusError, UsageError
from seqgan.metrics import Aggregation, MetricInput, discrimination, nll, over_blocks, over_texts, residual
from seqgan.metrics.texts import measure
from seqgan.model import TextModel
from seqgan.models.reweighted import ReweightedPolicy
from seqgan.reporting import CHOSEN, OF_REWARD, REAL, Evaluation, Row
from seqgan.rollout import Score, in_chunks
from seqgan.runs import PRETRAINING
from seqgan.shapes import Scores
from seqgan.symbols import UNK

MOST_SAMPLES = 10_000
MOST_COMPARED = 2_000  # samples that the KL of two policies is measured on
JUDGED = 10_000  # samples in the mean whose logarithm is taken in `d-gain`
FEW = 100  # samples of equal weight; of fewer, the logarithm of a mean of weights is unsure
CALIBRATING = 2_000  # samples that a slope is fitted to, beside the validation texts
CALIBRATING_NUMBERS = 2**23  # logits of all next tokens, in validation texts, that a slope is fitted to
SAMPLES = "samples"  # the source of the influences of what a policy draws, as in `MetricInput`
MOSTLY = 0.5  # share of the samples that are training texts, above which a remark says so


class HeldOut(NamedTuple):
    """A split as a policy sees it, and which text each row is of: copies are one text, as are the rows of one."""

    texts: Learned
    units: Units

    @property
    def rows(self) -> Ragged:
        return self.texts.split.sequences

    @property
    def chosen(self) -> str:
        """For a signature: of how many texts these are a choice."""
        chosen = self.texts.source.chosen.get(self.texts.part, "")
        return chosen and f"|{self.texts.part}:{chosen}"


def evaluate_models(
    models: Mapping[str, TextModel],
    corpus: EncodedCorpus,
    *,
    count: int | None = None,
    seed: int = 0,
    tokens: str | None = None,
    aggregation: Aggregation = "sentence",
    lowercase: bool = False,
    best_of: int = 0,
    rewards: Mapping[str, Score] | None = None,
) -> Evaluation:
    """A row for each model, and one for held-out real text, all of `count` texts (left out: as many as there are). With
    `best_of` K the policy of the first model has another row, of texts each of which the discriminator chose among K.
    What texts earn by each of the `rewards` is a number of its own.

    Raises:
        UsageError: there are fewer validation texts than `count`."""
    first = next(iter(models.values()))
    splits = train, valid, test = _splits(corpus, first)
    count = count or min(len(valid), MOST_SAMPLES)
    if count > len(valid):
        raise UsageError(
            f"{count} texts were asked for, but the validation split, which is the row of real text, has "
            f"{len(valid)}; all rows must have the same number: ask for no more than that"
        )
    draws = _draws(models, corpus, count, seed, best_of)
    texts = {name: [first.tokenizer.decode(row) for row in drawn] for name, drawn in draws.items()}
    real = random.Random(seed).sample(range(len(valid)), count)
    texts[REAL] = [valid[number] for number in real]
    tokens = tokens or tokens_of(first.tokenizer.kind, test)
    beside = MetricInput(texts[REAL], list(test), train, tokens, aggregation, lowercase=lowercase, chosen=corpus.chosen)
    beside = _as_the_policy_sees(beside, first, splits)
    comparing = tracked(texts.items(), "comparing texts", len(texts))
    rows = {name: measure(beside.of(several, held_out=name == REAL)) for name, several in comparing}
    held_out = {"valid": _held_out(valid), "test": _held_out(test)}
    for name, model in tracked(models.items(), "scoring texts", len(models)):
        rows[name] |= _likelihood(model, held_out, draws[name])
        if model.discriminator:
            logits = Logits(model, model.discriminator, held_out, seed)
            rows[name] |= _discriminated(logits, draws[name]) | _known(logits, JUDGED)
    for name, drawn in draws.items():
        rows[name] |= _of_ids(drawn, SAMPLES, np.arange(count), first, rewards)
    of_real = units_of(valid.text_of(number) for number in real)
    rows[REAL] |= _of_ids([valid.split.sequences[number] for number in real], "held-out", of_real, first, rewards)
    for name, other in (("mle", "final"), ("final", "mle")):
        if {name, other} <= models.keys():
            rows[name][f"kl-to-{other}"] = divergence(models[name], models[other], draws[name])
    by_label: dict[str, dict[str, Row]] = {}
    if first.labels:
        labels = Labels(first, *splits)
        rows[REAL]["recognised"] = labels.on_test()
        for name, drawn in draws.items():
            rows[name]["recognised"] = labels.recognised(drawn, SAMPLES, np.arange(count))
        by_label = labels.rows(models, beside, seed)
    facts = {"seed": seed, **_facts(first, corpus, held_out)}
    return Evaluation(rows, facts, texts, beside.references, labels=by_label)


def _splits(corpus: EncodedCorpus, model: TextModel) -> tuple[Learned, Learned, Learned]:
    """Training, validation and test texts as the policy reads them.

    Raises:
        UsageError: a split has no text that is short enough, or texts have labels that the policy does not know."""
    limits = model.policy.max_length, model.overlong
    if model.labels:
        for part in SPLITS:
            numbered(corpus.corpus.labels.get(part, ()), model.labels, getattr(corpus.corpus, part))
    try:
        train, valid, test = (corpus.learned(part, *limits, model.labels) for part in SPLITS)
    except CorpusError as error:
        raise UsageError(
            f"no training, validation or test text is short enough for --max-length {limits[0]} (--overlong "
            f"{limits[1]}), and all are measured; train with a larger --max-length, or with --overlong truncate"
        ) from error
    return train, valid, test


def _draws(
    models: Mapping[str, TextModel], corpus: EncodedCorpus, count: int, seed: int, best_of: int
) -> dict[str, Ragged]:
    """What each policy draws; after the first, what its discriminator chooses among so many of its draws."""
    draws: dict[str, Ragged] = {}
    for name, model in tracked(models.items(), "drawing samples", len(models)):
        draws[name] = model.draw(count, seed=seed)
        if best_of and model.discriminator and len(draws) == 1:
            chooser = model.chooser(best_of, slope=validation_slope(model, corpus, seed))
            draws[f"{CHOSEN}{best_of}"] = model.draw(count, seed=seed, choose=chooser)
    return draws


def _as_the_policy_sees(texts: MetricInput, model: TextModel, splits: tuple[Learned, Learned, Learned]) -> MetricInput:
    """With how overlong texts were cut, and with the training texts as the tokens that they are cut into already."""
    train, *held_out = splits
    any_overlong = any(part.split.overlong for part in splits)
    split = model.overlong == "split"
    return replace(
        texts,
        overlong=f"{model.overlong}@{model.policy.max_length}" if any_overlong else "",
        part_of={part[row]: part.text_of(row) for part in held_out for row in range(len(part))} if split else {},
        cut_training=train.pieces if WAYS[texts.tokens] == model.tokenizer.kind else None,
    )


def _of_ids(
    ids: Sequence[Sequence[int]], source: str, units: Units, model: TextModel, rewards: Mapping[str, Score] | None
) -> Row:
    """The share of unknown tokens, and what texts earn by each reward."""
    unknown = _per([row.count(UNK) for row in ids], [len(row) for row in ids], source, units, f"n:{len(ids)}", model)
    return {"unknown": unknown, **(earned(rewards, ids, source, units, model) if rewards else {})}


def _facts(model: TextModel, corpus: EncodedCorpus, held_out: Mapping[str, HeldOut]) -> dict[str, Any]:
    """What of the texts all numbers depend on."""
    facts = {
        "overlong_texts": sum(part.texts.split.overlong for part in held_out.values()),
        "overlong": model.overlong,
        "max_length": model.policy.max_length,
        "overlap": dict(corpus.corpus.provenance.get("overlap", {})),
    }
    return facts | ({"chosen": dict(corpus.chosen)} if corpus.chosen else {})


def _held_out(texts: Learned) -> HeldOut:
    """Copies are those of ids, or where texts are split, of whole texts."""
    if texts.split.overlong and len(texts) != len(set(texts.split.texts.tolist())):
        return HeldOut(texts, units_of(map(texts.text_of, range(len(texts)))))
    return HeldOut(texts, units_of(map(tuple, texts.split.sequences)))


def _likelihood(model: TextModel, held_out: Mapping[str, "HeldOut"], drawn: Ragged) -> Row:
    """NLL of held-out text per token (the end is one, an unknown token counts as UNK), per character and per text; of
    the known tokens alone, by the distribution that samples come from, and of the unknown ones; entropy. Where the
    policy is conditioned on labels, all are those of texts given their labels."""
    row: Row = {}
    for split, part in held_out.items():
        by_id = nll.token_log_probs(model.policy, part.rows)
        row |= _known_and_unknown(model, split, part, by_id)
        losses = [-float(log_probs.sum()) for log_probs in by_id]
        sizes = part.rows.lengths.tolist()
        by_token = _per(losses, sizes, split, part.units, f"rows:{len(sizes)}{part.chosen}|per:token", model)
        row[f"nll-{split}"] = by_token
        scale = sum(sizes) / part.texts.characters()  # of all rows together: its own spread is not in the error
        influences = {source: of * scale for source, of in by_token.influences.items()}
        signature = by_token.signature.replace("per:token", "per:character")
        row[f"nll-{split}-char"] = Measured.of(by_token.value * scale, influences, signature)
        by_text = _per(losses, [1] * len(losses), split, part.units, f"rows:{len(sizes)}{part.chosen}|per:text", model)
        row[f"nll-{split}-text"] = by_text
    surprises = (-nll.text_log_probs(model.policy, drawn, drawn=True)).tolist()
    sizes = [len(ids) for ids in drawn]
    row["entropy"] = _per(surprises, sizes, SAMPLES, np.arange(len(drawn)), f"n:{len(drawn)}|per:token", model)
    return row


def _known_and_unknown(model: TextModel, split: str, part: "HeldOut", by_id: Sequence[Tensor]) -> Row:
    """NLL per known token and per unknown one: a policy whose UNK is calibrated is no better at what it writes."""
    row, rows = dict[str, Measured](), part.rows
    known = [torch.tensor(ids) != UNK for ids in rows]
    as_drawn = nll.token_log_probs(model.policy, rows, drawn=True)
    for name, which, by_token in (("known", known, as_drawn), ("unknown", [~some for some in known], by_id)):
        if any(sizes := [int(some.sum()) for some in which]):
            losses = [-float(log_probs[some].sum()) for log_probs, some in zip(by_token, which, strict=True)]
            signature = f"rows:{len(rows)}{part.chosen}|per:{name}-token"
            row[f"nll-{split}-{name}"] = _per(losses, sizes, split, part.units, signature, model)
    return row


def _per(
    totals: ArrayLike, sizes: Sequence[int], source: str, units: Units, signature: str, model: TextModel
) -> Measured:
    """The sum of one over the sum of the other."""
    influences = ratio_influences(totals, sizes, units)
    signature = f"{signature}|err:{over_texts(units)}|{_tokens_of(model)}"
    return Measured.of(np.sum(totals) / sum(sizes), {source: influences}, signature)


def earned(
    rewards: Mapping[str, Score], ids: Sequence[Sequence[int]], source: str, units: Units, model: TextModel
) -> Row:
    """The mean of what texts earn by each reward."""
    texts = Texts(pad(list(ids), model.device).tokens)
    signature = f"n:{len(ids)}|err:{over_texts(units)}|{_tokens_of(model)}"
    row: Row = {}
    for name, score in rewards.items():
        values = in_chunks(score, texts).double().cpu().numpy()
        row[OF_REWARD + name] = Measured.of(values.mean(), {source: mean_influences(values, units)}, signature)
    return row


def _tokens_of(model: TextModel) -> str:
    """What a token is for a policy, for a signature: kind and size of the vocabulary, and the longest text."""
    given = f"|given:label/{len(model.labels)}" if model.labels else ""
    tokens = f"tok:{model.tokenizer.kind}/{len(model.tokenizer)}|overlong:{model.overlong}@{model.policy.max_length}"
    return tokens + given


def divergence(drawing: TextModel, other: TextModel, drawn: Ragged) -> Measured:
    """KL(drawing || other) per token, over the first of the samples of `drawing`; its error is that over ten blocks of
    them. At every token it is a sum over all next ones, so that few samples tell much."""
    drawn = drawn.part(slice(MOST_COMPARED))
    units = np.arange(len(drawn))
    parts = unit_blocks(units) or [list(range(len(drawn)))]
    blocks_of = [drawn.part(torch.tensor(block)) for block in parts]
    sizes = [int(block.lengths.sum()) for block in blocks_of]
    totals = [
        size * nll.divergence(drawing.policy, other.policy, block) for size, block in zip(sizes, blocks_of, strict=True)
    ]
    influences = {SAMPLES: ratio_influences(totals, sizes, np.arange(len(parts)))}
    blocks = f"{len(parts)}x{min(map(len, parts))}" if len(parts) > 1 else "none"
    signature = f"n:{len(drawn)}|per:token|err:blocks-{blocks}|{_tokens_of(drawing)}"
    return Measured.of(sum(totals) / sum(sizes), influences, signature)


class Logits:
    """A discriminator's logits of held-out texts, with the signature of numbers about them.

    It is the run's last discriminator, for the samples of every policy alike."""

    def __init__(self, model: TextModel, discriminator: nn.Module, held_out: Mapping[str, HeldOut], seed: int) -> None:
        self.model, self.test, self.seed = model, held_out["test"], seed
        self.whose = _fingerprint(discriminator)
        rng = torch.Generator(model.device).manual_seed(seed)
        self.of_test, self.of_valid = (
            judged_texts(model, discriminator, held_out[part].rows, rng) for part in ("test", "valid")
        )

    def signature(self, samples: int, errors: str = "", **more: object) -> str:
        real = f"{len(self.of_test)}{self.test.chosen}"
        parts = {"discriminator": self.whose, "real": real, "n": samples, **more, "unknown": "filled in"}
        parts |= {"err": errors} if errors else {}
        return "|".join([*(f"{name}:{value}" for name, value in parts.items()), _tokens_of(self.model)])


def _discriminated(logits: Logits, drawn: Ragged) -> Row:
    """How well the discriminator separates the test split from samples, and how much its logits on samples differ."""
    units, fake = logits.test.units, logits.model.judge(drawn)
    of_samples = np.arange(len(fake))
    signature = logits.signature(len(fake), over_texts(units))
    return {
        name: Measured.of(
            value,
            {"test": mean_influences(of_real, units), SAMPLES: mean_influences(of_fake, of_samples)},
            signature,
        )
        for name, (value, of_real, of_fake) in discrimination.measures(logits.of_test, fake).items()
        if logits.model.logit_is_log_odds or name not in discrimination.OF_LOG_ODDS
    }


def _known(logits: Logits, count: int) -> Row:
    """What the discriminator knows of the test split that the policy does not, in nats per text; the slope of its
    logit, fitted on the validation split; the bias and the effective size of the samples that this is measured on."""
    fake = logits.model.judge(logits.model.draw(count, seed=logits.seed))
    slope = residual.slope(logits.of_valid, fake)
    gain = residual.gain(slope * logits.of_test, slope * fake, logits.test.units)
    about = {"per": "text", "slope": f"valid/{len(logits.of_valid)}"}
    signature = logits.signature(count, f"{over_texts(logits.test.units)},{over_blocks(np.arange(count))}", **about)
    found = {"d-slope": slope, "d-gain-bias": gain.bias, "d-effective": gain.effective}
    numbers = {name: Measured(value, math.nan, logits.signature(count, **about)) for name, value in found.items()}
    return {"d-gain": Measured.of(gain.value, gain.influences, signature), **numbers}


def validation_slope(model: TextModel, corpus: EncodedCorpus, seed: int, **drawing: Any) -> float:
    """The slope that calibrates a discriminator's logit for what the policy draws with such options.

    Raises:
        UsageError: the model has no discriminator."""
    drawn = model.judge(model.draw(CALIBRATING, seed=seed, **drawing))
    assert model.discriminator is not None
    valid = corpus.learned("valid", model.policy.max_length, model.overlong, model.labels).split.sequences
    rng = torch.Generator(model.device).manual_seed(seed)
    return residual.slope(judged_texts(model, model.discriminator, valid, rng), drawn)


@torch.no_grad()
def validation_token_slope(model: TextModel, corpus: EncodedCorpus, seed: int) -> float:
    """The slope under which the validation texts are the likeliest where the discriminator reweights every token; from
    as many of them, chosen at random, as make `CALIBRATING_NUMBERS` logits.

    It is one slope whatever temperature and cuts texts are drawn with, since these come after the reweighting. That of
    whole texts (`validation_slope`) would not do: it is of a model with another normalisation.

    Raises:
        UsageError: the model has no discriminator, or one that judges whole texts alone."""
    reweighted = model.reweighted().policy
    assert isinstance(reweighted, ReweightedPolicy)
    valid = corpus.learned("valid", model.policy.max_length, model.overlong, model.labels).split.sequences
    rng = torch.Generator(model.device).manual_seed(seed)
    order = torch.randperm(len(valid), generator=torch.Generator().manual_seed(seed))
    fitting = int((valid.lengths[order].cumsum(0) * model.policy.vocab_size <= CALIBRATING_NUMBERS).sum())
    rows, lowest, parts = valid.part(order[: max(1, fitting)]), model.policy.lowest_drawn, list[tuple[Tensor, ...]]()
    for numbers in by_length(rows, model.policy.vocab_size):
        tokens, mask, labels = rows.take(numbers).to(model.device)
        tokens = model.policy.fill_unknown(tokens, rng, labels)
        plain, added = reweighted.both(reweighted.features_before(tokens, labels)[mask], lowest)
        parts.append((plain.log_softmax(dim=1), added, tokens[mask] - lowest))
    log_probs, added, chosen = (torch.cat(several) for several in zip(*parts, strict=True))
    return residual.token_slope(log_probs, added, chosen)


def judged_texts(model: TextModel, discriminator: nn.Module, rows: Ragged, rng: torch.Generator) -> Scores:
    """The discriminator's logit of each text, in which the policy has drawn a word in the place of every UNK."""
    with inference(discriminator) as logits:

        def of(batch: Batch) -> Scores:
            tokens = model.policy.fill_unknown(batch.tokens, rng, batch.labels)
            return logits(*Texts(tokens, batch.labels).parts)

        return map_by_length(of, rows, model.policy.vocab_size, model.device)


def _fingerprint(module: nn.Module) -> str:
    """Of its weights: numbers of different discriminators are not to be compared."""
    digest = hashlib.sha256()
    for tensor in module.state_dict().values():
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:8]


OF_SAMPLES = ("bleu-3", "backward-bleu-3", "self-bleu-3")
SUMMARISED = ("nll-valid", "nll-test", "entropy", *OF_SAMPLES)


def summary(result: Evaluation) -> list[str]:
    """The summary of an evaluation in words; above all where the numbers show no gain."""
    rows, facts = result.rows, result.facts
    policies = [name for name in rows if name != REAL and not name.startswith(CHOSEN)]
    lines = [f"{facts[name]}." for name in ("selection", "unfinished") if name in facts]
    if facts.get("overlong_texts"):
        became = {"truncate": "they are truncated", "split": "each is several rows", "drop": "they are left out"}[
            facts["overlong"]
        ]
        lines.append(
            f"{facts['overlong_texts']} validation and test texts are longer than "
            f"--max-length {facts['max_length']}: {became}."
        )
    for part, chosen in facts.get("chosen", {}).items():
        some, _, count = chosen.partition("/")
        lines.append(
            f"{int(some):,} of the {int(count):,} {part} texts are measured, by a choice that is always the same."
        )
    if "unknown" in rows[REAL] and rows[REAL]["unknown"].value > 0:
        lines.append(
            f"{rows[REAL]['unknown'].value:.2%} of the real tokens are unknown: the NLL counts each as one token UNK."
        )
    for part, count in facts.get("overlap", {}).items():
        if count:
            lines.append(f"{count} {part} texts are in an earlier split as well: what is measured on them is too good.")
    if "recognised" in rows[REAL]:
        shares = {name: rows[name]["recognised"].value for name in policies if "recognised" in rows[name]}
        of_samples = ", ".join(f"{share:.0%} of the {name} samples" for name, share in shares.items())
        lines.append(
            f"A classifier of labels recognises {of_samples} as of their label, and "
            f"{rows[REAL]['recognised'].value:.0%} of real test texts. The NLL is that of texts given their label."
        )
    for name in policies:
        seen = rows[name].get("seen")
        if seen and seen.value > MOSTLY:
            lines.append(
                f"{seen.value:.0%} of the {name} samples are copies of training texts "
                f"(of held-out real texts {rows[REAL]['seen'].value:.0%}): the policy mostly copies."
            )
    begun = list(facts.get("trained", {"": 0}))[-1] not in PRETRAINING
    if begun and "kl-to-mle" in rows.get("final", {}):
        lines += _effect_of_adversarial_training(result)
    lines += _what_is_known(rows[policies[-1]], policies[-1])
    if "self-bleu-2" not in rows[REAL]:
        lines.append("Self-BLEU is undefined for a single text.")
    lines.append(f"Samples are drawn with seed {facts['seed']}; signatures are explained by seqgan evaluate --help.")
    return lines


def _what_is_known(row: Row, name: str) -> list[str]:
    """What the discriminator knows, beside all that the policy has still to learn at most."""
    if "d-gain" not in row:
        return []
    known, text, effective = row["d-gain"], row["nll-test-text"], row["d-effective"].value
    line = (
        f"The discriminator knows {as_cell(known)} nats per text that separate real text from what {name} writes, "
        f"whose NLL is {as_cell(text)} nats per text"
    )
    if effective < FEW:
        line += f"; {effective:.0f} samples have nearly all of the weight, so that this is unsure, and too high"
    elif not known.value > DIFFERENT * known.stderr:
        line += ": no more than the error explains, so that there is nothing to learn from it"
    return [f"{line}."]


def _instead(name: str, chosen: Row, after: Row) -> str:
    """What one gets by the discriminator without adversarial training, which a gain should exceed."""
    told = [
        f"{measure} {as_cell(chosen[measure])} (final minus it {as_difference(after[measure] - chosen[measure])})"
        for measure in OF_SAMPLES
        if measure in chosen
    ]
    of = f"the discriminator's choice among {name.removeprefix(CHOSEN)} samples of mle"
    return f"Without adversarial training, {of}: {', '.join(told)}."


def _effect_of_adversarial_training(result: Evaluation) -> list[str]:
    """From the policy after MLE to the final one: a difference counts by its paired error."""
    before, after = result.rows["mle"], result.rows["final"]
    lines = [
        f"Adversarial training moved the policy by {after['kl-to-mle'].value:.4f} nats per token, as KL(final || mle); "
        f"KL(mle || final) is {before['kl-to-final'].value:.4f}."
    ]
    if after["kl-to-mle"].value < 1e-4:
        had = "has had no effect so far" if "trained" in result.facts else "had no effect"
        lines.append(f"That is hardly a change: the adversarial phase {had}.")
    else:
        changes = {name: after[name] - before[name] for name in SUMMARISED if name in after and name in before}
        shown = {name: f"{name} {as_difference(change).rstrip('*')}" for name, change in changes.items()}
        changed = [shown[name] for name, change in changes.items() if change.differs]
        same = [shown[name] for name, change in changes.items() if not change.differs]
        if changed:
            lines.append(f"Final minus mle, more than the paired error explains: {', '.join(changed)}.")
        if same:
            lines.append(f"Final minus mle, no more than the paired error explains: {', '.join(same)}.")
        lines += [_instead(name, row, after) for name, row in result.rows.items() if name.startswith(CHOSEN)]
    if "d-bce" in after and after["d-bce"].value > discrimination.NOISE:
        lines.append(
            "On the test split the discriminator is hardly better than guessing "
            f"(cross-entropy {after['d-bce'].value:.3f}, guessing {math.log(2):.3f}): what the policy learns from it "
            "is mostly noise."
        )
    return lines
