"""Read a run and check it: its description, its corpus, its tokenizer, its stages; load the model of one of them."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from seqgan.algorithms.adversarial import PRETRAIN
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.mle import PHASE
from seqgan.core import checkpoint, schema
from seqgan.core.config import assemble, parameters
from seqgan.core.files import in_shell
from seqgan.core.folder import checkpoint_of
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, describe, fitting, saved_in
from seqgan.data.corpus import Corpus, labels_beside, load_corpus
from seqgan.data.reading import Reading, kind_of
from seqgan.data.store import kept_file
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.errors import CheckpointError, ConfigError, CorpusError, RunError, quoted, why
from seqgan.model import TextModel
from seqgan.models.factory import new_discriminator, new_policy
from seqgan.models.from_policy import LANGUAGE_MODEL
from seqgan.rewards.asked import DISCRIMINATOR

STAGES = ("mle", "final", "best")
CUSTOM = ("policy", "discriminator", "reward")  # components that the user may replace
PRETRAINING = (PHASE, PRETRAIN)  # phases during which the final policy is that of MLE
MODEL_FIELDS = {
    "algorithm": schema.TEXT,
    "tokenizer": schema.Field(f"one of {', '.join(get_args(Kind))}", lambda value: value in get_args(Kind)),
    "tokenizer_sha256": schema.TEXT,
    "max_length": schema.SIZE,
    "labels": schema.COUNTS,  # of training texts, in the order of the labels' numbers
    "custom": schema.TEXTS,
    "config": schema.TABLE,
}
RUN_FIELDS = {
    **MODEL_FIELDS,
    "threads": schema.THREADS,
    "vocab_size": schema.SIZE,
    "sources": schema.WORDS,
    "corpus": schema.TABLE,
    "init_from": schema.Field(
        "a run, a stage and a sha256, or null",
        lambda value: (
            value is None
            or (isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("run", "stage", "sha256")))
        ),
    ),
}
CORPUS_FIELDS = {
    "name": schema.TEXT,
    "path": schema.PATH,
    "sha256": schema.TEXT,
    "texts_sha256": schema.TEXT,
    **dict.fromkeys(
        ("text_column", "delimiter", "split_on", "label_column", "labels", "valid", "test"),
        schema.Field("a text that is not empty, or null", lambda value: value is None or schema.TEXT.holds(value)),
    ),
    "header": schema.Field("true, false or null", lambda value: value is None or isinstance(value, bool)),
}


def describe_run(folder: Path) -> dict[str, Any]:
    """The description of a run of seqgan, from its `run.json`.

    Raises:
        RunError: no run, a damaged one, or one of another package."""
    description = describe(folder, "seqgan")
    path = folder / "run.json"
    schema.check(path, description, RUN_FIELDS, RunError)
    schema.check(path, description["corpus"], CORPUS_FIELDS, RunError, "corpus: ")
    return description


def run_config(path: Path, description: Mapping[str, Any]) -> MLEConfig:
    """The config in a description, which was read from a path.

    Raises:
        RunError: it is of an unknown algorithm, or a value is bad."""
    name = description["algorithm"]
    if name not in CONFIGS:
        raise RunError(f"{path}: there is no algorithm {quoted(name)}; seqgan.register it first")
    try:
        config, _ = assemble(CONFIGS[name], [(str(path), description["config"])])
    except ConfigError as error:  # one of values that do not fit together does not say where they stand
        told = str(error)
        raise RunError(told if told.startswith(str(path)) else f"{path}: {told}") from error
    damaged = RunError if path.name == "run.json" else CheckpointError
    schema.refuse_changed(path, description, damaged, [parameter.name for parameter in parameters(CONFIGS[name])])
    return config


def load_tokenizer(folder: Path, description: Mapping[str, Any]) -> Tokenizer:
    path = folder / "tokenizer.model"
    try:
        model = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {why(error)}; the ids of the run cannot be decoded without it"
        ) from error
    # Checked first, since sentencepiece writes to stderr when it loads a damaged model.
    if hashlib.sha256(model).hexdigest() != description["tokenizer_sha256"]:
        raise CheckpointError(f"{path} is not the one this was made with; restore it from a copy, or train anew")
    try:
        return Tokenizer(description["tokenizer"], model)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def custom_names(components: Components) -> list[str]:
    return [name for name in CUSTOM if getattr(components, name) is not None]


def refuse_missing(
    folder: Path, description: Mapping[str, Any], components: Components, needed: Collection[str] = CUSTOM
) -> None:
    """
    Raises:
        RunError: a custom component that is needed is not given."""
    missing = [name for name in description["custom"] if name in needed and getattr(components, name) is None]
    if missing:
        raise RunError(
            f"{folder} was trained with a custom {' and '.join(missing)}; load it from Python, "
            f"with {', '.join(f'{name}=...' for name in missing)}"
        )


def load_model(
    folder: Path,
    stage: str = "final",
    device: torch.device | str = "cpu",
    components: Components = DEFAULTS,
    *,
    with_discriminator: bool = True,
) -> TextModel:
    """The model of a run: after MLE, the final one, the best by validation NLL, or that of a checkpoint by its number.

    `components` must hold the custom modules that the run was trained with.

    Raises:
        RunError: not a run, nothing saved yet, no such stage, or trained with a module that is not given.
        CheckpointError: the checkpoint is damaged or belongs to another model."""
    description = describe_run(folder)
    refuse_missing(folder, description, components, ["policy", "discriminator"] if with_discriminator else ["policy"])
    named = [*STAGES, *_of_discriminator(description)]
    path = checkpoint_of(folder, stage, named, "seqgan")
    stage = stage if stage in named else "final"
    state = saved_in(path, folder, description)["algorithm"]
    tokenizer = load_tokenizer(folder, description)
    config = run_config(folder / "run.json", description)
    sizes = (len(tokenizer), description["max_length"])
    labels = tuple(description["labels"].values())
    policy, discriminator = new_policy(config, *sizes, components.policy, labels), None
    with fitting(path, folder):
        checkpoint.check(state["policies"][stage], policy, f"policies/{stage}")
        policy.load_state_dict(state["policies"][stage])
        if with_discriminator and "discriminator" in state:
            discriminator = new_discriminator(config, policy, components.discriminator)
            checkpoint.check(state["discriminator"], discriminator, "discriminator")
            discriminator.load_state_dict(state["discriminator"])
            discriminator.to(device).eval()
    about = {name: description[name] for name in ("package", "vocab_size", *MODEL_FIELDS)}
    return TextModel(policy.to(device), tokenizer, discriminator, about)


# --- its corpus


class Source(NamedTuple):
    """Where texts are: a corpus or what names one, and files with given splits."""

    corpus: str | Corpus | None = None
    reading: Reading = Reading()
    valid: str | None = None
    test: str | None = None

    def load(self) -> Corpus:
        """
        Raises:
            CorpusError: it cannot be read."""
        if isinstance(self.corpus, Corpus):
            return self.corpus
        return load_corpus(self.corpus or "", **self.reading._asdict(), valid=self.valid, test=self.test)


NOWHERE = Source()


def corpus_of(folder: Path, source: Source = NOWHERE) -> Corpus:
    """The corpus of a run, from where it was or from where `source` says it is now, by the sha256 of its texts.

    Raises:
        RunError: it cannot be read, or its content is not what the run was begun with."""
    stored = describe_run(folder)["corpus"]
    corpus = source.corpus if isinstance(source.corpus, Corpus) else _read_again(folder, stored, source)
    found = corpus.provenance
    was = Reading(**{name: stored[name] for name in Reading._fields})
    now = source.reading.over(was)
    if found["texts_sha256"] == stored["texts_sha256"]:
        return corpus
    if found["sha256"] == stored["sha256"] and now != was:  # the same file, read in another way
        name = next(name for name in Reading._fields if getattr(now, name) != getattr(was, name))
        raise RunError(
            f"{folder} was begun with {name} {quoted(getattr(was, name))}, not {quoted(getattr(now, name))}; "
            f"leave --{name.replace('_', '-')} out to go on, or start a new run"
        )
    raise RunError(
        f"the corpus {found['path'] or 'given'} is not the one that {folder} was begun with (sha256 "
        f"{found['sha256'][:12]}..., then {stored['sha256']}); give the texts it was begun with, or start a new run"
    )


def _read_again(folder: Path, stored: Mapping[str, Any], source: Source) -> Corpus:
    given = source._replace(corpus=None) if source.corpus == stored.get("source") else source
    in_memory = not stored["path"] and not given.corpus
    if in_memory:  # such texts are stored in the run
        train, valid, test = (str(kept_file(folder / "corpus", part)) for part in ("train", "valid", "test"))
    else:
        train, valid, test = (stored[key] for key in ("path", "valid", "test"))
    place, was = given.corpus or train, Reading(**{name: stored[name] for name in Reading._fields})
    if given.corpus and kind_of(Path(str(place))) != kind_of(Path(str(train))):  # the texts in another kind of file
        was = was.fitting(Path(str(place)))
    if in_memory and (beside := labels_beside(Path(train))).is_file():
        was = was._replace(labels=str(beside))
    how = was if in_memory else given.reading.over(was)  # the files in a run are not as those that it was begun with
    there = Source(place, how, given.valid or valid, given.test or test)
    try:
        corpus = there.load()
    except CorpusError as error:
        known = {"corpus": train, "valid": valid, "test": test}
        missing = [key for key, place in known.items() if place and not getattr(given, key)]
        if not missing:
            raise
        options, arguments = (form.join(missing) for form in (" PATH and --", "=, "))
        raise RunError(
            f"cannot read the corpus that {folder} was begun with: {error}; give the same texts by "
            f"--{options} PATH (in Python {arguments}=); their sha256 is {stored['sha256']}"
        ) from error
    return replace(corpus, name=stored["name"]) if in_memory else corpus


def moved(folder: Path, corpus: Corpus) -> list[str]:
    """A line where the texts of a run were read from another place than the one it was begun with."""
    was, now = describe_run(folder)["corpus"]["path"], corpus.provenance["path"]
    if not was or now == was:
        return []
    return [f"the texts come from {now or 'memory'}; they are those of {was}, by their sha256"]


# --- how far it has come


def stages_of(description: Mapping[str, Any]) -> list[str]:
    """The policies of a run that an evaluation has a row for."""
    if description["algorithm"] == "mle":
        return ["mle"]
    return ["mle", *_of_discriminator(description), "final"]


def along_training(folder: Path) -> dict[int, str]:
    """The policies along the last phase of a run, by the steps of it that they have taken: the one that it begins with,
    if that is the policy of MLE, and those of the checkpoints that the run kept. Each is a stage as of `load_model`."""
    description = describe_run(folder)
    found = checkpoints(folder)
    # A phase is over once a later one has begun: all checkpoints of the last one have as many steps of those before it.
    before = sum([*saved_in(found[max(found)], folder, description)["steps"].values()][:-1]) if found else 0
    kept = {number - before: str(number) for number in found if number > before}
    return kept if description["algorithm"] == "mle" else {0: "mle", **kept}


def _of_discriminator(description: Mapping[str, Any]) -> list[str]:
    """The stage that the discriminator of a run holds, if it compares likelihoods."""
    config, own = description["config"], {"discriminator", "reward"} & set(description["custom"])
    reward = config.get("reward")  # a damaged config is refused where it is read
    asked_for = isinstance(reward, list) and any(str(name).startswith(DISCRIMINATOR) for name in reward)
    compares = asked_for and config.get("discriminator") == "likelihood-ratio" and not own
    return [LANGUAGE_MODEL] if compares else []


def progress(folder: Path) -> dict[str, Any]:
    """What an evaluation says of a run beside its numbers: which steps its policies are of (`selection`) and, where
    training has not ended, how far it has come in words (`unfinished`) and by phase (`trained`)."""
    description = describe_run(folder)
    found = checkpoints(folder)
    if not found or _ended(folder, max(found)):
        return {"selection": selection(folder)}
    steps = saved_in(found[max(found)], folder, description)["steps"]
    so_far = ", ".join(f"{count} {'step' if count == 1 else 'steps'} of {phase}" for phase, count in steps.items())
    waiting = description["algorithm"] != "mle" and list(steps)[-1] in PRETRAINING
    not_begun = " and the adversarial phase has not begun, so that final is the MLE policy" if waiting else ""
    unfinished = (
        f"Training has not ended: {so_far} so far{not_begun}; go on with seqgan train --resume {in_shell(folder)}"
    )
    return {"selection": selection(folder).partition(";")[0], "unfinished": unfinished, "trained": steps}


def selection(folder: Path) -> str:
    """Which steps the policies of a run are of, and what selected them."""
    description = describe_run(folder)
    checks = [line for line in read_record(folder) if line["phase"] == PHASE and "valid_nll" in line]
    mle_alone = description["algorithm"] == "mle"
    last = "" if mle_alone else "; final is the policy after the last step of all, not a best one"
    if not checks:
        return f"MLE: no step was taken{last}"
    if not run_config(folder / "run.json", description).mle_patience:
        return f"MLE keeps its last step, {checks[-1]['step']}{last}"
    best = min(checks, key=lambda line: float(line["valid_nll"]))
    or_start = " or the policy it began from" if description["init_from"] else ""
    return f"MLE keeps step {best['step']} of {checks[-1]['step']}{or_start}, by validation NLL{last}"


def _ended(folder: Path, steps: int) -> bool:
    """Whether the closing evaluation was made of a run at this step."""
    try:
        closing = schema.read(folder / "evaluations" / "training.json", RunError, "remove it")
    except (FileNotFoundError, RunError):
        return False
    return closing.get("steps") == steps
