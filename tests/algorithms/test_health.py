"""The health of a game: measured rightly, warned of once, without a trace in what is learned; and an early end."""

import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms import health as health_module
from seqgan.algorithms.adversarial import ADVERSARIAL, TextGAN
from seqgan.algorithms.configs import CONFIGS, PRESETS, AdversarialConfig
from seqgan.algorithms.health import Health, about_discriminator, about_policy, variety
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import sample
from seqgan.symbols import EOS, PAD
from tests.conftest import TINY_CONFIGS
from tests.interruptions import Sitting, begun, ends_the_same, sat
from tests.killing import flat
from tests.test_rollout import every_sample, token_probs

CPU = torch.device("cpu")
GANS = [name for name in CONFIGS if issubclass(CONFIGS[name], AdversarialConfig)]
every_gan = pytest.mark.parametrize("name", GANS)
AFTER_MLE = {"valid_nll": 4.0, "distinct": 0.9, "entropy": 4.2}
FAST: dict[str, Any] = {"mle_epochs": 1, "mle_weight": 0.0, "g_lr": 0.5, "iterations": 6, "validate_every": 2}


def made(name: str, texts: TokenDataset, **changes: Any) -> TextGAN:
    gan = ALGORITHMS[name](CONFIGS[name](**{**TINY_CONFIGS[name], **changes}), texts, CPU, 5)
    assert isinstance(gan, TextGAN)
    return gan


# --- what is measured


def test_entropy_and_distinct_of_given_samples(policy: LSTMPolicy) -> None:
    """Both by hand: 200 samples of two kinds, of 2 and of 3 tokens."""
    rows = torch.tensor([[4, EOS, PAD, PAD], [5, 4, EOS, PAD]]).repeat(100, 1)
    surprises = [
        -float(token_probs(policy, row[:place])[token].log())
        for row in ([4, EOS], [5, 4, EOS])
        for place, token in enumerate(row)
    ]
    found = variety(policy, 1, Texts(rows))
    assert found["distinct"] == 2 / 200
    assert found["entropy"] == pytest.approx(sum(surprises) / 5, rel=1e-5)


def test_the_entropy_is_that_of_the_language(policy: LSTMPolicy) -> None:
    """Per token: the entropy of a sequence over its mean length, both by enumeration."""
    language = every_sample(policy)
    log_probs = policy.log_probs_drawn(language.tokens).detach().sum(dim=1)
    lengths = language.mask.sum(dim=1)
    exact = -(log_probs.exp() * log_probs).sum() / (log_probs.exp() * lengths).sum()
    drawn = sample(policy, 20_000, rng=torch.Generator().manual_seed(3))
    assert variety(policy, 1, Texts(drawn.tokens))["entropy"] == pytest.approx(float(exact), abs=0.01)


def test_few_samples_are_replaced_by_private_ones(policy: LSTMPolicy) -> None:
    before = torch.get_rng_state()
    own = variety(policy, 1, None)
    assert variety(policy, 1, Texts(torch.tensor([[EOS]] * 199))) == own
    assert variety(policy, 1, Texts(torch.tensor([[EOS]] * 200))) != own
    assert variety(policy, 2, None) != own
    assert torch.get_rng_state().equal(before)


@every_gan
def test_a_check_measures_the_policy_and_the_discriminator(name: str, texts: TokenDataset) -> None:
    gan = made(name, texts)
    gan.begin_adversarial()
    measured = set(gan.check(1))
    assert {"valid_nll", "distinct", "entropy", "valid_accuracy", "valid_auc"} <= measured
    assert ("valid_ece" in measured) == CONFIGS[name].logit_is_log_odds  # else its logit is no probability
    update = gan.policy_update(0)
    assert update["clipped"] == float(update["grad_norm"] > gan.config.max_grad_norm) == 0.0
    strict = made(name, texts, max_grad_norm=1e-6)
    assert strict.policy_update(0)["clipped"] == 1.0


def test_what_the_policy_measured_after_mle_stays_and_is_of_its_weights_then(texts: TokenDataset) -> None:
    gan = made("seqgan", texts)
    gan.begin_adversarial()
    expected = {"valid_nll": gan.mle.validate(gan.generator, "", 0), **variety(gan.generator, gan.mle.seed, None)}
    with torch.no_grad():
        gan.generator.output.bias += torch.randn(len(texts.vocabulary))
    moved = flat(gan.generator.state_dict())
    gan.check(1)
    assert flat(gan.generator.state_dict()) == moved
    assert gan.health.after_mle == expected
    gan.check(2)
    assert gan.health.after_mle == expected


