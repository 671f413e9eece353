"""From a corpus to a run: what `seqgan train` does once its options are read."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.mle import PHASE
from seqgan.core import device as devices
from seqgan.core import distributed, schema
from seqgan.core.config import Chosen, to_json
from seqgan.core.log import Display
from seqgan.core.loop import train
from seqgan.core.run import Run, Wanted, checkpoints, create, read_record, saved_in
from seqgan.core.run import begin_or_continue as core_begin
from seqgan.core.schema import json_bytes
from seqgan.data.batches import encode
from seqgan.data.checks import about_data
from seqgan.data.corpus import Corpus, as_files, load_corpus
from seqgan.data.dataset import TokenDataset, encode_corpus, suitable_tokenizer
from seqgan.data.readers import kind_of
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CheckpointError, CorpusError, RunError, UsageError, quoted, why
from seqgan.evaluation import BEFORE_THE_GAME, evaluate_models
from seqgan.reporting import Evaluation
from seqgan.runs import describe_run, load_model, load_tokenizer, model_config, model_json, own_parts_given, run_config
from seqgan.symbols import EOS, UNK

# What a policy that was trained before brings along; the rest of a config may differ.
INHERITED = ("tokenizer", "vocab_size", "embedding_dim", "hidden_dim", "tie_embeddings")
MOST_UNKNOWN = 0.5  # share of the tokens, to go on from a policy with its own tokenizer
WEIGHTS = ("generator.safetensors", "discriminator.safetensors")
OWN = ("policy", "discriminator", "reward")


@dataclass(frozen=True)
class Finished:
    """What is there to show after a training."""

    folder: Path
    seconds: float
    evaluation: Evaluation
    texts: list[str]


@dataclass(frozen=True)
class Origin:
    """A trained policy to begin with: `RUN`, or `RUN@mle`, `RUN@best`, `RUN@STEP`."""

    name: str
    folder: Path
    stage: str

    @classmethod
    def parse(cls, name: str) -> "Origin":
        folder, at, stage = name.rpartition("@")
        if not at or Path(name).is_dir():
            folder, stage = name, "final"
        if not folder or not stage:
            raise UsageError(f"--from {quoted(name)} names no policy: RUN, RUN@mle, RUN@best or RUN@STEP was expected")
        return cls(name, Path(folder), stage)

    def schema(self) -> dict[str, str]:
        return {"run": str(self.folder.resolve()), "stage": self.stage}


def begin_or_continue(
    wanted: Wanted,
    chosen: Chosen,
    source: Mapping[str, Any],
    *,
    start: str | None = None,
    display: Display,
    device: torch.device,
    save_seconds: float = 30.0,
    keep: int = 2,
    parts: Components = DEFAULTS,
) -> tuple[Path, Finished | None]:
    """Begin the run that someone wants or go on with it, train it to its end, and measure it. Gives back where it lies.

    `source` are the arguments of `same_corpus`: a corpus by its name, or the corpus itself. `start` is the policy to
    begin with, as `Origin` reads it. Of several processes the first has something to tell; the others end before."""

    def begin_new() -> Path:
        given = dict(source)
        name = given.pop("name")
        corpus = name if isinstance(name, Corpus) else load_corpus(name or "", **given)
        folder = wanted.place(f"{corpus.name}-{wanted.choice}")
        origin = Origin.parse(start) if start else None
        identity: dict[str, Any] = {"seed": wanted.seed or 0, "threads": wanted.threads, "overwrite": wanted.overwrite}
        begin(folder, wanted.choice, chosen, corpus, **identity, origin=origin, parts=parts)
        return folder

    def asked(folder: Path) -> Mapping[str, Any]:
        same_corpus(folder, **source)
        same_origin(folder, start)
        same_parts(folder, parts)
        return asked_of(folder, chosen)

    def carried_out(folder: Path) -> Finished | None:
        options: dict[str, Any] = {"device": device, "save_seconds": save_seconds, "keep": keep, "parts": parts}
        return carry_out(folder, display, **options, source=source)

    extendable = CONFIGS[wanted.choice].extendable
    return core_begin(wanted, begin=begin_new, asked=asked, extendable=extendable, carry_out=carried_out)


def begin(
    folder: Path,
    algorithm: str,
    chosen: Chosen,
    corpus: Corpus,
    *,
    seed: int,
    threads: int,
    overwrite: bool = False,
    origin: Origin | None = None,
    parts: Components = DEFAULTS,
) -> None:
    """Make the run directory: tokenizer trained, everything described, nothing learned yet.

    Raises:
        UsageError: an option contradicts the policy that training is to begin from."""
    config, sources, contents = chosen.config, dict(chosen.sources), {}
    if origin:
        config, tokenizer, weights = _inherit(origin, chosen, parts)
        sources.update(dict.fromkeys(INHERITED, f"from {origin.name}"))
        contents["start.safetensors"] = weights
    else:
        kind: Any = suitable_tokenizer(corpus)[0] if config.tokenizer == "auto" else config.tokenizer
        tokenizer = Tokenizer.train(corpus.train, kind, config.vocab_size)
    texts = encode_corpus(corpus, tokenizer, config.max_length, config.overlong)
    encode(
        corpus.test, tokenizer, texts.max_length, config.overlong
    )  # refused now, rather than by the closing evaluation
    if origin:
        _refuse_unreadable(origin, texts)
    if not corpus.provenance["path"]:  # texts from memory go with the run, so that it can be resumed
        contents |= {f"corpus/{part}.txt": data for part, data in as_files(corpus)[0].items()}
    devices.use_threads(threads)
    description = {
        "package": "seqgan",
        "algorithm": algorithm,
        "config": to_json(config),
        "sources": sources,
        "seed": seed,
        "corpus": {"name": corpus.name, **corpus.provenance},
        "from": origin and {**origin.schema(), "sha256": hashlib.sha256(contents["start.safetensors"]).hexdigest()},
        "own": own_parts(parts),
        "tokenizer": tokenizer.kind,
        "tokenizer_sha256": hashlib.sha256(tokenizer.model).hexdigest(),
        "vocab_size": len(tokenizer),
        "max_length": texts.max_length,
        "versions": {name: version(name) for name in ("seqgan", "torch", "numpy", "sentencepiece")}
        | {"python": platform.python_version()},
        "command": sys.argv[1:],
    }
    create(folder, description, {"tokenizer.model": tokenizer.model, **contents}, overwrite=overwrite)


def _refuse_unreadable(origin: Origin, texts: TokenDataset) -> None:
    """Refuse to go on from a policy whose tokenizer does not know most of the new texts."""
    unknown = sum(row.count(UNK) for row in texts.train.rows)
    share = unknown / max(1, sum(len(row) - row.count(EOS) for row in texts.train.rows))
    if share > MOST_UNKNOWN:
        raise UsageError(
            f"{share:.0%} of the corpus's tokens are unknown to the tokenizer that {origin.name} brings along; "
            "choose a run of texts like these, or leave --from out"
        )


def _inherit(origin: Origin, chosen: Chosen, parts: Components) -> tuple[MLEConfig, Tokenizer, bytes]:
    """The config with what an earlier run's policy brings along, its tokenizer, and its weights."""
    theirs = describe_run(origin.folder)
    model = load_model(origin.folder, origin.stage, parts=parts, judge=False)
    brought = {name: theirs["config"][name] for name in INHERITED} | {"tokenizer": theirs["tokenizer"]}
    for name, value in chosen.typed().items():
        if name in INHERITED and value not in (brought[name], "auto"):
            raise UsageError(
                f"--{name.replace('_', '-')} {value} was asked for, but the policy of {origin.name} "
                f"brings {quoted(brought[name])} along; leave the option out"
            )
    weights = {name: tensor.clone().contiguous() for name, tensor in model.policy.state_dict().items()}
    return replace(chosen.config, **brought), model.tokenizer, save(weights)


