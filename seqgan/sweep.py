"""Quality against variety at many samplers: a policy is a curve, and so a claim for one is a claim for its curve.

A lower temperature raises BLEU and lowers what is covered, for every policy (Caccia et al. 2020), so that two policies
are compared at equal variety. BLEU rewards cooling, and backward BLEU hardly punishes it; the NLL of samples under a
language model of the training split against that of real text under one of the samples (the reverse NLL, Zhao et al.
2018) does. Beside the curves stand real text and the super-baseline: for every measure the best value that MLE reaches
with any sampler."""

import csv
import io
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from seqgan import planes
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.mle import MLE
from seqgan.compare import arms_of, refuse_other_texts
from seqgan.core.log import tracked
from seqgan.core.plots import COLOURS, GREY, Curve
from seqgan.core.report import Measured, finite
from seqgan.core.run import checkpoints
from seqgan.core.schema import json_bytes
from seqgan.core.seed import seed_everything
from seqgan.core.stats import Units, ratio_influences, sign_flip_test, units_of
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import EncodedCorpus, Learned
from seqgan.data.ragged import Ragged
from seqgan.data.tokens import tokens_of
from seqgan.data.vocabulary import Vocabulary
from seqgan.errors import UsageError
from seqgan.evaluation import divergence, earned
from seqgan.library import TrainedRun
from seqgan.metrics import MetricInput, backward_bleu, bleu, nll, over_texts, self_bleu, variety
from seqgan.model import TextModel
from seqgan.models.policy import PolicyModule
from seqgan.planes import FROM_MLE, LM, OF_TEST, REVERSE, Plane, Sampler, Swept, means, planes_of
from seqgan.reporting import OF_REWARD, REAL, Row
from seqgan.rollout import Score
from seqgan.runs import along_training, stages_of

# Of the language models: small, of another kind than the policies' default, stopped by the validation split.
JUDGE = MLEConfig(
    policy="gru", embedding_dim=64, hidden_dim=64, dropout=0.2, unigram_bias=True, shuffle=True,
    mle_lr=0.005, batch_size=32, mle_epochs=20, mle_patience=1,
)  # fmt: skip
OF_JUDGE = f"per:token|lm:{JUDGE.policy}/{JUDGE.hidden_dim}"
HIGHER = ("bleu", "backward-bleu", "distinct", OF_REWARD)  # is better; of all other measures lower is


class Gap(NamedTuple):
    """By how much one curve is better than another at equal x, the mean over its samplers; of each seed."""

    first: str
    second: str
    plane: Plane
    by_seed: dict[int, float]
    chance: float  # of a mean gap at least this large if it did not matter which is which; NaN for one seed

    def __str__(self) -> str:
        gaps = list(self.by_seed.values())
        if not gaps:
            return f"{self.plane.y} at equal {self.plane.x}: {self.first} and {self.second} do not overlap."
        if not any(gaps):
            return f"{self.plane.y} at equal {self.plane.x}: {self.first} and {self.second} are equal."
        mean = float(np.mean(gaps))
        better, worse = (self.first, self.second) if mean > 0 else (self.second, self.first)
        all_agree = all(gap * mean > 0 for gap in gaps)
        how = "in every seed" if all_agree else f"in {sum(gap * mean > 0 for gap in gaps)} of {len(gaps)} seeds"
        test = "one seed, no test" if math.isnan(self.chance) else f"{how}, p {self.chance:.2g} by flips of signs"
        return f"{self.plane.y} at equal {self.plane.x}: {better} is better than {worse} by {abs(mean):.4g} ({test})."


