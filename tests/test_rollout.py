"""Rollouts against exact enumeration and the naive loop, and the traps that published code fell into."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from seqgan import rollout
from seqgan.models.lstm import LSTMPolicy, LSTMSampler
from seqgan.models.policy import Sampled, Sampler
from seqgan.rollout import complete, rollout_rewards
from seqgan.symbols import BOS, EOS, PAD

A, B = EOS + 1, EOS + 2


def some_score(tokens: Tensor) -> Tensor:
    """A score that depends on every token, its place, and the length."""
    weights = torch.tensor([0.0, 0.0, 0.0, 0.7, -1.0, 0.4])
    places = torch.linspace(1.0, 2.0, tokens.shape[1])
    return ((weights[tokens] * places).sum(dim=1) + 0.3 * (tokens == B).any(dim=1)).tanh()


def token_probs(policy: LSTMPolicy, prefix: list[int]) -> Tensor:
    """The distribution of the token after a prefix, from the weights of `nn.LSTM` and nothing else of ours."""
    fed = torch.tensor([[BOS, *prefix]])
    hidden, _ = policy.lstm(policy.embedding(fed))
    logits = policy.output(hidden[0, -1])
    logits[:EOS] = float("-inf")
    return logits.softmax(dim=0).detach()


def exact_value(policy: LSTMPolicy, prefix: list[int], max_length: int) -> float:
    """The expected score of all completions of a prefix, by enumeration."""
    if len(prefix) == max_length or (prefix and prefix[-1] == EOS):
        padded = prefix + [PAD] * (max_length - len(prefix))
        return float(some_score(torch.tensor([padded])))
    probs = token_probs(policy, prefix)
    return sum(float(probs[token]) * exact_value(policy, [*prefix, token], max_length) for token in (EOS, A, B))


def every_sample(policy: LSTMPolicy) -> Sampled:
    """All sequences of the policy's language, each once, with the states that sampling would have kept."""
    rows = []
    for choice in itertools.product((EOS, A, B), repeat=policy.max_length):
        ended = list(choice).index(EOS) + 1 if EOS in choice else policy.max_length
        rows.append((*choice[:ended], *[PAD] * (policy.max_length - ended)))
    tokens = torch.tensor(sorted(set(rows)))
    state, states = policy.begin(len(tokens)), []
    for position in range(policy.max_length):
        states.append(state)
        state = policy.step(policy.embed(tokens[:, position]), state)
    return Sampled(tokens, tokens != PAD, tuple(torch.stack(parts).detach() for parts in zip(*states, strict=True)))


@pytest.mark.parametrize("drop_ended", [True, False])
def test_rewards_agree_with_exact_enumeration(policy: LSTMPolicy, drop_ended: bool) -> None:
    sampled = every_sample(policy)
    completions = 4000
    with mock.patch.object(rollout, "complete", lambda *args: complete(*args, drop_ended=drop_ended)):
        estimate = rollout_rewards(policy, some_score, sampled, completions)
    for b, row in enumerate(sampled.tokens.tolist()):
        length = int(sampled.mask[b].sum())
        for t in range(length):
            exact = exact_value(policy, row[: t + 1], policy.max_length)
            # scores lie in [-1, 1], so a mean of 4,000 has a standard deviation of at most .016: five of them
            tolerance = 1e-6 if t == length - 1 else 5 * completions**-0.5
            assert estimate[b, t].item() == pytest.approx(exact, abs=tolerance)
        assert (estimate[b, length:] == 0).all()


def test_completions_follow_the_policy_as_the_naive_loop_does(policy: LSTMPolicy) -> None:
    """Frequencies of whole completions of one prefix against their exact probabilities: chi-square, two-sided."""
    sampled = every_sample(policy)
    wanted = sampled.tokens.tolist().index([A, B, A, B])
    one = Sampled(sampled.tokens[[wanted]], sampled.mask[[wanted]], tuple(part[:, [wanted]] for part in sampled.states))
    finished, prefix, *_ = complete(policy, one, 20_000)
    after_a = [tuple(row) for row, length in zip(finished.tolist(), prefix.tolist(), strict=True) if length == 1]
    outcomes: dict[tuple[int, ...], float] = {}
    for row in sampled.tokens.tolist():
        if row[0] == A:
            probability, prefix_so_far = 1.0, [A]
            for token in row[1 : int((torch.tensor(row) != PAD).sum())]:
                probability *= float(token_probs(policy, prefix_so_far)[token])
                prefix_so_far.append(token)
            outcomes[tuple(row)] = probability
    assert sum(outcomes.values()) == pytest.approx(1.0, abs=1e-5)
    expected = {row: p * len(after_a) for row, p in outcomes.items()}
    observed = {row: after_a.count(row) for row in outcomes}
    assert sum(observed.values()) == len(after_a)
    kept = [row for row in outcomes if expected[row] >= 5]
    chi = sum((observed[row] - expected[row]) ** 2 / expected[row] for row in kept)
    freedom = len(kept) - 1
    assert abs(chi - freedom) / (2 * freedom) ** 0.5 < 5