def carry_out(
    folder: Path,
    display: Display,
    *,
    device: torch.device,
    save_seconds: float = 30.0,
    keep: int = 2,
    parts: Components = DEFAULTS,
    source: Mapping[str, Any] | None = None,
) -> Finished | None:
    """Train a run from wherever it stands to its end, export it, and measure it.

    `source` says where the texts are now (the arguments of `same_corpus`), if they are no longer where they were.
    Of several processes that train together the first measures; the others are done before (None).

    Raises:
        RunError: the corpus or the tokenizer is no longer what the run was begun with, or a module is missing."""
    description = describe_run(folder)
    own_parts_given(folder, description, parts, OWN)
    devices.use_threads(description["threads"])
    corpus = same_corpus(folder, **(source or {}))
    tokenizer = load_tokenizer(folder, description)
    config = run_config(folder / "run.json", description)
    texts = encode_corpus(corpus, tokenizer, description["max_length"], config.overlong)
    if description.get("from"):
        parts = replace(parts, start=_start_of(folder, description))

    def build() -> Any:
        return ALGORITHMS[description["algorithm"]](config, texts, device, description["seed"], parts)

    with Run(folder, display=display, save_seconds=save_seconds, keep=keep) as run:
        vocab_size, automatic = description["sources"].get("vocab_size", ""), config.tokenizer == "auto"
        about = about_data(corpus, texts, config.vocab_size, vocab_size, overlong=config.overlong, automatic=automatic)
        for line in moved(folder, corpus) + about:
            run.display.message(line)
        train(build(), run)
        if distributed.rank():
            return None
        seconds = run.seconds
        evaluation = _measure(folder, corpus, description, device, parts)
        run.export(
            {
                "config.json": model_json(model_config(description), _weights_in(folder)),
                "evaluations/training.json": json_bytes(evaluation.as_json()),
            }
        )
    written = load_model(folder, device=device, parts=parts).generate(5, seed=description["seed"])
    return Finished(folder, seconds, evaluation, written)


