"""From a corpus to a run: what `seqgan train` does once its options are read."""

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.mle import PHASE, new_policy
from seqgan.core import device as devices
from seqgan.core.config import Chosen, to_json
from seqgan.core.log import Display
from seqgan.core.loop import train
from seqgan.core.run import Run, create, describe, read_record
from seqgan.data.corpus import Corpus, load_corpus
from seqgan.data.texts import Texts, encode_corpus, suitable_tokenizer
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import RunError
from seqgan.evaluation import compare
from seqgan.generation import load_tokenizer, load_writer, run_config


@dataclass(frozen=True)
class Finished:
    """What is there to show after a training."""

    folder: Path
    seconds: float
    table: Mapping[str, Any]
    texts: list[str]


def begin(
    folder: Path, algorithm: str, chosen: Chosen, corpus: Corpus, *, seed: int, threads: int, overwrite: bool = False
) -> None:
    """Make the run directory: tokenizer trained, everything described, nothing learned yet."""
    config: MLEConfig = chosen.config
    kind = suitable_tokenizer(corpus) if config.tokenizer == "auto" else config.tokenizer
    tokenizer = Tokenizer.train(corpus.train, kind, config.vocabulary)  # type: ignore[arg-type]
    texts = encode_corpus(corpus, tokenizer, config.max_length, config.long)
    devices.use_threads(threads)
    description = {
        "package": "seqgan",
        "algorithm": algorithm,
        "config": to_json(config),
        "sources": chosen.sources,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "corpus": {"name": corpus.name, **corpus.provenance},
        "tokenizer": kind,
        "tokenizer_sha256": hashlib.sha256(tokenizer.model).hexdigest(),
        "vocabulary": len(tokenizer),
        "longest": texts.longest,
        "versions": {name: version(name) for name in ("seqgan", "torch", "numpy", "sentencepiece")}
        | {"python": platform.python_version()},
        "command": sys.argv[1:],
    }
    create(folder, description, {"tokenizer.model": tokenizer.model}, overwrite=overwrite)


def carry_out(
    folder: Path, display: Display, *, device: torch.device, save_seconds: float = 30.0, keep: int = 2
) -> Finished:
    """Train a run from wherever it stands to its end, export it, and measure it.

    Raises:
        RunError: the corpus or the tokenizer is no longer what the run was begun with."""
    description = describe(folder)
    if description.get("package") != "seqgan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of seqgan")
    devices.use_threads(description["threads"])
    corpus = same_corpus(folder)
    tokenizer = load_tokenizer(folder, description)
    if hashlib.sha256(tokenizer.model).hexdigest() != description["tokenizer_sha256"]:
        raise RunError(
            f"{folder / 'tokenizer.model'} is not the one this run was made with; "
            "restore it from a copy, or start a new run"
        )
    config = run_config(description)
    texts = encode_corpus(corpus, tokenizer, description["longest"], config.long)
    algorithm = ALGORITHMS[description["algorithm"]](config, texts, device, description["seed"])
    with Run(folder, display=display, save_seconds=save_seconds, keep=keep) as run:
        display.say(_data_in_words(corpus, texts))
        train(algorithm, run)
        seconds = run.seconds
        table = _measure(folder, algorithm, texts, corpus, description, device)
        run.export({"config.json": _model_config(description), "evaluations/training.json": _as_json(table)})
    written = load_writer(folder, device=device).write(5, seed=description["seed"])
    return Finished(folder, seconds, table, [item.text for item in written])


def same_corpus(folder: Path, name: str | None = None) -> Corpus:
    """The corpus of a run, from where it was or by the name that is given now.

    Raises:
        RunError: its content is no longer what the run was begun with."""
    stored = describe(folder)["corpus"]
    corpus = load_corpus(name or stored["path"])
    if corpus.provenance["sha256"] != stored["sha256"]:
        raise RunError(
            f"the corpus {name or stored['path']} is not the one that {folder} was begun with "
            f"(sha256 {corpus.provenance['sha256'][:12]}..., "
            f"then {stored['sha256'][:12]}...); restore it, or start a new run"
        )
    return corpus


def _measure(
    folder: Path, algorithm: Any, texts: Texts, corpus: Corpus, description: dict[str, Any], device: torch.device
) -> dict[str, Any]:
    policies = _policies(algorithm.state_dict(), texts, description, device)
    if description["algorithm"] == "mle":
        policies = {"mle": policies["mle"]}
    discriminator = getattr(algorithm, "discriminator", None)
    table = compare(policies, discriminator, texts, corpus.test, description["seed"])
    return {**table, "kept": _kept(folder, description), "too_long": texts.train.too_long + texts.valid.too_long}


def _kept(folder: Path, description: dict[str, Any]) -> str:
    """Which steps the policies are of, and what chose them."""
    checks = [line for line in read_record(folder) if line["phase"] == PHASE and "valid_nll" in line]
    last = "" if description["algorithm"] == "mle" else "; the adversarial phase keeps its last step"
    if not checks:
        return f"MLE: no step was taken{last}"
    if not description["config"]["mle_patience"]:
        return f"MLE keeps its last step, {checks[-1]['step']}{last}"
    best = min(checks, key=lambda line: float(line["valid_nll"]))
    return f"MLE keeps step {best['step']} of {checks[-1]['step']}, by validation NLL{last}"


def _data_in_words(corpus: Corpus, texts: Texts) -> str:
    """What is being learned from, in one line."""
    sizes = f"{len(corpus.train):,} train, {len(corpus.valid):,} valid, {len(corpus.test):,} test texts"
    return (
        f"{corpus.name}: {sizes}; {len(texts.tokenizer):,} tokens in the vocabulary, at most {texts.longest} in a text"
    )


def _policies(state: dict[str, Any], texts: Texts, description: dict[str, Any], device: torch.device) -> dict[str, Any]:
    policies = {}
    for stage in ("mle", "final"):
        policies[stage] = new_policy(run_config(description), len(texts.tokenizer), texts.longest).to(device)
        policies[stage].load_state_dict(state["policies"][stage])
    return policies


def _model_config(description: dict[str, Any]) -> bytes:
    """What is needed beside the weights and the tokenizer to build the policy again."""
    kept = {name: description[name] for name in ("package", "algorithm", "tokenizer", "vocabulary", "longest")}
    dims = {name: description["config"][name] for name in ("embedding_dim", "hidden_dim", "tied")}
    return _as_json({**kept, **dims})


def _as_json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()
