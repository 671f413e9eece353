"""Does the adversarial reward help? Arms and controls on sequences of an oracle, measured exactly.

Yu et al. (2017), section 4, with what their table lacks: the two divergences beside NLL-oracle, controls whose reward
knows nothing, MLE at every temperature, and the reward of a perfect discriminator, which must win.

Each arm of each seed is a run directory with `measured.npz` once it is measured: a bench that was stopped or killed is
resumed, and what is measured is only read."""

import copy
import hashlib
import io
import math
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.adversarial import TextGAN
from seqgan.algorithms.components import Components
from seqgan.algorithms.mle import MLE
from seqgan.bench.arms import (
    ACCEPTED,
    ARMS,
    CONSTANT,
    EXACT,
    SIZES,
    START,
    TEMPERATURES,
    algorithm_of,
    begins_with_start,
    config_of,
    cost_of,
)
from seqgan.bench.timed import SECONDS, Timed
from seqgan.choice import Chooser
from seqgan.core import files
from seqgan.core.config import to_json
from seqgan.core.game import inference
from seqgan.core.jobs import side_by_side
from seqgan.core.log import duration
from seqgan.core.loop import train
from seqgan.core.phase import Numbers
from seqgan.core.record import read_record
from seqgan.core.report import Measured
from seqgan.core.run import Interrupted, create, describe
from seqgan.core.seed import derive
from seqgan.core.starting import Machine
from seqgan.core.stats import mean_influences
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.data.ragged import Ragged
from seqgan.data.vocabulary import Ids
from seqgan.errors import DivergedError, RunError, SeqGANError, UsageError, quoted, why
from seqgan.metrics import discrimination, residual
from seqgan.metrics.nll import likelihood
from seqgan.metrics.oracle import SAMPLES, TEST, Exact, measure, reweighted, row
from seqgan.models.oracle import SHIFT, load_oracle, new_oracle
from seqgan.models.policy import PolicyModule, sample
from seqgan.rollout import in_chunks
from seqgan.shapes import Scores, Tokens

RESULT, WEIGHTS = "measured.npz", "generator.safetensors"
REAL, FAKE = "logits of test sequences", "logits of samples"
PACKAGE = "seqgan bench oracle"
TOLD = ("nll-oracle", "nll-test", "entropy", "forward-kl", "reverse-kl", "distinct")  # of a policy in training
TRACED = 2000  # samples for that
ORACLE_SEEDS = 1000  # the oracle of seed k is number 1000 + k
Log = Callable[[str], None]


class Job(NamedTuple):
    """An arm of a seed."""

    out: Path
    size: str
    arm: str
    seed: int
    weights: Path | None  # of an oracle; None: one is drawn for each seed
    minutes: float = 0.0  # of training at most, during which the arm is measured, too; 0: it is trained to its end

    @property
    def place(self) -> Path:
        return self.out / f"seed-{self.seed}" / self.arm


class Result(NamedTuple):
    """What was measured of an arm of a seed: numbers at each temperature (of most arms at 1 alone)."""

    rows: dict[float, dict[str, Measured]]
    seconds: float  # of training
    valid_nll: float  # nats a token, on validation sequences of the oracle
    trace: Sequence[Numbers] = ()  # what was measured during training, with `seconds`


class World(NamedTuple):
    """An oracle and its sequences, in ids."""

    oracle: PolicyModule
    about: str  # names it in signatures
    dataset: TokenDataset
    test: Tokens


