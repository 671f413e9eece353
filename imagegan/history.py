"""Samples of the same latents over the course of training, kept in the state of a run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import torch
from PIL.Image import Image
from torch import Tensor, nn

from imagegan.data.dataset import Stored, as_floats
from imagegan.grids import POINTS, Bytes, as_bytes, drawn, gif, is_points
from imagegan.latents import Latents, Prior
from imagegan.nets import Images
from seqgan.core.phase import Metrics, Phase
from seqgan.core.plots import png
from seqgan.core.schema import COUNT, Field
from seqgan.core.weights import as_safetensors

Draw = Callable[[Latents], Images]

SHOWN = 100  # images in a grid
FRAMES = 32
BYTES = 5_000_000  # of all frames together, at most


class SampleHistory:
    """Frames after the rounds 1, 1 + k, 1 + 2k ... k doubles when there are too many, so that they do not depend on
    how long the training will be: a run that is extended keeps those of a longer one. Drawing changes nothing else."""

    def __init__(self, prior: Prior, seed: int, real: Stored) -> None:
        self.prior, self.seed, self.real = prior, seed, real
        self.frames: dict[int, Bytes] = {}  # by the round after which they were drawn

    def record(self, phase: Phase, draw: Draw, before: int = 0) -> Phase:
        """The phase, with a frame now and then; `before` is the number of rounds that earlier phases take."""

        def update(step: int) -> Metrics:
            measured, rounds = phase.update(step), before + step
            apart = spacing(rounds)
            if (rounds - 1) % apart == 0:
                self.frames = {at: frame for at, frame in self.frames.items() if (at - 1) % apart == 0}
                self.frames[rounds] = as_bytes(draw(self.latents))
                return {**measured, "samples": self._picture(self.frames[rounds])}
            return measured

        return replace(phase, update=update)

    @cached_property
    def latents(self) -> Latents:
        """Of the first images of samples.png: whole rows of ten."""
        rows = min(3, BYTES // (10 * FRAMES * self.real[0].numel()))
        return self.prior.draw(POINTS if is_points(self.real) else 10 * max(1, rows), self.seed)

    @property
    def like(self) -> Field:
        """What a saved state must hold."""
        shape = (len(self.latents.noise), *self.real.shape[1:])

        def holds(frames: object) -> bool:
            return isinstance(frames, dict) and all(
                COUNT.holds(at) and isinstance(frame, Tensor) and (frame.dtype, *frame.shape) == (torch.uint8, *shape)
                for at, frame in frames.items()
            )

        return Field(f"a table of frames by their rounds, each {' x '.join(map(str, shape))} bytes", holds)

    def gif(self, draw: Draw) -> bytes:
        """All frames, and one of the current generator."""
        frames = [*self.frames.values(), as_bytes(draw(self.latents))]
        return gif([self._picture(frame) for frame in frames])

    def _picture(self, frame: Bytes) -> Image:
        return drawn(as_floats(frame), real=self.real)

    def exports(self, draw: Draw, nets: Mapping[str, nn.Module]) -> Mapping[str, bytes]:
        """The weights of the networks, by file name, and the pictures."""
        weights = {name: as_safetensors(net.state_dict()) for name, net in nets.items()}
        count = POINTS if is_points(self.real) else SHOWN
        samples = draw(self.prior.draw(count, self.seed))
        return {**weights, "samples.png": png(drawn(samples, real=self.real)), "training.gif": self.gif(draw)}


def spacing(rounds: int) -> int:
    """Rounds between two frames: a power of two, so that at most FRAMES are kept."""
    return 1 << ((rounds - 1) // FRAMES).bit_length()
