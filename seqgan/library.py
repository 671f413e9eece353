"""The Python interface: train, load, generate, evaluate; with custom components."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from seqgan import evaluation, language_models, training
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, PRESETS, MLEConfig
from seqgan.algorithms.synonyms import synonym
from seqgan.choice import Chooser
from seqgan.core import distributed
from seqgan.core.bounds import (
    BEST_OF,
    COUNT,
    DRAWN,
    MAKER,
    PATH,
    PATH_NAME,
    RESAMPLE,
    SECONDS,
    SEED,
    STAGE,
    STEPS,
    TEXT,
    THREADS,
    YES_NO,
    Function,
    OneOf,
    Repeated,
    checked,
)
from seqgan.core.config import choose_by_arguments
from seqgan.core.device import resolve
from seqgan.core.log import Display, progress_display
from seqgan.core.loggers import LOGGERS, Logger
from seqgan.core.phase import Algorithm
from seqgan.core.pretrained import Shareable, refuse_taken
from seqgan.core.starting import Machine, RunRequest
from seqgan.data.corpus import Corpus, corpus_in_memory, described
from seqgan.data.encoding import EncodedCorpus, encoded
from seqgan.data.reading import Reading
from seqgan.data.tokens import TOKENS
from seqgan.errors import UsageError, quoted
from seqgan.metrics import Aggregation
from seqgan.model import Scored, TextModel
from seqgan.models.factory import MakeDiscriminator, MakePolicy
from seqgan.pretrained import POLICY, save_pretrained
from seqgan.reporting import Evaluation
from seqgan.rewards.asked import Named
from seqgan.rewards.custom import DenseReward, TextReward
from seqgan.rollout import Score
from seqgan.runs import (
    NOWHERE,
    Source,
    corpus_of,
    describe_run,
    load_model,
    load_tokenizer,
    progress,
    run_config,
    stages_of,
)

TOKEN_KIND, AGGREGATION = OneOf(list(TOKENS)), OneOf(get_args(Aggregation))
DRAWING = ("label", "temperature", "top_k", "top_p")  # options of how samples are drawn, whatever becomes of them
NAMED = Function("a name, or a function of (vocab_size, max_length) that makes a module", str)
REWARD = Function(
    "a name, several in a list, a function of tokens, seqgan.rewards.on_text(...) or .dense(...)",
    *(str, list, tuple, TextReward, DenseReward),
)
REWARD_NAMES = Repeated(Named(), "rhyme")
ALGORITHM = Function("a function that makes an algorithm")
CONFIG = Function("a class of hyper-parameters")


class TrainedRun(Shareable):
    """A run directory with a trained policy in it."""

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        components: Components = DEFAULTS,
        source: Source = NOWHERE,
    ) -> None:
        self.folder, self.components, self._source = folder, components, source
        self._corpus: Corpus | None = None
        self._encoded: EncodedCorpus | None = None
        self.description: Mapping[str, Any] = describe_run(folder)
        self._device, self._models = resolve(device), dict[str, TextModel]()

    def __repr__(self) -> str:
        about = self.description
        return f"<TrainedRun {self.folder}: {about['algorithm']} on {about['corpus']['name']}, seed {about['seed']}>"

    @checked
    def model(self, stage: Annotated[str | int, STAGE] = "final") -> TextModel:
        """The policy of a stage with its tokenizer and discriminator: mle, final, best, or the number of a checkpoint.

        Raises:
            RunError: nothing is saved yet, or there is no such stage.
            CheckpointError: the checkpoint is damaged."""
        stage = str(stage)
        if stage not in self._models:
            self._models[stage] = load_model(self.folder, stage, self._device, self.components)
        return self._models[stage]

    @checked
    def generate(
        self,
        count: int = 10,
        *,
        stage: Annotated[str | int, STAGE] = "final",
        new: Annotated[bool, YES_NO] = False,
        resample: Annotated[int, RESAMPLE] = 0,
        accept: Annotated[bool, YES_NO] = False,
        resample_tokens: Annotated[bool, YES_NO] = False,
        **options: Any,
    ) -> list[str]:
        """Texts drawn from the policy, `new` ones that are not among its training texts. The discriminator keeps one of
        `resample` draws, or those that it lets pass (`accept`), or reweights every next token (`resample_tokens`);
        temperature, top_k and top_p are applied after that.

        Options: prompt "" (or a list: `count` texts for each), temperature 1.0, top_k 0, top_p 1.0, seed 0,
        distinct False, beams 0 (`TextModel.generate_detailed`).

        Raises:
            UsageError: a prompt is too long, or holds tokens outside the vocabulary; or too few texts are new."""
        if new:
            options["exclude"] = self.corpus().train
        if bool(resample) + accept + resample_tokens > 1:
            raise UsageError("resample, accept and resample_tokens are three ways to decode: give one of them")
        if resample_tokens:
            return self.reweighted(stage=stage).generate(count, **options)
        if resample or accept:
            drawing = {name: options[name] for name in DRAWING if name in options}
            options["choose"] = self.chooser(resample, stage=stage, **drawing)
        return self.model(stage).generate(count, **options)

    @checked
    def chooser(
        self,
        resample: Annotated[int, RESAMPLE] = 0,
        *,
        stage: Annotated[str | int, STAGE] = "final",
        **drawing: Any,
    ) -> Chooser:
        """What lets the discriminator choose among draws, one of `resample` or by rejection (0), with the slope that
        calibrates it on the validation split for samples that are drawn so (label, temperature, top_k, top_p).

        Raises:
            UsageError: the run has no discriminator."""
        model = self.model(stage)
        slope = evaluation.validation_slope(model, self.encoded(), self.description["seed"], **drawing)
        return model.chooser(resample, slope=slope)

    @checked
    def reweighted(self, *, stage: Annotated[str | int, STAGE] = "final") -> TextModel:
        """The model of a stage with a policy whose every next token the discriminator reweights, with the slope under
        which the validation texts are the likeliest: `.generate(...)`, and with an exact density `.log_probs(texts)`;
        the slope is `.policy.slope`.

        Raises:
            UsageError: the run has no discriminator, or one that judges whole texts alone (cnn)."""
        model = self.model(stage)
        return model.reweighted(evaluation.validation_token_slope(model, self.encoded(), self.description["seed"]))

    def log_probs(
        self, texts: Iterable[str], *, label: str | Sequence[str] | None = None, stage: str | int = "final"
    ) -> list[float]:
        """log pi(text) of each text, its end included, in nats; an unknown token counts as the one token UNK."""
        return self.model(stage).log_probs(texts, label=label)

    def score(
        self, texts: Iterable[str], *, label: str | Sequence[str] | None = None, stage: str | int = "final"
    ) -> list[Scored]:
        """Log-probability, tokens, unknown tokens and the discriminator's probability of being real, for each text."""
        return self.model(stage).score(texts, label=label)

    def corpus(self) -> Corpus:
        """The texts this run was trained on, in their splits.

        Raises:
            RunError: they cannot be read, or are no longer what they were."""
        self._corpus = self._corpus or corpus_of(self.folder, self._source)
        return self._corpus

    def encoded(self) -> EncodedCorpus:
        """The same texts as ids.

        Raises:
            RunError: they cannot be read, or are no longer what they were."""
        self._encoded = self._encoded or encoded(self.corpus(), load_tokenizer(self.folder, self.description))
        return self._encoded

    @checked
    def evaluate(
        self,
        *,
        count: Annotated[int | None, DRAWN] = None,
        seed: Annotated[int | None, SEED] = None,
        tokens: Annotated[str | None, TOKEN_KIND] = None,
        aggregation: Annotated[Aggregation, AGGREGATION] = "sentence",
        lowercase: Annotated[bool, YES_NO] = False,
        best_of: Annotated[int, RESAMPLE] = BEST_OF,
        rewards: Annotated[Sequence[str] | None, REWARD_NAMES] = None,
    ) -> Evaluation:
        """All numbers, a row for each stage and one for held-out real text; all rows have `count` texts. Where there is
        a discriminator another row has texts of the policy of MLE, each of which it chose among `best_of` draws (0: no
        such row): what adversarial training has to exceed. What texts earn by the rewards of the run, and by other
        built-in `rewards`, is `reward-NAME`.

        Each row holds what `seqgan.evaluate` measures of texts, and more: `run.evaluate()["final"]["bleu-3"].value`.
        Samples are drawn with the seed of the run where none is given, as at the end of its training.

        Raises:
            UsageError: `count` is more than there are validation texts, or a reward cannot be made of these texts.
            ConfigError: there is no such reward.
            RunError: the corpus is no longer what it was."""
        models = {stage: self.model(stage) for stage in stages_of(self.description)}
        seed = self.description["seed"] if seed is None else seed
        options: dict[str, Any] = {"count": count, "seed": seed, "tokens": tokens, "aggregation": aggregation}
        options |= {"lowercase": lowercase, "best_of": best_of, "rewards": self.reward_scores(rewards or ())}
        result = evaluation.evaluate_models(models, self.encoded(), **options)
        result.facts |= progress(self.folder)
        return result

    def reward_scores(self, others: Sequence[str] = ()) -> dict[str, Score]:
        """What finished texts of token ids earn, by the name of each reward of the run, and by `others`.

        Raises:
            ConfigError: there is no such reward.
            UsageError: one cannot be made of these texts."""
        config = run_config(self.folder / "run.json", self.description)
        if not (wanted := language_models.wanted(config, others)):
            return {}
        device, labels = self.model("final").device, list(self.description["labels"])
        dataset = self.encoded().dataset(self.description["max_length"], config.overlong, labels)
        return language_models.scores(wanted, dataset, language_models.read(self.folder, config, device))

    @checked
    def save_pretrained(
        self,
        folder: Annotated[str | Path, PATH],
        *,
        stage: Annotated[str | int, STAGE] = "final",
        license: Annotated[str, TEXT] = "unknown",
        overwrite: Annotated[bool, YES_NO] = False,
    ) -> Path:
        """Save the model of a stage in a folder, with a model card of its numbers and samples.

        `license` is the identifier of the hub, such as "cc0-1.0", for the card.

        Raises:
            UsageError: the folder holds something already; `overwrite` replaces a saved model."""
        refuse_taken(Path(folder), POLICY, overwrite=overwrite)
        measured = evaluation.evaluate_models(
            {str(stage): self.model(stage)}, self.encoded(), seed=self.description["seed"]
        )
        notes, corpus = evaluation.summary(measured), self.description["corpus"]
        facts = {
            "corpus": corpus,
            "corpus_licence": described(corpus["path"]).get("licence") if corpus["path"] else None,
            "rows": measured.rows,
            "notes": notes,
            "license": license,
            "samples": measured.texts[str(stage)][:5],
        }
        return save_pretrained(self.model(stage), Path(folder), facts, overwrite=overwrite)