def _weights_in(folder: Path) -> dict[str, bytes]:
    """The weights that lie in a run as those of a model: the final policy, and the discriminator."""
    return {path.name: path.read_bytes() for name in WEIGHTS if (path := folder / name).exists()}


def _start_of(folder: Path, description: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    path = folder / "start.safetensors"
    try:
        data = path.read_bytes()
        weights = load(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({why(error)}); restore it from a copy") from error
    if description["from"].get("sha256") not in (None, hashlib.sha256(data).hexdigest()):
        raise CheckpointError(f"{path} is not what the run was begun from (another sha256); restore it from a copy")
    return weights


def same_corpus(
    folder: Path,
    name: str | Corpus | None = None,
    *,
    text_column: str | None = None,
    valid: str | None = None,
    test: str | None = None,
) -> Corpus:
    """The corpus of a run, from where it was or from where it is now: a run knows its texts by their sha256.

    Raises:
        RunError: it cannot be read, or its content is not what the run was begun with."""
    stored = describe_run(folder)["corpus"]
    column = text_column or stored.get("text_column")
    if isinstance(name, Corpus):
        corpus = name
    else:
        given = {"corpus": None if name == stored.get("source") else name, "valid": valid, "test": test}
        where = {"corpus": stored["path"], "valid": stored.get("valid"), "test": stored.get("test")}
        if not stored["path"] and not given["corpus"]:  # texts from memory went with the run
            parts = {"corpus": "train", "valid": "valid", "test": "test"}
            where = {key: str(folder / "corpus" / f"{part}.txt") for key, part in parts.items()}
        places = {key: given[key] or where[key] for key in given}
        in_columns = None if kind_of(Path(places["corpus"] or "")) == ".txt" and not text_column else column
        try:
            corpus = load_corpus(
                places["corpus"] or "", text_column=in_columns, valid=places["valid"], test=places["test"]
            )
        except CorpusError as error:
            missing = [key for key in given if not given[key] and where[key]]
            if not missing:
                raise
            options, arguments = (form.join(missing) for form in (" PATH and --", "=, "))
            raise RunError(
                f"cannot read the corpus that {folder} was begun with: {error}; give the same texts by "
                f"--{options} PATH (in Python {arguments}=); their sha256 is {stored['sha256']}"
            ) from error
        if not stored["path"] and not given["corpus"]:
            corpus = replace(corpus, name=stored["name"])
    _refuse_other_texts(folder, corpus, column)
    return corpus


def _refuse_other_texts(folder: Path, corpus: Corpus, column: str | None) -> None:
    """Refuse to go on with texts that are not those a run was begun with.

    Raises:
        RunError: their sha256 is another."""
    stored, found = describe_run(folder)["corpus"], corpus.provenance
    # Files of one sha256 hold several columns of texts. Runs of earlier versions know the sha256 of the file alone.
    other_column = column != stored.get("text_column")
    same_file = found["sha256"] == stored["sha256"]
    if found["texts_sha256"] == stored.get("texts_sha256") or (
        same_file and not other_column and not stored.get("texts_sha256")
    ):
        return
    if same_file and other_column:
        raise RunError(
            f"{folder} was begun with the column {quoted(stored.get('text_column'))}, not {quoted(column)}; "
            "leave --text-column out to go on, or start a new run"
        )
    raise RunError(
        f"the corpus {found['path'] or 'given'} is not the one that {folder} was begun with (sha256 "
        f"{found['sha256'][:12]}..., then {stored['sha256']}); give the texts it was begun with, or start a new run"
    )


def moved(folder: Path, corpus: Corpus) -> list[str]:
    """A line where the texts of a run were read from another place than the one it was begun with."""
    was, now = describe_run(folder)["corpus"]["path"], corpus.provenance["path"]
    if not was or now == was:
        return []
    return [f"the texts come from {now or 'memory'}; they are those of {was}, by their sha256"]


def own_parts(parts: Components) -> list[str]:
    return [name for name in OWN if getattr(parts, name) is not None]


def same_parts(folder: Path, parts: Components) -> None:
    """
    Raises:
        RunError: a run was begun with modules that are not given, or without one that is."""
    schema = describe_run(folder)
    own_parts_given(folder, schema, parts, OWN)
    if extra := set(own_parts(parts)) - set(schema.get("own", [])):
        own = " or a ".join(sorted(extra))
        raise RunError(f"{folder} was begun without a {own} of one's own; start a new run")


def asked_of(folder: Path, chosen: Chosen) -> dict[str, Any]:
    """What someone asks of a run that exists: without what it inherited, unless that was asked for in so many words."""
    if not describe_run(folder).get("from"):
        return chosen.asked
    typed = chosen.typed()
    asked = {name: value for name, value in chosen.asked.items() if name not in INHERITED or name in typed}
    return {name: value for name, value in asked.items() if (name, value) != ("tokenizer", "auto")}


def same_origin(folder: Path, name: str | None) -> None:
    """Refuse to go on from another policy than the one a run was begun from.

    Raises:
        RunError: --from names another."""
    if name is None:
        return
    origin, begun = Origin.parse(name), describe_run(folder).get("from")
    if not begun or {key: begun.get(key) for key in ("run", "stage")} != origin.schema():
        was = f"{begun['run']}@{begun['stage']}" if begun else "random weights"
        raise RunError(f"{folder} was begun from {was}, not from {name}; leave --from out to go on, or start a new run")


def _measure(
    folder: Path, corpus: Corpus, description: Mapping[str, Any], device: torch.device, parts: Components
) -> Evaluation:
    """The closing evaluation: of what was saved, not of what is in memory."""
    models = {stage: load_model(folder, stage, device, parts) for stage in stages_of(description)}
    evaluation = evaluate_models(models, corpus, seed=description["seed"])
    evaluation.facts["kept"] = kept(folder, description)
    evaluation.facts["steps"] = max(checkpoints(folder), default=0)
    return evaluation


def stages_of(description: Mapping[str, Any]) -> list[str]:
    """The policies of a run that are worth a row each."""
    return ["mle"] if description["algorithm"] == "mle" else ["mle", "final"]


def kept(folder: Path, description: Mapping[str, Any]) -> str:
    """Which steps the policies are of, and what chose them."""
    checks = [line for line in read_record(folder) if line["phase"] == PHASE and "valid_nll" in line]
    last = (
        "" if description["algorithm"] == "mle" else "; final is the policy after the last step of all, not a best one"
    )
    if not checks:
        return f"MLE: no step was taken{last}"
    if not run_config(folder / "run.json", description).mle_patience:
        return f"MLE keeps its last step, {checks[-1]['step']}{last}"
    best = min(checks, key=lambda line: float(line["valid_nll"]))
    or_start = " or the policy it began from" if description.get("from") else ""
    return f"MLE keeps step {best['step']} of {checks[-1]['step']}{or_start}, by validation NLL{last}"


def stages_in_words(folder: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """What an evaluation says of a run beside its numbers: which steps its policies are of and, where training has not
    ended, how far it has come (`trained`: phase -> steps)."""
    told = unfinished(folder, description)
    if not told:
        return {"kept": kept(folder, description)}
    words, steps = told
    return {"kept": kept(folder, description).partition(";")[0], "unfinished": words, "trained": steps}


def unfinished(folder: Path, description: Mapping[str, Any]) -> tuple[str, dict[str, int]] | None:
    """How far the training of a run has come, in words and by phase; nothing of one that has ended."""
    found = checkpoints(folder)
    if not found or _ended(folder, max(found)):
        return None
    steps = saved_in(found[max(found)], folder, description)["steps"]
    so_far = ", ".join(f"{count} {'step' if count == 1 else 'steps'} of {phase}" for phase, count in steps.items())
    waiting = " and the adversarial phase has not begun, so that final is the MLE policy;"
    not_begun = waiting if description["algorithm"] != "mle" and list(steps)[-1] in BEFORE_THE_GAME else ";"
    return f"Training has not ended: {so_far} so far{not_begun} go on with seqgan train --resume {folder}", steps


def _ended(folder: Path, steps: int) -> bool:
    """Whether the closing evaluation was made of a run that stands at so many steps. One of an earlier version does not
    say of how many it was."""
    try:
        closing = schema.read(folder / "evaluations" / "training.json", RunError, "remove it")
    except (FileNotFoundError, RunError):
        return False
    return closing.get("steps", steps) == steps
