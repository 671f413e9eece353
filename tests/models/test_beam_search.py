"""Beam search against all texts that a small policy can write."""

from itertools import product

import pytest
import torch

from seqgan.models.beam_search import beam_search
from seqgan.models.lstm import LSTMPolicy
from seqgan.symbols import EOS, PAD


def all_texts(policy: LSTMPolicy, prompt: tuple[int, ...] = ()) -> dict[tuple[int, ...], float]:
    """Every sequence that continues the prompt -> the log-probability of what follows it."""
    letters = range(EOS + 1, policy.vocab_size)
    rest = policy.max_length - len(prompt)
    texts = [(*prompt, *word, EOS) for size in range(rest) for word in product(letters, repeat=size)]
    texts += [(*prompt, *word) for word in product(letters, repeat=rest)]
    padded = torch.tensor([text + (PAD,) * (policy.max_length - len(text)) for text in texts])
    with torch.no_grad():
        totals = policy.log_probs_drawn(padded)[:, len(prompt) :].sum(dim=1)
    return dict(zip(texts, totals.tolist(), strict=True))


@pytest.mark.parametrize("prompt", [(), (4,), (5, 4)])
def test_a_wide_beam_finds_the_likeliest_of_all_texts(policy: LSTMPolicy, prompt: tuple[int, ...]) -> None:
    every = all_texts(policy, prompt)
    assert sum(map(pow, [2.718281828] * len(every), every.values())) == pytest.approx(1, abs=1e-4)
    found = beam_search(policy, len(every), prompt)
    assert len(found) == len(every)
    for hypothesis in found:
        assert hypothesis.log_prob == pytest.approx(every[tuple(hypothesis.ids)], abs=1e-5)
    by_token = sorted((total / (len(text) - len(prompt)) for text, total in every.items()), reverse=True)
    assert [hypothesis.per_token for hypothesis in found] == pytest.approx(by_token, abs=1e-5)


def test_wider_beams_find_likelier_texts(wide_policy: LSTMPolicy) -> None:
    best = [max(found.log_prob for found in beam_search(wide_policy, beams)) for beams in (1, 4, 64)]
    assert best == sorted(best)
    assert best[0] < best[-1]
    found = beam_search(wide_policy, 20)
    assert len({tuple(hypothesis.ids) for hypothesis in found}) == len(found) == 20


@pytest.fixture
def wide_policy() -> LSTMPolicy:
    torch.manual_seed(3)
    return LSTMPolicy(vocab_size=30, max_length=8, embedding_dim=5, hidden_dim=6, init_std=1.0).eval()
