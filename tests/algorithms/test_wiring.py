"""The wiring of SeqGAN: updates recomputed plainly, with every config value away from its default.

Each recomputation takes tokens from the same random state as the update and does the rest in plain tensor algebra. A
mutant of the wiring, or any config value put back to its default, must be noticed by one of them."""

import copy
import inspect
import itertools
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from seqgan.advantages import advantages
from seqgan.algorithms import adversarial, critic, mle
from seqgan.algorithms.adversarial import ADVERSARIAL, PRETRAIN, TextGAN
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.critic import Critic, with_vectors
from seqgan.algorithms.health import COLLAPSE
from seqgan.algorithms.mle import MLE
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core.losses import r1_penalty
from seqgan.core.seed import derive, private_generator
from seqgan.core.weights import clone
from seqgan.data.batches import pad
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.losses import discriminator_loss, kl_loss, l2_penalty, policy_gradient_weights
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule, sample
from seqgan.rewards import controls, discriminator, per_token
from seqgan.rewards.controls import controlled
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rewards.mixed import Mixed
from seqgan.rollout import complete, rollout_rewards
from seqgan.symbols import BOS, EOS, PAD, UNK

seqgan_module = sys.modules["seqgan.algorithms.seqgan"]
CPU, SEED = torch.device("cpu"), 3

# No value but that of `d_loss` is the default one, and no two sizes are equal. What a text is (tokenizer, vocabulary,
# max_length, overlong) is decided before an algorithm is made.
CONFIG = SeqGANConfig(
    tokenizer="word", vocab_size=12, max_length=7, overlong="drop",
    embedding_dim=6, hidden_dim=5, tie_embeddings=True, dropout=0.3, weight_drop=0.4, embedding_init="svd",
    unigram_bias=True, mle_epochs=3, mle_patience=2, mle_lr=0.03, ema_decay=0.3, weight_decay=0.2,
    calibrate_unknown=True, batch_size=9, shuffle=True, max_grad_norm=0.02, scheduled_sampling=0.4,
    d_embedding_dim=7, filter_sizes=(1, 3), num_filters=(4, 3), highway=False, d_dropout=0.4, d_l2=0.7, d_lr=0.02,
    d_label_smoothing=0.15, d_r1_weight=0.9,
    d_bf16=True, d_batch_size=10, d_samples=13, d_epochs=2, d_pretrain_rounds=4, d_patience=1,
    iterations=5, g_steps=2, d_steps=3, g_lr=0.005, g_batch_size=8, reward=("length:2-3:2", "discriminator:0.5"),
    rollouts=3, reward_form="log-odds",
    baseline="prefix", normalize_advantage=True, reduction="mean", mle_weight=0.5, kl_weight=0.6, control="shuffled",
    validate_every=2,
    stop_on_collapse=True,
)  # fmt: skip
fill_unknown = PolicyModule.fill_unknown  # as it is without a mutant
BEFORE = ("tokenizer", "vocab_size", "max_length", "overlong")
# Which networks are made of a config is a matter of models/factory.py, with what they begin one of
# tests/models/test_from_policy.py, and which half of the texts is whose one of tests/algorithms/test_cross_fitting.py.
NETWORKS = ("policy", "discriminator", "d_init", "cross_fitting")


@pytest.fixture(scope="module")
def words() -> TokenDataset:
    """Of the eight known words three stand in the training texts once; the other rare ones are unknown."""
    names, rare = ["anna", "bo", "cleo"], [f" rare{i}" if i % 3 == 0 else "" for i in range(60)]
    corpus = Corpus(
        "tiny", **split([f"{('hi', 'oh')[i % 2]} {names[i * i % 3]}{rare[i]} {names[i % 3]}" for i in range(60)])
    )
    texts = encode_corpus(corpus, Tokenizer.train(corpus.train, "word", CONFIG.vocab_size), CONFIG.max_length, "drop")
    assert texts.train.unknown
    return texts


