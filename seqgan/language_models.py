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
from seqgan.pretrained import POLICY, from_pretrained, model_json
from seqgan.rewards.asked import DISCRIMINATOR, LM, asked
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


def scores(
    config: MLEConfig, dataset: TokenDataset, models: Mapping[str, LanguageModel], others: Sequence[str] = ()
) -> dict[str, Score]:
    """What finished sequences earn by each reward of a config but the discriminator, and by `others` that are named in
    the same way: by name and argument. The policies of runs that are not among `models` are read from these runs.

    Raises:
        ConfigError: there is no such reward.
        RunError: there is no such run.
        UsageError: a reward cannot be made of these texts, or the discriminator is among the others."""
    own = config.reward if isinstance(config, PolicyGradientConfig) else ()
    beside = asked(others)
    if any(one.name == DISCRIMINATOR for one in beside.values()):
        raise UsageError("what a discriminator says of texts is measured as d-auc and d-gain; leave it out of --reward")
    wanted = {(one.name, one.argument): one for one in [*asked(own).values(), *beside.values()]}
    found = dict[str, Score]()
    for (name, argument), reward in wanted.items():
        if name == DISCRIMINATOR:
            continue
        if reward.run and reward.run not in models:
            folder, stage = run_and_stage(reward.run, "the run of a reward: ")
            model = load_model(folder, stage, with_discriminator=False)
            models = {**models, reward.run: LanguageModel(model.policy, model.tokenizer, model.labels)}
        found[f"{name}:{argument}" if argument else name] = REWARDS[name](Given(dataset, models=models), argument)
    return found


def _places(config: MLEConfig) -> Mapping[str, str]:
    """The runs that the rewards of a config name, and where in a run their copies are."""
    wanted = asked(config.reward).values() if isinstance(config, PolicyGradientConfig) else ()
    names = dict.fromkeys(reward.run for reward in wanted if reward.run)
    return {name: f"{LM}/{number}" for number, name in enumerate(names, start=1)}