def test_a_prefix_stays_as_it_was_sampled(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    sampled = policy.sample(50)
    finished, prefix, row, *_ = complete(policy, sampled, 3)
    for g in range(1, policy.max_length):
        rows = prefix == g
        assert_close(finished[rows][:, :g], sampled.tokens[row[rows]][:, :g])


def test_nothing_ended_is_rolled_out_and_nothing_follows_an_end(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    sampled = policy.sample(200)
    finished, prefix, row, *_ = complete(policy, sampled, 2)
    assert not (sampled.tokens[row, prefix - 1] == EOS).any()
    after_end = (finished == EOS).cumsum(dim=1) - (finished == EOS).long() > 0
    assert (finished[after_end] == PAD).all()
    assert (finished[~after_end] >= EOS).all()


def test_the_start_token_comes_first(policy: LSTMPolicy) -> None:
    """The state a rollout of one token starts from is that after BOS and the token, not after the token alone."""
    torch.manual_seed(0)
    sampled = policy.sample(5)
    hidden, _ = policy.lstm(policy.embedding(torch.cat([torch.full((5, 1), BOS), sampled.tokens[:, :1]], dim=1)))
    without_start, _ = policy.lstm(policy.embedding(sampled.tokens[:, :1]))
    assert_close(sampled.states[0][1], hidden[:, 1], atol=1e-5, rtol=0.0)
    assert (sampled.states[0][1] - without_start[:, 0]).abs().max() > 1e-2


def test_a_reward_depends_on_its_own_sample_and_prefix_alone(policy: LSTMPolicy) -> None:
    """Score 1 for completions of one sample's prefix: the rewards of no other sample move."""
    torch.manual_seed(0)
    sampled = every_sample(policy)
    count = len(sampled.tokens)
    for b in (0, count // 2, count - 1):
        others = torch.arange(count) != b
        first = int(sampled.tokens[b, 0])
        if first == EOS:
            continue
        rewards = rollout_rewards(policy, lambda tokens, first=first: (tokens[:, 0] == first).float(), sampled, 3)
        same_start = sampled.tokens[:, 0] == first
        assert (rewards[same_start] == sampled.mask[same_start]).all()
        assert (rewards[others & ~same_start] == 0).all()


def test_the_whole_sequence_is_scored_once_and_not_per_completion(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    sampled = policy.sample(30)
    scored = []

    def score(tokens: Tensor) -> Tensor:
        scored.append(len(tokens))
        return some_score(tokens)

    rewards = rollout_rewards(policy, score, sampled, 16)
    prefixes = int(sampled.mask[:, 1:].sum())
    assert sum(scored) == 30 + 16 * prefixes
    last = sampled.mask.sum(dim=1) - 1
    assert_close(rewards[torch.arange(30), last], some_score(sampled.tokens))


def test_there_are_t_minus_1_sequential_steps_for_any_number_of_rows(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    sampled = policy.sample(40)
    with mock.patch.object(LSTMSampler, "step", autospec=True, side_effect=LSTMSampler.step) as step:
        complete(policy, sampled, 8)
    assert step.call_count <= policy.max_length - 2 + 1


def test_no_number_is_read_off_the_device_one_by_one(policy: LSTMPolicy) -> None:
    """Inside a rollout and a score there is no `.item()`, no `.cpu()`, and as much Python for 4 rows as for 400."""
    torch.manual_seed(0)
    with calls_of("item", "cpu", "numpy", "__float__", "__int__") as counts:
        rollout_rewards(policy, some_score, policy.sample(20), 4)
    assert set(counts.values()) == {0}

    draws = []
    for rows in (4, 400):
        sampled = policy.sample(rows)
        with mock.patch.object(Sampler, "draw", autospec=True, side_effect=Sampler.draw) as drawn:
            complete(policy, sampled, 2, drop_ended=False)
        draws.append(drawn.call_count)
    joining, under_way = policy.max_length - 1, policy.max_length - 2
    assert draws == [joining + under_way] * 2


@contextmanager
def calls_of(*names: str) -> Iterator[dict[str, int]]:
    """Count the calls of tensor methods inside a `with` block."""
    counts = dict.fromkeys(names, 0)

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return original(*args, **kwargs)

        return counted

    with ExitStack() as patches:
        for name in names:
            patches.enter_context(mock.patch.object(Tensor, name, counting(name, getattr(Tensor, name))))
        yield counts


def test_a_text_of_one_token_needs_no_completion() -> None:
    torch.manual_seed(0)
    policy = LSTMPolicy(vocab_size=6, max_length=1, embedding_dim=3, hidden_dim=3).eval()
    sampled = policy.sample(7)
    rewards = rollout_rewards(policy, some_score, sampled, 4)
    assert_close(rewards[:, 0], some_score(sampled.tokens))
