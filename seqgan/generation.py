"""From a run to text, and from text to its probability: a trained policy with its tokenizer, ready to use."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

import torch
from torch import nn

from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.mle import new_policy
from seqgan.algorithms.opponent import new_discriminator
from seqgan.core import checkpoint, schema
from seqgan.core.bounds import DRAWN, PROMPT, SEED, TEMPERATURE, TOP_K, TOP_P, checked
from seqgan.core.config import assemble, parameters
from seqgan.core.run import checkpoints, describe, saved_in
from seqgan.data.batches import Overlong, by_length, pad
from seqgan.data.readers import a_list_of_texts
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.errors import CheckpointError, ConfigError, RunError, UsageError, quoted, why
from seqgan.metrics.nll import text_log_probs, token_log_probs
from seqgan.models.policy import PolicyModule, sample
from seqgan.rewards import judging
from seqgan.symbols import EOS, UNK

FORMAT = 1  # of config.json and the files beside it
STAGES = ("mle", "final", "best")
MODEL_FIELDS = {
    "algorithm": schema.TEXT,
    "tokenizer": schema.Kind(f"one of {', '.join(get_args(Kind))}", lambda value: value in get_args(Kind)),
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


class Written(NamedTuple):
    """A generated text."""

    text: str
    tokens: int
    ended: bool  # with EOS, rather than at the longest length


class Scored(NamedTuple):
    """What a model makes of a text it did not write."""

    text: str
    log_prob: float  # of the whole text with its end, in nats
    tokens: int  # its end included
    unknown: int  # of them outside the vocabulary; each counts as the one token UNK
    real: float | None  # the discriminator's probability that it is real, where there is a discriminator
    by_token: list[float]  # log pi(token | all before it), in nats

    @property
    def per_token(self) -> float:
        return self.log_prob / self.tokens


@dataclass(frozen=True, repr=False)
class TextModel:
    """A trained policy and its tokenizer, perhaps with the discriminator it was trained against."""

    policy: PolicyModule
    tokenizer: Tokenizer
    discriminator: nn.Module | None = None
    about: Mapping[str, Any] = field(default_factory=dict)  # what config.json says of it

    def __repr__(self) -> str:
        judge = f", discriminator {type(self.discriminator).__name__}" if self.discriminator is not None else ""
        tokens = f"{len(self.tokenizer)} {self.tokenizer.kind} tokens"
        policy = f"policy {type(self.policy).__name__}, {tokens}, at most {self.policy.max_length} a text"
        return f"<TextModel: {policy}{judge}>"

    @property
    def overlong(self) -> Overlong:
        """What became of texts that were too long when it was trained."""
        return self.about.get("config", {}).get("overlong", "cut")

    @property
    def device(self) -> torch.device:
        return next(self.policy.parameters()).device

    def generate(self, count: int = 10, **options: Any) -> list[str]:
        """Texts drawn from the policy; options as for `write`."""
        return [written.text for written in self.write(count, **options)]

    def write(self, count: int, **options: Any) -> list[Written]:
        """Texts with what is known of each; options as for `draw`."""
        rows = self.draw(count, **options)
        return [Written(self.tokenizer.decode(row), len(row), row[-1] == EOS) for row in rows]

    @checked
    def draw(
        self,
        count: Annotated[int, DRAWN],
        *,
        prompt: Annotated[str, PROMPT] = "",
        temperature: Annotated[float, TEMPERATURE] = 1.0,
        top_k: Annotated[int, TOP_K] = 0,
        top_p: Annotated[float, TOP_P] = 1.0,
        seed: Annotated[int, SEED] = 0,
    ) -> list[list[int]]:
        """Sequences of ids drawn from the policy, all continuing the prompt, each to its end.

        `temperature` is above 0, `top_k` 0 (all) or more, `top_p` above 0 and at most 1.

        Raises:
            UsageError: a number is out of range, or the prompt is too long or holds what was never seen."""
        ids = self._prompt_ids(prompt)
        rng = torch.Generator(self.device).manual_seed(seed)
        begun = torch.tensor(ids, device=self.device) if ids else None
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "rng": rng}
        tokens, mask, _ = sample(self.policy, count, prompt=begun, **options)
        lengths = mask.sum(dim=1).tolist()
        return [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)]

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of texts, each with its end; however long they are."""
        return [[*ids, EOS] for ids in self.tokenizer.encode_all(a_list_of_texts(texts))]

    def log_probs(self, texts: Iterable[str]) -> list[float]:
        """log pi(text), its end included, in nats."""
        return text_log_probs(self.policy, self.encode(texts)).tolist()

    @torch.no_grad()
    def real(self, texts: Iterable[str]) -> list[float]:
        """The discriminator's probability that each text is real, of an unbiased mixture of real and generated ones.

        It never saw an unknown token: in the place of each stands the likeliest word of the policy.

        Raises:
            UsageError: this model has no discriminator."""
        if self.discriminator is None:
            raise UsageError("this model was trained without a discriminator; it has no verdict to give")
        rows = self.encode(texts)
        verdicts = torch.zeros(len(rows))
        with judging(self.discriminator) as discriminator:
            for numbers in by_length(rows, self.policy.vocab_size):
                tokens = pad([rows[number] for number in numbers], self.device).tokens
                likeliest = self.policy.distributions(tokens)[..., 1:].argmax(dim=-1) + EOS + 1
                verdicts[numbers] = discriminator(torch.where(tokens == UNK, likeliest, tokens)).sigmoid().cpu()
        return verdicts.tolist()

    def score(self, texts: Iterable[str]) -> list[Scored]:
        """Probability and verdict for texts one did not generate."""
        texts = a_list_of_texts(texts)
        rows = self.encode(texts)
        by_token = [row.tolist() for row in token_log_probs(self.policy, rows)]
        verdicts: Sequence[float | None] = self.real(texts) if self.discriminator else [None] * len(texts)
        return [
            Scored(text, sum(log_probs), len(row), row.count(UNK), verdict, log_probs)
            for text, row, log_probs, verdict in zip(texts, rows, by_token, verdicts, strict=True)
        ]

    def _prompt_ids(self, prompt: str) -> list[int]:
        if unknown := self.tokenizer.unknown(prompt):
            raise UsageError(f"the prompt holds what this run has never seen: {' '.join(unknown)}; choose other words")
        ids = self.tokenizer.encode(prompt) if prompt else []
        if len(ids) >= self.policy.max_length:
            raise UsageError(f"the prompt has {len(ids)} tokens; this run writes at most {self.policy.max_length}")
        return ids


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
    return {"format": FORMAT, **kept, "own": description.get("own", []), "config": description["config"]}


def model_json(about: Mapping[str, Any], weights: Mapping[str, bytes]) -> bytes:
    """config.json: what is known of a model, the sha256 of each of its files of weights, and a checksum of all that."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in weights.items()}
    return schema.as_bytes(schema.sealed({**about, "files": hashes}))
