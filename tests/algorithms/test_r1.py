"""R1 of text discriminators: the squared gradient of the logit at the token embeddings of real texts."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

import seqgan
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.adversarial import PRETRAIN, TextGAN, classifier, gradient_at_real
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import CONFIGS
from seqgan.core.record import read_record
from seqgan.core.weights import clone
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.errors import ConfigError, UsageError
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.from_policy import LSTMDiscriminator
from seqgan.symbols import EOS, PAD
from tests.conftest import TINY_CONFIGS, tiny_lines

TEXTS = torch.tensor([[4, 5, 6, EOS], [5, EOS, PAD, PAD], [6, 4, EOS, PAD]])
LABELS = torch.tensor([1, 0, 1])
KINDS = ["cnn", "lstm"]


class Linear(nn.Module):
    """The logit is the sum over all places, padding included, of w x."""

    def __init__(self, vocab_size: int = 8, max_length: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 5)
        self.output = nn.Linear(5, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.output(self.embedding(tokens).sum(dim=1)).squeeze(1)
        return logits


class Twice(Linear):
    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) + super().forward(tokens)


def judge_of(kind: str, labels: int = 0) -> Any:
    torch.manual_seed(2)
    made: Any = (
        CNNDiscriminator(8, 5, (1, 2, 3), (4, 3, 2), labels=labels)
        if kind == "cnn"
        else LSTMDiscriminator(8, 5, 3, labels=labels)
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.7)
    return made


def penalty(judge: nn.Module, tokens: Tensor, labels: Tensor | None = None) -> Tensor:
    critic = SimpleNamespace(discriminator=judge.train(), device=torch.device("cpu"))
    view: Any = SimpleNamespace(critic=critic, real=Texts(tokens, labels))
    return gradient_at_real(view)


def test_that_of_a_linear_discriminator_is_the_square_of_its_weights_at_every_token() -> None:
    judge = Linear()
    assert_close(penalty(judge, TEXTS), judge.output.weight.square().sum() * (4 + 2 + 3) / 3)
    penalty(judge, TEXTS).backward()
    assert_close(judge.output.weight.grad, 2 * judge.output.weight.detach() * (4 + 2 + 3) / 3)


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_that_of_finite_differences_of_the_vectors(kind: str, labels: Tensor | None) -> None:
    judge = judge_of(kind, 0 if labels is None else 2).double().eval()
    of_row: list[float] = []
    for row, tokens in enumerate(TEXTS):
        text, given = tokens[tokens != PAD].unsqueeze(0), () if labels is None else (labels[row : row + 1],)
        total = 0.0
        for place in range(text.shape[1]):
            for number in range(5):
                moved = []
                for change in (1e-6, -1e-6):
                    shift = torch.zeros(1, text.shape[1], 5, dtype=torch.float64)
                    shift[0, place, number] = change
                    with judge.embedding.register_forward_hook(lambda _, given, found: found + shift), torch.no_grad():  # noqa: B023
                        moved.append(float(judge(text, *given)))
                total += ((moved[0] - moved[1]) / 2e-6) ** 2
        of_row.append(total)
    assert min(of_row) > 1e-3
    assert penalty(judge, TEXTS, labels).item() == pytest.approx(sum(of_row) / 3, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_its_gradient_is_that_of_finite_differences_of_the_weights(kind: str) -> None:
    judge = judge_of(kind).double()
    found = dict(
        zip(
            [n for n, _ in judge.named_parameters()],
            torch.autograd.grad(penalty(judge, TEXTS), [*judge.parameters()], allow_unused=True),
            strict=True,
        )
    )
    assert found["embedding.weight"] is not None
    torch.manual_seed(0)
    for name, parameter in judge.named_parameters():
        gradient = torch.zeros_like(parameter) if found[name] is None else found[name]
        direction, values = torch.randn_like(parameter), []
        for change in (1e-6, -1e-6):
            other = copy.deepcopy(judge)
            with torch.no_grad():
                other.get_parameter(name).add_(change * direction)
            values.append(penalty(other, TEXTS).item())
        slope = (values[0] - values[1]) / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("kind", KINDS)
def test_in_float32_it_has_the_same_gradient(kind: str) -> None:
    """torch has kernels of its own for that precision."""
    judge = judge_of(kind)
    exact = copy.deepcopy(judge).double()
    penalty(judge, TEXTS).backward()
    penalty(exact, TEXTS).backward()
    for one, other in zip(judge.parameters(), exact.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None and other.grad is not None:
            assert_close(one.grad.double(), other.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_that_of_a_text_depends_neither_on_its_batch_nor_on_padding(kind: str) -> None:
    judge = judge_of(kind)
    alone = [penalty(judge, row[row != PAD][None]) for row in TEXTS]
    assert torch.stack(alone).std() > 0.01
    assert_close(penalty(judge, TEXTS), torch.stack(alone).mean())
    assert_close(penalty(judge, F.pad(TEXTS, (0, 3), value=PAD)), penalty(judge, TEXTS))


def test_nothing_is_drawn_for_it_and_dropout_goes_on() -> None:
    judge, state = judge_of("cnn"), torch.get_rng_state()
    assert_close(penalty(judge, TEXTS), penalty(judge, TEXTS), rtol=0.0, atol=0.0)
    assert torch.get_rng_state().equal(state)
    assert judge.training


# --- in a game


def game_of(name: str, texts: TokenDataset, made: Any = None, **options: Any) -> TextGAN:
    config = CONFIGS[name](**{**TINY_CONFIGS[name], **options})
    game: Any = ALGORITHMS[name](config, texts, torch.device("cpu"), 1, Components(discriminator=made))
    game.finish_mle()
    return game


def updated(game: TextGAN) -> dict[str, Any]:
    torch.manual_seed(3)
    return dict(game.discriminator_update(PRETRAIN, 0))


@pytest.mark.parametrize(("name", "loss"), [("seqgan", "bce"), ("maligan", "bce"), ("relgan", "d_loss")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_adds_half_of_it_to_every_loss(name: str, loss: str, kind: str, texts: TokenDataset) -> None:
    """The gradient of an update is that without it and `weight / 2` times that of the penalty of its real texts."""
    plain, flat = (game_of(name, texts, discriminator=kind, d_r1_weight=weight) for weight in (0.0, 3.0))
    judge = copy.deepcopy(plain.discriminator)
    real = plain.critic.real(0)
    of_plain, of_flat = updated(plain), updated(flat)
    assert "r1" not in of_plain
    assert of_flat[loss].equal(of_plain[loss])
    assert judge is not None
    alone = penalty(judge, real.tokens)
    assert_close(of_flat["r1"], alone.detach())
    if name != "relgan":  # which clips gradients
        alone.backward()
        for (key, after), before in zip(
            flat.discriminator.named_parameters(), plain.discriminator.parameters(), strict=True
        ):
            extra = judge.get_parameter(key).grad
            expected = before.grad if extra is None else before.grad + 1.5 * extra
            assert_close(after.grad, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_there_is_no_such_term(kind: str, monkeypatch: pytest.MonkeyPatch, texts: TokenDataset) -> None:
    assert "r1" not in classifier(CONFIGS["seqgan"]()).terms  # type: ignore[arg-type]
    plain = game_of("seqgan", texts, discriminator=kind)
    updated(plain)
    zero = game_of("seqgan", texts, discriminator=kind, d_r1_weight=0.0)
    monkeypatch.setattr("seqgan.algorithms.adversarial.gradient_at_real", None)  # not called
    updated(zero)
    assert all(
        one.equal(other)
        for one, other in zip(clone(plain.discriminator).values(), clone(zero.discriminator).values(), strict=True)
    )


def test_a_run_with_it_reports_and_resumes(tmp_path: Any) -> None:
    changes = {"d_r1_weight": 0.5, "d_loss": "pairwise", "discriminator": "lstm", "threads": 1}
    shorter, options = ({**TINY_CONFIGS["seqgan"], **changes, "iterations": count} for count in (1, 2))
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", **shorter)
    assert any(line.get("r1", 0) > 0 for line in read_record(run.folder))
    longer = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", resume=True, **options)
    whole = seqgan.train(tiny_lines(), run_dir=tmp_path / "whole", **options)
    pairs = [clone(each.model().discriminator) for each in (longer, whole)]
    assert all(pairs[0][key].equal(pairs[1][key]) for key in pairs[0])


def test_custom_discriminators_need_an_embedding_that_is_read_once(texts: TokenDataset) -> None:
    updated(game_of("seqgan", texts, Linear, d_r1_weight=1.0))

    def nameless(vocab_size: int, max_length: int) -> nn.Module:
        made = Linear(vocab_size, max_length)
        made.words = made.embedding
        del made.embedding
        return made

    with pytest.raises(ConfigError, match=r"--d-r1-weight 1 .* Linear has no nn.Embedding called embedding"):
        game_of("seqgan", texts, nameless, d_r1_weight=1.0)
    with pytest.raises(UsageError, match="needs one vector for each token, from one call"):
        updated(game_of("seqgan", texts, Twice, d_r1_weight=1.0))


def test_a_ratio_of_likelihoods_has_no_gradient_at_embeddings() -> None:
    with pytest.raises(ConfigError, match="leave out --d-r1-weight 2, or give --discriminator cnn or lstm"):
        CONFIGS["seqgan"](discriminator="likelihood-ratio", d_r1_weight=2.0)  # type: ignore[call-arg]
