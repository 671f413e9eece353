"""Small networks that predict labels or factors of images, for the metrics: trained on a dataset, and cached."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, relu

from imagegan.data.dataset import ImageDataset, as_floats, need_labels
from seqgan.core import files
from seqgan.core.seed import derive, private_generator
from seqgan.errors import DataError, StorageError

Images = Float[Tensor, "N C S S"]
Target = Literal["labels", "factors"]
FEATURES = 64
STEPS, BATCH, RATE = 600, 100, 2e-3
AT_ONCE = 500  # images in a forward pass
RECIPE = "1"  # to be changed with anything that changes the trained weights


class Predictor(nn.Module):
    """Strided convolutions (LeCun et al. 1998, with ReLU), then 64 linear features, then the outputs."""

    def __init__(self, channels: int, size: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 16
        while size > 8:
            layers += [nn.Conv2d(channels, width, 5, 2, 2), nn.ReLU()]
            channels, width, size = width, min(2 * width, 32), (size + 1) // 2
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size * size, FEATURES))
        self.head = nn.Linear(FEATURES, outputs)

    def features(self, images: Images) -> Float[Tensor, "N D"]:
        """Before the ReLU: units that are always zero would make the covariance singular."""
        return self.trunk(images)

    def forward(self, images: Images) -> Float[Tensor, "N K"]:
        return self.head(relu(self.features(images)))

    @torch.no_grad()
    def predict(self, images: Images) -> Float[Tensor, "N K"]:
        return torch.cat([self(some) for some in images.split(AT_ONCE)])

    def classify(self, images: Images) -> Int[Tensor, "N"]:
        return self.predict(images).argmax(dim=1)

    def fingerprint(self) -> str:
        return hashlib.sha256(save(self.state_dict())).hexdigest()


def predictor(
    dataset: ImageDataset, target: Target = "labels", *, steps: int = STEPS, folder: Path | None = None
) -> Predictor:
    """The classifier, or regressor of factors, of these images: from the cache (`cache_folder()`), else trained.

    Raises:
        DataError: the images have no labels, or no factors."""
    if target == "labels":
        need_labels(dataset, "a classifier")
    elif not dataset.factors.shape[1]:
        raise DataError("a regressor of factors needs images with known factors, such as digits")
    _, channels, size, _ = dataset.images.shape
    made = Predictor(channels, size, dataset.classes if target == "labels" else dataset.factors.shape[1])
    facts = (RECIPE, target, steps, BATCH, RATE, dataset.fingerprint())
    path = (folder or cache_folder()) / f"{target}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.safetensors"
    # What cannot be read is trained again.
    with suppress(OSError, SafetensorError, RuntimeError):
        made.load_state_dict(load(path.read_bytes()))
        return made.eval()
    _train(made, dataset, target, steps)
    with suppress(StorageError):  # then it is trained again next time
        files.make_folder(path.parent)
        files.write(path, save(made.state_dict()))
    return made.eval()


def cache_folder() -> Path:
    home = os.environ.get("SEQGAN_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(home) if home else cache / "seqgan") / "networks"


def _train(made: Predictor, dataset: ImageDataset, target: Target, steps: int) -> None:
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(derive(0, "network", target))
        for layer in made.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
    optimizer = torch.optim.Adam(made.parameters(), RATE, fused=True)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    wanted = dataset.labels if target == "labels" else dataset.factors
    order = private_generator(0, "network batches")
    for _ in range(steps):
        chosen = torch.randint(len(dataset.images), (BATCH,), generator=order)
        output = made(as_floats(dataset.images[chosen]))
        loss = cross_entropy(output, wanted[chosen]) if target == "labels" else mse_loss(output, wanted[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
