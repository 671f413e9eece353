import pytest
import torch
from torch.testing import assert_close

from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import sample
from seqgan.symbols import BOS, EOS, PAD, UNK


@pytest.fixture(params=[False, True], ids=["untied", "tie_embeddings"])
def wide(request: pytest.FixtureRequest) -> LSTMPolicy:
    torch.manual_seed(0)
    return LSTMPolicy(
        vocab_size=40, max_length=9, embedding_dim=7, hidden_dim=11, tie_embeddings=request.param, init_std=0.7
    ).eval()


def test_stepping_gives_what_nn_lstm_gives(wide: LSTMPolicy) -> None:
    tokens = torch.randint(EOS, 40, (6, 9))
    hidden, _ = wide.lstm(wide.embedding(torch.cat([torch.full((6, 1), BOS), tokens[:, :-1]], dim=1)))
    state = wide.begin(6)
    for t in range(9):
        assert_close(state[0], hidden[:, t], atol=1e-6, rtol=1e-5)
        state = wide.step(wide.embed(tokens[:, t]), state)


def test_log_probs_are_of_the_next_token_and_zero_at_padding(wide: LSTMPolicy) -> None:
    tokens = torch.tensor([[9, UNK, 12, EOS, PAD, PAD]])
    log_probs = wide.log_probs(tokens)
    state = wide.begin(1)
    for t, token in enumerate([9, UNK, 12, EOS]):
        by_hand = wide.logits(wide.features(state), UNK)[0].log_softmax(0)[token - UNK]
        assert_close(log_probs[0, t], by_hand, atol=1e-5, rtol=1e-5)
        state = wide.step(wide.embed(torch.tensor([token])), state)
    assert (log_probs[0, 4:] == 0).all()


def test_pad_and_bos_have_no_probability_and_unk_is_never_drawn(wide: LSTMPolicy) -> None:
    prefix = torch.tensor([[9, 12, 30]])
    text = sum(wide.log_probs(torch.cat([prefix, torch.tensor([[t]])], dim=1))[0, 3].exp() for t in range(UNK, 40))
    assert_close(text, torch.tensor(1.0))
    drawn = wide.distributions(torch.cat([prefix, torch.tensor([[9]])], dim=1))[0, 3].exp()
    assert drawn.shape == (40 - EOS,)
    assert_close(drawn.sum(), torch.tensor(1.0))
    tokens = wide.sample(3000).tokens
    assert not torch.isin(tokens, torch.tensor([BOS, UNK])).any()


def test_log_probs_drawn_are_those_of_the_distribution_drawn_from(wide: LSTMPolicy) -> None:
    tokens = torch.tensor([[9, 12, EOS]])
    table = wide.distributions(tokens)
    expected = table[0, torch.arange(3), tokens[0] - EOS]
    assert_close(wide.log_probs_drawn(tokens)[0], expected)
    assert (wide.log_probs_drawn(tokens) > wide.log_probs(tokens)).all()  # without UNK there is more for the others


