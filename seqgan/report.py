"""What the report of a text run shows: its record, its numbers, its texts, and what its rewards pay for, by token."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from seqgan import language_models, planes
from seqgan.advantages import advantages
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.adversarial import ADVERSARIAL, UNSHOWN, TextGAN, View
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import PRESETS, MLEConfig, PolicyGradientConfig, SeqGANConfig
from seqgan.core import distributed, page
from seqgan.core.files import in_shell
from seqgan.core.report import rows_from_json
from seqgan.core.run import checkpoints, saved_in
from seqgan.core.seed import seed_everything
from seqgan.data.encoding import EncodedCorpus
from seqgan.data.ragged import Ragged
from seqgan.data.reading import Reading
from seqgan.data.tokenizer import SHOWN_UNKNOWN
from seqgan.evaluation import judged_texts
from seqgan.models.policy import Sampled, sample
from seqgan.reporting import REAL, Row, Table, label_tables, tables
from seqgan.runs import describe_run, load_model, progress, run_config, stages_of
from seqgan.shapes import Scores

TEMPLATE = Path(__file__).parent / "report.html"
SAMPLES, SHADED, RANKED, ENDS = 8, 8, 200, 5  # texts of a stage; of each kind in the token view; ranked; seen of these
MOST_TOKENS = 200  # shown of a text
MOST_READ = 4_000_000  # tokens of all completions together, for the rewards of the token view
MEANINGS = {
    "reward to go": "what training pays for the token, the mean score of completions of the text up to it",
    "reward of the text": "what training weights the text by, each of its tokens alike",
    "advantage": "how much more that is than expected, where all texts here count as one batch",
    "log-probability": "of the token after all before it, in nats; the less likely, the darker",
}


class Reported(NamedTuple):
    """A run, and how its texts and custom components are come by."""

    folder: Path
    encoded: Callable[[], EncodedCorpus]
    device: torch.device
    components: Components = DEFAULTS


class Kind(NamedTuple):
    """A number that tokens are shaded by: not at all at `zero`, most at `full`; of two hues on `both` sides of 0."""

    name: str
    zero: float
    full: float
    hue: Literal["pos", "neg", "both"]


class Shaded(NamedTuple):
    """A text of the token view."""

    source: str
    verdict: str
    tokens: list[tuple[str, str]]  # each with its values, one of every kind
    rest: int  # tokens that are not shown


def report(runs: Sequence[Reported]) -> bytes:
    """The page of one run, or of several side by side.

    Raises:
        RunError: a folder is not a run of seqgan, or its run.json is damaged."""
    names = page.names_of([run.folder for run in runs])
    told = [_about(run, name) for run, name in zip(runs, names, strict=True)]
    return page.whole(TEMPLATE, told, _tables(told), UNSHOWN, ends=ENDS, meanings=MEANINGS, sweeps=_sweeps(told))


def _about(run: Reported, name: str) -> dict[str, Any]:
    """What the template is told of a run."""
    folder, description = run.folder, describe_run(run.folder)
    config, presets = run_config(folder / "run.json", description), PRESETS[description["algorithm"]]
    told = page.about(folder, name, description, config, presets, _words(description), "from ")
    notes, texts = told["notes"], None
    if checkpoints(folder):
        reached = page.attempted(notes, lambda: progress(folder)) or {}
        notes += [f"{reached['unfinished']}."] if "unfinished" in reached else []
        texts = page.attempted(notes, lambda: _Texts(run, description, config, notes))
    else:
        notes.append(f"Nothing has been trained yet; start it with: seqgan train --resume {in_shell(folder)}")
    kinds, shaded = (page.attempted(notes, texts.shaded) if texts else None) or ([], [])
    if description["custom"]:
        custom = " and ".join(description["custom"])
        told["again"] = f"The run has a custom {custom}: repeat it from Python, with these as well as with:"
    elif not description["corpus"]["path"]:
        told["again"] = "The texts came from memory; the run keeps them in its folder corpus. With them in a file:"
    return {
        **told,
        "facts": _facts(description),
        "found": page.attempted(notes, lambda: _found(folder, told["found"])) or ({}, {}, {}),
        "sweep": page.attempted(notes, lambda: _swept(folder, notes)),
        "samples": (samples := (page.attempted(notes, texts.samples) if texts else None) or {}),
        "language": language([text for several in samples.values() for text in several]),
        "kinds": [kind._asdict() for kind in kinds],
        "shaded": shaded,
        "unknown": any(SHOWN_UNKNOWN in token for text in shaded for token, _ in text.tokens),
        "compares": texts is not None and not texts.model.logit_is_log_odds,
        "ranked": (page.attempted(notes, texts.ranked) if texts else None) or [],
    }


def _facts(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    corpus, split = description["corpus"], description["corpus"].get("split", {})
    sizes = ", ".join(f"{count:,} {part}" for part, count in split.items())
    begun, labels = description["init_from"], description["labels"]
    return [
        ("algorithm", description["algorithm"]),
        ("corpus", f"{corpus['name']}: {sizes} texts"),
        (
            "tokens",
            f"{description['tokenizer']}; {description['vocab_size']:,} in the vocabulary, at most "
            f"{description['max_length']} in a text",
        ),
        *([("labels", ", ".join(labels))] if labels else []),
        *([("begun from", f"{begun['run']}@{begun['stage']}")] if begun else []),
        *([("custom", ", ".join(description["custom"]))] if description["custom"] else []),
        ("seed", str(description["seed"])),
    ]


def _words(description: Mapping[str, Any]) -> list[str]:
    """The options of seqgan train that name the algorithm and the texts."""
    corpus, begun = description["corpus"], description["init_from"]
    words = ["--algorithm", description["algorithm"], "--corpus", corpus["path"] or "FILE"]
    for name in ("valid", "test", *(name for name in Reading._fields if name != "header")):
        words += [f"--{name.replace('_', '-')}", corpus[name]] if corpus[name] else []
    if corpus["header"] is not None:
        words.append("--header" if corpus["header"] else "--no-header")
    return [*words, "--init-from", f"{begun['run']}@{begun['stage']}"] if begun else words


def _found(folder: Path, content: Mapping[str, Any]) -> tuple[dict[str, Row], dict[str, Row], dict[str, Any]]:
    """Rows, their differences, and the rows by label of an evaluation."""
    place = folder / "evaluations"
    rows, between = (rows_from_json(content.get(key, {}), place) for key in ("rows", "differences"))
    return rows, between, {label: rows_from_json(of, place) for label, of in content.get("labels", {}).items()}


def _tables(told: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The short table and all others of one run; of several, their rows side by side without differences, since paired
    errors are those of `seqgan evaluate RUN RUN`."""
    rows, between, labels = told[0]["found"]
    if len(told) == 1:
        measured = [*tables(rows, short=True, between=between), *tables(rows, between=between)]
        return [*measured, *label_tables(labels)]
    beside = page.side_by_side([run["name"] for run in told], [run["found"][0] for run in told], REAL)
    options: dict[str, Any] = {"between": {}, "widest": len(beside)}
    return [*tables(beside, short=True, **options), *tables(beside, **options)]


