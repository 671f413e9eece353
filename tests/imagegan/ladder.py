"""Images made worse step by step, so that a measure can be asked whether it notices.

Real images that were held out, disturbed; against the images to train on, a distance has to rise with every rung, but
for memorised images: these are too near, and it falls."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from imagegan.data.dataset import ImageDataset, need_labels
from imagegan.metrics.distances import Splits, _as_many, _frechet, _left_out, _mean
from imagegan.metrics.features import Space
from imagegan.metrics.predictors import Images
from seqgan.core.report import Measured
from seqgan.core.seed import private_generator
from seqgan.core.stats import jackknife_error
from seqgan.errors import DataError

# disturbance -> its rungs, the mildest first
RUNGS: dict[str, Sequence[float]] = {
    "noise": (0.1, 0.2, 0.4),  # its standard deviation; pixels are in [-1, 1]
    "blur": (0.5, 0.8, 1.6),  # the standard deviation of the kernel, in pixels
    "missing classes": (4.0, 5.0, 6.0),
    "duplicates": (8.0, 32.0, 128.0),  # how often each image is there
    "memorised images": (0.5, 0.75, 1.0),  # the share that is taken from the training images
}
FALLING = ("memorised images",)


def ladder(train: ImageDataset, test: ImageDataset, count: int, seed: int = 0) -> dict[str, list[Images]]:
    """`count` images for each rung of each disturbance. The test images must be enough for those without the missing
    classes.

    Raises:
        DataError: they are not, or have no labels."""
    need_labels(test, "a ladder of missing classes")
    rng = private_generator(seed, "ladder")
    real, known = (dataset.take(slice(0, count)).pixels for dataset in (test, train))

    def without(classes: float) -> Tensor:
        kept = test.take(test.labels >= classes).pixels
        if len(kept) < count:
            raise DataError(f"{count} images without {classes:.0f} classes were needed, but there are {len(kept)}")
        return kept[:count]

    make: dict[str, Callable[[float], Tensor]] = {
        "noise": lambda deviation: (real + deviation * torch.randn(real.shape, generator=rng)).clamp(-1, 1),
        "blur": lambda width: blurred(real, width),
        "missing classes": without,
        "duplicates": lambda times: real[torch.arange(count) % math.ceil(count / times)],
        "memorised images": lambda share: torch.cat([known[: int(share * count)], real[int(share * count) :]]),
    }
    return {name: [make[name](rung) for rung in rungs] for name, rungs in RUNGS.items()}


def blurred(images: Images, width: float) -> Images:
    """Convolved with a normal kernel of this standard deviation, along one axis and the other."""
    reach = math.ceil(3 * width)
    kernel = torch.from_numpy(np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * width**2))).float()
    kernel = kernel / kernel.sum()
    count, channels, height, wide = images.shape
    flat = torch.nn.functional.pad(images.view(-1, 1, height, wide), (reach,) * 4, mode="replicate")
    return conv2d(conv2d(flat, kernel[None, None, None, :]), kernel[None, None, :, None]).view(
        count, channels, height, wide
    )


def frechet_gap(space: Space, samples: Splits, others: Splits, reference: Splits, split: str) -> Measured:
    """How much farther the samples are than others from the same reference, and how sure that is: more so than both
    distances are by themselves, since what is odd about the reference they share."""
    count = min(len(some[0]) for some in (samples, others, reference))
    pairs = [_as_many([x[:count] for x in some], reference) for some in (samples, others)]
    value, other = (_mean(_frechet, *pair) for pair in pairs)
    without, other_without = (np.array(_left_out(*pair)) for pair in pairs)
    return Measured(
        value - other, float(jackknife_error(without - other_without)), f"gap of FD[{space}, N={count}, {split}]"
    )
