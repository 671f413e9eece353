"""The oracle: the published weights give the published numbers, and a small one gives all sequences their chance."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from seqgan.errors import RunError
from seqgan.models.oracle import NAMES, load_oracle, new_oracle
from seqgan.symbols import EOS

# Of tokens[r, t] = (1237 r + 101 t) mod 5000: the NLL of each row under the published weights, in nats.
CHECKED = [231.207771, 216.158822, 249.997656, 229.293282]


@pytest.fixture
def published(real_data: Path) -> Path:
    return real_data / "oracle" / "seqgan_oracle.npz"


def test_the_published_weights_give_the_published_numbers(published: Path) -> None:
    tokens = (1237 * torch.arange(4)[:, None] + 101 * torch.arange(20)) % 5000
    nll = -load_oracle(published).double().log_probs(tokens).sum(dim=1)
    torch.testing.assert_close(nll, torch.tensor(CHECKED, dtype=torch.float64), rtol=0, atol=1e-6)


def test_samples_of_the_published_oracle_have_its_entropy(published: Path) -> None:
    oracle = load_oracle(published)
    nll = -oracle.log_probs(oracle.sample(2048, torch.Generator().manual_seed(1))).mean(dim=1)
    error = float(nll.std()) / 2048**0.5
    assert abs(float(nll.mean()) - 5.762) < 4 * (error**2 + 0.012**2) ** 0.5


def test_the_chances_of_all_sequences_sum_to_one_and_are_how_often_they_are_drawn() -> None:
    oracle, count = new_oracle(3, 3, hidden_dim=4, seed=5), 40_000
    every = torch.tensor(list(itertools.product(range(3), repeat=3)))
    chances = oracle.log_probs(every).sum(dim=1).exp()
    torch.testing.assert_close(chances.sum(), torch.tensor(1.0))
    drawn = oracle.sample(count, torch.Generator().manual_seed(0)) @ torch.tensor([9, 3, 1])
    expected = chances * count
    chi_squared = ((drawn.bincount(minlength=27) - expected) ** 2 / expected).sum()
    assert chi_squared < 26 + 4 * (2 * 26) ** 0.5


def test_an_oracle_begins_with_its_token_0_and_knows_no_end() -> None:
    oracle = new_oracle(7, 4, seed=1)
    weights = oracle.policy.embedding.weight
    assert weights[1].equal(weights[EOS + 1])
    assert oracle.sample(500).min() >= 0  # no id below those of its tokens
    assert oracle.policy.distributions(oracle.sample(2) + EOS + 1).shape == (2, 4, 7)


def test_an_oracle_is_a_function_of_its_seed_and_takes_no_number_from_others() -> None:
    before = torch.random.get_rng_state()
    first, second, other = new_oracle(9, 4, seed=3), new_oracle(9, 4, seed=3), new_oracle(9, 4, seed=4)
    assert torch.random.get_rng_state().equal(before)
    tokens = torch.randint(9, (5, 4), generator=torch.Generator().manual_seed(0))
    assert first.log_probs(tokens).equal(second.log_probs(tokens))
    assert not first.log_probs(tokens).equal(other.log_probs(tokens))


def test_its_weights_are_standard_normal() -> None:
    oracle = new_oracle(2000, 5, seed=0)
    for weights in (oracle.policy.embedding.weight[EOS + 1 :], oracle.policy.output.weight[EOS + 1 :]):
        assert abs(float(weights.mean())) < 0.02
        assert abs(float(weights.std()) - 1) < 0.02


def arrays(vocab_size: int = 6, hidden: int = 4) -> dict[str, np.ndarray]:
    shapes = {"embedding": (vocab_size, hidden), "W_out": (hidden, vocab_size), "b_out": (vocab_size,)}
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shapes.get(name, (hidden, hidden)[: 1 + (name[0] != "b")])) for name in NAMES}


def test_a_file_is_read_as_the_equations_have_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "oracle.npz", **arrays())
    oracle, w = load_oracle(tmp_path / "oracle.npz", length=5).double(), arrays()
    tokens, hidden, cell, total = [3, 0, 5, 5, 2], np.zeros(4), np.zeros(4), []
    for previous, token in zip([0, *tokens], tokens, strict=False):
        x = w["embedding"][previous]
        gates = {g: x @ w[f"W_{g}"] + hidden @ w[f"U_{g}"] + w[f"b_{g}"] for g in "ifoc"}
        i, f, o = (1 / (1 + np.exp(-gates[g])) for g in "ifo")
        cell = f * cell + i * np.tanh(gates["c"])
        hidden = o * np.tanh(cell)
        logits = hidden @ w["W_out"] + w["b_out"]
        total.append(logits[token] - np.log(np.exp(logits).sum()))
    np.testing.assert_allclose(oracle.log_probs(torch.tensor([tokens]))[0].numpy(), total, rtol=1e-5)


@pytest.mark.parametrize("wrong", ["no file", "text", "an array is missing", "an array has another shape"])
def test_a_file_that_is_no_oracle_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    path, given = tmp_path / "oracle.npz", arrays()
    if wrong == "text":
        path.write_text("no numpy", encoding="utf-8")
    elif wrong != "no file":
        if wrong == "an array is missing":
            del given["b_c"]
        else:
            given["U_f"] = given["U_f"][:, :-1]
        np.savez(path, **given)
    with pytest.raises(RunError, match=r"oracle\.npz holds no weights of an oracle") as caught:
        load_oracle(path)
    assert "\n" not in str(caught.value)
