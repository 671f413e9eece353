"""The hyper-parameters of every algorithm: the defaults are those of the paper's published code in its last version
(seqgan/README.md, "Differences from the published code", lists what differs), the presets are differences from them.

No torch here: the command line reads this file to answer `--help`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from seqgan.core.bounds import BATCH, COUNT, RATE, SHARE, SIZE, STEPS, WEIGHT, Real, Repeated, Several, Whole
from seqgan.core.config import Checked, nearest
from seqgan.errors import ConfigError, quoted
from seqgan.models import DISCRIMINATOR_NAMES, POLICY_NAMES
from seqgan.rewards.asked import Named, asked

MLE_PHASE = "pretrain generator"
MAX_NORM = Real(0, 1e9, above=True)
SIZES = Several(SIZE, "1,2,3")
PAPER_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
PAPER_FILTERS = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)


@dataclass(frozen=True)
class MLEConfig(Checked):
    """A language model trained by maximum likelihood: the baseline, and how SeqGAN begins.

    Beyond the paper of SeqGAN: `tie_embeddings` (Press and Wolf 2017), `weight_drop` (Merity et al. 2018),
    `embedding_init` svd (Levy and Goldberg 2014), `ema_decay` (Polyak and Juditsky 1992), `calibrate_unknown` (Good
    1953). `scheduled_sampling` (Bengio et al. 2015) is a baseline of the paper: .002 in 300 epochs."""

    extendable: ClassVar[str] = "mle_epochs"  # may grow when a run is resumed

    tokenizer: Annotated[
        Literal["auto", "char", "word", "bpe", "unigram", "whitespace"],
        "what a token is; auto: what suits the corpus (characters, words, whitespace or subwords)",
    ] = "auto"
    vocab_size: Annotated[int, "tokens at most; characters are all kept", Whole(8, 2**24)] = 5000
    max_length: Annotated[
        int, "tokens in a text at most, its end included; 0: as the longest, but no more than 64", Whole(0, 2**20)
    ] = 0
    overlong: Annotated[Literal["truncate", "split", "drop", "error"], "what to do with a longer text"] = "truncate"

    policy: Annotated[str, "policy: lstm, gru, or a registered name"] = "lstm"
    embedding_dim: Annotated[int, "policy: size of the token embedding", SIZE] = 32
    hidden_dim: Annotated[int, "policy: units of the recurrent layer", SIZE] = 32
    tie_embeddings: Annotated[bool, "policy: write tokens with the embedding they are read with"] = False
    dropout: Annotated[float, "policy: dropout while learning from text", SHARE] = 0.0
    weight_drop: Annotated[float, "policy: dropout of the recurrent weights while learning from text", SHARE] = 0.0
    embedding_init: Annotated[
        Literal["normal", "svd"],
        "policy: the first token embedding; svd: from the contexts of tokens in training texts",
    ] = "normal"
    unigram_bias: Annotated[bool, "policy: start the output bias from the frequencies of tokens"] = False

    mle_epochs: Annotated[int, "MLE: passes over the training texts, at most", STEPS] = 120
    mle_patience: Annotated[
        int, "MLE: stop after this many epochs without a better validation NLL; 0: never, and keep the last", STEPS
    ] = 0
    mle_lr: Annotated[float, "MLE: learning rate (Adam)", RATE] = 0.01
    scheduled_sampling: Annotated[
        float,
        "MLE: after each epoch, so much more of what the policy reads is what it draws itself (scheduled sampling)",
        SHARE,
    ] = 0.0
    ema_decay: Annotated[
        float, "MLE: decay of a moving average of the weights, which is the result (0: none)", SHARE
    ] = 0.0
    weight_decay: Annotated[float, "MLE: decoupled weight decay", WEIGHT] = 0.0
    calibrate_unknown: Annotated[
        bool, "MLE: take rare tokens for unknown ones, as often as held-out text is expected to have such"
    ] = False
    batch_size: Annotated[int, "MLE: texts in a batch", BATCH] = 64
    shuffle: Annotated[bool, "MLE: a new order of the texts every epoch"] = False
    max_grad_norm: Annotated[float, "policy: largest norm of a gradient", MAX_NORM] = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unknown("policy", self.policy, POLICY_NAMES)


def refuse_unknown(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ConfigError(
            f"there is no {kind} {quoted(name)} (seqgan.register_{kind} makes a custom one known){nearest(name, known)}"
        )


@dataclass(frozen=True)
class AdversarialConfig(MLEConfig):
    """What every text GAN has: a discriminator, and a game of g and d steps after MLE."""

    extendable: ClassVar[str] = "iterations"
    logit_is_log_odds: ClassVar[bool] = True  # of real against generated, rather than a score to compare texts by

    discriminator: Annotated[str, "discriminator: cnn, lstm, likelihood-ratio, or a registered name"] = "cnn"
    d_init: Annotated[
        Literal["policy", "random"], "discriminator lstm: begin with the weights of the policy, or with random ones"
    ] = "policy"
    d_embedding_dim: Annotated[int, "discriminator: size of the token embedding", SIZE] = 64
    filter_sizes: Annotated[tuple[int, ...], "discriminator: widths of the filters, in tokens", SIZES] = PAPER_SIZES
    num_filters: Annotated[tuple[int, ...], "discriminator: filters of each width", SIZES] = PAPER_FILTERS
    highway: Annotated[bool, "discriminator: a highway layer over the features"] = True
    d_dropout: Annotated[float, "discriminator: dropout before the last layer", SHARE] = 0.25
    cross_fitting: Annotated[
        bool, "discriminator: learn from one half of the training texts, and MLE from the other (cross-fitting)"
    ] = False
    d_lr: Annotated[float, "discriminator: learning rate (Adam)", RATE] = 1e-4
    d_r1_weight: Annotated[
        float,
        "discriminator: weight of the squared gradient at the token embeddings of real texts (R1: gamma; 0: none)",
        WEIGHT,
    ] = 0.0
    d_bf16: Annotated[bool, "discriminator: learn in bfloat16 (autocast), faster where the processor has it"] = False
    d_batch_size: Annotated[int, "discriminator: texts in a batch, half of them real", Whole(2, 2**20)] = 64

    iterations: Annotated[int, "adversarial: iterations of g and d steps", STEPS] = 200
    g_steps: Annotated[int, "adversarial: policy updates in an iteration (g)", COUNT] = 1
    d_steps: Annotated[int, "adversarial: discriminator rounds in an iteration (d)", STEPS] = 5
    g_lr: Annotated[float, "adversarial: learning rate of the policy (Adam)", RATE] = 0.01
    mle_weight: Annotated[float, "adversarial: weight of an MLE term in every policy update", WEIGHT] = 0.0
    validate_every: Annotated[int, "adversarial: iterations between two validations", COUNT] = 10
    stop_on_collapse: Annotated[
        bool, "adversarial: end early where the policy collapses (entropy, validation NLL, different samples)"
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unknown("discriminator", self.discriminator, DISCRIMINATOR_NAMES)
        if self.discriminator == "likelihood-ratio" and self.d_init == "random":
            raise ConfigError(
                "--discriminator likelihood-ratio compares a language model with the policy that it begins as; leave "
                "out --d-init random, or give --discriminator lstm"
            )
        if self.discriminator == "likelihood-ratio" and self.d_r1_weight:
            raise ConfigError(
                "--discriminator likelihood-ratio judges tokens, whose probability is no function of their embeddings; "
                f"leave out --d-r1-weight {self.d_r1_weight:g}, or give --discriminator cnn or lstm"
            )
        if len(self.filter_sizes) != len(self.num_filters):
            raise ConfigError(
                f"--filter-sizes has {len(self.filter_sizes)} numbers and --num-filters {len(self.num_filters)}; "
                "give as many of each"
            )
        if self.d_batch_size % 2:
            raise ConfigError(
                f"--d-batch-size {self.d_batch_size} is odd, and half of a batch is real; give an even number"
            )


@dataclass(frozen=True)
class PolicyGradientConfig(AdversarialConfig):
    """A policy that learns from rewards of its samples, and a discriminator that learns in rounds of them."""

    d_loss: Annotated[
        Literal["cross-entropy", "pairwise"],
        "discriminator: loss; pairwise only compares a real text with a generated one",
    ] = "cross-entropy"
    d_label_smoothing: Annotated[
        float, "discriminator: cross-entropy with 1 less this as the target of real texts", Real(0, 0.5)
    ] = 0.0
    d_l2: Annotated[float, "discriminator: L2 penalty of the last layer", WEIGHT] = 0.2
    d_samples: Annotated[int, "discriminator: generated texts in a round; 0: as many as there are real ones", STEPS] = 0
    d_epochs: Annotated[int, "discriminator: passes over the texts of a round (k)", COUNT] = 3
    d_pretrain_rounds: Annotated[int, "discriminator pretraining: rounds, each with newly generated texts", STEPS] = 50
    d_patience: Annotated[
        int,
        "discriminator: early stop after this many rounds without a lower loss on the validation split, and in the "
        "adversarial phase restore the better one; 0: never",
        STEPS,
    ] = 0
    g_batch_size: Annotated[int, "adversarial: texts drawn for a policy update", Whole(2, 2**20)] = 64
    kl_weight: Annotated[
        float, "adversarial: weight of the KL divergence from the policy after MLE in every policy update", WEIGHT
    ] = 0.0
    reward: Annotated[
        tuple[str, ...],
        "adversarial: what a text is worth, discriminator, bleu, length:LO-HI, keyword:WORD, form, lm:RUN ..., perhaps "
        "with a weight; may be repeated, and is added up",
        Repeated(Named(), "discriminator"),
    ] = ("discriminator",)
    control: Annotated[
        Literal["none", "constant", "noise", "shuffled"],
        "adversarial, an ablation: give every text the same reward, every token a random one, or each text that of "
        "another",
    ] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        asked(self.reward)  # refuses what is no reward
        if self.d_label_smoothing and self.d_loss != "cross-entropy":
            raise ConfigError(
                f"--d-label-smoothing {self.d_label_smoothing} is of the cross-entropy; leave it out, or --d-loss "
                f"{self.d_loss}"
            )


@dataclass(frozen=True)
class SeqGANConfig(PolicyGradientConfig):
    """SeqGAN (Yu et al. 2017): MLE, then a discriminator, then REINFORCE with rollouts against it."""

    rollouts: Annotated[int, "adversarial: completions of every prefix (N)", Whole(1, 2**16)] = 16
    reward_form: Annotated[
        Literal["probability", "log-odds"], "adversarial: the discriminator's output as a reward"
    ] = "probability"
    baseline: Annotated[
        Literal["none", "batch", "prefix"],
        "adversarial: what a reward is compared with; prefix: the rollouts from one token before",
    ] = "none"
    normalize_advantage: Annotated[bool, "adversarial: give advantages unit size"] = False
    reduction: Annotated[Literal["mean", "sum"], "adversarial: over the tokens of a batch"] = "sum"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_loss == "pairwise" and (self.reward_form == "probability" or self.baseline == "none"):
            raise ConfigError(
                "with --d-loss pairwise only differences of logits mean anything, so that they are no probabilities: "
                "give --reward-form log-odds and a --baseline, or leave out --d-loss pairwise"
            )


@dataclass(frozen=True)
class MaliGANConfig(PolicyGradientConfig):
    """MaliGAN (Che et al. 2017): MLE on the policy's samples, each weighted by D / (1 - D).

    No code was published with the paper: what it leaves open is as in SeqGAN's."""

    baseline: Annotated[
        Literal["none", "uniform"], "adversarial: subtract from a weight what all would have if they were equal (1/m)"
    ] = "uniform"