@cache
def world_of(size: str, seed: int, weights: Path | None) -> World:
    """The same for all arms of a seed."""
    about = SIZES[size]
    if weights is None:
        oracle, name = new_oracle(about.vocab_size, about.length, seed=ORACLE_SEEDS + seed), f"N(0,1)/{size}"
    else:
        oracle, name = load_oracle(weights, about.length), weights.name
        if oracle.vocab_size != about.vocab_size:
            raise UsageError(
                f"{weights} is an oracle of {oracle.vocab_size} tokens, but --size {size} has {about.vocab_size}; "
                "give another --size, or leave out --oracle-weights"
            )

    def drawn(split: str, count: int) -> Int[Tensor, "N T"]:
        return oracle.sample(count, torch.Generator().manual_seed(derive(seed, "oracle", split))) + SHIFT

    splits = (drawn("train", about.train), drawn("valid", about.valid))
    dataset = TokenDataset.of(*splits, Ids(about.vocab_size + SHIFT), ends=False)
    return World(oracle.policy, name, dataset, drawn("test", about.test))


class LogOdds:
    """log p(x) - log q(x) of finished sequences, by the oracle and the policy as it is: what the best discriminator
    says, and the reward with which REINFORCE descends KL(policy || oracle)."""

    policy: PolicyModule  # known once the algorithm is made

    def __init__(self, oracle: PolicyModule) -> None:
        self.oracle = oracle

    def __call__(self, tokens: Tokens) -> Scores:
        return (self.oracle.log_probs(tokens) - self.policy.log_probs_drawn(tokens)).sum(dim=1)


def run_all(jobs: Sequence[Job], workers: int, threads: int, log: Log) -> dict[tuple[str, int], Result]:
    """Train and measure the arms that are not measured yet, several at a time: first those that others begin with.

    Raises:
        RunError: a run directory is there already, of other options.
        SeqGANError: an arm cannot be trained."""
    for job in jobs:
        _refuse_other(job)
    left = missing(jobs)
    starts = [job for job in left if job.arm == START]
    others = [job for job in left if job.arm != START]
    log(f"{len(jobs)} trainings, {len(jobs) - len(left)} of which are measured")
    for wave in (starts[:1], starts[1:], others):  # the first is timed
        for job, seconds in side_by_side(carry_out, wave, min(workers, max(1, len(wave))), threads):
            log(f"{job.place}: done in {duration(seconds)}")
            if job == left[0] and (rest := sum(cost_of(job.arm) for job in left[1:])):
                log(f"the others take about {duration(rest * seconds / workers)}, on {workers} at a time")
    return {(job.arm, job.seed): read_result(job) for job in jobs}


def missing(jobs: Sequence[Job]) -> list[Job]:
    """Those that are not measured yet."""
    return [job for job in jobs if not (job.place / RESULT).is_file()]


def carry_out(job: Job) -> float:
    """Train and measure an arm, from wherever it stands. Returns the seconds that it took now."""
    began = time.monotonic()
    world = world_of(job.size, job.seed, job.weights)
    if not (job.place / "run.json").is_file():
        job.place.parent.mkdir(parents=True, exist_ok=True)
        create(job.place, description_of(job), {})
    algorithm = new_algorithm(job, world)
    measured = partial(during_training, algorithm, world, job)
    trained = Timed(algorithm, measured, 60 * job.minutes) if job.minutes else algorithm
    arrays: dict[str, Any] = {"seconds": math.nan, "valid_nll": math.nan}
    try:
        with Machine(torch.device("cpu")).run(job.place) as run:
            train(trained, run)
            arrays["seconds"] = trained.seconds if isinstance(trained, Timed) else run.seconds
        policy = final_policy(algorithm)
        arrays["valid_nll"] = likelihood(policy, world.dataset.valid.sequences).per_token
        arrays |= judged(algorithm, world, job)
        if ARMS[job.arm].keep:
            found = {1.0: measured_by_choice(algorithm, world, job)}
        else:
            temperatures = TEMPERATURES if job.minutes or job.arm == START else (1.0,)
            found = {at: measured_at(policy, at, world, job) for at in temperatures}
        arrays |= {f"{at}/{name}": values for at, exact in found.items() for name, values in exact._asdict().items()}
    except DivergedError:
        pass  # nothing is measured, and the table says so
    except Interrupted as stopped:  # it could not travel from process to process
        raise SeqGANError(f"{job.place}: stopped and saved; the same command resumes it") from stopped
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    files.write(job.place / RESULT, data.getvalue())
    shutil.rmtree(job.place / "checkpoints", ignore_errors=True)
    return time.monotonic() - began