def test_samples_are_as_frequent_as_log_probs_say(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    tokens = policy.sample(50_000).tokens
    rows, counts = tokens.unique(dim=0, return_counts=True)
    expected = policy.log_probs_drawn(rows).sum(dim=1).exp().detach() * 50_000
    z = (counts - expected) / expected.sqrt()
    assert z[expected > 5].abs().max() < 5
    assert (z[expected > 5] ** 2).mean() == pytest.approx(1.0, abs=0.6)


def test_a_sample_ends_with_eos_or_at_the_longest_and_is_masked(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    tokens, mask, states, _ = policy.sample(500)
    assert tokens.shape == mask.shape == (500, policy.max_length)
    assert states[0].shape == (policy.max_length, 500, 6)
    lengths = mask.sum(dim=1)
    for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True):
        assert EOS not in row[: length - 1]
        assert row[length - 1] == EOS or length == policy.max_length
        assert set(row[length:]) <= {PAD}


def test_a_prompt_is_continued(wide: LSTMPolicy) -> None:
    prompt = torch.tensor([9, 12, 30])
    tokens = sample(wide, 20, prompts=prompt.expand(20, -1)).tokens
    assert (tokens[:, :3] == prompt).all()
    assert len(tokens[:, 3:].unique(dim=0)) > 10


@torch.no_grad()
def test_draws_in_chunks_are_those_of_all_rows_at_once(wide: LSTMPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, state = wide.sampler(), wide.begin(30)
    state = (torch.randn_like(state[0]), state[1])
    whole = sampler.draw(state, 3, rng=torch.Generator().manual_seed(0))
    monkeypatch.setattr("seqgan.models.policy.cached_rows", lambda *_: 7)
    assert_close(sampler.draw(state, 3, rng=torch.Generator().manual_seed(0)), whole)


def test_dropout_is_for_learning_only() -> None:
    torch.manual_seed(0)
    policy = LSTMPolicy(20, 5, 6, 6, dropout=0.5)
    tokens = torch.randint(EOS, 20, (4, 5))
    assert not policy.train().log_probs(tokens).equal(policy.log_probs(tokens))
    assert policy.eval().log_probs(tokens).equal(policy.log_probs(tokens))


@pytest.mark.parametrize("on_cpu", [True, False], ids=["where one is", "in every place, as on an accelerator"])
def test_an_unknown_word_is_filled_in_by_the_policy_and_nothing_else_changes(
    wide: LSTMPolicy, on_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgan.models.policy.on_cpu", lambda _: on_cpu)
    torch.manual_seed(0)
    tokens = torch.tensor([[9, UNK, 12, UNK, EOS, PAD]]).repeat(4000, 1)
    filled = wide.fill_unknown(tokens)
    assert wide.fill_unknown(filled).equal(filled)  # there is none any more
    known = tokens != UNK
    assert filled[known].equal(tokens[known])
    assert (filled[~known] > EOS).all()
    expected = wide.distributions(torch.tensor([[9, 12]]))[0, 1].exp()[1:]  # after 9, without EOS
    counts = (filled[:, 1] - EOS - 1).bincount(minlength=len(expected)).double()
    wanted = (expected / expected.sum() * 4000).double().detach()
    often = wanted > 5
    assert ((counts - wanted)[often] / wanted[often].sqrt()).abs().max() < 5


def test_padding_never_changes_a_probability(wide: LSTMPolicy) -> None:
    short = torch.tensor([[9, 12, EOS]])
    padded = torch.cat([short, torch.full((1, 4), PAD)], dim=1)
    assert_close(wide.log_probs(padded)[:, :3], wide.log_probs(short))


def test_the_second_lstm_bias_stays_zero() -> None:
    policy = LSTMPolicy(20, 5, 6, 6)
    torch.optim.Adam([p for p in policy.parameters() if p.requires_grad], 0.1).zero_grad()
    policy.log_probs(torch.randint(EOS, 20, (4, 5))).sum().backward()
    assert policy.lstm.bias_hh_l0.grad is None
    assert (policy.lstm.bias_hh_l0 == 0).all()


def test_the_loss_is_the_weighted_sum_of_the_log_probs(wide: LSTMPolicy) -> None:
    """The fused way and the plain one, with a gradient for every parameter; also of tokens drawn."""
    tokens = wide.sample(20).tokens
    weights = torch.randn(tokens.shape) * (tokens != PAD)
    learned = [parameter for parameter in wide.parameters() if parameter.requires_grad]
    for fused, log_probs in ((wide.nll, wide.log_probs), (wide.nll_drawn, wide.log_probs_drawn)):
        found = torch.autograd.grad(fused(tokens, weights), learned)
        expected = torch.autograd.grad(-(log_probs(tokens) * weights).sum(), learned)
        assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_weights_with_two_biases_are_drawn_from_as_nn_lstm_reads_them(tie_embeddings: bool) -> None:
    """Weights from elsewhere may have a second bias, where ours is zero."""
    torch.manual_seed(0)
    policy = LSTMPolicy(
        vocab_size=30, max_length=6, embedding_dim=7, hidden_dim=5, tie_embeddings=tie_embeddings, init_std=0.7
    ).eval()
    foreign = {**policy.state_dict(), "lstm.bias_hh_l0": torch.randn(20)}
    policy.load_state_dict(foreign)
    tokens = torch.randint(EOS + 1, 30, (5, 6))
    with torch.no_grad():
        hidden, _ = policy.lstm(policy.embedding(torch.cat([torch.full((5, 1), BOS), tokens[:, :-1]], dim=1)))
        expected = policy.output(policy.projection(hidden))[..., EOS:].softmax(dim=-1)
        for sampler in (policy.sampler(), policy.sampler(top_k=27)):  # with packed weights, and step by step
            state = sampler.begin(5)
            for t in range(6):
                weights = sampler.weights(state)[:, : 30 - EOS]
                assert_close(weights / weights.sum(dim=1, keepdim=True), expected[:, t], atol=1e-6, rtol=1e-5)
                state = sampler.step(tokens[:, t], state)
