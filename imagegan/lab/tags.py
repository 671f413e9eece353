"""Tags for images (Mirza and Osindero 2014, section 4.2): a conditional GAN of tag vectors, given features of an image.

The paper draws a hundred word vectors for each photograph and keeps the commonest words. Here tags are the class of a
drawn digit and one side of each factor. Those that most samples have are compared with the true ones, and with what a
linear classifier of the same features finds."""

import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from torch import Tensor, nn

from imagegan.data import ImageDataset, digits
from imagegan.game import versus
from imagegan.grids import as_bytes
from imagegan.lab.experiment import Number, Result, as_images, critic, perceptron, resampled, train
from imagegan.losses import LOSSES
from imagegan.metrics.classes import linearly_right
from imagegan.metrics.features import COMPONENTS, pca64
from imagegan.nets import Images
from seqgan.core.game import adam

CLASSES = 10
TAGS = (*map(str, range(CLASSES)), "slanted", "thick")
NOISE, SAMPLES = 16, 100  # samples for each image
SIDE, SHOWN = 84, 8


class Tagger(nn.Module):
    """Noise and features of an image to a tag vector, of numbers in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*perceptron(NOISE + COMPONENTS, 128, 128), nn.Linear(128, len(TAGS)), nn.Tanh())

    def forward(self, noise: Tensor, code: Tensor, features: Images) -> Images:
        return as_images(self.body(torch.cat([noise, features.flatten(1)], dim=1)))


def run(steps: int = 2000) -> Result:
    known, test = digits(3000, seed=1), digits(500, seed=2)
    space = pca64(known)
    features, test_features = (torch.from_numpy(space.features(some.pixels)[0]).float() for some in (known, test))
    scale = features.std()
    features, test_features = features / scale, test_features / scale
    true, wanted = tags_of(known), tags_of(test)
    nets = {"generator": Tagger(), "discriminator": critic(COMPONENTS + len(TAGS), 128)}
    seen = train(
        nets,
        versus(LOSSES["non-saturating"], adam(1e-3, 0.5), adam(1e-3, 0.5)),
        resampled(torch.cat([features, 2 * true.float() - 1], dim=1)),
        steps,
        lambda step: shares(nets["generator"], test_features),
        noise=(NOISE,),
        target=lambda both: both[:, COMPONENTS:],
        context=lambda both: (both[:, :COMPONENTS],),
        d_inputs=lambda view, tags, generated: (torch.cat([tags, view.context[0]], dim=1),),
    )
    columns = {TAGS[at]: (true[:, at].long(), wanted[:, at].long(), seen[-1][:, at] > 0.5) for at in (-2, -1)}
    numbers = []
    for what, (learned, asked, sampled) in {
        "class": (known.labels, test.labels, seen[-1][:, :CLASSES].argmax(dim=1)),
        **columns,
    }.items():
        linear = linearly_right(features, learned, test_features, asked)
        numbers.append(Number(f"{what}, by samples", float((sampled == asked).double().mean())))
        numbers.append(Number(f"{what}, by a linear classifier", float(linear.double().mean())))
    commonest = test.labels.bincount().max().item() / len(test.labels)
    numbers.insert(2, Number("class, the commonest", commonest))
    frames = [picture(test.pixels, share) for share in seen]
    return Result(numbers, frames[-1], frames)


def tags_of(dataset: ImageDataset) -> Bool[Tensor, "N T"]:
    slant, width = dataset.factors[:, :2].t() > 0
    classes = dataset.labels[:, None] == torch.arange(CLASSES)
    return torch.cat([classes, slant[:, None], width[:, None]], dim=1)


@torch.no_grad()
def shares(tagger: nn.Module, features: Float[Tensor, "N D"]) -> Float[Tensor, "N T"]:
    """The share of an image's samples that have each tag."""
    noise = torch.randn(len(features) * SAMPLES, NOISE)
    vectors = tagger(noise, noise[:, :0], features.repeat_interleave(SAMPLES, dim=0))
    return (vectors.flatten(1) > 0).float().view(len(features), SAMPLES, -1).mean(dim=1)


def picture(images: Images, share: Float[Tensor, "N T"]) -> Image.Image:
    """Images, and below each its commonest tags (three at most) with their shares."""
    whole = Image.new("L", (SHOWN * SIDE, SIDE + 40), 255)
    pen = ImageDraw.Draw(whole)
    for at, pixels in enumerate(as_bytes(images[:SHOWN])):
        whole.paste(Image.fromarray(pixels[0].numpy()).resize((SIDE, SIDE)), (at * SIDE, 0))
        found = share[at].topk(3)
        for line, (value, tag) in enumerate(zip(found.values.tolist(), found.indices.tolist(), strict=True)):
            if value >= 0.01:
                pen.text((at * SIDE + 6, SIDE + 1 + 12 * line), f"{TAGS[tag]} {value:.0%}", fill=0)
    return whole