def description_of(job: Job) -> dict[str, Any]:
    return {
        "package": PACKAGE,
        "algorithm": algorithm_of(job.arm),
        "config": to_json(config_of(job.arm, job.size)),
        "seed": job.seed,
        "size": SIZES[job.size]._asdict(),
        "oracle": job.weights and hashlib.sha256(job.weights.read_bytes()).hexdigest(),
        "minutes": job.minutes or None,
    }


def _refuse_other(job: Job) -> None:
    """
    Raises:
        RunError: the folder holds another experiment."""
    if not (job.place / "run.json").is_file():
        return
    found, asked = ({**about.pop("config"), **about} for about in (describe(job.place), description_of(job)))
    found = {**to_json(type(config_of(job.arm, job.size))()), **found}  # an option that is newer has its default
    if other := next((name for name in reversed(asked) if found.get(name) != asked[name]), None):
        raise RunError(
            f"{job.place} was begun with {other} {quoted(found.get(other))}, now it is {quoted(asked[other])}; give "
            "another --out, or remove that folder"
        )


def new_algorithm(job: Job, world: World) -> TextGAN | MLE:
    """The algorithm of an arm, which begins with the policy of START where it should."""
    start = read_start(job) if begins_with_start(job.arm) else None
    reward = {"": None, EXACT: LogOdds(world.oracle), CONSTANT: constant}[ARMS[job.arm].reward]
    config, make = config_of(job.arm, job.size), ALGORITHMS[algorithm_of(job.arm)]
    parts = Components(reward=reward, start=start)
    made = cast(TextGAN | MLE, make(config, world.dataset, torch.device("cpu"), job.seed, parts))
    if isinstance(reward, LogOdds):
        reward.policy = made.generator
    return made


def constant(tokens: Tokens) -> Scores:
    """The reward that says nothing."""
    return torch.ones(len(tokens), device=tokens.device)


def read_start(job: Job) -> dict[str, Tensor]:
    """
    Raises:
        UsageError: the arm that others begin with was not trained."""
    path = job._replace(arm=START).place / WEIGHTS
    if not path.is_file():
        raise UsageError(f"{job.arm} begins with the policy of {START}, but {path} is missing; add {START} to --arms")
    return load(path.read_bytes())


def final_policy(algorithm: TextGAN | MLE) -> PolicyModule:
    """The policy that a training ends with."""
    policy = copy.deepcopy(algorithm.generator)
    policy.load_state_dict(algorithm.state_dict()["policies"]["final"])
    return policy.eval()


def at_temperature(policy: PolicyModule, temperature: float) -> PolicyModule:
    """The policy whose logits are divided by the temperature."""
    changed = copy.deepcopy(policy)
    with torch.no_grad():
        for parameter in changed.output.parameters():
            parameter.div_(temperature)
    return changed


def measured_at(policy: PolicyModule, temperature: float, world: World, job: Job, most: int | None = None) -> Exact:
    """All arms of a seed draw with the same uniform numbers, so their differences are paired by them, too. With so many
    samples and test sequences, or all."""
    changed = at_temperature(policy, temperature)
    rng = torch.Generator().manual_seed(derive(job.seed, "oracle", "samples"))
    samples = sample(changed, most or SIZES[job.size].samples, rng=rng).tokens
    return measure(changed, world.oracle, samples, world.test[:most])


def judged(algorithm: TextGAN | MLE, world: World, job: Job) -> dict[str, NDArray[np.float32]]:
    """The logits of the discriminator, if there is one: of test sequences, and of as many samples of the policy."""
    if not isinstance(algorithm, TextGAN) or algorithm.discriminator is None:
        return {}
    rng = torch.Generator().manual_seed(derive(job.seed, "oracle", "judged"))
    samples = sample(final_policy(algorithm), len(world.test), rng=rng).tokens
    judge = judge_of(algorithm.discriminator)
    rows = {REAL: Ragged.padded(world.test), FAKE: Ragged.padded(samples)}
    return {name: judge(of).float().numpy() for name, of in rows.items()}


