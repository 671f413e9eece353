"""Critics of a ring of eight modes, while all generated points lie in the middle: they go to the ring on straight
lines, so that the best critic is a cone, D(x) = |x|, and EM is the mean distance from the middle."""

import torch

from imagegan.data.toys import toy
from imagegan.lab.experiment import Result, as_images, penalised, resampled
from imagegan.lab.surfaces import REACH, clipped, frames, numbers, trained
from seqgan.core.plots import GREY, Curve, plot, row


def run(steps: int = 600) -> Result:
    ring = toy("ring", 4096).images.flatten(1)
    middle, real = torch.zeros_like(ring), resampled(ring)
    players = {"clipping": clipped(0.1), "gradient penalty": penalised()}
    found = {name: trained(player, real, lambda count: middle[:count], steps) for name, player in players.items()}
    em = ring.norm(dim=1).mean().item()
    ray = torch.linspace(0, REACH, 100)
    along = [Curve("exact: |x|", ray, ray, "dashed", GREY)]
    for name, of in found.items():
        with torch.no_grad():
            values = of.critic(as_images(torch.stack([ray, 0 * ray], dim=1))).score
        along.append(Curve(name, ray, (values - values[0]) / of.steepest))
    title, y = "From the middle through a mode", "(D(x) - D(0)) / steepest slope"
    profile = plot(along, title=title, x="|x|", y=y, size=(460, 420))
    seen = frames(found, ring, middle)
    return Result(numbers(found, em), row([seen[-1], profile]), seen)
