"""Several runs in one table: arms of an experiment on the same held-out texts, and the seeds of an arm as one row."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from seqgan.core.bounds import BEST_OF
from seqgan.errors import UsageError
from seqgan.library import TrainedRun
from seqgan.metrics import Aggregation
from seqgan.reporting import REAL, Evaluation, Row, over_seeds


def compare(
    runs: Sequence[TrainedRun],
    *,
    count: int | None = None,
    seed: int | None = None,
    tokens: str | None = None,
    aggregation: Aggregation = "sentence",
    lowercase: bool = False,
    best_of: int = BEST_OF,
    rewards: Sequence[str] | None = None,
) -> Evaluation:
    """A row for each policy of each run, and one of held-out text; each run draws with its own seed, unless one is
    given.

    Runs that differ in their seed alone are one arm: its row holds the mean over them, and its error is that over the
    seeds of training, on these held-out texts. The differences are those of final - mle within a run (or arm), and of
    each run (or arm) and the first one. Each run with a discriminator has a row that leaves its policy of MLE as it is:
    of `best_of` draws (0: no such row) the discriminator chooses one.

    Raises:
        UsageError: the runs were not trained on the same texts in the same splits, or with other tokens or limits."""
    names = refuse_other_texts(runs)
    options: dict[str, Any] = {"count": count, "seed": seed, "tokens": tokens, "aggregation": aggregation}
    options |= {"lowercase": lowercase, "best_of": best_of, "rewards": rewards}
    measured = {name: run.evaluate(**options) for name, run in zip(names, runs, strict=True)}
    for name, result in measured.items():
        if result.references != measured[names[0]].references:
            raise UsageError(
                f"{names[0]} and {name} encode their held-out texts differently, so their numbers cannot be "
                "compared; give runs of one --tokenizer, --max-length and --overlong"
            )
    groups = {
        name: [(names[at], runs[at]) for at in places]
        for name, places in arms_of([run.description for run in runs], names)
    }
    rows: dict[str, Row] = {}
    pairs: list[tuple[str, str]] = []
    for arm, members in groups.items():
        name = arm if len(members) > 1 else members[0][0]
        stages = [stage for stage in measured[members[0][0]].rows if stage != REAL]
        seeds = [run.description["seed"] for _, run in members]
        for stage in stages:
            rows[f"{name} {stage}"] = over_seeds([measured[member].rows[stage] for member, _ in members], seeds)
        pairs += [(f"{name} {later}", f"{name} {earlier}") for earlier, later in combinations(stages, 2)]
    beside = list(rows)
    head = beside[0].rpartition(" ")[0]
    pairs += [
        (row, f"{head} {stage}")
        for row in beside
        for group, _, stage in [row.rpartition(" ")]
        if group != head and f"{head} {stage}" in rows
    ]
    pairs += [(row, REAL) for row in beside]
    rows[REAL] = measured[names[0]].rows[REAL]
    facts = {
        "runs": {
            name: {"folder": str(run.folder), **measured[name].facts} for name, run in zip(names, runs, strict=True)
        },
        "arms": {arm: [name for name, _ in members] for arm, members in groups.items() if len(members) > 1},
    }
    texts = {f"{name} {stage}": several for name, result in measured.items() for stage, several in result.texts.items()}
    return Evaluation(rows, facts, texts, measured[names[0]].references, pairs)


def summary(result: Evaluation) -> list[str]:
    """The summary in words: what the policies of each run are, and which runs make a row."""
    lines = [f"{name}: {facts['selection']}; seed {facts['seed']}." for name, facts in result.facts["runs"].items()]
    lines += [
        f"{name}: {facts['unfinished']}." for name, facts in result.facts["runs"].items() if "unfinished" in facts
    ]
    for arm, members in result.facts["arms"].items():
        lines.append(f"{arm} is the mean of {', '.join(members)}; its ± is over these seeds, on these held-out texts.")
    return lines


def refuse_other_texts(runs: Sequence[TrainedRun]) -> list[str]:
    """The names of the runs.

    Raises:
        UsageError: they were trained on different texts, or one was given twice."""
    names = _names(runs)
    for name, run in zip(names, runs, strict=True):
        if run.corpus().provenance["texts_sha256"] != runs[0].corpus().provenance["texts_sha256"]:
            raise UsageError(
                f"{names[0]} and {name} were trained on different texts or splits, so their numbers cannot be "
                "compared; give runs of one corpus"
            )
    return names


def _names(runs: Sequence[TrainedRun]) -> list[str]:
    """The folders' names where they differ, else their paths."""
    short = [run.folder.name for run in runs]
    names = short if len(set(short)) == len(short) else [str(run.folder) for run in runs]
    if len(set(names)) < len(names):
        raise UsageError("a run was given twice; give different runs to compare")
    return names


def arms_of(descriptions: Sequence[Mapping[str, Any]], runs: Sequence[str] = ()) -> list[tuple[str, list[int]]]:
    """Runs that differ in their seed alone, by number, each group with a name: what the names of its `runs` share, as
    kl of kl-0 and kl-1, or else what differs between the groups."""
    groups: dict[str, list[int]] = {}
    for number, description in enumerate(descriptions):
        key = [description[part] for part in ("algorithm", "config", "tokenizer_sha256")]
        begun = [description["custom"], (description["init_from"] or {}).get("stage")]
        groups.setdefault(json.dumps([*key, *begun], sort_keys=True), []).append(number)
    configs = [descriptions[places[0]]["config"] for places in groups.values()]
    shared = len({description["tokenizer_sha256"] for description in descriptions}) == 1
    varied = [
        key
        for key in configs[0]
        if any(config.get(key) != configs[0][key] for config in configs)
        and not (key == "tokenizer" and shared)  # "auto", and what it chose, of which a warm start knows
    ]
    shared_names = _without_seeds(descriptions, runs, list(groups.values()))
    names: dict[str, list[int]] = {}
    for number, (config, places) in enumerate(zip(configs, groups.values(), strict=True)):
        values = ", ".join(f"{key}={config.get(key)}" for key in varied) or descriptions[places[0]]["algorithm"]
        values = shared_names[number] if shared_names else values
        name = f"{values} ({len(places)} seed{'s' * (len(places) > 1)})"
        names[name if name not in names else f"{name} #{len(names) + 1}"] = places
    return list(names.items())


def _without_seeds(
    descriptions: Sequence[Mapping[str, Any]], runs: Sequence[str], groups: Sequence[Sequence[int]]
) -> list[str]:
    """For each group what the names of its runs are without their seeds, where that is one name, of no other group."""
    if not runs or max(map(len, groups)) == 1:
        return []
    stems = [{re.sub(rf"[-_.]?{descriptions[at]['seed']}$", "", runs[at]) for at in places} for places in groups]
    names = [stem for several in stems if len(several) == 1 for stem in several if stem and "/" not in stem]
    return names if len(set(names)) == len(groups) else []
