import random
import subprocess
import sys

import numpy as np
import torch

from seqgan.core.seed import derive, private_generator, seed_everything


def test_a_place_has_one_seed_in_every_process() -> None:
    code = "from seqgan.core.seed import derive; print(derive(7, 0, 'adversarial', 3))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == derive(7, 0, "adversarial", 3)


def test_places_differ() -> None:
    places = {derive(s, r, p, k) for s in (0, 1) for r in (0, 1) for p in ("a", "b") for k in range(50)}
    assert len(places) == 400
    assert all(0 <= seed < 2**63 for seed in places)


def test_seeding_fixes_draws_and_a_private_generator_does_not_disturb_them() -> None:
    seed_everything(1, "x")
    first = torch.rand(3)
    seed_everything(1, "x")
    torch.rand(1, generator=private_generator(5, "y"))
    assert torch.rand(3).equal(first)


def test_the_generators_of_python_and_numpy_are_seeded_too() -> None:
    def drawn(*place: object) -> tuple[float, float]:
        seed_everything(1, *place)
        return random.random(), float(np.random.rand())

    assert drawn("x", 1) == drawn("x", 1)
    assert len({number for step in range(50) for number in drawn("x", step)}) == 100
