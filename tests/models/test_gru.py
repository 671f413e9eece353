import pytest
import torch
from torch.testing import assert_close

from seqgan.models.gru import GRUPolicy
from seqgan.models.policy import sample
from seqgan.symbols import BOS, EOS


@pytest.fixture(params=[False, True], ids=["untied", "tie_embeddings"])
def policy(request: pytest.FixtureRequest) -> GRUPolicy:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "max_length": 9, "embedding_dim": 7, "hidden_dim": 11}
    return GRUPolicy(**sizes, tie_embeddings=request.param, init_std=0.7).eval()


def test_stepping_gives_what_nn_gru_gives(policy: GRUPolicy) -> None:
    tokens = torch.randint(EOS, 40, (6, 9))
    read = torch.cat([torch.full((6, 1), BOS), tokens[:, :-1]], dim=1)
    hidden, _ = policy.gru(policy.embedding(read))
    state = policy.begin(6)
    for t in range(9):
        assert_close(state[0], hidden[:, t], atol=1e-6, rtol=1e-5)
        state = policy.step(policy.embed(tokens[:, t]), state)
    assert_close(policy.features_before(tokens), policy.projection(hidden))


def test_tied_it_writes_with_the_vectors_it_reads(policy: GRUPolicy) -> None:
    tied = policy.output.weight is policy.embedding.weight
    assert tied == isinstance(policy.projection, torch.nn.Linear)


@torch.no_grad()
def test_it_draws_what_its_log_probs_say(policy: GRUPolicy) -> None:
    torch.manual_seed(0)
    first = sample(policy, 50_000).tokens[:, 0]
    expected = policy.distributions(torch.tensor([[EOS]]))[0, 0].exp() * 50_000
    z = ((first - EOS).bincount(minlength=len(expected)) - expected) / expected.sqrt()
    assert z[expected > 5].abs().max() < 5
    assert (z[expected > 5] ** 2).mean() == pytest.approx(1.0, abs=0.8)


def test_it_learns_and_dropout_is_for_learning_only() -> None:
    torch.manual_seed(0)
    policy = GRUPolicy(20, 5, 6, 6, dropout=0.5)
    tokens = torch.randint(EOS, 20, (4, 5))
    assert not policy.train().log_probs(tokens).equal(policy.log_probs(tokens))
    assert policy.eval().log_probs(tokens).equal(policy.log_probs(tokens))
    policy.nll(tokens, torch.ones(4, 5)).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in policy.parameters())
