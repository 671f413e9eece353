import torch
from torch.testing import assert_close

from seqgan.sampling import draw, keep_likeliest


def chi_square(observed: torch.Tensor, probabilities: torch.Tensor) -> float:
    """How many standard deviations the statistic is from its mean; both tails are suspicious."""
    expected = probabilities * observed.sum()
    freedom = len(expected) - 1
    return float(((observed - expected) ** 2 / expected).sum() - freedom) / (2 * freedom) ** 0.5


def test_draws_follow_the_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.randn(50)
    drawn = draw(logits.expand(200_000, 50))
    assert abs(chi_square(drawn.bincount(minlength=50).double(), logits.double().softmax(0))) < 5


def test_temperature_divides_the_logits() -> None:
    torch.manual_seed(0)
    logits = torch.randn(20)
    drawn = draw(logits.expand(100_000, 20), temperature=0.5)
    assert abs(chi_square(drawn.bincount(minlength=20).double(), (logits.double() * 2).softmax(0))) < 5


def test_every_row_has_its_own_distribution() -> None:
    torch.manual_seed(0)
    logits = torch.full((1000, 30), -60.0)
    wanted = torch.randint(30, (1000,))
    logits[torch.arange(1000), wanted] = 60.0
    assert_close(draw(logits), wanted)


def test_top_k_keeps_k() -> None:
    logits = torch.tensor([[1.0, 5.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
    kept = keep_likeliest(logits, 2, 1.0).isfinite()
    assert kept.tolist() == [[False, True, False, True], [True, True, False, False]]


def test_top_p_keeps_the_token_that_crosses_p() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert keep_likeliest(logits, 0, 0.6).isfinite().tolist() == [[True, True, False, False]]
    assert keep_likeliest(logits, 0, 0.01).isfinite().tolist() == [[True, False, False, False]]


def test_the_same_generator_gives_the_same_draws() -> None:
    logits = torch.randn(100, 40)
    first, second = (draw(logits, rng=torch.Generator().manual_seed(3)) for _ in range(2))
    assert_close(first, second)
