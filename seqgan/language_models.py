"""The rewards of a run: the policies of other runs by which `lm:RUN` and `classifier:RUN=LABEL` judge texts, and the
scores that its policy is measured by.

A run that begins takes copies of them, and resumes with these, whatever has become of the other runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from seqgan.algorithms.configs import MLEConfig, PolicyGradientConfig
from seqgan.core.weights import as_safetensors
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from seqgan.model import TextModel
from seqgan.pretrained import POLICY, from_pretrained, model_json
from seqgan.rewards.asked import DISCRIMINATOR, LM, Asked, asked
from seqgan.rewards.builtin import REWARDS, Given, LanguageModel
from seqgan.rollout import Score
from seqgan.runs import load_model
from seqgan.warm_start import run_and_stage


def copied(config: MLEConfig) -> dict[str, bytes]:
    """The files of these policies, each a saved model in a folder of its own.

    Raises:
        RunError: there is no such run or stage, or it was trained with a custom policy that is not registered."""
    files: dict[str, bytes] = {}
    for name, place in _places(config).items():
        model = _of_run(name)
        weights = {POLICY: as_safetensors(model.policy.state_dict())}
        about = {"config.json": model_json(model.about, weights), "tokenizer.model": model.tokenizer.model}
        files |= {f"{place}/{file}": content for file, content in {**about, **weights}.items()}
    return files


def read(run: Path, config: MLEConfig, device: torch.device) -> dict[str, LanguageModel]:
    """The policies that a run took copies of, by the names of the runs that they are of.

    Raises:
        CheckpointError: a file is missing or damaged."""
    models = {name: from_pretrained(run / place, device=device) for name, place in _places(config).items()}
    return {name: _judge(model) for name, model in models.items()}


def wanted(config: MLEConfig, others: Sequence[str] = ()) -> dict[str, Asked]:
    """The rewards of a config but the discriminator, and `others` that are named in the same way, by name and argument.

    Raises:
        ConfigError: there is no such reward.
        UsageError: the discriminator is among the others."""
    beside = asked(others).values()
    if any(one.name == DISCRIMINATOR for one in beside):
        raise UsageError("what a discriminator says of texts is measured as d-auc and d-gain; leave it out of --reward")
    of_texts = [one for one in [*_own(config), *beside] if one.name != DISCRIMINATOR]
    return {f"{one.name}:{one.argument}" if one.argument else one.name: one for one in of_texts}


def scores(
    rewards: Mapping[str, Asked], dataset: TokenDataset, models: Mapping[str, LanguageModel]
) -> dict[str, Score]:
    """What finished sequences earn by each reward. The policies of runs that are not among `models` are read from these
    runs.

    Raises:
        RunError: there is no such run.
        UsageError: a reward cannot be made of these texts."""
    others = {one.run for one in rewards.values() if one.run and one.run not in models}
    given = Given(dataset, models={**models, **{run: _judge(_of_run(run)) for run in others}})
    return {name: REWARDS[one.name](given, one.argument) for name, one in rewards.items()}


def _of_run(name: str) -> TextModel:
    folder, stage = run_and_stage(name, "the run of a reward: ")
    return load_model(folder, stage, with_discriminator=False)


def _judge(model: TextModel) -> LanguageModel:
    return LanguageModel(model.policy, model.tokenizer, model.labels)


def _own(config: MLEConfig) -> list[Asked]:
    return [*asked(config.reward).values()] if isinstance(config, PolicyGradientConfig) else []


def _places(config: MLEConfig) -> Mapping[str, str]:
    """The runs that the rewards of a config name, and where in a run their copies are."""
    names = dict.fromkeys(reward.run for reward in _own(config) if reward.run)
    return {name: f"{LM}/{number}" for number, name in enumerate(names, start=1)}
