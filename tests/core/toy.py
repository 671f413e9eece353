"""The smallest algorithm that does all that algorithms do: three phases, an early stop, a best value, negatives drawn
again from a seed, weights kept between phases."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from seqgan.core.phase import Phase
from seqgan.core.seed import derive


class Toy:
    def __init__(self, *, seed: int = 0, steps: int = 6, nan_at: int = 0) -> None:
        self.seed, self.steps, self.nan_at = seed, steps, nan_at
        torch.manual_seed(seed)
        self.net = nn.Linear(3, 1)
        self.optimizer = torch.optim.Adam(self.net.parameters(), 0.1)
        self.best, self.stale = float("inf"), 0
        self.kept: dict[str, torch.Tensor] = {}
        self._round: tuple[int, torch.Tensor] | None = None

    def phases(self) -> Sequence[Phase]:
        return [
            Phase("first", 20, self.update, check=self.check, validate_every=2, finished=lambda: self.stale >= 2),
            Phase("second", 3, self.update, start=self.keep),
            Phase("game", self.steps, self.move, start=self.back, check=self.check, validate_every=3),
        ]

    def update(self, step: int) -> dict[str, Any]:
        return self._descend(self.net(torch.randn(4, 3)).square().mean() + torch.rand(()))

    def move(self, step: int) -> dict[str, Any]:
        if step == self.nan_at:
            return {"loss": float("nan")}
        if self._round is None or self._round[0] != step // 3:
            rng = torch.Generator().manual_seed(derive(self.seed, "round", step // 3))
            self._round = (step // 3, torch.randn(4, 3, generator=rng))
        return self._descend(self.net(self._round[1] + torch.randn(4, 3)).square().mean()) if step % 3 else {}

    def _descend(self, loss: torch.Tensor) -> dict[str, Any]:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def check(self, step: int) -> dict[str, Any]:
        value = float(self.net.weight.abs().sum().detach())
        self.best, self.stale = (value, 0) if value < self.best else (self.best, self.stale + 1)
        return {"value": value, "samples": [f"w = {value:.6f}"]}

    def keep(self) -> None:
        self.kept = {name: t.detach().clone() for name, t in self.net.state_dict().items()}
        with torch.no_grad():
            self.net.weight += torch.randn(1, 3)

    def back(self) -> None:
        self.net.load_state_dict(self.kept)

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "stale": self.stale,
            "kept": self.kept,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.stale, self.kept = state["best"], state["stale"], state["kept"]

    def exports(self) -> Mapping[str, bytes]:
        return {"net.safetensors": save(dict(self.net.state_dict())), "kept/net.safetensors": save(self.kept)}