def sweep(
    runs: Sequence[TrainedRun],
    samplers: Sequence[Sampler] = (),
    *,
    count: int | None = None,
    tokens: str | None = None,
    rewards: Sequence[str] = (),
) -> Swept:
    """Every policy of the runs with every sampler; or where there are none, each run along its training: as many
    samples each as there are validation texts, or `count`. What they earn by the rewards of the first run, and by
    `rewards`, is measured too.

    Raises:
        ConfigError: there is no such reward.
        UsageError: the runs are of different texts or tokens, `count` is more than there are validation texts, a reward
            cannot be made of these texts, or a run has kept no checkpoints along its training."""
    names = refuse_other_texts(runs)
    first = runs[0].model()
    for name, run in zip(names, runs, strict=True):
        if run.model().tokenizer.model != first.tokenizer.model or run.model().policy.max_length != (
            first.policy.max_length
        ):
            raise UsageError(f"{names[0]} and {name} have different tokens or limits; give runs of one --tokenizer")
    beside = Beside(first, runs[0].encoded(), count, tokens, runs[0].reward_scores(rewards))
    curves: dict[str, dict[int, dict[Sampler, Row]]] = {}
    todo = [
        (curve, runs[place], points)
        for arm, places in arms_of([run.description for run in runs], names)
        for place in places
        for curve, points in _curves_of(runs[place], arm, samplers).items()
    ]
    for curve, run, points in tracked(todo, "sweeping", len(todo)):
        seed = run.description["seed"]
        begin = run.model(points[Sampler(step=0)]) if Sampler(step=0) in points else None
        rows = {sampler: beside.of_samples(run.model(stage), sampler, seed, begin) for sampler, stage in points.items()}
        curves.setdefault(curve, {})[seed] = rows
    return Swept(curves, beside.of_real(reverse=bool(samplers)))


def _curves_of(run: TrainedRun, arm: str, samplers: Sequence[Sampler]) -> dict[str, dict[Sampler, str]]:
    """The curves of a run by name, each with the policy that is drawn from at each of its points."""
    if samplers:
        return {f"{arm} {stage}": dict.fromkeys(samplers, stage) for stage in stages_of(run.description)}
    along = along_training(run.folder)
    if len(along) < 3:
        raise UsageError(
            f"{run.folder} keeps {len(along)} of the policies along its training, but three at least were expected; "
            "train with such as --save-steps 20 --keep 10"
        )
    return {arm: {Sampler(step=step): stage for step, stage in along.items()}}


class Beside:
    """The real texts that samples are measured beside."""

    def __init__(
        self,
        model: TextModel,
        corpus: EncodedCorpus,
        count: int | None = None,
        tokens: str | None = None,
        rewards: Mapping[str, Score] = MappingProxyType({}),
    ) -> None:
        limits = model.policy.max_length, model.overlong, model.labels
        self.model, self.length, self.rewards = model, model.policy.max_length, rewards
        self.train, self.valid, self.test = (corpus.learned(part, *limits) for part in ("train", "valid", "test"))
        self.count = count or len(self.valid)
        if self.count > min(len(self.valid), len(self.train)):
            raise UsageError(
                f"{self.count} texts were asked for, but there are {len(self.valid)} validation texts, as many as the "
                "row of real text has; ask for no more"
            )
        kind = tokens or tokens_of(model.tokenizer.kind, self.test)
        self.inputs = MetricInput([], list(self.test), (), kind)
        self.judge = self.learned_from(ids_of(self.train))

    def learned_from(self, rows: Ragged) -> PolicyModule:
        """A language model of some texts."""
        return language_model(rows, ids_of(self.valid), self.model.tokenizer, self.length, self.model.device)

    def of_samples(self, model: TextModel, sampler: Sampler, seed: int, begin: TextModel | None = None) -> Row:
        """Along a training, which begins with a policy of its own, the divergence from that and the NLL of test texts
        under the policy itself stand in the place of the reverse NLL."""
        drawn = model.draw(self.count, seed=seed, **sampler.drawing)
        rows, texts = drawn.labelled(None), [model.tokenizer.decode(row) for row in drawn]
        found = self._measured(self.inputs.of(texts), rows, np.arange(self.count))
        if sampler.step is None:
            return {**found, REVERSE: self._reverse(rows)}
        moved = {FROM_MLE: divergence(model, begin, drawn)} if begin else {}
        own = self._of_test(model.policy, self.test.split.sequences, f"per:token|tok:{model.tokenizer.kind}")
        return {**found, **moved, OF_TEST: own}

    def of_real(self, *, reverse: bool) -> Row:
        """Validation texts in the place of samples; the language model that is tested on real text learns from as many
        training texts."""
        chosen = random.Random(0).sample(range(len(self.valid)), self.count)
        texts, rows = [self.valid[number] for number in chosen], ids_of(self.valid).part(torch.tensor(chosen))
        units = units_of(self.valid.text_of(number) for number in chosen)
        found = self._measured(self.inputs.of(texts, held_out=True), rows, units)
        if reverse:
            learned = random.Random(0).sample(range(len(self.train)), self.count)
            found[REVERSE] = self._reverse(ids_of(self.train).part(torch.tensor(learned)))
        return found

    def _measured(self, inputs: MetricInput, rows: Ragged, units: Units) -> Row:
        found = {**bleu(inputs), **backward_bleu(inputs), **self_bleu(inputs), **variety(inputs)}
        about = f"n:{len(rows)}|{OF_JUDGE}|of:training/{len(self.train)}"
        found[LM] = self._nll(self.judge, rows, units, inputs.source, about)
        if self.rewards:
            found |= earned(self.rewards, list(map(list, rows)), inputs.source, units, self.model)
        return found

    def _reverse(self, rows: Ragged) -> Measured:
        return self._of_test(self.learned_from(rows), ids_of(self.test), f"n:{len(rows)}|{OF_JUDGE}|of:samples")

    def _of_test(self, policy: PolicyModule, rows: Ragged, signature: str) -> Measured:
        units = units_of(self.test.text_of(number) for number in range(len(rows)))
        return self._nll(policy, rows, units, "test", signature)

    def _nll(self, judge: PolicyModule, rows: Ragged, units: Units, source: str, signature: str) -> Measured:
        losses, sizes = -nll.text_log_probs(judge, rows).numpy(), rows.lengths.numpy()
        influences = {source: ratio_influences(losses, sizes, units)}
        return Measured.of(losses.sum() / sizes.sum(), influences, f"{signature}|err:{over_texts(units)}")


