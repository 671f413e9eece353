import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seqgan.models.cnn import CNNDiscriminator
from seqgan.ops.max_window import plain_max_over_windows
from seqgan.symbols import EOS, PAD


@pytest.fixture
def discriminator() -> CNNDiscriminator:
    torch.manual_seed(0)
    return CNNDiscriminator(30, 6, (1, 2, 3, 5), (4, 4, 3, 3), highway=True).eval()


def test_padding_never_enters_a_feature(discriminator: CNNDiscriminator) -> None:
    text = torch.tensor([[7, 9, 11, 20, 8, EOS]])
    padded = torch.cat([text, torch.full((1, 6), PAD)], dim=1)
    assert_close(discriminator.features(padded), discriminator.features(text))
    assert_close(discriminator(padded), discriminator(text))


def test_a_filter_wider_than_the_text_yields_zero(discriminator: CNNDiscriminator) -> None:
    text = torch.tensor([[7, EOS]])
    features = discriminator.features(text)[0]
    assert (features[8:] == 0).all()  # widths 3 and 5
    assert features[:8].abs().sum() > 0


def test_a_feature_is_the_maximum_over_windows(discriminator: CNNDiscriminator) -> None:
    text = torch.tensor([[7, 9, 11, 20, EOS]])
    convolution = discriminator.convolutions[2]  # width 3
    embedded = discriminator.embedding(text)[0]
    windows = [(convolution.weight * embedded[i : i + 3].t()).sum(dim=(1, 2)) + convolution.bias for i in range(3)]
    assert_close(discriminator.features(text)[0, 8:11], torch.stack(windows).amax(dim=0).relu(), atol=1e-5, rtol=1e-5)


def test_the_highway_carries_what_it_does_not_transform(discriminator: CNNDiscriminator) -> None:
    features = torch.rand(2, 14)
    assert discriminator.highway is not None
    discriminator.highway.weight.data.zero_()
    discriminator.highway.bias.data[14:] = -50.0  # the gate is shut
    assert_close(discriminator._through_highway(features), features)
    discriminator.highway.bias.data[14:] = 50.0  # the gate is open: relu(0) is left
    assert_close(discriminator._through_highway(features), torch.zeros(2, 14))


def test_the_gradient_is_finite_where_no_window_fits(discriminator: CNNDiscriminator) -> None:
    discriminator(torch.tensor([[7, EOS], [EOS, PAD]])).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in discriminator.parameters())


def test_the_paper_has_1720_filters_and_27_million_multiplications() -> None:
    from seqgan.algorithms.configs import SeqGANConfig

    config = SeqGANConfig()
    assert sum(config.num_filters) == 1720
    assert len(config.filter_sizes) == len(config.num_filters) == 12
    discriminator = CNNDiscriminator(5000, config.d_embedding_dim, config.filter_sizes, config.num_filters)
    windows = (
        sum((20 - w + 1) * w * f for w, f in zip(config.filter_sizes, config.num_filters, strict=True))
        * config.d_embedding_dim
    )
    assert discriminator.highway is not None
    flops = 2 * (windows + discriminator.highway.weight.numel() + discriminator.output.weight.numel())
    assert flops == pytest.approx(27.0e6, rel=0.01)


def test_in_bfloat16_gradients_point_the_same_way() -> None:
    torch.manual_seed(0)
    discriminator = CNNDiscriminator(30, 16, (1, 2, 3, 5), (40, 40, 30, 30), dropout=0.0)
    tokens = torch.randint(EOS, 30, (64, 9))
    gradients = []
    for enabled in (False, True):
        discriminator.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            scores = discriminator(tokens).float()
        nn.functional.softplus(scores).mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in discriminator.parameters()]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99
    assert not torch.equal(*gradients)


def test_one_hot_soft_tokens_get_the_logits_of_their_tokens(discriminator: CNNDiscriminator) -> None:
    """Padding and texts that are shorter than a filter included."""
    tokens = torch.tensor([[7, 9, 11, 20, 8, EOS], [5, EOS, PAD, PAD, PAD, PAD], [EOS, PAD, PAD, PAD, PAD, PAD]])
    for given in (tokens, tokens[:, :3]):
        assert_close(discriminator(nn.functional.one_hot(given, 30).float()), discriminator(given))


def test_soft_tokens_have_the_gradient_of_finite_differences(
    discriminator: CNNDiscriminator, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    soft = torch.randn(3, 6, 30, dtype=torch.float64).softmax(dim=2)
    soft[1, 4:] = nn.functional.one_hot(torch.tensor(PAD), 30)
    discriminator.double()
    towards = torch.autograd.grad(discriminator(soft.requires_grad_()).sum(), soft)
    monkeypatch.setattr("seqgan.models.cnn.max_over_windows", plain_max_over_windows)
    assert torch.autograd.gradcheck(discriminator, soft.detach().requires_grad_(), eps=1e-6)
    assert_close(torch.autograd.grad(discriminator(soft).sum(), soft), towards)
    assert towards[0][0].abs().sum() > 0