def made(texts: TokenDataset, config: SeqGANConfig) -> TextGAN:
    """A game whose players are sharp, so that no gradient is next to nothing, and other than after MLE."""
    game = new_seqgan(config, texts, CPU, SEED)
    game.after_mle = clone(game.generator)
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.mul_(4.0)
    return game


def test_no_value_is_the_default_one() -> None:
    default = {field.name for field in fields(CONFIG) if getattr(CONFIG, field.name) == field.default}
    assert default == {*NETWORKS, "d_loss"}


# --- in plain tensor algebra


def nll_by_hand(
    policy: LSTMPolicy,
    tokens: Tensor,
    lowest: int,
    dropout: float = 0.0,
    weight_drop: float = 0.0,
    before: Tensor | None = None,
) -> Tensor:
    """-log pi of every token, of the ids from `lowest` up, after those of `before` (the same, unless others are given);
    with the policy's own draws of dropout."""
    found = log_probs_by_hand(policy, tokens if before is None else before, lowest, dropout, weight_drop)
    targets = (tokens - lowest).clamp(min=0).unsqueeze(2)
    return -found.gather(2, targets).squeeze(2) * (tokens != PAD)


def log_probs_by_hand(
    policy: LSTMPolicy, before: Tensor, lowest: int, dropout: float = 0.0, weight_drop: float = 0.0
) -> Tensor:
    """log pi of all next tokens from `lowest` up, after every prefix."""
    fed = torch.cat([torch.full_like(before[:, :1], BOS), before[:, :-1]], dim=1)
    read = F.dropout(policy.embedding(fed), dropout, training=dropout > 0)
    from_input, from_hidden, bias, _ = policy.lstm.all_weights[0]
    recurrent, states = F.dropout(from_hidden, weight_drop, training=weight_drop > 0), []
    state = cell = read.new_zeros(len(read), policy.hidden_dim)
    for one in read.unbind(dim=1):
        gates = (one @ from_input.t() + state @ recurrent.t() + bias).chunk(4, dim=1)
        cell = gates[1].sigmoid() * cell + gates[0].sigmoid() * gates[2].tanh()
        state = gates[3].sigmoid() * cell.tanh()
        states.append(state)
    hidden = torch.stack(states, dim=1)
    projected = hidden @ policy.projection.weight.t() + policy.projection.bias
    features = F.dropout(projected, dropout, training=dropout > 0)
    return (features @ policy.embedding.weight.t() + policy.output.bias)[..., lowest:].log_softmax(dim=2)