def ids_of(texts: Learned) -> Ragged:
    return texts.split.sequences.labelled(None)


def language_model(
    train: Ragged, valid: Ragged, vocabulary: Vocabulary, length: int, device: torch.device, config: MLEConfig = JUDGE
) -> PolicyModule:
    """A small policy by MLE, of some texts alone, with the lowest NLL on validation text."""
    dataset = TokenDataset.of(train, valid, vocabulary)
    mle = MLE(config, dataset, device, 0)
    for step in range(1, config.mle_epochs * mle.batches.per_epoch + 1):
        seed_everything(0, "language model", step)
        mle.update(step)
        if step % mle.batches.per_epoch == 0:
            mle.check(step)
            if mle.checks_without_improvement >= config.mle_patience:
                break
    mle.generator.load_state_dict(mle.chosen())
    return mle.generator.eval()


# --- what it tells


def sign(measure: str) -> int:
    return 1 if measure.startswith(HIGHER) else -1


def gaps(swept: Swept) -> list[Gap]:
    """Of every two curves in every plane, seed by seed where both have it."""
    found, all_planes = [], planes_of(swept)
    for (first, mine), (second, theirs) in combinations(swept.curves.items(), 2):
        for plane in all_planes:
            both = [seed for seed in mine if seed in theirs]
            by_seed = {seed: _gap(mine[seed], theirs[seed], plane) for seed in both}
            there = {seed: gap for seed, gap in by_seed.items() if not math.isnan(gap)}
            chance = sign_flip_test(list(there.values())) if len(there) > 1 else math.nan
            found.append(Gap(first, second, plane, there, chance))
    return found


def _gap(mine: Mapping[Sampler, Row], theirs: Mapping[Sampler, Row], plane: Plane) -> float:
    """The mean over my points of how much better y is than theirs at the same x, between theirs by interpolation; NaN
    where none lies within the range of theirs."""
    if not all(plane.x in row and plane.y in row for row in [*mine.values(), *theirs.values()]):
        return math.nan
    x, y = zip(*sorted(_compared(theirs, plane).values()), strict=True)
    inside = [at for step, at in _compared(mine, plane).items() if step.step != 0 and x[0] <= at[0] <= x[-1]]
    return sign(plane.y) * float(np.mean([at[1] - np.interp(at[0], x, y) for at in inside])) if inside else math.nan


