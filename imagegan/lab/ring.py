"""Critics of a ring of eight modes, while all generated points lie in the middle: they go to the ring on straight
lines, so that the best critic is a cone, D(x) = |x|, and EM is the mean distance from the middle."""

import torch

from imagegan.data.toys import toy
from imagegan.lab.experiment import Points, Result, as_images
from imagegan.lab.surfaces import REACH, clipped, penalised, surface, trained
from seqgan.core.plots import GREY, Curve, plot, row


def run(steps: int = 600) -> Result:
    ring = toy("ring", 4096).images.flatten(1)
    middle = torch.zeros_like(ring)

    def real(count: int) -> Points:
        return ring[torch.randint(len(ring), (count,))]

    players = {"clipping": clipped(0.1), "gradient penalty": penalised()}
    found = {name: trained(player, real, lambda count: middle[:count], steps) for name, player in players.items()}
    em = ring.norm(dim=1).mean().item()
    numbers = [number for name, critic in found.items() for number in critic.numbers(name, em)]
    ray = torch.linspace(0, REACH, 100)
    along = [Curve("exact: |x|", ray, ray, "dashed", GREY)]
    for name, (net, _, _, _, steepest) in found.items():
        with torch.no_grad():
            values = net(as_images(torch.stack([ray, 0 * ray], dim=1))).score
        along.append(Curve(name, ray, (values - values[0]) / steepest))
    profile = plot(
        along, title="From the middle through a mode", x="|x|", y="(D(x) - D(0)) / steepest slope", size=(460, 420)
    )
    stages = zip(*(critic.surfaces for critic in found.values()), strict=True)
    frames = [row([surface(name, at, ring, middle) for name, at in zip(found, stage, strict=True)]) for stage in stages]
    return Result(numbers, row([frames[-1], profile]), frames)
