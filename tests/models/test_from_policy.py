"""Discriminators that begin as the policy which they judge."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import seqgan
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.configs import CONFIGS
from seqgan.core.weights import clone
from seqgan.data.dataset import TokenDataset
from seqgan.errors import ConfigError, RunError, UsageError
from seqgan.models.factory import new_discriminator
from seqgan.models.from_policy import LikelihoodRatio, LSTMDiscriminator
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule
from seqgan.symbols import BOS, EOS, PAD
from tests.conftest import TINY_CONFIGS, tiny_lines

BOTH = ["lstm", "likelihood-ratio"]
TEXTS = torch.tensor([[4, 5, EOS, PAD], [5, 5, 4, EOS], [EOS, PAD, PAD, PAD]])
LABELS = torch.tensor([1, 0, 1])


def a_policy(kind: type[LSTMPolicy] | type[GRUPolicy] = LSTMPolicy, labels: int = 0) -> Any:
    torch.manual_seed(1)
    policy = kind(6, 4, 5, 3, init_std=1.0)
    if labels:
        policy.condition_on([1] * labels)
        for layer in (policy.label_embedding, policy.label_features):
            assert layer is not None
            nn.init.normal_(layer.weight)
    return policy.eval()


def made(name: str, labels: int = 0) -> Any:
    """A discriminator that has learned something."""
    policy = a_policy(labels=labels)
    judge: Any = LikelihoodRatio(policy) if name == "likelihood-ratio" else LSTMDiscriminator(6, 5, 3, labels=labels)
    torch.manual_seed(2)
    for parameter in judge.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter)
    return judge.eval()


@pytest.mark.parametrize("labels", [0, 2])
@pytest.mark.parametrize("name", BOTH)
def test_a_score_depends_neither_on_padding_nor_on_the_texts_beside_it(name: str, labels: int) -> None:
    judge = made(name, labels)
    given = (LABELS,) if labels else ()
    scores = judge(TEXTS, *given)
    assert scores.std() > 0.1
    assert_close(judge(F.pad(TEXTS, (0, 3), value=PAD), *given), scores)
    alone = [judge(row[row != PAD][None], *(labels[n : n + 1] for labels in given)) for n, row in enumerate(TEXTS)]
    assert_close(torch.cat(alone), scores)


@pytest.mark.parametrize("name", BOTH)
def test_a_score_is_of_the_text_under_its_label(name: str) -> None:
    judge = made(name, 2)
    assert (judge(TEXTS, LABELS) - judge(TEXTS, 1 - LABELS)).abs().min() > 1e-3


def test_a_token_adds_the_same_whatever_follows() -> None:
    judge = made("lstm")
    other = torch.tensor([[4, 5, 5, 4], [5, 5, EOS, PAD], [4, 4, 4, EOS]])
    assert_close(judge.token_logits(other)[:2, :2], judge.token_logits(TEXTS)[:2, :2])
    assert_close(judge.token_logits(TEXTS).sum(dim=1), judge(TEXTS))
    assert judge.token_logits(TEXTS)[TEXTS == PAD].eq(0).all()


def test_one_hot_soft_tokens_get_the_logits_of_their_tokens() -> None:
    judge = made("lstm")
    assert_close(judge(F.one_hot(TEXTS, 6).float()), judge(TEXTS))


@pytest.mark.parametrize("labels", [0, 2])
def test_an_lstm_begins_with_the_hidden_states_of_the_policy_and_knows_nothing(labels: int) -> None:
    policy, judge = a_policy(labels=labels), LSTMDiscriminator(6, 5, 3, labels=labels).eval()
    own = (LABELS,) if labels else ()
    judge.begin_as(policy)
    assert judge(TEXTS, *own).eq(0).all()
    nn.init.ones_(judge.output.weight)
    read = F.pad(TEXTS, (1, 0), value=BOS)
    hidden = policy.hidden(policy.embed(read, *own))[:, 1:].sum(dim=2)
    assert_close(judge.token_logits(TEXTS, *own), hidden * (TEXTS != PAD))


def test_an_lstm_takes_weights_of_an_lstm_alone() -> None:
    config = CONFIGS["seqgan"](discriminator="lstm")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="this policy is a GRUPolicy; give --d-init random, or --policy lstm"):
        new_discriminator(config, a_policy(GRUPolicy))
    made: Any = new_discriminator(replace(config, d_init="random", hidden_dim=7), a_policy(GRUPolicy))
    assert made.lstm.hidden_size == 7
    made = new_discriminator(config, a_policy())  # of the sizes of this policy, whatever the config says
    made.begin_as(a_policy())
    assert made.lstm.hidden_size == 3


@pytest.mark.parametrize("policy", [a_policy(), a_policy(GRUPolicy)])
def test_a_ratio_of_likelihoods_is_that_of_two_distributions_over_all_texts(policy: PolicyModule) -> None:
    """So the mean of e^logit over the policy's samples is 1."""
    judge = LikelihoodRatio(policy)
    words = itertools.product((4, 5), repeat=4)
    ended = [(*some, EOS, *[PAD] * (3 - n)) for n in range(4) for some in itertools.product((4, 5), repeat=n)]
    every = torch.tensor([*ended, *words])
    assert_close(judge(every), torch.zeros(len(every)), atol=1e-6, rtol=0.0)
    torch.manual_seed(3)
    for parameter in judge.model.parameters():
        nn.init.normal_(parameter)
    chances = policy.log_probs_drawn(every).sum(dim=1).exp()
    assert chances.sum().item() == pytest.approx(1)
    assert (chances * judge(every).exp()).sum().item() == pytest.approx(1)
    assert judge(every).std() > 0.1