def mle_by_hand(policy: LSTMPolicy, texts: TokenDataset, config: SeqGANConfig, step: int) -> Tensor:
    """The NLL per token of the batch of a step, with dropout, with some tokens taken for UNK, and after some that the
    policy has drawn."""
    rows, size = texts.train.sequences, config.batch_size
    epoch, index = divmod(step - 1, len(rows) // size)
    order = torch.randperm(len(rows), generator=private_generator(SEED, "epoch", epoch)).tolist()
    tokens = pad([rows[number] for number in order[index * size : (index + 1) * size]]).tokens
    counts = Counter(token for row in rows for token in row if token > EOS)
    once = list(counts.values()).count(1)
    assert 0 < once < len(counts) / 2
    rates = torch.tensor(
        [once / len(counts) / counts[token] if token in counts else 0.0 for token in range(len(texts.vocabulary))]
    )
    tokens = torch.where(torch.rand(tokens.shape) < rates[tokens], UNK, tokens)
    read = policy.partly_drawn(tokens, epoch * config.scheduled_sampling)
    assert not read.equal(tokens)
    return nll_by_hand(policy, tokens, UNK, config.dropout, config.weight_drop, read).sum() / (tokens != PAD).sum()


def logits_by_hand(judge: CNNDiscriminator, tokens: Tensor, dropout: float) -> Tensor:
    embedded, lengths = judge.embedding(tokens).transpose(1, 2), (tokens != PAD).sum(dim=1)
    found = []
    for convolution in judge.convolutions:
        responses = F.conv1d(embedded, convolution.weight, convolution.bias)
        outside = torch.arange(responses.shape[2]) > (lengths - convolution.weight.shape[2]).unsqueeze(1)
        found.append(responses.masked_fill(outside.unsqueeze(1), -1e9).amax(dim=2).relu())
    two = judge.output(F.dropout(torch.cat(found, dim=1), dropout, training=dropout > 0))
    return two[:, 1] - two[:, 0]


def r1_by_hand(judge: CNNDiscriminator, real: Tensor) -> Tensor:
    """The squared gradient of a logit at the vectors of its own text, one text at a time; the mean."""
    found = []
    for tokens in real:
        text = tokens[tokens != PAD].unsqueeze(0)
        vectors: list[Tensor] = []
        with judge.embedding.register_forward_hook(lambda _, given, result: vectors.append(result)):  # noqa: B023
            logit = logits_by_hand(judge, F.pad(text, (0, 3)), 0.0).sum()
        found.append(torch.autograd.grad(logit, vectors, create_graph=True)[0].square().sum())
    return torch.stack(found).mean()


@torch.no_grad()
def rewards_by_hand(game: TextGAN, config: SeqGANConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, their mask, and what each token's completions score: half the log-odds, within +-8, and 2 for a text of
    two or three tokens, or as much less as its length is off."""

    def scores(tokens: Tensor) -> Tensor:
        lengths = ((tokens != PAD) & (tokens != EOS)).sum(dim=1)
        off = torch.where(lengths > 3, lengths - 3, (2 - lengths).clamp(min=0))
        return 0.5 * logits_by_hand(game.discriminator, tokens, 0.0).clamp(-8, 8) + 2 / (1 + off)

    sampled = sample(game.generator, config.g_batch_size, keep_states=True)
    finished = complete(game.generator, sampled, config.rollouts)
    tokens, mask = sampled.tokens, sampled.mask
    own, others = scores(tokens), scores(finished.tokens)
    rewards = torch.zeros(tokens.shape)
    for b, t in itertools.product(range(len(tokens)), range(tokens.shape[1])):
        if mask[b, t]:
            last = t == mask[b].sum() - 1
            rewards[b, t] = own[b] if last else others[(finished.sample == b) & (finished.prefix == t + 1)].mean()
    return tokens, mask, rewards


def advantages_by_hand(rewards: Tensor, mask: Tensor) -> Tensor:
    """Those of another sequence; how much a token added; of unit mean square."""
    count, distance = len(rewards), int(torch.randint(1, len(rewards), (1,)))
    paid = torch.zeros(rewards.shape)
    for b, t in itertools.product(range(count), range(rewards.shape[1])):
        donor = (b + distance) % count
        paid[b, t] = rewards[donor, min(t, int(mask[donor].sum()) - 1)]
    paid = paid * mask
    added = torch.zeros(rewards.shape)
    added[:, 0] = paid[:, 0] - (paid[:, 0].sum() - paid[:, 0]) / (count - 1)
    added[:, 1:] = (paid[:, 1:] - paid[:, :-1]) * mask[:, 1:]
    return added / (added.square().sum() / mask.sum()).sqrt()


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def clipped(found: dict[str, Tensor], norm: float) -> dict[str, Tensor]:
    length = torch.cat([gradient.flatten() for gradient in found.values()]).norm()
    assert length > 2 * norm  # else the limit is not tried
    return {name: gradient * norm / length for name, gradient in found.items()}


def by_adam(before: nn.Module, found: dict[str, Tensor], rate: float, decay: float = 0.0) -> dict[str, Tensor]:
    """The first step of Adam: as far as the rate, against the sign of the gradient; weights decay apart from that."""
    return {
        name: p.detach() * (1 - rate * decay) - rate * found[name] / (found[name].abs() + 1e-8)
        for name, p in before.named_parameters()
        if name in found
    }


def assert_moved(module: nn.Module, expected: dict[str, Tensor]) -> None:
    assert_close({name: p.detach() for name, p in module.named_parameters() if name in expected}, expected)


# --- the recomputations; `config` is what the game is given, what is expected is CONFIG


def check_mle_update(texts: TokenDataset, config: SeqGANConfig) -> None:
    game = made(texts, config)
    policy, before, step = copy.deepcopy(game.generator), copy.deepcopy(game.mle.averaged), 6
    torch.manual_seed(1)
    loss = mle_by_hand(policy, texts, CONFIG, step)
    loss.backward()
    torch.manual_seed(1)
    assert_close(game.mle.update(step)["nll"], loss.detach(), rtol=1e-5, atol=0.0)
    found = gradients(game.generator)
    assert_close(found, clipped(gradients(policy), CONFIG.max_grad_norm), rtol=1e-4, atol=1e-7)
    assert_moved(game.generator, by_adam(policy, found, CONFIG.mle_lr, CONFIG.weight_decay))
    current = game.generator.state_dict()
    average = {name: 0.3 * before.state_dict()[name] + 0.7 * current[name] for name in current}
    assert_close(dict(game.mle.averaged.state_dict()), average)


def check_policy_update(texts: TokenDataset, config: SeqGANConfig) -> None:
    game = made(texts, config)
    hand, policy, count = copy.deepcopy(game.generator), copy.deepcopy(game), 6
    torch.manual_seed(2)
    tokens, mask, rewards = rewards_by_hand(policy, CONFIG)
    paid = advantages_by_hand(rewards, mask)
    reinforce = (paid * nll_by_hand(hand, tokens, EOS)).sum() / mask.sum()
    nll = mle_by_hand(hand, texts, CONFIG, count)
    now, after_mle = log_probs_by_hand(hand, tokens, EOS), copy.deepcopy(hand)
    after_mle.load_state_dict(game.after_mle)
    kl = (now.exp() * (now - log_probs_by_hand(after_mle, tokens, EOS).detach())).sum(dim=2)[mask].mean()
    (reinforce + CONFIG.mle_weight * nll + CONFIG.kl_weight * kl).backward()
    torch.manual_seed(2)
    measured = game.policy_update(count - 1)
    assert "kl" in measured
    assert_close(measured["kl"], kl.detach(), rtol=1e-5, atol=0.0)
    assert_close(measured["loss"], reinforce.detach(), rtol=1e-4, atol=1e-6)
    assert "nll" in measured
    assert_close(measured["nll"], nll.detach(), rtol=1e-5, atol=0.0)
    found = gradients(game.generator)
    assert_close(found, clipped(gradients(hand), CONFIG.max_grad_norm), rtol=1e-4, atol=1e-7)
    assert_moved(game.generator, by_adam(hand, found, CONFIG.g_lr))
    norm = torch.cat([gradient.flatten() for gradient in gradients(hand).values()]).norm()
    assert_close(measured["grad_norm"], norm, rtol=1e-4, atol=0.0)
    assert measured["clipped"] == (norm > CONFIG.max_grad_norm) == 1.0


def check_discriminator_update(texts: TokenDataset, config: SeqGANConfig) -> None:
    """The update after one round and an epoch: batch 2 of the second round, batch 6 of the real texts."""
    game = made(texts, config)
    judge, update, half, rows = copy.deepcopy(game.discriminator), 5, CONFIG.d_batch_size // 2, texts.train.sequences
    per_round = CONFIG.d_epochs * (CONFIG.d_samples // half)
    assert divmod(update, per_round) == (1, 1)
    torch.manual_seed(3)
    epoch, index = divmod(update, len(rows) // half)
    place = derive(SEED, "real texts for the discriminator"), "epoch", epoch
    order = torch.randperm(len(rows), generator=private_generator(*place)).tolist()
    real = pad([rows[number] for number in order[index * half : (index + 1) * half]]).tokens
    assert (real == UNK).any()
    real = fill_unknown(game.generator, real)
    drawn = sample(
        game.generator, CONFIG.d_samples, rng=torch.Generator().manual_seed(derive(SEED, ADVERSARIAL, 1))
    ).tokens
    order = torch.randperm(
        len(drawn), generator=private_generator(derive(SEED, ADVERSARIAL, 1, "order"), "epoch", 0)
    ).tolist()
    fake = drawn[order[half : 2 * half]]
    both = torch.cat([F.pad(real, (0, drawn.shape[1] - real.shape[1])), fake])
    with torch.autocast("cpu", torch.bfloat16, enabled=CONFIG.d_bf16):
        logits = logits_by_hand(judge, both, CONFIG.d_dropout).float()
    smooth, on_real = CONFIG.d_label_smoothing, logits[:half]
    of_real = (1 - smooth) * F.softplus(-on_real) + smooth * F.softplus(on_real)
    bce = (of_real.sum() + F.softplus(logits[half:]).sum()) / (2 * half)
    squares = judge.output.weight.square().sum() + judge.output.bias.square().sum()
    (bce + CONFIG.d_l2 * squares / 2 + CONFIG.d_r1_weight * r1_by_hand(judge, real) / 2).backward()
    in_bf16: list[bool] = []
    game.discriminator.register_forward_pre_hook(lambda *_: in_bf16.append(torch.is_autocast_enabled("cpu")))
    torch.manual_seed(3)
    measured = game.discriminator_update(ADVERSARIAL, update)
    assert in_bf16 == [CONFIG.d_bf16, False]  # R1 is in full precision
    assert_close(measured["bce"], bce.detach(), rtol=0.01, atol=0.0)
    right = ((logits[:half] > 0).float().mean() + (logits[half:] <= 0).float().mean()) / 2
    assert_close(measured["accuracy"], right, rtol=0.0, atol=1e-6)
    found = gradients(game.discriminator)
    # Sums are rounded to 8 bits, in an order of their own.
    assert_close(found, gradients(judge), rtol=0.02, atol=2e-3)
    assert_moved(game.discriminator, by_adam(judge, found, CONFIG.d_lr))


def check_schedule(texts: TokenDataset, config: SeqGANConfig) -> None:
    """Who moves when, how often is looked, and when a phase is over."""
    game = new_seqgan(config, texts, CPU, SEED)
    rows = len(texts.train.sequences)
    per_epoch, per_round = rows // CONFIG.batch_size, CONFIG.d_epochs * (CONFIG.d_samples // (CONFIG.d_batch_size // 2))
    iteration = CONFIG.g_steps + CONFIG.d_steps * per_round
    mle, pretrain, adversarial = game.phases()
    assert [phase.steps for phase in (mle, pretrain, adversarial)] == [
        CONFIG.mle_epochs * per_epoch, CONFIG.d_pretrain_rounds * per_round, CONFIG.iterations * iteration,
    ]  # fmt: skip
    assert [phase.validate_every for phase in (mle, pretrain, adversarial)] == [
        per_epoch, per_round, CONFIG.validate_every * iteration,
    ]  # fmt: skip
    moved: list[str] = []
    game.policy_update = lambda update: moved.append(f"g{update + 1}") or {}  # type: ignore[method-assign, func-returns-value]
    game.discriminator_update = lambda phase, update: moved.append(f"d{update}") or {}  # type: ignore[method-assign, func-returns-value, union-attr]
    for step in range(1, iteration + 2):
        adversarial.update(step)
    assert moved == ["g1", "g2", *[f"d{number}" for number in range(CONFIG.d_steps * per_round)], "g3"]
    for phase, player, patience in (
        (mle, game.mle, CONFIG.mle_patience),
        (pretrain, game.critic.snapshot, CONFIG.d_patience),
    ):
        player.checks_without_improvement = patience - 1
        assert not phase.finished()
        player.checks_without_improvement = patience
        assert phase.finished()
    assert not adversarial.finished()
    game.health.warned.append(COLLAPSE)
    assert adversarial.finished() == CONFIG.stop_on_collapse


def check_sizes(texts: TokenDataset, config: SeqGANConfig) -> None:
    game = new_seqgan(config, texts, CPU, SEED)
    assert game.generator.embedding.weight.shape == (len(texts.vocabulary), CONFIG.embedding_dim)
    assert game.generator.lstm.hidden_size == CONFIG.hidden_dim
    assert (game.generator.output.weight is game.generator.embedding.weight) == CONFIG.tie_embeddings
    assert game.discriminator.embedding.embedding_dim == CONFIG.d_embedding_dim
    shapes = [(layer.weight.shape[2], layer.weight.shape[0]) for layer in game.discriminator.convolutions]
    assert shapes == list(zip(CONFIG.filter_sizes, CONFIG.num_filters, strict=True))
    assert (game.discriminator.highway is not None) == CONFIG.highway


def check_start(texts: TokenDataset, config: SeqGANConfig) -> None:
    """The output bias, and the embedding up to a rotation, recomputed with matrices of all pairs of tokens."""
    policy, rows, size = new_seqgan(config, texts, CPU, SEED).generator, texts.train.sequences, len(texts.vocabulary)
    counts = torch.tensor([sum(row.count(token) for row in rows) + 1.0 for token in range(size)])
    assert_close(policy.output.bias.detach(), (counts / counts.sum()).log())
    beside = torch.zeros(size, size)
    for row in rows:
        for (i, first), (j, second) in itertools.permutations(enumerate(row), 2):
            beside[first, second] += abs(i - j) <= 5
    expected = beside.sum(dim=1, keepdim=True) * beside.sum(dim=0) / beside.sum()
    left, values, _ = torch.linalg.svd((beside / expected).nan_to_num(0.0).log().clamp(min=0.0))
    vectors = (left * values.sqrt())[:, : CONFIG.embedding_dim]
    known = beside.any(dim=1)
    embedding, vectors = policy.embedding.weight.detach()[known], vectors[known]
    assert embedding.std() == pytest.approx(0.2)
    # The signs of singular vectors are anybody's, and the deviation depends on them, so its scale is not compared.
    products, expected = (those @ those.t() / those.square().sum() for those in (embedding, vectors))
    assert_close(products, expected, rtol=1e-4, atol=1e-5)


CHECKS: dict[str, Callable[[TokenDataset, SeqGANConfig], None]] = {
    "sizes": check_sizes,
    "start": check_start,
    "schedule": check_schedule,
    "MLE update": check_mle_update,
    "policy update": check_policy_update,
    "discriminator update": check_discriminator_update,
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_as_recomputed(check: Callable[[TokenDataset, SeqGANConfig], None], words: TokenDataset) -> None:
    check(words, CONFIG)


def test_the_discriminator_update_in_full_precision(words: TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same to seven digits, where nothing is rounded to eight bits."""
    monkeypatch.setattr("tests.algorithms.test_wiring.CONFIG", replace(CONFIG, d_bf16=False))
    close: Any = assert_close
    monkeypatch.setattr(
        "tests.algorithms.test_wiring.assert_close",
        lambda *given, **_: close(*given, rtol=1e-4, atol=1e-6),
    )
    check_discriminator_update(words, replace(CONFIG, d_bf16=False))


# --- mutants, each of which a recomputation must notice


def noticed(check: str, texts: TokenDataset, config: SeqGANConfig = CONFIG) -> bool:
    try:
        CHECKS[check](texts, config)
    except AssertionError:
        return True
    return False


LEFT_OUT = ("num_filters", "d_loss")  # a loss without smoothing: see test_discriminator_losses.py
VALUES = [field.name for field in fields(CONFIG) if field.name not in (*BEFORE, *NETWORKS, *LEFT_OUT)]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_put_back_to_its_default_is_noticed(name: str, words: TokenDataset) -> None:
    names = ("filter_sizes", "num_filters") if name == "filter_sizes" else (name,)  # there must be as many of each
    config = replace(CONFIG, **{name: getattr(SeqGANConfig(), name) for name in names})
    assert any(noticed(check, words, config) for check in CHECKS)


def ignoring(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A function that takes an argument for something else, whatever it is given."""

    def called(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs)
        given.arguments |= fixed
        return function(*given.args, **given.kwargs)

    return called


def wrongly(function: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose result is changed."""
    return lambda *args, **kwargs: wrong(function(*args, **kwargs))


POLICY, JUDGE, LEARNING = "policy update", "discriminator update", "MLE update"


def with_new_seqgan(name: str, wrong: Callable[..., Any]) -> tuple[str, Any, str, Any]:
    return POLICY, seqgan_module, name, wrong


def with_critic(name: str, wrong: Callable[..., Any]) -> tuple[str, Any, str, Any]:
    return JUDGE, next(where for where in (Critic, adversarial, critic) if hasattr(where, name)), name, wrong


loss, generated = MLE.loss, Critic.generated
NOT_CLIPPED: Callable[..., Tensor] = lambda *given: torch.zeros(())  # noqa: E731

# What is wrong: the check that must notice, where it is, its name, and what stands there instead.
MUTANTS: dict[str, tuple[str, Any, str, Any]] = {
    "REINFORCE follows the distribution of text": (POLICY, LSTMPolicy, "nll_drawn", LSTMPolicy.nll),
    "REINFORCE lowers what paid more": with_new_seqgan(
        "policy_gradient_weights", wrongly(policy_gradient_weights, torch.neg)
    ),
    "the reduction is ignored": with_new_seqgan(
        "policy_gradient_weights", ignoring(policy_gradient_weights, reduction="sum")
    ),
    "the form of the reward is ignored": with_new_seqgan(
        "DiscriminatorReward", ignoring(DiscriminatorReward, form="probability")
    ),
    "one completion": (POLICY, per_token, "rollout_rewards", ignoring(rollout_rewards, completions=1)),
    "rewards come a token late": (
        POLICY, per_token, "rollout_rewards", wrongly(rollout_rewards, lambda paid: paid.roll(1, dims=1))
    ),
    "the baseline is ignored": with_new_seqgan("advantages", ignoring(advantages, baseline="none")),
    "the baseline is its neighbour": with_new_seqgan("advantages", ignoring(advantages, baseline="batch")),
    "advantages keep their size": with_new_seqgan("advantages", ignoring(advantages, normalize_advantage=False)),
    "rewards are not shuffled": (POLICY, controls, "controlled", lambda rewards, mask, control: rewards),
    "rewards are noise": (POLICY, controls, "controlled", ignoring(controlled, control="noise")),
    "the weights of rewards are ignored": (
        POLICY, Mixed, "_sum", lambda mixed, scores: torch.stack([*scores.values()]).sum(dim=0),
    ),
    "only the first reward counts": (POLICY, Mixed, "_sum", lambda mixed, scores: 2 * scores["length"]),
    "rewards are constant": (POLICY, controls, "controlled", ignoring(controlled, control="constant")),
    "the discriminator judges with dropout": (POLICY, discriminator, "inference", lambda net: nullcontext(net.train())),
    "the policy samples with dropout": (
        POLICY, LSTMPolicy, "sample", lambda policy, count, labels: sample(policy.train(), count, keep_states=True),
    ),
    "half a batch is drawn": (
        POLICY, LSTMPolicy, "sample", lambda policy, count, labels: sample(policy, count // 2, keep_states=True),
    ),
    "the MLE term is of another batch": (POLICY, MLE, "loss", lambda mle, step: loss(mle, step + 1)),
    "the MLE term counts double": (POLICY, MLE, "loss", lambda mle, step: 2 * loss(mle, step)),
    "the KL is the other way round": (
        POLICY, adversarial, "kl_loss", lambda own, other, mask: kl_loss(other, own, mask),
    ),
    "the KL is from the policy as it is": (POLICY, TextGAN, "policy_after_mle", lambda game: game.generator),
    "a policy update is not clipped": (POLICY, nn.utils, "clip_grad_norm_", NOT_CLIPPED),
    "MLE follows the distribution of samples": (
        LEARNING, LSTMPolicy, "nll", lambda policy, *given, read: policy._nll(*given, EOS, read),
    ),
    "MLE reads text alone": (LEARNING, LSTMPolicy, "partly_drawn", lambda policy, tokens, share, labels=None: tokens),
    "an MLE update is not clipped": (LEARNING, nn.utils, "clip_grad_norm_", NOT_CLIPPED),
    "MLE is the sum over tokens": (LEARNING, mle, "mle_weights", lambda mask: mask.float()),
    "MLE has no dropout": (LEARNING, LSTMPolicy, "train", lambda policy, _=True: nn.Module.train(policy, False)),
    "MLE is of another batch": (LEARNING, MLE, "loss", lambda mle, step: loss(mle, step - 1)),
    "no L2 penalty": with_critic("output_penalty", lambda view: torch.zeros(())),
    "the L2 penalty is of another layer": with_critic(
        "output_penalty", lambda view: l2_penalty(*view.critic.discriminator.convolutions[0].parameters())
    ),
    "the L2 penalty leaves the bias out": with_critic("l2_penalty", lambda weight, bias: l2_penalty(weight)),
    "the L2 penalty is not halved": with_critic("l2_penalty", wrongly(l2_penalty, lambda found: 2 * found)),
    "R1 is of generated texts": with_critic(
        "with_vectors", lambda judge, texts: with_vectors(judge, texts._replace(tokens=texts.tokens.flip(0).roll(1, 1)))
    ),
    "R1 is of learning with dropout": with_critic("eval_mode", nullcontext),
    "R1 is not a mean": with_critic("r1_penalty", wrongly(r1_penalty, lambda found: 5 * found)),
    "real and generated are exchanged": with_critic(
        "discriminator_loss", lambda real, fake, smoothing: discriminator_loss(fake, real, smoothing)
    ),
    "the discriminator learns without dropout": (
        JUDGE, CNNDiscriminator, "train", lambda judge, _=True: nn.Module.train(judge, False),
    ),
    "the discriminator sees unknown words": (
        JUDGE, PolicyModule, "fill_unknown", lambda policy, tokens, **_: tokens,
    ),
    "every round has the texts of the first": with_critic(
        "generated", lambda critic, phase, round: generated(critic, phase, 0)
    ),
    "the game has the texts of the pretraining": with_critic(
        "generated", lambda critic, phase, round: generated(critic, PRETRAIN, round)
    ),
    "the texts are drawn sharper": with_critic(
        "sample", lambda *given, **options: sample(*given, temperature=0.5, **options)
    ),
    "the discriminator learns in full precision": with_critic("autocast", lambda device, enabled: nullcontext()),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_noticed(
    mutant: tuple[str, Any, str, Any], words: TokenDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, where, name, wrong = mutant
    assert not noticed(check, words)
    monkeypatch.setattr(where, name, wrong)
    assert noticed(check, words)


def test_an_optimizer_of_another_player_is_noticed(words: TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TextGAN.__init__

    def exchanged(game: TextGAN, *given: Any, **more: Any) -> None:
        original(game, *given, **more)
        game.mle.optimizer, game.optimizers["generator"] = game.optimizers["generator"], game.mle.optimizer

    monkeypatch.setattr(TextGAN, "__init__", exchanged)
    assert noticed(POLICY, words)
    assert noticed(LEARNING, words)