def judge_of(discriminator: nn.Module) -> Callable[[Ragged], Scores]:
    """The logits of sequences."""

    @torch.no_grad()
    def judge(rows: Ragged) -> Scores:
        with inference(discriminator) as logits:
            return in_chunks(logits, Texts(rows.take(torch.arange(len(rows))).tokens))

    return judge


@torch.no_grad()
def measured_by_choice(algorithm: TextGAN | MLE, world: World, job: Job) -> Exact:
    """What the discriminator keeps of the policy's draws, its slope fitted on validation sequences."""
    assert isinstance(algorithm, TextGAN)
    assert algorithm.discriminator is not None
    policy, judge = final_policy(algorithm), judge_of(algorithm.discriminator)
    rng = torch.Generator().manual_seed(derive(job.seed, "oracle", "samples"))

    def draws(count: int) -> Ragged:
        return Ragged.padded(sample(policy, count, rng=rng).tokens)

    count, keep = SIZES[job.size].samples, ARMS[job.arm].keep
    pool = judge(draws(count))
    slope = residual.slope(judge(world.dataset.valid.sequences), pool)
    chooser = Chooser(judge, slope, 0 if keep == ACCEPTED else int(keep))
    kept = chooser(draws, count, rng)
    samples = kept.take(torch.arange(count)).tokens
    ratios = (
        chooser.log_ratio(chooser.weights(rows), slope * pool, rng).numpy()
        for rows in (kept, Ragged.padded(world.test))
    )
    log_q = policy.log_probs_drawn(samples).sum(dim=1).double().numpy()
    return reweighted(measure(policy, world.oracle, samples, world.test), log_q, *ratios)


def during_training(algorithm: TextGAN | MLE, world: World, job: Job) -> Numbers:
    """What a policy that is being trained would be measured at, if it ended here; by fewer samples."""
    found = row(measured_at(final_policy(algorithm), 1.0, world, job, TRACED), world.about)
    return {name.replace("-", "_"): found[name].value for name in TOLD}


def read_result(job: Job) -> Result:
    """
    Raises:
        RunError: the file is damaged."""
    path = job.place / RESULT
    try:
        with np.load(path, allow_pickle=False) as arrays:
            temperatures = sorted({float(name.partition("/")[0]) for name in arrays if "/" in name})
            about = job.weights.name if job.weights else f"N(0,1)/{job.size}"
            rows = {at: row(Exact(*(arrays[f"{at}/{name}"] for name in Exact._fields)), about) for at in temperatures}
            if REAL in arrays:
                rows[1.0]["d-auc"] = auc_of(arrays[REAL], arrays[FAKE], about)
            return Result(rows, float(arrays["seconds"]), float(arrays["valid_nll"]), trace_of(job))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is damaged: {why(error)}; remove it, and the arm is measured again") from error


def auc_of(real: NDArray[np.float32], fake: NDArray[np.float32], about: str) -> Measured:
    """How well the discriminator of an arm tells test sequences from samples of its policy."""
    value, of_real, of_fake = discrimination.measures(torch.from_numpy(real), torch.from_numpy(fake))["d-auc"]
    influences = {TEST: of_real, SAMPLES: of_fake}
    influences = {name: mean_influences(values, np.arange(len(values))) for name, values in influences.items()}
    return Measured.of(value, influences, f"n:{len(fake)}|test:{len(real)}|oracle:{about}|err:sequences")


def trace_of(job: Job) -> list[Numbers]:
    """What was measured while the arm was trained, with the seconds that it had taken."""
    names = [SECONDS, *(name.replace("-", "_") for name in TOLD)]
    return [{name: line[name] for name in names} for line in read_record(job.place) if SECONDS in line]