# --- what is warned of


@pytest.mark.parametrize(
    ("changes", "signs"),
    [
        ({}, []),
        ({"distinct": 0.46}, []),
        ({"distinct": 0.44}, ["distinct 0.44, after MLE 0.90"]),
        ({"entropy": 3.72, "valid_nll": 4.1}, []),
        ({"entropy": 3.68, "valid_nll": 4.1}, ["entropy 3.68, after MLE 4.20"]),
        ({"entropy": 3.0, "valid_nll": 3.9}, []),  # it has learned
        ({"valid_nll": 4.28}, []),
        ({"valid_nll": 4.32}, ["valid_nll 4.32, after MLE 4.00"]),
        ({"distinct": 0.1, "valid_nll": 5.0}, ["distinct 0.10, after MLE 0.90", "valid_nll 5.00, after MLE 4.00"]),
    ],
)
def test_the_signs_of_a_collapse(changes: dict[str, float], signs: list[str]) -> None:
    told = about_policy({**AFTER_MLE, **changes}, AFTER_MLE, CONFIGS["seqgan"]())
    assert list(told) == ["collapse"] * bool(signs)
    assert all(f"({'; '.join(signs)})" in text for text in told.values())


@pytest.mark.parametrize(
    ("name", "preset", "remedies"),
    [
        ("seqgan", "paper", "a --g-lr below 0.01 or --mle-weight 1 or --baseline prefix"),
        ("seqgan", "default", "a --g-lr below 0.0003"),
        ("maligan", "paper", "a --g-lr below 0.01 or --mle-weight 1"),
    ],
)
def test_only_remedies_that_are_not_in_use_are_named(name: str, preset: str, remedies: str) -> None:
    config = CONFIGS[name](**PRESETS[name][preset])
    [told] = about_policy({**AFTER_MLE, "distinct": 0.0}, AFTER_MLE, config).values()
    assert f"train again with {remedies}; --stop-on-collapse ends such a phase" in told
    [told] = about_policy({**AFTER_MLE, "distinct": 0.0}, AFTER_MLE, replace(config, stop_on_collapse=True)).values()
    assert f"train again with {remedies}; the phase ends here (--stop-on-collapse)" in told


@pytest.mark.parametrize(
    ("measured", "causes"),
    [
        ({}, []),
        ({"valid_bce": 0.69, "valid_accuracy": 0.97}, []),
        ({"valid_bce": 0.1, "valid_accuracy": 0.99}, ["saturation"]),
        ({"valid_bce": 0.70, "valid_accuracy": 0.5}, ["noise"]),
        ({"valid_d_loss": 0.70, "valid_accuracy": 1.0}, ["saturation", "noise"]),
    ],
)
def test_a_discriminator_that_teaches_nothing(measured: dict[str, float], causes: list[str]) -> None:
    assert list(about_discriminator(measured, 20)) == causes
    assert about_discriminator(measured, 19) == {}


