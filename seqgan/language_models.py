"""The policies of other runs, by which the rewards `lm:RUN` and `classifier:RUN=LABEL` judge texts.

A run that begins takes copies of them, and resumes with these, whatever has become of the other runs."""

from collections.abc import Mapping
from pathlib import Path

import torch

from seqgan.algorithms.configs import MLEConfig, PolicyGradientConfig
from seqgan.core.weights import as_safetensors
from seqgan.pretrained import POLICY, from_pretrained, model_json
from seqgan.rewards.asked import LM, asked
from seqgan.rewards.builtin import LanguageModel
from seqgan.runs import load_model
from seqgan.warm_start import run_and_stage


def copied(config: MLEConfig) -> dict[str, bytes]:
    """The files of these policies, each a saved model in a folder of its own.

    Raises:
        RunError: there is no such run or stage, or it was trained with a custom policy that is not registered."""
    files: dict[str, bytes] = {}
    for name, place in _places(config).items():
        folder, stage = run_and_stage(name, "the run of a reward: ")
        model = load_model(folder, stage, with_discriminator=False)
        weights = {POLICY: as_safetensors(model.policy.state_dict())}
        about = {"config.json": model_json(model.about, weights), "tokenizer.model": model.tokenizer.model}
        files |= {f"{place}/{file}": content for file, content in {**about, **weights}.items()}
    return files


def read(run: Path, config: MLEConfig, device: torch.device) -> dict[str, LanguageModel]:
    """The policies that a run took copies of, by the names of the runs that they are of.

    Raises:
        CheckpointError: a file is missing or damaged."""
    models = {name: from_pretrained(run / place, device=device) for name, place in _places(config).items()}
    return {name: LanguageModel(model.policy, model.tokenizer, model.labels) for name, model in models.items()}


def _places(config: MLEConfig) -> Mapping[str, str]:
    """The runs that the rewards of a config name, and where in a run their copies are."""
    wanted = asked(config.reward).values() if isinstance(config, PolicyGradientConfig) else ()
    names = dict.fromkeys(reward.run for reward in wanted if reward.run)
    return {name: f"{LM}/{number}" for number, name in enumerate(names, start=1)}
