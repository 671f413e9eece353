"""From a corpus to a run: what `seqgan train` does once its options are read."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from seqgan import language_models
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS
from seqgan.core import device as devices
from seqgan.core import distributed, page, starting
from seqgan.core.bounds import BEST_OF
from seqgan.core.config import Chosen, to_json
from seqgan.core.log import Display, showing
from seqgan.core.loop import train
from seqgan.core.pretrained import read_weights
from seqgan.core.run import checkpoints, create, versions
from seqgan.core.schema import json_bytes
from seqgan.core.starting import Machine, RunRequest
from seqgan.data.checks import corpus_checks
from seqgan.data.corpus import Corpus, as_files
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import EncodedCorpus, encoded, prepare
from seqgan.data.labels import names_of
from seqgan.data.suitable import suitable_tokenizer
from seqgan.data.tokens import tokens_of
from seqgan.errors import RunError, UsageError
from seqgan.evaluation import evaluate_models, summary
from seqgan.pretrained import WEIGHTS, model_json
from seqgan.report import Reported, report
from seqgan.reporting import Evaluation, closing_numbers
from seqgan.runs import (
    Source,
    corpus_of,
    custom_names,
    describe_run,
    load_model,
    load_tokenizer,
    moved,
    refuse_missing,
    run_config,
    selection,
    stages_of,
)
from seqgan.temperature import best_of, by_temperature
from seqgan.warm_start import INHERITED, INITIAL, InitFrom, inherit, refuse_other_init, refuse_unreadable


@dataclass(frozen=True)
class Finished:
    """What a training ends with."""

    folder: Path
    seconds: float
    evaluation: Evaluation
    texts: dict[float, list[str]]  # of the final policy, by temperature
    report: Path | None  # None where it could not be written


class Data(NamedTuple):
    """A corpus, all of its texts as ids, and what an algorithm reads of them."""

    corpus: Corpus
    encoded: EncodedCorpus
    dataset: TokenDataset


def begin_or_continue(
    request: RunRequest,
    chosen: Chosen,
    source: Source,
    machine: Machine,
    *,
    init_from: str | None = None,
    grow_vocabulary: bool = False,
    components: Components = DEFAULTS,
) -> tuple[Path, Finished | None]:
    """Begin a run or continue it, train it to its end, and evaluate it. Returns its folder.

    `init_from` is the policy to begin with, as `InitFrom` reads it, perhaps with tokens added to its vocabulary. Of
    several processes the first one evaluates; the others return before (None).

    Raises:
        UsageError: a vocabulary is to grow, but there is no policy to begin with."""
    if grow_vocabulary and not init_from:
        raise UsageError("--grow-vocabulary adds tokens to the vocabulary of a trained policy; give --init-from RUN")
    data: Data | None = None  # of a new run, which is not read again

    def begin_new() -> Path:
        nonlocal data
        corpus = source.load()
        folder = request.new_folder(f"{corpus.name}-{request.choice}")
        start = InitFrom.parse(init_from, grow_vocabulary) if init_from else None
        data = begin(folder, request, chosen, corpus, init_from=start, components=components)
        return folder

    def options(folder: Path) -> Mapping[str, Any]:
        description = describe_run(folder)
        _refuse_other_components(folder, description, components)
        refuse_other_init(folder, description, init_from)
        if not description["init_from"]:
            return chosen.asked
        # A preset yields to what the policy brought; only options given by name can contradict it.
        typed = chosen.typed()
        kept = {name: value for name, value in chosen.asked.items() if name not in INHERITED or name in typed}
        return {name: value for name, value in kept.items() if (name, value) != ("tokenizer", "auto")}

    def carried_out(folder: Path) -> Finished | None:
        return carry_out(folder, machine, data or read_data(folder, source), components)

    with showing(Display() if distributed.rank() else machine.display):
        return starting.begin_or_continue(
            request,
            begin=begin_new,
            options=options,
            extendable=CONFIGS[request.choice].extendable,
            carry_out=carried_out,
        )


def begin(
    folder: Path,
    request: RunRequest,
    chosen: Chosen,
    corpus: Corpus,
    *,
    init_from: InitFrom | None = None,
    components: Components = DEFAULTS,
) -> Data:
    """Make the run directory: tokenizer trained, corpus encoded, everything described, nothing learned yet.

    Raises:
        UsageError: an option contradicts the policy of `init_from`."""
    config, sources, contents = chosen.config, dict(chosen.sources), dict[str, bytes]()
    if init_from:
        config, tokenizer, contents[INITIAL], labels = inherit(init_from, chosen, corpus, components)
        whole = encoded(corpus, tokenizer)
        sources.update(dict.fromkeys(INHERITED, f"from {init_from.name}"))
    else:
        kind: Any = suitable_tokenizer(corpus)[0] if config.tokenizer == "auto" else config.tokenizer
        whole, labels = prepare(corpus, kind, config.vocab_size), names_of(corpus.labels)
    dataset, tokenizer = whole.dataset(config.max_length, config.overlong, labels), whole.tokenizer
    if init_from:
        refuse_unreadable(init_from, dataset)
    contents |= language_models.copied(config)
    if not corpus.provenance["path"]:  # texts from memory are stored in the run, so that it can be resumed
        contents |= {f"corpus/{name}": data for name, data in as_files(corpus).items()}
    devices.use_threads(request.threads)
    description = {
        "package": "seqgan",
        "algorithm": request.choice,
        "config": to_json(config),
        "sources": sources,
        "seed": request.seed or 0,
        "corpus": {"name": corpus.name, **corpus.provenance},
        "init_from": init_from and {**init_from.as_json(), "sha256": hashlib.sha256(contents[INITIAL]).hexdigest()},
        "custom": custom_names(components),
        "tokenizer": tokenizer.kind,
        "tokenizer_sha256": hashlib.sha256(tokenizer.model).hexdigest(),
        "vocab_size": len(tokenizer),
        "max_length": dataset.max_length,
        "labels": dataset.labels,
        "versions": versions("sentencepiece"),
        "command": sys.argv[1:],
    }
    create(folder, description, {"tokenizer.model": tokenizer.model, **contents}, overwrite=request.overwrite)
    return Data(corpus, whole, dataset)


def _refuse_other_components(folder: Path, description: Mapping[str, Any], components: Components) -> None:
    """
    Raises:
        RunError: a run was begun with modules that are not given, or without one that is."""
    refuse_missing(folder, description, components)
    if extra := sorted(set(custom_names(components)) - set(description["custom"])):
        raise RunError(f"{folder} was begun without a custom {' or '.join(extra)}; start a new run")


def read_data(folder: Path, source: Source) -> Data:
    """The corpus of a run that exists, from where it is now (`source`), encoded by the run's tokenizer.

    Raises:
        RunError: the corpus or the tokenizer is no longer what the run was begun with."""
    description = describe_run(folder)
    corpus = corpus_of(folder, source)
    whole = encoded(corpus, load_tokenizer(folder, description))
    overlong = run_config(folder / "run.json", description).overlong
    dataset = whole.dataset(description["max_length"], overlong, list(description["labels"]))
    return Data(corpus, whole, dataset)


def carry_out(folder: Path, machine: Machine, data: Data, components: Components = DEFAULTS) -> Finished | None:
    """Train a run from its newest checkpoint to its end, export it, and measure it.

    Of several processes the first one evaluates; the others return before (None).

    Raises:
        RunError: a custom component is missing."""
    description = describe_run(folder)
    refuse_missing(folder, description, components)
    devices.use_threads(description["threads"])
    config, make = run_config(folder / "run.json", description), ALGORITHMS[description["algorithm"]]
    if begun := description["init_from"]:
        components = replace(components, start=read_weights(folder / INITIAL, begun["sha256"]))
    judges = language_models.read(folder, config, machine.device)
    components = replace(components, models={**components.models, **judges})
    with machine.run(folder) as run:
        asked, automatic = description["sources"].get("vocab_size", ""), config.tokenizer == "auto"
        about = corpus_checks(*data, config.vocab_size, asked, overlong=config.overlong, automatic=automatic)
        for line in [*moved(folder, data.corpus), *data.corpus.notes, *about]:
            run.display.message(line)
        train(make(config, data.dataset, machine.device, description["seed"], components), run)
        if distributed.rank():
            return None
        seconds = run.seconds
        # Of what was saved, not of what is in memory; the last stage is the final policy.
        models = {stage: load_model(folder, stage, machine.device, components) for stage in stages_of(description)}
        rewards = language_models.scores(language_models.wanted(config), data.dataset, judges)
        options: dict[str, Any] = {"seed": description["seed"], "best_of": BEST_OF, "rewards": rewards}
        evaluation = evaluate_models(models, data.encoded, **options)
        evaluation.facts |= {"selection": selection(folder), "steps": max(checkpoints(folder), default=0)}
        *_, model = models.values()
        valid, kind = data.corpus.valid, model.tokenizer.kind
        scores = by_temperature(model, valid, tokens_of(kind, valid), description["seed"])
        evaluation.facts |= {"temperatures": {str(temperature): score for temperature, score in scores.items()}}
        run.closing = closing_numbers(evaluation.rows)
        evaluation.facts["summary"] = summary(evaluation)
        weights = {path.name: path.read_bytes() for name in WEIGHTS if (path := folder / name).exists()}
        run.export(
            {
                "config.json": model_json(description, weights),
                "evaluations/training.json": json_bytes(evaluation.as_json()),
            }
        )
    seed, shown = description["seed"], sorted({1.0, best_of(scores)}, reverse=True)
    drawn = {temperature: model.generate_detailed(5, temperature=temperature, seed=seed) for temperature in shown}
    texts = {
        temperature: [text.text if text.label is None else f"{text.label}: {text.text}" for text in several]
        for temperature, several in drawn.items()
    }
    of = Reported(folder, lambda: data.encoded, machine.device, components)
    written = page.write_after_training(folder, lambda: report([of]), machine.display)
    return Finished(folder, seconds, evaluation, texts, written)