def test_a_cause_is_warned_of_once_also_after_a_state_was_loaded(
    texts: TokenDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FEWEST", 1)
    gan, again = made("seqgan", texts), made("seqgan", texts)
    gan.begin_adversarial()
    for each in (gan, again):
        monkeypatch.setattr(each.critic, "validate_and_restore", lambda pairs: {"valid_bce": 0.8})
    [told] = gan.check(1)["warnings"]  # type: ignore[misc]
    assert told.startswith("the discriminator is worse than guessing (valid_bce 0.800, guessing 0.693)")
    assert "warnings" not in gan.check(2)
    again.load_state_dict(gan.state_dict())
    assert "warnings" not in again.check(3)


def test_a_state_without_health_loads(texts: TokenDataset) -> None:
    """That of a run which was begun before there was any."""
    gan = made("seqgan", texts)
    gan.begin_adversarial()
    gan.health = Health(AFTER_MLE, ["noise"])
    state = gan.state_dict()
    gan.load_state_dict({name: part for name, part in state.items() if name != "health"})
    assert vars(gan.health) == {"after_mle": {}, "warned": []}
    gan.load_state_dict(state)
    assert vars(gan.health) == {"after_mle": AFTER_MLE, "warned": ["noise"]}


# --- what is learned


def trained(gan: TextGAN, folder: Path) -> TextGAN:
    with Run(begun(folder, 1), save_seconds=1e9) as run:
        train(gan, run)
    return gan


def as_it_was(gan: TextGAN, step: int) -> dict[str, Any]:
    """A check that measures nothing of health."""
    nll, critic = gan.mle.validate(gan.generator, ADVERSARIAL, step), gan.critic
    assert critic is not None
    judged = critic.validate_and_restore(critic.pairs())
    return {"valid_nll": nll, **judged, "samples": gan.mle.samples(gan.generator)}


@every_gan
def test_health_changes_neither_weights_nor_samples(
    name: str, texts: TokenDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"validate_every": 1, "mle_epochs": 2}
    with_health = trained(made(name, texts, **changes), tmp_path / "with").state_dict()
    monkeypatch.setattr(TextGAN, "check", as_it_was)
    without = trained(made(name, texts, **changes), tmp_path / "without").state_dict()
    assert with_health.pop("health") != without.pop("health")
    assert flat(with_health) == flat(without)
    assert (tmp_path / "with" / "samples.txt").read_bytes() == (tmp_path / "without" / "samples.txt").read_bytes()


@every_gan
def test_a_check_that_restores_nothing_changes_nothing(name: str, texts: TokenDataset, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"validate_every": 1, "mle_epochs": 1, "d_patience": 0}
    changes = {key: value for key, value in changes.items() if key in TINY_CONFIGS[name]}
    checked = trained(made(name, texts, **changes), tmp_path / "checked")
    unchecked = made(name, texts, **changes)
    *others, game = unchecked.phases()
    unchecked.phases = lambda: [*others, replace(game, check=None)]  # type: ignore[method-assign]
    trained(unchecked, tmp_path / "unchecked")
    for net, other in zip(checked.nets.values(), unchecked.nets.values(), strict=True):
        assert flat(net.state_dict()) == flat(other.state_dict())
    for player in checked.optimizers:
        states = [flat(gan.optimizers[player].state_dict()) for gan in (checked, unchecked)]
        assert states[0] == states[1]


# --- a collapse


@every_gan
def test_a_policy_that_is_pushed_too_hard_is_warned_of_once(name: str, texts: TokenDataset, tmp_path: Path) -> None:
    gan = trained(made(name, texts, **FAST), tmp_path / "run")
    record = [line for line in read_record(tmp_path / "run") if "distinct" in line]
    warned = [line["step"] for line in record for text in line.get("warnings", []) if "collapses" in text]
    assert len(record) == 3
    assert len(warned) == 1
    assert max(line["step"] for line in record) == 6 * gan.per_iteration
    assert min(line["entropy"] for line in record) < gan.health.after_mle["entropy"] - 0.5
    assert "collapses" not in (tmp_path / "run" / "samples.txt").read_text()


def test_a_healthy_game_is_not_warned_of(texts: TokenDataset, tmp_path: Path) -> None:
    trained(made("seqgan", texts, stop_on_collapse=True, iterations=2, validate_every=1), tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert record[-1]["step"] == 2 * made("seqgan", texts).per_iteration
    assert not any("warnings" in line for line in record)


@every_gan
def test_a_run_that_ends_with_a_collapse_ends_the_same_wherever_it_is_stopped(
    name: str, texts: TokenDataset, tmp_path: Path
) -> None:
    """Also where a run of fewer iterations has seen the collapse before, in a check that decides nothing."""
    rng, config = random.Random(1), {**FAST, "stop_on_collapse": True}
    build = partial(made, name, texts, **config)
    fewer = partial(made, name, texts, **{**config, "iterations": 3}) if name != "relgan" else None
    places = ends_the_same(build, fewer, tmp_path, rng)
    whole = Sitting(tmp_path / "whole", rng)
    expected = sat(whole, build)
    phase, steps = places[-1]
    assert phase == ADVERSARIAL
    assert steps in (2 * expected.per_iteration, 4 * expected.per_iteration)
    policies = expected.state_dict()["policies"]
    assert flat(policies["mle"]) == flat(expected.after_mle) != flat(policies["final"]) != flat(policies["best"])
    for killed in (False, True):  # right after the step that ends it
        folder = begun(tmp_path / f"killed {killed}", whole.seed)
        sat(Sitting(folder, rng, places[-1], killed=killed), build)
        rest, said = Sitting(folder, rng), list[str]()
        rest.display.message = said.append  # type: ignore[method-assign]
        assert flat(sat(rest, build).state_dict()) == flat(expected.state_dict())
        if not killed:
            assert rest.places == []
            assert said[0].startswith(f"adversarial has stopped early, at step {steps} of {6 * expected.per_iteration}")
