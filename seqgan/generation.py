"""From a run to text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.mle import new_policy
from seqgan.core import checkpoint
from seqgan.core.config import assemble
from seqgan.core.run import checkpoints, describe
from seqgan.data.symbols import EOS
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CheckpointError, RunError, UsageError
from seqgan.models.generator import Generator, sample

STAGES = ("mle", "final", "best")
ROWS_AT_A_TIME = 1000


class Written(NamedTuple):
    """A generated text."""

    text: str
    tokens: int
    ended: bool  # with EOS, rather than at the longest length


@dataclass(frozen=True)
class Writer:
    """A trained policy and its tokenizer."""

    generator: Generator
    tokenizer: Tokenizer

    def write(
        self,
        count: int,
        *,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[Written]:
        """Texts drawn from the policy, all continuing the prompt.

        Raises:
            UsageError: the prompt is too long, or holds what the policy has never seen."""
        ids = self._prompt_ids(prompt)
        device = next(self.generator.parameters()).device
        rng = torch.Generator(device).manual_seed(seed)
        begun = torch.tensor(ids, device=device) if ids else None
        written: list[Written] = []
        for start in range(0, count, ROWS_AT_A_TIME):
            rows = min(ROWS_AT_A_TIME, count - start)
            drawn = sample(
                self.generator, rows, prompt=begun, temperature=temperature, top_k=top_k, top_p=top_p, rng=rng
            )
            lengths = drawn.mask.sum(dim=1).tolist()
            for row, length in zip(drawn.tokens.tolist(), lengths, strict=True):
                written.append(Written(self.tokenizer.decode(row), length, row[length - 1] == EOS))
        return written

    def _prompt_ids(self, prompt: str) -> list[int]:
        if unknown := self.tokenizer.unknown(prompt):
            raise UsageError(f"the prompt holds what this run has never seen: {' '.join(unknown)}; choose other words")
        ids = self.tokenizer.encode(prompt) if prompt else []
        if len(ids) >= self.generator.longest:
            raise UsageError(f"the prompt has {len(ids)} tokens; this run writes at most {self.generator.longest}")
        return ids


def load_writer(folder: Path, stage: str = "final", device: torch.device | str = "cpu") -> Writer:
    """The policy of a run: after MLE, the final one, the best by validation NLL, or that of a checkpoint by its number.

    Raises:
        RunError: not a run, nothing saved yet, or no such stage.
        CheckpointError: the checkpoint is damaged or belongs to another model."""
    description = describe(folder)
    if description.get("package") != "seqgan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of seqgan")
    found = checkpoints(folder)
    if not found:
        raise RunError(f"{folder} holds no checkpoint yet; start it with seqgan train --resume {folder}")
    if stage in STAGES:
        path = next(reversed(found.values()))
    elif stage.isdigit() and int(stage) in found:
        path, stage = found[int(stage)], "final"
    else:
        raise RunError(
            f"{folder} has no stage {stage!r}; "
            f"there are {', '.join(STAGES)} and the checkpoints {', '.join(map(str, found))}"
        )
    state = checkpoint.load(path)
    tokenizer = load_tokenizer(folder, description)
    generator = new_policy(run_config(description), len(tokenizer), description["longest"])
    try:
        generator.load_state_dict(state["algorithm"]["policies"][stage])
    except (KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not belong to the run {folder}: its weights have other names or shapes"
        ) from error
    return Writer(generator.to(device), tokenizer)


def load_tokenizer(folder: Path, description: dict[str, Any]) -> Tokenizer:
    path = folder / "tokenizer.model"
    try:
        return Tokenizer(description["tokenizer"], path.read_bytes())
    except OSError as error:
        raise RunError(
            f"cannot read {path} ({error.strerror}); without it the run's ids cannot be turned into text"
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def run_config(description: dict[str, Any]) -> MLEConfig:
    """The config that a run was made with."""
    config, _ = assemble(CONFIGS[description["algorithm"]], [("run.json", description["config"])])
    return config
