"""RelGAN: its schedule, its loss, its gradients. (What a relaxed sample is: tests/models/test_relaxed.py.)"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import seqgan
from seqgan.algorithms.adversarial import ADVERSARIAL, View
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import RelGANConfig
from seqgan.algorithms.relgan import SCHEDULES, inverse_temperature, new_relgan
from seqgan.core.losses import pairwise_loss
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from tests.conftest import TINY_CONFIGS, tiny_lines

CPU = torch.device("cpu")
Make = Callable[..., Any]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("iterations", [1, 2, 50])
def test_a_schedule_ends_where_it_should_whatever_the_number_of_steps(schedule: str, iterations: int) -> None:
    """The published one divides by 5,000 and stops at 2,000: of 100 it reaches 100^(2000/5000) = 6.3."""
    config = RelGANConfig(iterations=iterations, temperature=100.0, temperature_schedule=schedule)
    betas = [inverse_temperature(config, iteration) for iteration in range(iterations)]
    assert betas == sorted(betas)
    last = 0.99 * 100 / (1 + math.exp(-20 * (0.5 - 1 / iterations))) if schedule == "sigmoid" else 100.0
    assert last - 1e-9 <= betas[-1] <= 100.0 + 1e-9 or iterations < 3
    if schedule != "constant" and iterations > 2:
        assert betas[0] == pytest.approx(1.0, abs=0.01)


def test_the_exponential_schedule() -> None:
    config = RelGANConfig(iterations=3, temperature=100.0)
    assert [inverse_temperature(config, iteration) for iteration in range(3)] == pytest.approx([1.0, 10.0, 100.0])


def test_the_loss_is_about_differences_of_logits() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 5.0])
    assert_close(pairwise_loss(real, fake), torch.tensor((math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 2))
    assert_close(pairwise_loss(real + 7.0, fake + 7.0), pairwise_loss(real, fake))
    assert_close(pairwise_loss(real, real), torch.tensor(math.log(2)))


def test_the_gradient_reaches_the_policy_through_the_discriminator(texts: TokenDataset, tiny_config: Make) -> None:
    """And moves nothing of the discriminator, whose dropout is off, in a policy update."""
    gan = new_relgan(tiny_config("relgan", mle_weight=0.0, d_dropout=0.5), texts, CPU, 0)
    modes: list[bool] = []
    gan.discriminator.register_forward_hook(lambda module, *_: modes.append(module.training))
    before = {name: parameter.clone() for name, parameter in gan.discriminator.named_parameters()}
    policy = {name: parameter.clone() for name, parameter in gan.generator.named_parameters()}
    gan.policy_update(0)
    assert modes == [False, False]
    assert all(before[name].equal(parameter) for name, parameter in gan.discriminator.named_parameters())
    moved = {name for name, p in gan.generator.named_parameters() if not policy[name].equal(p)}
    assert "embedding.weight" in moved
    modes.clear()
    policy = {name: parameter.clone() for name, parameter in gan.generator.named_parameters()}
    gan.discriminator_update(ADVERSARIAL, 0)
    assert modes == [True, True]
    assert all(policy[name].equal(parameter) for name, parameter in gan.generator.named_parameters())


def test_updates_as_recomputed(texts: TokenDataset, tiny_config: Make) -> None:
    """Row by row, with the inverse temperature of the iteration; d updates of one share it."""
    config = tiny_config("relgan", mle_weight=0.0, d_dropout=0.0, iterations=3, d_steps=2, temperature=9.0)
    gan = new_relgan(config, texts, CPU, 0)
    for name, update, beta in (("generator", 1, 3.0), ("discriminator", 2, 3.0), ("discriminator", 5, 9.0)):
        real = gan.critic.real(update).tokens
        torch.manual_seed(4)
        with torch.no_grad():
            soft = gan.generator.relaxed_sample(len(real), beta).soft
            difference = gan.discriminator(real) - gan.discriminator(soft)
        sign = -1.0 if name == "discriminator" else 1.0
        loss = torch.nn.functional.softplus(sign * difference).mean()
        torch.manual_seed(4)
        measured = gan.policy_update(update) if name == "generator" else gan.discriminator_update(ADVERSARIAL, update)
        assert_close(measured["loss" if name == "generator" else "d_loss"], loss, rtol=1e-4, atol=1e-6)


def test_samples_are_fresh_in_every_update_and_one_hot_when_straight_through(
    texts: TokenDataset, tiny_config: Make
) -> None:
    gan = new_relgan(tiny_config("relgan", straight_through=True), texts, CPU, 0)
    first, second = (View(gan, "discriminator", ADVERSARIAL, update).fake.tokens for update in (0, 1))
    assert not first.equal(second)
    assert_close(first.amax(dim=2), torch.ones(first.shape[:2]))
    relaxed = new_relgan(tiny_config("relgan"), texts, CPU, 0)
    assert View(relaxed, "discriminator", ADVERSARIAL, 0).fake.tokens.amax(dim=2).min() < 0.9


def test_the_order_of_moves_is_g_and_then_d(texts: TokenDataset, tiny_config: Make) -> None:
    gan = new_relgan(tiny_config("relgan", d_steps=5), texts, CPU, 0)
    assert [phase.name for phase in gan.phases()] == ["pretrain generator", "adversarial"]
    measured = [set(gan.phases()[-1].update(step)) for step in range(1, 8)]
    assert ["d_loss" in names for names in measured] == [False, True, True, True, True, True, False]


def test_a_reward_is_refused(texts: TokenDataset, tiny_config: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes no reward"):
        seqgan.train(["a"] * 9, algorithm="relgan", run_dir=tmp_path / "run", reward=lambda tokens: tokens[:, 0])
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="relgan learns through its discriminator"):
        new_relgan(tiny_config("relgan"), texts, CPU, 0, Components(reward=lambda tokens: tokens[:, 0].float()))


def test_its_logit_is_no_probability_and_is_measured_by_comparison_alone(tmp_path: Path) -> None:
    run = seqgan.train(tiny_lines(), algorithm="relgan", run_dir=tmp_path / "run", **TINY_CONFIGS["relgan"])
    row = run.evaluate().rows["final"]
    assert "d-auc" in row
    assert not {"d-bce", "d-accuracy"} & set(row)
    assert [item.real for item in run.score(["hi anna"])] == [None]
    with pytest.raises(UsageError, match="its logit is no log-odds"):
        run.model().prob_real(["hi anna"])
