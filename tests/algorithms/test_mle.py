from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.mle import MLE, PHASE
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core.game import Player, Term, move
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run, create
from seqgan.core.seed import seed_everything
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.tokenizer import Tokenizer
from seqgan.metrics.nll import likelihood, token_log_probs
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule
from seqgan.symbols import EOS, UNK

CPU = torch.device("cpu")


def run_it(folder: Path, mle: MLE) -> list[dict[str, float]]:
    create(folder, {"seed": 1, "threads": 2}, {})
    with Run(folder) as run:
        train(mle, run)
    return read_record(folder)


def test_it_stops_when_validation_no_longer_improves_and_keeps_the_best(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig], tmp_path: Path
) -> None:
    config = tiny_config("mle", mle_epochs=200, mle_lr=0.05, hidden_dim=32, dropout=0.0)
    mle = MLE(config, texts, CPU, 0)
    checks = [line["valid_nll"] for line in run_it(tmp_path / "run", mle) if "valid_nll" in line]
    assert len(checks) < 200
    best = min(checks)
    assert checks.index(best) == len(checks) - 1 - config.mle_patience
    assert mle.best.nll == best
    mle.generator.load_state_dict(mle.chosen())
    assert likelihood(mle.generator, texts.valid.sequences).per_token == pytest.approx(best, abs=1e-6)


def test_without_patience_it_keeps_the_last(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig], tmp_path: Path
) -> None:
    mle = MLE(tiny_config("mle", mle_patience=0, mle_epochs=4), texts, CPU, 0)
    checks = [line["step"] for line in run_it(tmp_path / "run", mle) if "valid_nll" in line]
    assert len(checks) == 4
    assert all(mle.chosen()[name].equal(tensor) for name, tensor in mle.averaged.state_dict().items())


def test_a_step_is_clipped_to_the_largest_norm() -> None:
    module = torch.nn.Linear(4, 1)
    before = torch.cat([p.detach().flatten().clone() for p in module.parameters()])
    loss = Term[None](lambda _: module(torch.full((1, 4), 100.0)).square().sum() * 1e3)
    player = Player(("net",), {"loss": loss}, lambda parameters: torch.optim.SGD(parameters, lr=1.0), 0.5)
    move(player, None, {"net": module}, player.new_optimizer({"net": module}))
    moved = torch.cat([p.detach().flatten() for p in module.parameters()]) - before
    assert float(moved.norm()) == pytest.approx(0.5, rel=1e-3)


def test_a_stored_trajectory_guards_refactorings(texts: TokenDataset, tiny_config: Callable[..., MLEConfig]) -> None:
    """Losses of given texts, without dropout: only arithmetic decides them. Change them only with a reason."""
    mle = MLE(tiny_config("mle", dropout=0.0, calibrate_unknown=False), texts, CPU, 0)
    losses = [float(mle.update(step)["nll"]) for step in (1, 2, 3, 4, 5)]
    assert losses == pytest.approx([3.364887, 3.329991, 3.301087, 3.244879, 3.204615], rel=1e-3)


# --- an average of the weights


def test_the_average_is_what_is_validated_kept_shown_and_handed_on(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig], tmp_path: Path
) -> None:
    game = new_seqgan(tiny_config("seqgan", mle_lr=0.05, iterations=0, d_pretrain_rounds=1), texts, CPU, 0)  # type: ignore[arg-type]
    mle, shown = game.mle, list[PolicyModule]()
    mle.samples = lambda policy: shown.append(policy) or []  # type: ignore[method-assign, func-returns-value]
    run_it(tmp_path / "run", game)  # type: ignore[arg-type]
    assert shown
    assert all(policy is mle.averaged for policy in shown)
    learned = MLE(game.config, texts, CPU, 0)
    for step in range(1, mle.best.step + 1):
        seed_everything(1, 0, PHASE, step)
        learned.update(step)
    assert same(mle.best.weights, learned.averaged)
    assert not same(mle.best.weights, learned.generator)
    assert likelihood(learned.averaged, texts.valid.sequences).per_token == mle.best.nll
    assert same(mle.best.weights, game.generator)
    assert all(same(weights, game.generator) for weights in game.state_dict()["policies"].values())