@checked
def train(
    corpus: str | Path | Corpus | Iterable[str],
    *,
    algorithm: Annotated[str, TEXT] = "seqgan",
    preset: Annotated[str | None, TEXT] = None,
    run_dir: Annotated[str | Path | None, PATH] = None,
    resume: Annotated[bool, YES_NO] = False,
    overwrite: Annotated[bool, YES_NO] = False,
    init_from: Annotated[str | None, TEXT] = None,
    grow_vocabulary: Annotated[bool, YES_NO] = False,
    text_column: Annotated[str | None, TEXT] = None,
    delimiter: Annotated[str | None, TEXT] = None,
    header: Annotated[bool | None, YES_NO] = None,
    split_on: Annotated[str | None, TEXT] = None,
    label_column: Annotated[str | None, TEXT] = None,
    labels: str | Path | Iterable[Any] | None = None,
    valid: Annotated[str | Path | None, PATH_NAME] = None,
    test: Annotated[str | Path | None, PATH_NAME] = None,
    seed: Annotated[int | None, SEED] = None,
    threads: Annotated[int, THREADS] = 0,
    device: str = "auto",
    progress: Annotated[bool, YES_NO] = False,
    save_seconds: Annotated[float, SECONDS] = 30.0,
    save_steps: Annotated[int, STEPS] = 0,
    keep: Annotated[int, COUNT] = 2,
    loggers: Annotated[Sequence[Logger], LOGGERS] = (),
    policy: Annotated[str | MakePolicy | None, NAMED] = None,
    discriminator: Annotated[str | MakeDiscriminator | None, NAMED] = None,
    reward: Annotated[str | Sequence[str] | Score | TextReward | DenseReward | None, REWARD] = None,
    **hyper: Any,
) -> TrainedRun:
    """Train a generator, as `seqgan train` does, and return the run.

    "mle" minimises the NLL of the texts; "seqgan" continues with algorithm 1 of Yu et al. (2017): the reward of every
    token is the mean score of completions of its prefix (equation 4), and REINFORCE (equation 8) maximises it.
    "maligan" weights its own samples by D / (1 - D) instead (Che et al. 2017); "relgan" backpropagates a relativistic
    loss through relaxed samples (Nie et al. 2019).

    Args:
        corpus: a name, path or hub address (`load_corpus`), a Corpus, or the texts themselves in any iterable.
        text_column, delimiter, header, split_on, valid, test: how its files are read, as for `load_corpus`.
        run_dir: where the run goes; left out, the first free `runs/<corpus>-<algorithm>-<k>`.
        resume: continue the run in `run_dir` if there is one, to the same weights as without the interruption.
        seed: all randomness derives from it; default: 0 in a new run, and that of a run which is resumed.
        label_column: the column of labels, of a file with columns; a policy is then conditioned on the label of a text,
            and a discriminator judges pairs of text and label.
        labels: the labels of texts in memory, one for each, or a file of them, one a line; see `load_corpus`.
        init_from: a run whose policy to start from instead of random weights: "RUN", "RUN@mle", "RUN@best", "RUN@STEP".
        grow_vocabulary: add the tokens of the new texts to its vocabulary.
        save_seconds, save_steps, keep: seconds between checkpoints, or else steps of a phase; how many of them stay.
        loggers: `seqgan.TensorBoard()`, `seqgan.WandB(project)`, or any `seqgan.Logger`.
        policy, discriminator: names ("lstm", "gru"; "cnn", "lstm", "likelihood-ratio"; registered ones), or functions
            of (vocab_size, max_length) that make custom modules.
        reward: built-in rewards, `("discriminator", "keyword:moon:2")`, or in their place a function tokens
            "B T" -> "B", `seqgan.rewards.on_text(texts -> numbers)`, or `seqgan.rewards.dense(tokens "B T" -> "B T")`.
        hyper: hyper-parameters by their names, as in `seqgan train --algorithm NAME --help` (with underscores).

    Raises:
        ConfigError: an unknown hyper-parameter or a bad value.
        CorpusError: the corpus cannot be read or is too small.
        RunError: `run_dir` is taken, in use, or was begun with other options; a CheckpointError where it is damaged.
        StorageError: the disk refuses.
        DivergedError: a loss became NaN; the last good checkpoint stays."""
    if isinstance(policy, str):
        hyper["policy"], policy = policy, None
    if isinstance(discriminator, str):
        hyper["discriminator"], discriminator = discriminator, None
    if algorithm == "mle" and (reward is not None or discriminator is not None):
        raise UsageError("mle has neither a reward nor a discriminator; choose algorithm='seqgan'")
    if algorithm == "relgan" and reward is not None:
        raise UsageError("relgan learns through its discriminator and takes no reward; choose seqgan or maligan")
    if isinstance(reward, Sequence):
        hyper["reward"], reward = reward, None
    reading = Reading(text_column, delimiter, header, split_on, label_column)
    if not isinstance(corpus, str | Path) and (reading != Reading() or valid or test):
        names = ", ".join(name for name in Reading._fields if name != "labels")
        raise UsageError(f"{names}, valid and test go with a path; give a seqgan.Corpus with splits of its own")
    if reward is not None and discriminator is not None:
        raise UsageError("a reward takes the place of the discriminator: give one of them")
    chosen = choose_by_arguments("algorithm", algorithm, CONFIGS, PRESETS, preset, hyper, synonym)
    components, place = Components(policy, discriminator, reward), resolve(device)
    source = _source(corpus, reading, labels, valid, test)
    request = RunRequest(algorithm, Path(run_dir) if run_dir else None, resume, overwrite, seed, threads)
    if not request.existing() and corpus is None:  # refuses what contradicts itself, in every process
        raise UsageError("corpus is None, but there is no run to resume; give texts, a name or a path")
    display = progress_display() if progress else Display()
    machine = Machine(place, display, save_seconds, save_steps, keep, loggers)
    with distributed.process_group(place):
        folder, _ = training.begin_or_continue(
            request,
            chosen,
            source,
            machine,
            init_from=init_from,
            grow_vocabulary=grow_vocabulary,
            components=components,
        )
    return TrainedRun(folder, device, components, source)