def _swept(folder: Path, notes: list[str]) -> dict[str, Any] | None:
    """The sweep that a run was a part of, if there was one."""
    if not (content := planes.read(folder)):
        return None
    if content["steps"] != (steps := max(checkpoints(folder), default=0)):
        notes.append(
            f"The sweep shown is of step {content['steps']} and the run at step {steps}; make it again with: "
            f"seqgan sweep {in_shell(folder)}"
        )
    return planes.shown(folder, content)


def _sweeps(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each sweep once, with the names of the runs on the page that were a part of it."""
    found: list[dict[str, Any]] = []
    for run in told:
        if run["sweep"]:
            same = [sweep for sweep in found if sweep["found"] == run["sweep"]["found"]]
            if not same:
                found.append(run["sweep"] | {"runs": [run["name"]]})
            for sweep in same:
                sweep["runs"].append(run["name"])
    return found


SCRIPTS = {"ja": "[\u3040-\u30ff]", "ko": "[\uac00-\ud7af]", "zh": "[\u4e00-\u9fff]"}  # kana, hangul, han


def language(texts: Sequence[str]) -> str:
    """The language that a script tells, by which a browser chooses the forms of characters; empty where none does."""
    whole = "".join(texts)
    return next((name for name, script in SCRIPTS.items() if len(re.findall(script, whole)) > len(whole) / 5), "")


# --- its texts


class _Texts:
    """The policies of a run at work."""

    def __init__(self, run: Reported, description: Mapping[str, Any], config: MLEConfig, notes: list[str]) -> None:
        self.run, self.description, self.config, self.notes = run, description, config, notes
        self.seed, self.device = description["seed"], run.device
        seed_everything(self.seed, "report")
        self.models = {
            stage: load_model(run.folder, stage, run.device, run.components) for stage in stages_of(description)
        }
        *_, self.model = self.models.values()
        self.held_out = page.attempted(notes, self._held_out)

    def _held_out(self) -> Ragged:
        """Test texts as the policy sees them, at random."""
        model = self.model
        rows = self.run.encoded().split("test", model.policy.max_length, model.overlong, model.labels).sequences
        chosen = random.Random(self.seed).sample(range(len(rows)), min(RANKED, len(rows)))
        return rows.part(torch.tensor(chosen))

    def text(self, ids: Sequence[int], label: int | None = None) -> str:
        under = "" if label is None else f"{self.model.labels[label]}: "
        shown = self.model.tokenizer.decode(ids[:MOST_TOKENS])
        return f"{under}{shown}" + (" ..." if len(ids) > MOST_TOKENS else "")

    def texts(self, rows: Ragged) -> list[str]:
        labels = [None] * len(rows) if rows.labels is None else rows.labels.tolist()
        return [self.text(ids, label) for ids, label in zip(rows, labels, strict=True)]

    def samples(self) -> dict[str, list[str]]:
        """Of each stage with the same seed, and held-out texts."""
        drawn = {stage: model.draw(SAMPLES, seed=self.seed) for stage, model in self.models.items()}
        held_out = {} if self.held_out is None else {f"{REAL} (held out)": self.held_out.part(slice(SAMPLES))}
        return {name: self.texts(rows) for name, rows in {**drawn, **held_out}.items()}

    def logits(self, rows: Ragged) -> Scores | None:
        """The discriminator's, of texts; None where there is no discriminator."""
        if self.model.discriminator is None:
            return None
        rng = torch.Generator(self.device).manual_seed(self.seed)
        return judged_texts(self.model, self.model.discriminator, rows, rng)

    def verdict(self, logit: float) -> str:
        """P(real), where the logit is its log-odds."""
        value = torch.tensor(logit)
        return f"{value.sigmoid():.2f}" if self.model.logit_is_log_odds else f"{value:+.2f}"

    def ranked(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Held-out and generated texts with their verdicts, those taken for real first."""
        kinds = {"generated": self.model.draw(RANKED, seed=self.seed)}
        if self.held_out is not None:
            kinds = {"real": self.held_out, **kinds}
        found = []
        for name, rows in kinds.items():
            if (logits := self.logits(rows)) is None:
                return []
            order = logits.argsort(descending=True, stable=True)
            texts = self.texts(rows.part(order))
            found.append((name, [*zip(map(self.verdict, logits[order].tolist()), texts, strict=True)]))
        return found

    def shaded(self) -> tuple[list[Kind], list[Shaded]]:
        """Samples and held-out texts, token by token, and the numbers that are known of these."""
        policy, count = self.model.policy, self._count()
        rng = torch.Generator(self.device).manual_seed(self.seed)
        drawn = sample(policy, count, keep_states=True, rng=rng)
        log_probs, parts = [policy.log_probs_drawn(drawn.tokens, drawn.labels)], [drawn]
        if self.held_out is not None:
            rows = self.held_out.part(slice(count))
            tokens, _, labels = rows.take(torch.arange(len(rows)), policy.max_length).to(self.device)
            log_probs.append(policy.log_probs(tokens, labels))
            written = policy.fill_unknown(tokens, rng, labels)  # as the policy could have
            known = sample(policy, len(rows), labels=labels, prompts=written, keep_states=True, rng=rng)
            parts.append(known._replace(tokens=tokens))
            both = _together([drawn, known])
        else:
            both = drawn
        numbers = {**self._rewards(both), "log-probability": torch.cat(log_probs)}
        mask = both.mask
        kinds = [_kind(name, values[mask]) for name, values in numbers.items()]
        shown = _together(parts)
        logits = self.logits(Ragged.padded(shown.tokens, shown.labels))
        texts = []
        for row, ids in enumerate(shown.tokens.tolist()):
            length = int(mask[row].sum())
            values = torch.stack([of[row] for of in numbers.values()], dim=1).tolist()
            words = [
                (self.model.tokenizer.shown(ids[at]), " ".join(f"{v:.3g}" for v in values[at])) for at in range(length)
            ]
            source = "generated" if row < count else "real"
            verdict = "" if logits is None else self.verdict(float(logits[row]))
            texts.append(Shaded(source, verdict, words[:MOST_TOKENS], max(0, length - MOST_TOKENS)))
        return kinds, texts

    def _count(self) -> int:
        """Texts of each kind: fewer where rewards take long."""
        length, rollouts = self.model.policy.max_length, getattr(self.config, "rollouts", 0)
        return max(1, min(SHADED, MOST_READ // max(1, length * length * rollouts)))

    def _rewards(self, texts: Sampled) -> dict[str, Tensor]:
        """What each token earns, and its advantage, from the run's weights; no custom reward is called."""
        config, components = self.config, self.run.components
        if not isinstance(config, PolicyGradientConfig) or self.model.discriminator is None:
            return {}
        found = page.attempted(self.notes, lambda: self._algorithm(replace(config, control="none"), components))
        if found is None or found.reward is None:
            return {}
        if config.control != "none":
            self.notes.append(f"Training paid a control (--control {config.control}) instead of the rewards shown.")
        view = View(found, "generator", ADVERSARIAL, 0)
        view.sampled = texts
        rewards = {"reward to go" if isinstance(config, SeqGANConfig) else "reward of the text": view.rewards}
        if isinstance(config, SeqGANConfig) and distributed.world_size() == 1:
            normal = config.normalize_advantage
            rewards["advantage"] = advantages(view.rewards, texts.mask, config.baseline, normalize_advantage=normal)
        return rewards

    def _algorithm(self, config: PolicyGradientConfig, components: Components) -> TextGAN | None:
        """The players as the run keeps them, the policy being the final one."""
        description, folder, model = self.description, self.run.folder, self.model
        dataset = self.run.encoded().dataset(model.policy.max_length, model.overlong, model.labels)
        components = replace(components, models=language_models.read(folder, config, self.device))
        found = ALGORITHMS[description["algorithm"]](config, dataset, self.device, self.seed, components)
        if not isinstance(found, TextGAN):
            return None
        saved = saved_in(list(checkpoints(folder).values())[-1], folder, description)["algorithm"]
        found.load_state_dict(saved)
        found.generator.load_state_dict(model.policy.state_dict())
        return found


def _together(parts: Sequence[Sampled]) -> Sampled:
    tokens, mask = (torch.cat([getattr(part, name) for part in parts]) for name in ("tokens", "mask"))
    states = tuple(torch.cat(several, dim=1) for several in zip(*(part.states for part in parts), strict=True))
    labels = [part.labels for part in parts if part.labels is not None]
    return Sampled(tokens, mask, states, torch.cat(labels) if labels else None)


def _kind(name: str, values: Tensor) -> Kind:
    """The range of all but the few most extreme values."""
    low, high = values.float().quantile(torch.tensor([0.02, 0.98], device=values.device)).tolist()
    if name == "advantage":
        return Kind(name, 0.0, max(abs(low), abs(high)), "both")
    return Kind(name, high, low, "neg") if name == "log-probability" else Kind(name, low, high, "pos")