def test_the_average_of_a_short_run_has_forgotten_where_it_began(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig]
) -> None:
    mle = MLE(tiny_config("mle", ema_decay=0.999, dropout=0.0), texts, CPU, 0)
    begun = likelihood(mle.averaged, texts.valid.sequences).per_token
    for step in range(1, 61):
        mle.update(step)
    learned = begun - likelihood(mle.generator, texts.valid.sequences).per_token
    assert begun - likelihood(mle.averaged, texts.valid.sequences).per_token > 0.7 * learned > 0.1


def test_without_an_average_there_is_no_second_policy(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig]
) -> None:
    mle = MLE(tiny_config("mle", ema_decay=0.0), texts, CPU, 0)
    assert mle.averaged is mle.generator
    assert mle.state_dict()["averaged"] == {}


def same(weights: Mapping[str, Tensor], policy: PolicyModule) -> bool:
    return all(weights[name].equal(tensor) for name, tensor in policy.state_dict().items())


# --- where it starts


class Unbiased(LSTMPolicy):
    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length, 30, 8)
        self.output = torch.nn.Linear(8, vocab_size, bias=False)


def test_a_custom_policy_starts_from_counts_as_far_as_it_can(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig]
) -> None:
    config = tiny_config("mle", embedding_init="svd", unigram_bias=True, weight_drop=0.5)
    custom = MLE(config, texts, CPU, 0, Components(policy=Unbiased)).generator
    plain = MLE(tiny_config("mle"), texts, CPU, 0, Components(policy=Unbiased)).generator
    assert custom.embedding.weight[UNK].equal(plain.embedding.weight[UNK])  # it is in no text
    assert not custom.embedding.weight[EOS].equal(plain.embedding.weight[EOS])
    assert custom.output.weight.equal(plain.output.weight)


def test_a_policy_that_was_trained_before_keeps_its_embedding_and_its_bias(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig]
) -> None:
    config = tiny_config("mle", embedding_init="svd", unigram_bias=True)
    start = {name: torch.randn_like(weight) for name, weight in MLE(config, texts, CPU, 0).chosen().items()}
    start["output.weight"] = start["embedding.weight"]
    mle = MLE(config, texts, CPU, 0, Components(start=start))
    assert same(start, mle.generator)
    assert same(start, mle.averaged)


# --- unknown tokens


def test_unknown_tokens_of_other_texts_have_the_probability_they_need(tiny_config: Callable[..., MLEConfig]) -> None:
    """Every eleventh token of these texts is one that stands there once."""
    lines = [f"{'abcde'[i % 5] * 2}{'fghij'[i * i % 5] * 2}{chr(0x4E00 + i)}{'klmno'[i % 3] * 5}" for i in range(200)]
    corpus = Corpus("rare", lines[:160], lines[160:180], lines[180:])
    texts = encode_corpus(corpus, Tokenizer.train(corpus.train, "char"))
    assert not texts.train.unknown
    assert texts.valid.unknown == pytest.approx(1 / 11, abs=0.001)
    costs = []
    for calibrate in (True, False):
        mle = MLE(tiny_config("mle", calibrate_unknown=calibrate, mle_lr=0.05, ema_decay=0.0), texts, CPU, 0)
        for step in range(1, 151):
            mle.update(step)
        log_probs = torch.cat(token_log_probs(mle.generator, texts.valid.sequences))
        costs.append(-log_probs[torch.cat([torch.tensor(row) for row in texts.valid.sequences]) == UNK].mean())
        assert not (mle.generator.sample(200).tokens == UNK).any()
    assert costs[0] < 1.5  # it has learned where they stand
    assert costs[1] > 4