@checked
def load(
    run: Annotated[str | Path, PATH],
    *,
    device: str = "auto",
    corpus: str | Path | Corpus | Iterable[str] | None = None,
    text_column: Annotated[str | None, TEXT] = None,
    delimiter: Annotated[str | None, TEXT] = None,
    header: Annotated[bool | None, YES_NO] = None,
    split_on: Annotated[str | None, TEXT] = None,
    label_column: Annotated[str | None, TEXT] = None,
    labels: str | Path | Iterable[Any] | None = None,
    valid: Annotated[str | Path | None, PATH_NAME] = None,
    test: Annotated[str | Path | None, PATH_NAME] = None,
    policy: Annotated[MakePolicy | None, MAKER] = None,
    discriminator: Annotated[MakeDiscriminator | None, MAKER] = None,
    reward: Annotated[Score | TextReward | DenseReward | None, REWARD] = None,
) -> TrainedRun:
    """A run that was trained before. Custom components that are not registered must be given again.

    `corpus` (read as its options say, which are those of `train`) says where its texts are now, if they have moved: any
    path, name or texts with the content that the run was begun with.

    Raises:
        RunError: there is no run, its format is not known to this version, or the corpus has other content."""
    reading = Reading(text_column, delimiter, header, split_on, label_column)
    source = _source(corpus, reading, labels, valid, test)
    trained = TrainedRun(Path(run), device, Components(policy, discriminator, reward), source)
    if source != NOWHERE:
        trained.corpus()  # refused at once, rather than by the first evaluation
    return trained


