"""An ablation: settings of a policy, each trained from several seeds, side by side on the validation split.

Nothing here reads the test split, so what is chosen by its numbers can still be measured there."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqgan.core.bounds import Real
from seqgan.core.plots import BLUE, Curve, plot
from seqgan.data.corpus import Corpus
from seqgan.data.encoding import encoded
from seqgan.data.splits import some_of
from seqgan.errors import ConfigError, quoted
from seqgan.evaluation import evaluate_models
from seqgan.library import train
from seqgan.reporting import REAL, Evaluation, Row, over_seeds

OF_TEST, OF_VALIDATION = "nll-test", "nll-valid"
SHARE = Real(0, 1, above=True)
SHOWN = ("nll-valid", "nll-valid-known", "repeats", "distinct-1", "distinct-2", "bleu-2", "bleu-3", "d-auc")


def ablation(
    corpus: Corpus, settings: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], folder: Path, threads: int = 0
) -> Evaluation:
    """A row for each setting, the mean over the seeds, with its difference from the first one; and one of real text,
    which is of the training split.

    A setting holds arguments of `seqgan.train`, by default of algorithm mle. Its run of a seed is `folder/name-seed`,
    which is gone on with where it exists; `init_from` names another setting, whose run of the same seed is meant, as in
    "name" or "name@mle". `share` is the share of the training texts that it learns from (`share_of`).

    Raises:
        ConfigError: a share is no number above 0 and at most 1."""
    rows: dict[str, Row] = {}
    texts: dict[str, list[str]] = {}
    for name, setting in settings.items():
        options, of_seeds = {"algorithm": "mle", "threads": threads, **setting}, list[Row]()
        learned = share_of(corpus, options.pop("share", 1))
        for seed in seeds:
            if "init_from" in setting:
                origin, at, stage = setting["init_from"].partition("@")
                options["init_from"] = f"{folder / origin}-{seed}{at}{stage}"
            run = train(learned, run_dir=folder / f"{name}-{seed}", resume=True, seed=seed, progress=True, **options)
            held_out = encoded(on_validation(corpus), run.model().tokenizer)
            measured = evaluate_models({name: run.model()}, held_out, seed=seed)
            of_seeds.append(as_validation(measured[name]))
            texts[f"{name} {seed}"], texts[REAL], real = measured.texts[name], measured.texts[REAL], measured[REAL]
        rows[name] = over_seeds(of_seeds, seeds)
    first, *others = rows
    pairs = [(name, first) for name in others]
    return Evaluation({**rows, REAL: real}, {"seeds": list(seeds)}, texts, corpus.valid, pairs)


def learning_curve(corpus: Corpus, settings: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Row]) -> Image.Image:
    """The validation NLL of the settings with a `share`, over the number of texts that they learned from; the shade is
    one standard error."""
    shares = {name: setting["share"] for name, setting in settings.items() if "share" in setting}
    names = sorted(shares, key=lambda name: float(shares[name]))
    texts = [len(share_of(corpus, shares[name]).train) for name in names]
    nll = np.array([rows[name][OF_VALIDATION].value for name in names])
    errors = np.nan_to_num([rows[name][OF_VALIDATION].stderr for name in names])
    curve = Curve("", texts, nll, low=nll - errors, high=nll + errors)
    points = Curve("", texts, nll, "dots", BLUE)
    return plot([curve, points], title=corpus.name, x="training texts", y="validation NLL, nats a token", log="x")


def share_of(corpus: Corpus, share: Any) -> Corpus:
    """The corpus with a random share of its training texts; a larger share holds those of a smaller one.

    Raises:
        ConfigError: the share is no number above 0 and at most 1."""
    try:
        checked = SHARE.check(share)
    except ValueError as error:
        raise ConfigError(f"share {quoted(share)} was given, but {SHARE.expected} was expected") from error
    if checked == 1:
        return corpus
    order = random.Random(0).sample(range(len(corpus.train)), len(corpus.train))
    chosen = sorted(order[: max(1, round(checked * len(order)))])
    labels = {part: [of[n] for n in chosen] if part == "train" else of for part, of in corpus.labels.items()}
    return replace(corpus, train=[corpus.train[number] for number in chosen], labels=labels)


def on_validation(corpus: Corpus) -> Corpus:
    """The corpus with its validation split where an evaluation looks for the test split, and as many training texts
    where it looks for real ones."""
    return replace(corpus, train=[], valid=some_of(corpus.train, len(corpus.valid)), test=corpus.valid)


def as_validation(row: Row) -> Row:
    """A row of such a corpus with the names that its numbers have in the true one."""
    return {
        name.replace(OF_TEST, OF_VALIDATION): number
        for name, number in row.items()
        if not name.startswith(OF_VALIDATION)
    }