def _compared(curve: Mapping[Sampler, Row], plane: Plane) -> dict[Sampler, tuple[float, float]]:
    """Points of a curve. Along a training they are those that earn more than all before them: nobody goes on for less.
    Where it begins, all arms have one policy, which is no point of comparison but an end of the line."""
    points = {at: (row[plane.x].value, row[plane.y].value) for at, row in curve.items()}
    if not plane.x.startswith(OF_REWARD) or any(at.step is None for at in points):
        return points
    earned_before = dict(zip(points, accumulate((x for x, _ in points.values()), max, initial=-math.inf), strict=False))
    return {at: point for at, point in points.items() if point[0] > earned_before[at]}


def best_values(curves: Mapping[str, Mapping[Sampler, Row]]) -> dict[str, tuple[float, str]]:
    """Of each measure the best value on any of the curves, and where."""
    found: dict[str, tuple[float, str]] = {}
    for name, rows in curves.items():
        for sampler, row in rows.items():
            for measure, number in row.items():
                if measure not in found or sign(measure) * (number.value - found[measure][0]) > 0:
                    found[measure] = number.value, f"{name}, {sampler.name}"
    return found


def baselines(swept: Swept) -> dict[str, dict[str, tuple[float, str]]]:
    """The super-baseline, the best of MLE, and the best of every other curve."""
    curves = means(swept)
    of_mle = {name: rows for name, rows in curves.items() if name.endswith(" mle")}
    others = {name: best_values({name: rows}) for name, rows in curves.items() if name not in of_mle}
    return {**({"mle": best_values(of_mle)} if of_mle else {}), **others}


def curves_in(swept: Swept, plane: Plane) -> list[Curve]:
    """The temperatures or steps of each curve as a line with its error, other samplers as dots, and real text."""
    drawn = []
    for number, (name, rows) in enumerate(means(swept).items()):
        colour = COLOURS[number % len(COLOURS)]
        joined = sorted((sampler for sampler in rows if sampler.joined), reverse=True)
        others = [sampler for sampler in rows if sampler not in joined]
        if joined:
            x, y, error = _points([rows[sampler] for sampler in joined], plane)
            drawn.append(Curve(name, x, y, "line", colour, low=y - error, high=y + error))
        drawn += [Curve("", *_points([rows[sampler] for sampler in some], plane)[:2], "dots", colour)
                  for some in (joined, others) if some]  # fmt: skip
    return [*drawn, Curve(REAL, *_points([swept.real], plane)[:2], "dots", GREY)]


def _points(rows: Sequence[Row], plane: Plane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = (np.array([row[axis].value if axis in row else math.nan for row in rows]) for axis in plane)
    return x, y, np.nan_to_num(np.array([row[plane.y].stderr if plane.y in row else math.nan for row in rows]))


def lines_of(swept: Swept) -> Iterator[list[object]]:
    """Rows of a table of all numbers, its headings first."""
    yield ["curve", "seed", "temperature", "top_k", "top_p", "step", "measure", "value", "stderr", "signature"]
    for name, seeds in swept.curves.items():
        for seed, rows in seeds.items():
            for sampler, row in rows.items():
                yield from ([name, seed, *sampler, measure, *number] for measure, number in row.items())
    yield from ([REAL, "", "", "", "", "", measure, *number] for measure, number in swept.real.items())


def as_csv(swept: Swept) -> bytes:
    csv.writer(text := io.StringIO(), lineterminator="\n").writerows(lines_of(swept))
    return text.getvalue().encode()


def as_json(swept: Swept) -> dict[str, Any]:
    found = gaps(swept)
    return {
        **planes.as_json(swept),
        "gaps": [
            {"first": gap.first, "second": gap.second, **gap.plane._asdict(), "by_seed": gap.by_seed,
             "p": finite(gap.chance)}
            for gap in found
        ],
        "best": {
            name: {measure: {"value": value, "of": where} for measure, (value, where) in best.items()}
            for name, best in baselines(swept).items()
        },
        "summary": list(map(str, found)),
    }  # fmt: skip


def left_in(run: TrainedRun, content: Mapping[str, Any]) -> bytes:
    """What a sweep leaves in a run for its report: all that it found, and of how many steps the run was then."""
    return json_bytes({"steps": max(checkpoints(run.folder), default=0), **content})