def _source(
    corpus: str | Path | Corpus | Iterable[str] | None,
    reading: Reading,
    labels: str | Path | Iterable[Any] | None,
    valid: str | Path | None,
    test: str | Path | None,
) -> Source:
    texts: str | Corpus | None
    if corpus is None or isinstance(corpus, str | Path):
        if labels is not None and not isinstance(labels, str | Path):
            raise UsageError("a list of labels goes with a list of texts; of a file, give the path of its labels")
        texts = str(corpus) if corpus else None
        reading = reading._replace(labels=None if labels is None else str(labels))
    else:
        if isinstance(labels, str | Path):
            raise UsageError(f"the labels of texts in memory are a list, one for each, not {quoted(str(labels))}")
        texts = corpus_in_memory(corpus, labels=labels)
    return Source(texts, reading, str(valid) if valid else None, str(test) if test else None)


@checked
def register(
    name: Annotated[str, TEXT],
    algorithm: Annotated[Callable[..., Algorithm], ALGORITHM],
    config: Annotated[type[MLEConfig], CONFIG],
    *,
    default: Mapping[str, Any] | None = None,
) -> None:
    """Register a custom algorithm under a name, for `train(algorithm=name)`.

    It is a `seqgan.core.phase.Algorithm`, built as `algorithm(config, texts, device, seed, parts)` and trained phase by
    phase; `state_dict()["policies"]` must hold the weights of its policies by stage, "mle" and "final" at least.
    `default` are the values of `--preset default` that differ from the config's own.

    Raises:
        UsageError: the name is taken by another algorithm."""
    if (CONFIGS.get(name, config), ALGORITHMS.get(name, algorithm)) != (config, algorithm):
        raise UsageError(f"there is an algorithm {quoted(name)} already; choose another name")
    CONFIGS[name], ALGORITHMS[name] = config, algorithm
    PRESETS[name] = {"default": dict(default or {}), "quick": dict(default or {}), "paper": {}}
