"""A discriminator sees texts as the policy could have written them: by their surface nothing tells them apart.

Real texts come from a policy of words, some of which are outside the vocabulary; the policy that is judged has learned
their distribution exactly. A classifier of nothing but length, end mark, upper case and unknown tokens is at chance."""

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegan.concepts import logistic_regression
from seqgan.algorithms.components import DEFAULTS
from seqgan.algorithms.configs import CONFIGS
from seqgan.algorithms.critic import Critic
from seqgan.data.batches import pad
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.metrics import discrimination
from seqgan.models.policy import PolicyModule, State
from seqgan.symbols import EOS, PAD, UNK

WORDS, RARE, LIMIT, TEXTS = ["the", "The", "cat", "Cat", "sat"], 0.1, 6, 3000


def lines() -> list[str]:
    """Words with equal chances, an end after each with chance 1/4, every tenth word one of its own."""
    rng, found = random.Random(0), []
    for number in range(TEXTS):
        words = [rng.choice(WORDS)]
        while rng.random() < 0.75:
            words.append(rng.choice(WORDS))
        found.append(" ".join(f"rare{number}x{n}" if rng.random() < RARE else word for n, word in enumerate(words)))
    return found


class Words(PolicyModule):
    """The distribution of these lines, whatever has been read: an end has chance 1/4 but at the first place."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.output = torch.nn.Embedding(self.vocab_size, 1), torch.nn.Linear(1, self.vocab_size)
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.output.bias.fill_(0.0)
            self.output.bias[EOS] = torch.tensor(len(WORDS) / 3).log()  # 1/4 of all
            self.output.weight.zero_()
            self.output.weight[EOS] = -50.0

    def initial_state(self, count: int) -> State:
        return (torch.full((count, 1), 2.0),)

    def step(self, embedded: Tensor, state: State) -> State:
        return ((state[0] - 1).clamp(min=0.0),)

    def features(self, state: State) -> Tensor:
        return state[0]


def surface(tokens: Tensor, upper: Tensor) -> Tensor:
    inside = tokens != PAD
    return torch.stack(
        [
            inside.sum(dim=1),
            (tokens == EOS).any(dim=1),
            (upper[tokens] & inside).sum(dim=1),
            (tokens == UNK).sum(dim=1),
        ],
        dim=1,
    ).float()


def world() -> tuple[TokenDataset, Words, Tensor]:
    corpus = Corpus("words", **split(lines()))
    tokenizer = Tokenizer.train(corpus.train, "whitespace", EOS + 1 + len(WORDS))
    dataset = encode_corpus(corpus, tokenizer, LIMIT)
    names = [tokenizer.decode([number]) for number in range(len(tokenizer))]
    upper = torch.tensor([number > EOS and name[:1].isupper() for number, name in enumerate(names)])
    return dataset, Words(len(tokenizer), LIMIT), upper


def separation(dataset: TokenDataset, policy: Words, upper: Tensor, filled: bool = True) -> tuple[float, float]:
    """AUC on one half of a classifier that was fitted on the other, and three errors of it at chance."""
    torch.manual_seed(0)
    config: Any = CONFIGS["seqgan"]()
    whole = replace(dataset, valid=dataset.train)
    critic = Critic(config, whole, torch.device("cpu"), 0, policy, DEFAULTS, samples=0)
    if not filled:
        policy.fill_unknown = lambda tokens, *rest, **more: tokens  # type: ignore[method-assign]
    pairs = critic.pairs()
    rows = [row for some in pairs.real for row in some.tokens.tolist()]
    random.Random(1).shuffle(rows)
    real = surface(pad([[token for token in row if token != PAD] for row in rows]).tokens, upper)
    fake = surface(pairs.fake.tokens, upper)
    half = len(real) // 2
    seen = torch.cat([real[:half], fake[:half]])
    weights = logistic_regression(seen, torch.arange(2 * half) < half) / seen.std(dim=0).clamp(min=1e-9)
    auc = discrimination.auc(real[half:] @ weights, fake[half:] @ weights)
    count = len(real) - half
    return auc, 3 * ((2 * count + 1) / (12 * count * count)) ** 0.5


def test_the_surface_tells_nothing_of_a_policy_that_has_it_right() -> None:
    dataset, policy, upper = world()
    assert dataset.train.unknown == pytest.approx(RARE * 0.8, abs=0.03)
    auc, error = separation(dataset, policy, upper)
    assert abs(auc - 0.5) < error


def test_unknown_tokens_would_tell() -> None:
    """The control: the same classifier, where unknown tokens are left in real texts."""
    auc, error = separation(*world(), filled=False)
    assert auc > 0.5 + 3 * error
