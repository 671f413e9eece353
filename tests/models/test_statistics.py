"""What counts of texts tell a policy."""

import pytest
import torch

from seqgan.data.ragged import Ragged
from seqgan.models import statistics
from seqgan.models.statistics import context_vectors, unigram_bias, unknown_rates
from seqgan.symbols import EOS, UNK


def rows(count: int = 400, seed: int = 0) -> list[list[int]]:
    """Texts of a frame (4 or 5) and what stands in it: 6 or 7, alike, within one, 8 or 9 within the other."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randint(2, (count, 3), generator=rng).tolist()
    return [
        [4 + frame, 6 + 2 * frame + inside, 4 + frame, 6 + 2 * frame + other, EOS] for frame, inside, other in drawn
    ]


def test_tokens_in_the_same_contexts_have_like_vectors() -> None:
    vectors = torch.nn.functional.normalize(context_vectors(Ragged.of(rows()), 12, 3), dim=1)
    likeness = vectors @ vectors.t()
    assert likeness[6, 7] > 0.95
    assert likeness[8, 9] > 0.95
    assert likeness[6, 8] < 0.5


def test_a_token_that_is_in_no_text_has_no_vector_and_none_is_longer_than_the_vocabulary() -> None:
    vectors = context_vectors(Ragged.of(rows()), 12, 20)
    assert vectors.shape == (12, 12)
    assert not vectors[[0, 1, UNK, 10, 11]].any()
    assert vectors[[EOS, 4, 5, 6, 7, 8, 9]].any(dim=1).all()


def test_neighbours_are_of_the_same_text() -> None:
    """In every order of the texts, so that 5 and 6 are never seen to stand beside each other."""
    vectors = context_vectors(Ragged.of([[4, 5], [6, 7]] * 9), 8, 8)
    assert (vectors @ vectors.t())[5, 6].abs() < 1e-4
    assert (vectors @ vectors.t())[5, 5] > 1


def test_of_many_texts_every_kth_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = rows(90)
    torch.manual_seed(0)
    of_some = context_vectors(Ragged.of(texts[::3]), 12, 4)
    monkeypatch.setattr(statistics, "COUNTED", 150)  # of 450
    torch.manual_seed(0)
    assert context_vectors(Ragged.of(texts), 12, 4).equal(of_some)


def test_a_vocabulary_of_fifty_thousand() -> None:
    rng = torch.Generator().manual_seed(0)
    ids = (50_000 ** torch.rand(20_000, generator=rng)).int().clamp(min=4)
    vectors = context_vectors(Ragged.of(ids.view(-1, 20).tolist()), 50_000, 16)
    assert vectors.shape == (50_000, 16)
    assert int(vectors.any(dim=1).sum()) == len(ids.unique())


def test_the_bias_is_the_log_frequency() -> None:
    counts = torch.tensor([0, 0, 1, 2, 2, 1, 0])
    assert (unigram_bias(counts).exp() * 13).round().tolist() == [1, 1, 2, 3, 3, 2, 1]


def test_so_many_tokens_are_taken_for_unknown_as_good_and_turing_say() -> None:
    counts = torch.tensor([0, 0, 3, 50, 100, 9, 1, 1, 0, 4])
    rates = unknown_rates(counts)
    assert rates[[0, 1, UNK, EOS, 8]].tolist() == [0.0] * 5
    assert float((rates * counts).sum()) == pytest.approx(2)  # the two that stand there once
    assert (rates * counts)[[4, 5, 6, 7, 9]].tolist() == pytest.approx([2 / 5] * 5)
    assert unknown_rates(torch.tensor([0, 0, 0, 2, 1, 1, 1])).tolist() == [0, 0, 0, 0, 0.5, 0.5, 0.5]
    assert not unknown_rates(torch.tensor([0, 0, 0, 9, 5, 2])).any()
    assert not unknown_rates(torch.tensor([0, 0, 0, 9])).any()