@dataclass(frozen=True)
class RelGANConfig(AdversarialConfig):
    """RelGAN (Nie et al. 2019): relaxed samples and a relativistic loss, without rewards."""

    extendable: ClassVar[str] = ""  # the temperature schedule depends on the number of iterations
    logit_is_log_odds: ClassVar[bool] = False  # only differences of logits are in its loss

    mle_epochs: Annotated[int, "MLE: passes over the training texts, at most", STEPS] = 150
    filter_sizes: Annotated[tuple[int, ...], "discriminator: widths of the filters, in tokens", SIZES] = (2, 3, 4, 5)
    num_filters: Annotated[tuple[int, ...], "discriminator: filters of each width", SIZES] = (300, 300, 300, 300)
    d_batch_size: Annotated[int, "adversarial: texts in a batch of either player, half real", Whole(2, 2**20)] = 128
    iterations: Annotated[int, "adversarial: iterations of g and d steps", STEPS] = 2000
    d_steps: Annotated[int, "adversarial: discriminator updates in an iteration", STEPS] = 5
    g_lr: Annotated[float, "adversarial: learning rate of the policy (Adam)", RATE] = 1e-4
    temperature: Annotated[
        float, "adversarial: inverse temperature of the relaxed samples at the last iteration", Real(1, 1e6)
    ] = 100.0
    temperature_schedule: Annotated[
        Literal["exponential", "linear", "logarithmic", "sigmoid", "quadratic", "square-root", "constant"],
        "adversarial: how the inverse temperature grows from 1",
    ] = "exponential"
    straight_through: Annotated[
        bool, "adversarial, a control: samples are one-hot as real texts are, and only gradients are relaxed"
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.discriminator == "likelihood-ratio":
            raise ConfigError(
                "--discriminator likelihood-ratio judges tokens, and samples of relgan are relaxed; give "
                "--discriminator cnn or lstm"
            )


CONFIGS: dict[str, type[MLEConfig]] = {
    "mle": MLEConfig,
    "seqgan": SeqGANConfig,
    "maligan": MaliGANConfig,
    "relgan": RelGANConfig,
}

_MLE_DEFAULT: dict[str, Any] = {
    "embedding_dim": 128,
    "hidden_dim": 192,
    "tie_embeddings": True,
    "dropout": 0.6,
    "mle_lr": 0.008,
    "ema_decay": 0.995,
    "calibrate_unknown": True,
    "mle_epochs": 10,
    "mle_patience": 3,
    "batch_size": 32,
    "shuffle": True,
}
_MLE_QUICK = {
    **_MLE_DEFAULT,
    "embedding_dim": 48,
    "hidden_dim": 64,
    "dropout": 0.3,
    "mle_epochs": 2,
    "mle_lr": 0.01,
    "batch_size": 64,
    "max_length": 24,
    "vocab_size": 2000,
}
_CNN_DEFAULT: dict[str, Any] = {
    "filter_sizes": (1, 2, 3, 4, 5),
    "num_filters": (64, 64, 64, 64, 64),
    "highway": False,
    "d_dropout": 0.5,
    "d_lr": 1e-3,
    "mle_weight": 1.0,
}
_CNN_QUICK = {"filter_sizes": (1, 2, 3), "num_filters": (32, 32, 32), "iterations": 4, "validate_every": 2}
_GRADIENT_DEFAULT: dict[str, Any] = {
    **_CNN_DEFAULT,
    "d_l2": 0.1,
    "d_batch_size": 256,
    "d_samples": 384,
    "d_epochs": 1,
    "d_pretrain_rounds": 100,
    "d_patience": 10,
    "iterations": 50,
    "d_steps": 1,
    "g_lr": 3e-4,
    "g_batch_size": 128,
}
_GRADIENT_QUICK = {**_GRADIENT_DEFAULT, **_CNN_QUICK, "d_pretrain_rounds": 4, "g_batch_size": 32}
_SEQGAN_DEFAULT: dict[str, Any] = {
    "rollouts": 4,
    "reward_form": "log-odds",
    "baseline": "prefix",
    "normalize_advantage": True,
    "reduction": "mean",
}
# A policy of the paper's sizes that is held back from learning its texts by heart, and a short game: arm `fast` of the
# oracle benchmark, which chose it.
_SEQGAN_FAST: dict[str, Any] = {
    "embedding_dim": 32,
    "hidden_dim": 32,
    "tie_embeddings": False,
    "dropout": 0.3,
    "mle_epochs": 40,
    "batch_size": 64,
    "iterations": 20,
    "g_batch_size": 256,
}
_RELGAN_DEFAULT: dict[str, Any] = {**_CNN_DEFAULT, "iterations": 200}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "mle": {"default": _MLE_DEFAULT, "quick": _MLE_QUICK, "paper": {}},
    "seqgan": {
        "default": {**_MLE_DEFAULT, **_GRADIENT_DEFAULT, **_SEQGAN_DEFAULT},
        "fast": {**_MLE_DEFAULT, **_GRADIENT_DEFAULT, **_SEQGAN_DEFAULT, **_SEQGAN_FAST},
        "quick": {**_MLE_QUICK, **_GRADIENT_QUICK, **_SEQGAN_DEFAULT, "rollouts": 2},
        "paper": {},
    },
    "maligan": {
        "default": {**_MLE_DEFAULT, **_GRADIENT_DEFAULT},
        "quick": {**_MLE_QUICK, **_GRADIENT_QUICK},
        "paper": {},
    },
    "relgan": {
        "default": {**_MLE_DEFAULT, **_RELGAN_DEFAULT},
        "quick": {**_MLE_QUICK, **_RELGAN_DEFAULT, **_CNN_QUICK},
        "paper": {},
    },
}
"""What a preset changes. "default" suits a few thousand short texts and two cores; "quick" shows that it runs."""
