"""Decoding with a discriminator: what is kept has the distribution that the formulas say, atom by atom."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import seqgan
from seqgan.choice import Chooser
from seqgan.data.ragged import Ragged
from seqgan.errors import UsageError
from seqgan.symbols import EOS
from tests.conftest import TINY, TINY_GAME
from tests.test_cli import call, refusal
from tests.test_evaluation import LINES

# The atoms of a policy q, one token each, with their weights e^f: light ones, and ones whose heaviest is rare.
LIGHT = ((0.5, 0.3, 0.2), (0.5, 1.5, 3.0))
HEAVY = ((0.6, 0.398, 0.002), (0.05, 1.0, 200.0))
Atoms = tuple[tuple[float, ...], tuple[float, ...]]
FIRST = EOS + 1


def drawing(chances: tuple[float, ...], rng: torch.Generator) -> Callable[[int], Ragged]:
    def draws(count: int) -> Ragged:
        atoms = torch.multinomial(torch.tensor(chances), count, replacement=True, generator=rng)
        return Ragged.padded((atoms + FIRST).unsqueeze(1))

    return draws


def judging(weights: tuple[float, ...]) -> Callable[[Ragged], Tensor]:
    return lambda rows: torch.tensor(weights).log()[rows.ids[rows.starts].long() - FIRST]


def shares(case: Atoms, chooser: Chooser, count: int = 20_000) -> list[float]:
    """How often each atom is kept."""
    rng = torch.Generator().manual_seed(0)
    kept = chooser(drawing(case[0], rng), count, rng)
    assert len(kept) == count
    return [float(share) for share in torch.tensor([row[0] - FIRST for row in kept]).bincount(minlength=3) / count]


def one_of(case: Atoms, k: int) -> list[float]:
    """The exact chances of what is kept of K draws, over everything that these can be."""
    chances, weights = case
    found = [0.0, 0.0, 0.0]
    for atoms in itertools.product(range(3), repeat=k):
        total = sum(weights[atom] for atom in atoms)
        for atom in atoms:
            found[atom] += math.prod(chances[one] for one in atoms) * weights[atom] / total
    return found


@pytest.mark.parametrize("case", [LIGHT, HEAVY])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_one_of_k_draws_is_kept_by_its_weight(case: Atoms, k: int) -> None:
    assert shares(case, Chooser(judging(case[1]), of=k)) == pytest.approx(one_of(case, k), abs=0.014)


@pytest.mark.parametrize("case", [LIGHT, HEAVY])
@pytest.mark.parametrize("k", [2, 5])
def test_the_density_of_one_of_k_is_that_of_the_sum_over_all_draws(case: Atoms, k: int) -> None:
    rng = torch.Generator().manual_seed(0)
    chances, weights = (torch.tensor(part) for part in case)
    pool = weights.log()[torch.multinomial(chances, 100_000, replacement=True, generator=rng)]
    ratio = Chooser(judging(case[1]), of=k).log_ratio(weights.log(), pool, rng).exp()
    exact = torch.tensor(one_of(case, k)) / chances
    assert ratio.tolist() == pytest.approx(exact.tolist(), rel=0.03)
    assert ratio.max() <= k
    assert float((chances * ratio).sum()) == pytest.approx(1, abs=0.01)


def test_the_more_draws_the_nearer_to_the_residual_model_and_never_more_than_log_k() -> None:
    total = sum(chance * weight for chance, weight in zip(*LIGHT, strict=True))
    target = [chance * weight / total for chance, weight in zip(*LIGHT, strict=True)]

    def divergence(first: list[float], second: list[float]) -> float:
        return sum(p * math.log(p / q) for p, q in zip(first, second, strict=True))

    from_target = [divergence(target, one_of(LIGHT, k)) for k in (1, 2, 4, 8)]
    assert from_target == sorted(from_target, reverse=True)
    assert from_target[-1] < 0.1 * from_target[0]
    for k in (2, 4):
        assert divergence(one_of(HEAVY, k), list(HEAVY[0])) < math.log(k)


def test_rejection_draws_from_the_residual_model_where_weights_are_light() -> None:
    chooser = Chooser(judging(LIGHT[1]))
    total = sum(chance * weight for chance, weight in zip(*LIGHT, strict=True))  # 1.3, of at most 3
    exact = [chance * weight / total for chance, weight in zip(*LIGHT, strict=True)]
    assert shares(LIGHT, chooser) == pytest.approx(exact, abs=0.014)
    assert chooser.kept / chooser.drawn == pytest.approx(1.3 / 3, abs=0.015)
    assert f"({chooser.kept / chooser.drawn:.1%})" in chooser.told()


def test_rejection_caps_weights_at_twenty_times_their_mean() -> None:
    chances, weights = torch.tensor(HEAVY[0]), torch.tensor(HEAVY[1])
    rng = torch.Generator().manual_seed(1)
    pool = weights.log()[torch.multinomial(chances, 200_000, replacement=True, generator=rng)]
    cap = math.exp(3) * 0.828  # .6 * .05 + .398 + .4
    capped = weights.clamp(max=cap)
    exact = capped / (chances * capped).sum()
    ratio = Chooser(judging(HEAVY[1])).log_ratio(weights.log(), pool).exp()
    assert ratio.tolist() == pytest.approx(exact.tolist(), rel=0.05)
    assert float((chances * ratio).sum()) == pytest.approx(1, abs=0.01)


def test_a_slope_flattens_the_weights() -> None:
    squared: Atoms = (LIGHT[0], tuple(weight**2 for weight in LIGHT[1]))
    for k in (4, 0):
        chooser, plain = Chooser(judging(squared[1]), slope=0.5, of=k), Chooser(judging(LIGHT[1]), of=k)
        assert shares(squared, chooser) == shares(LIGHT, plain)


def test_a_discriminator_that_knows_nothing_changes_nothing() -> None:
    for k in (4, 0):
        chooser = Chooser(judging((1.0, 1.0, 1.0)), of=k)
        assert shares(LIGHT, chooser) == pytest.approx(LIGHT[0], abs=0.014)
        assert chooser.kept / chooser.drawn == (1 / k if k else 1)
        assert chooser.log_ratio(torch.zeros(3), torch.zeros(50)).tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    resampling = Chooser(judging((1.0, 1.0, 1.0)), of=4)
    shares(LIGHT, resampling, 100)
    assert "effective sample size 4.0 of 4, at most log 4 = 1.39 nats per text" in resampling.told()


# --- of a run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    options = {**TINY_GAME, "iterations": 0, "d_pretrain_rounds": 20, "d_samples": 64}
    folder = tmp_path_factory.mktemp("choice") / "run"
    return seqgan.train(LINES, run_dir=folder, threads=1, device="cpu", **options)


def test_what_is_kept_has_higher_logits_than_what_is_drawn_and_as_high_as_the_density_says(
    run: seqgan.TrainedRun,
) -> None:
    model = run.model()
    drawn = model.judge(model.draw(4000, seed=1))
    for resample in (8, 0):
        chooser = run.chooser(resample)
        assert 0.05 < chooser.slope < 20
        seeds = itertools.count(2)
        logits = model.judge(
            chooser(lambda count: model.draw(count, seed=next(seeds)), 1000, torch.Generator().manual_seed(0))  # noqa: B023
        )
        shares = chooser.log_ratio(chooser.slope * drawn, chooser.slope * drawn).softmax(dim=0)
        expected = float((shares * drawn).sum())
        error = float(logits.std()) / math.sqrt(1000)
        of_pool = float(drawn.std() * shares.square().sum().sqrt())  # few of them have most of the weight
        assert logits.mean() > drawn.mean() + 5 * error
        assert float(logits.mean()) == pytest.approx(expected, abs=4 * (error + of_pool))


def test_the_command_tells_what_it_kept(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    resampled = call("generate", run.folder, "--resample", 4, "-n", 6, "--seed", 3)
    assert resampled.stdout.splitlines() == run.generate(6, resample=4, seed=3)
    assert "effective sample size" in resampled.stderr
    assert "log 4 = 1.39" in resampled.stderr
    accepted = call("generate", run.folder, "--accept", "-n", 6, "--seed", 3, "--stage", "mle", "--json")
    texts = [json.loads(line)["text"] for line in accepted.stdout.splitlines()]
    assert texts == run.generate(6, accept=True, seed=3, stage="mle")
    assert "draws were kept" in accepted.stderr


def test_what_is_kept_begins_with_its_prompt_and_is_distinct(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("oh\nhi\n")
    for way in (["--resample", "3"], ["--accept"]):
        found = call("generate", run.folder, "--prompts", tmp_path / "prompts.txt", "-n", 5, "--seed", 0, *way).stdout
        assert [line.split()[0] for line in found.splitlines()] == ["oh"] * 5 + ["hi"] * 5
        distinct = call("generate", run.folder, "-n", 20, "--distinct", "--seed", 0, *way).stdout.splitlines()
        assert len(set(distinct)) == 20


def test_the_slope_is_that_of_the_validation_split(run: seqgan.TrainedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    learned = type(run.encoded()).learned
    monkeypatch.setattr(
        type(run.encoded()), "learned", lambda self, part, *more: (asked.append(part), learned(self, part, *more))[1]
    )
    slope = run.chooser(2).slope
    assert asked == ["valid"]
    assert run.chooser(2, temperature=0.5).slope != slope


def test_what_cannot_choose_is_refused(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    plain = seqgan.train(LINES, algorithm="mle", run_dir=tmp_path / "mle", threads=1, device="cpu", **TINY)
    with pytest.raises(UsageError, match="has no discriminator"):
        plain.generate(2, resample=4)
    with pytest.raises(UsageError, match="give one of them"):
        run.generate(2, resample=4, accept=True)
    assert refusal("generate", plain.folder, "--accept")[1] == 2
    for words, message in {
        ("--resample", "4", "--accept"): "give one of them",
        ("--resample", "4", "--beams", "2"): "--resample",
        ("--accept", "--beams", "2"): "--accept",
    }.items():
        assert message in refusal("generate", run.folder, *words)[0]
    run.save_pretrained(tmp_path / "model")
    assert "need the validation texts" in refusal("generate", tmp_path / "model", "--resample", "4")[0]
    assert len(seqgan.from_pretrained(tmp_path / "model").generate(3, choose=run.chooser(2))) == 3