def test_without_dropout_one_policy_learns_and_the_other_stays() -> None:
    torch.manual_seed(1)
    judge = LikelihoodRatio(LSTMPolicy(6, 4, 5, 3, dropout=0.9, init_std=1.0)).train()
    assert_close(judge(TEXTS), torch.zeros(3), atol=1e-6, rtol=0.0)
    before = judge.reference.log_probs_drawn(TEXTS)
    assert_close(judge.reference.log_probs_drawn(TEXTS), before)
    optimizer = torch.optim.Adam([p for p in judge.parameters() if p.requires_grad], lr=0.1)
    judge(TEXTS).sum().backward()
    optimizer.step()
    assert_close(judge.reference.log_probs_drawn(TEXTS), before)
    assert not torch.allclose(judge.eval()(TEXTS), torch.zeros(3))


@pytest.mark.parametrize(
    ("name", "init", "begun"),
    [("lstm", "policy", True), ("lstm", "random", False), ("likelihood-ratio", "policy", True)],
)
def test_it_begins_as_the_policy_that_mle_ends_with(
    name: str, init: str, begun: bool, texts: TokenDataset, tiny_config: Callable[..., Any]
) -> None:
    config = tiny_config("seqgan", discriminator=name, d_init=init)
    game: Any = ALGORITHMS["seqgan"](config, texts, torch.device("cpu"), 1)
    first, second, *_ = game.phases()
    for step in range(1, 4):
        first.update(step)
    first.check(3)
    second.start()
    judge, policy = game.discriminator, game.generator
    weights = [("lstm.weight_hh_l0", judge if name == "lstm" else judge.model)]
    weights += [("lstm.weight_hh_l0", judge.reference)] if name != "lstm" else []
    assert [clone(of)[key].equal(game.after_mle[key]) for key, of in weights] == [begun] * len(weights)
    assert policy.state_dict()["lstm.weight_hh_l0"].equal(game.after_mle["lstm.weight_hh_l0"])


@pytest.mark.parametrize("name", BOTH)
def test_a_run_with_it_is_trained_loaded_saved_and_resumed(name: str, tmp_path: Path) -> None:
    options = {**TINY_CONFIGS["seqgan"], "iterations": 2, "discriminator": name, "threads": 1}
    run = seqgan.train(tiny_lines(), **options, run_dir=tmp_path / "run")
    scores = verdicts(run)
    assert len(set(scores)) > 1
    seqgan.load(tmp_path / "run").save_pretrained(tmp_path / "saved")
    assert verdicts(seqgan.from_pretrained(tmp_path / "saved")) == scores
    longer = seqgan.train(tiny_lines(), **{**options, "iterations": 3}, run_dir=tmp_path / "run", resume=True)
    assert verdicts(longer) != scores


def test_the_language_model_of_a_ratio_is_a_stage_of_its_run(tmp_path: Path) -> None:
    """What one would do in the place of a choice among the policy's samples: sample from p."""
    options = {**TINY_CONFIGS["seqgan"], "iterations": 1, "d_pretrain_rounds": 20, "d_patience": 0, "threads": 1}
    run = seqgan.train(tiny_lines(), **options, discriminator="likelihood-ratio", run_dir=tmp_path / "run")
    model = run.model("language-model")
    assert isinstance(model.discriminator, LikelihoodRatio)
    assert_close(clone(model.policy), clone(model.discriminator.model))
    assert list(run.evaluate(count=4).rows) == ["mle", "best-of-8", "language-model", "final", "real"]
    assert len(run.generate(3, stage="language-model")) == 3
    without = seqgan.train(tiny_lines(), **options, run_dir=tmp_path / "without")
    with pytest.raises(RunError, match="has no stage 'language-model'; there are mle, final, best and the checkpoints"):
        without.model("language-model")
    own = seqgan.train(
        tiny_lines(), **options, discriminator="likelihood-ratio", reward="length:2-4", run_dir=tmp_path / "own"
    )
    assert "language-model" not in own.evaluate(count=4).rows


def verdicts(judge: Any) -> list[float]:
    return [scored.real for scored in judge.score(tiny_lines()[:5])]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="begins as; leave out --d-init random, or give --discriminator lstm"):
        CONFIGS["seqgan"](discriminator="likelihood-ratio", d_init="random")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="samples of relgan are relaxed; give --discriminator cnn or lstm"):
        CONFIGS["relgan"](discriminator="likelihood-ratio")  # type: ignore[call-arg]
