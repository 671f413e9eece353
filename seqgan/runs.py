"""Read a run, check it, and load the model of one of its stages."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.mle import new_policy
from seqgan.algorithms.opponent import new_discriminator
from seqgan.core import checkpoint, schema
from seqgan.core.config import assemble, parameters
from seqgan.core.run import checkpoints, describe, saved_in
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.errors import CheckpointError, ConfigError, RunError, quoted, why
from seqgan.model import TextModel

STAGES = ("mle", "final", "best")
MODEL_FIELDS = {
    "algorithm": schema.TEXT,
    "tokenizer": schema.Field(f"one of {', '.join(get_args(Kind))}", lambda value: value in get_args(Kind)),
    "tokenizer_sha256": schema.TEXT,
    "max_length": schema.SIZE,
    "own": schema.NAMES,
    "config": schema.TABLE,
    "files": schema.WORDS._replace(needed=False),
}
RUN_FIELDS = {
    **MODEL_FIELDS,
    "threads": schema.THREADS,
    "vocab_size": schema.SIZE,
    "sources": schema.WORDS,
    "corpus": schema.TABLE,
    "from": schema.ORIGIN,
}
CORPUS_FIELDS = {
    "name": schema.TEXT,
    "path": schema.PATH,
    "sha256": schema.TEXT,
    "texts_sha256": schema.TEXT_OR_NOTHING,
    "text_column": schema.TEXT_OR_NOTHING,
    "valid": schema.TEXT_OR_NOTHING,
    "test": schema.TEXT_OR_NOTHING,
}


def load_model(
    folder: Path,
    stage: str = "final",
    device: torch.device | str = "cpu",
    parts: Components = DEFAULTS,
    *,
    judge: bool = True,
) -> TextModel:
    """The model of a run: after MLE, the final one, the best by validation NLL, or that of a checkpoint by its number.

    `parts` must be given where the run was trained with someone's own modules; without `judge`, the discriminator
    stays where it is.

    Raises:
        RunError: not a run, nothing saved yet, no such stage, or trained with a module that is not given.
        CheckpointError: the checkpoint is damaged or belongs to another model."""
    description = describe_run(folder)
    own_parts_given(folder, description, parts, ["policy", "discriminator"] if judge else ["policy"])
    path, stage = _checkpoint_of(folder, stage)
    learned = saved_in(path, folder, description)["algorithm"]
    tokenizer = load_tokenizer(folder, description)
    config = run_config(folder / "run.json", description)
    sizes = (len(tokenizer), description["max_length"])
    policy, discriminator = new_policy(config, *sizes, parts.policy), None
    try:
        checkpoint.check(learned["policies"][stage], policy, f"policies/{stage}")
        policy.load_state_dict(learned["policies"][stage])
        if judge and "discriminator" in learned:
            discriminator = new_discriminator(config, *sizes, parts)  # type: ignore[arg-type]
            checkpoint.check(learned["discriminator"], discriminator, "discriminator")
            discriminator.load_state_dict(learned["discriminator"])
            discriminator.to(device).eval()
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not belong to the run {folder}: {why(error)}; restore it from a copy, or remove it to use "
            "the one before it"
        ) from error
    return TextModel(policy.to(device), tokenizer, discriminator, model_config(description))


def _checkpoint_of(folder: Path, stage: str) -> tuple[Path, str]:
    """The file that holds a stage, and the policy to take from it."""
    found = checkpoints(folder)
    if not found:
        raise RunError(f"{folder} holds no checkpoint yet; start it with seqgan train --resume {folder}")
    if stage in STAGES:
        return next(reversed(found.values())), stage
    if stage.isascii() and stage.isdecimal() and len(stage) < 20 and int(stage) in found:
        return found[int(stage)], "final"
    raise RunError(
        f"{folder} has no stage {quoted(stage)}; "
        f"there are {', '.join(STAGES)} and the checkpoints {', '.join(map(str, found))}"
    )


def describe_run(folder: Path) -> dict[str, Any]:
    """The description of a run of seqgan.

    Raises:
        RunError: no run, a damaged one, or one of another package."""
    description = describe(folder)
    if description.get("package") != "seqgan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of seqgan")
    path = folder / "run.json"
    schema.check(path, description, RUN_FIELDS, RunError)
    schema.check(path, description["corpus"], CORPUS_FIELDS, RunError, "corpus: ")
    return description


def own_parts_given(folder: Path, description: Mapping[str, Any], parts: Components, needed: Sequence[str]) -> None:
    """Refuse to build a run without those of its modules that are needed.

    Raises:
        RunError: it was trained with someone's own module, and none is given."""
    missing = [name for name in description.get("own", []) if name in needed and getattr(parts, name) is None]
    if missing:
        raise RunError(
            f"{folder} was trained with someone's own {' and '.join(missing)}; load it from Python, "
            f"with {', '.join(f'{name}=...' for name in missing)}"
        )


def load_tokenizer(folder: Path, description: Mapping[str, Any]) -> Tokenizer:
    path = folder / "tokenizer.model"
    try:
        model = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {why(error)}; without it the run's ids cannot be turned into text"
        ) from error
    # First of all, since sentencepiece writes of a damaged model to stderr by itself.
    if hashlib.sha256(model).hexdigest() != description["tokenizer_sha256"]:
        raise CheckpointError(f"{path} is not the one this was made with; restore it from a copy, or train anew")
    try:
        return Tokenizer(description["tokenizer"], model)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def run_config(path: Path, description: Mapping[str, Any]) -> MLEConfig:
    """The config in a description, which was read from a path.

    Raises:
        RunError: it is of an algorithm that is not known here, or a value is bad."""
    name = description["algorithm"]
    if name not in CONFIGS:
        raise RunError(f"{path}: algorithm {quoted(name)} is not known here; seqgan.register it first")
    try:
        config, _ = assemble(CONFIGS[name], [(str(path), description["config"])])
    except ConfigError as error:
        raise RunError(str(error)) from error
    damaged = RunError if path.name == "run.json" else CheckpointError
    schema.refuse_changed(path, description, damaged, [parameter.name for parameter in parameters(CONFIGS[name])])
    return config


def model_config(description: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed beside the weights and the tokenizer to build a model again."""
    names = ("package", "algorithm", "tokenizer", "tokenizer_sha256", "vocab_size", "max_length")
    kept = {name: description[name] for name in names if name in description}
    return {"format": schema.FORMAT, **kept, "own": description.get("own", []), "config": description["config"]}


def model_json(about: Mapping[str, Any], weights: Mapping[str, bytes]) -> bytes:
    """config.json: what is known of a model, the sha256 of each of its files of weights, and a checksum of all that."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in weights.items()}
    return schema.json_bytes(schema.with_checksum({**about, "files": hashes}))
