"""The hyper-parameters of every algorithm: the defaults are those of the paper's published code in its last version
(seqgan/README.md, "Differences from the published code", lists what differs), the presets are differences from them.

No torch here: the command line reads this file to answer `--help`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from seqgan.core.bounds import BATCH, COUNT, RATE, SHARE, SIZE, STEPS, WEIGHT, Real, Several, Whole
from seqgan.core.config import Checked, nearest
from seqgan.errors import ConfigError, quoted
from seqgan.models import DISCRIMINATOR_NAMES, POLICY_NAMES

MAX_NORM = Real(0, 1e9, above=True)
SIZES = Several(SIZE, "1,2,3")


@dataclass(frozen=True)
class MLEConfig(Checked):
    """A language model trained by maximum likelihood: the baseline, and how SeqGAN begins."""

    extendable: ClassVar[str] = "mle_epochs"  # may grow when a run is resumed

    tokenizer: Annotated[
        Literal["auto", "char", "word", "bpe", "unigram", "whitespace"],
        "what a token is; auto: what suits the corpus, characters for Chinese and words else",
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

    mle_epochs: Annotated[int, "MLE: passes over the training texts, at most", STEPS] = 120
    mle_patience: Annotated[
        int, "MLE: stop after this many epochs without a better validation NLL; 0: never, and keep the last", STEPS
    ] = 0
    mle_lr: Annotated[float, "MLE: learning rate (Adam)", RATE] = 0.01
    weight_decay: Annotated[float, "MLE: decoupled weight decay", WEIGHT] = 0.0
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
class SeqGANConfig(MLEConfig):
    """SeqGAN (Yu et al. 2017): MLE, then a discriminator, then REINFORCE with rollouts against it."""

    extendable: ClassVar[str] = "iterations"

    discriminator: Annotated[str, "discriminator: cnn, or a registered name"] = "cnn"
    d_embedding_dim: Annotated[int, "discriminator: size of the token embedding", SIZE] = 64
    filter_sizes: Annotated[tuple[int, ...], "discriminator: widths of the filters, in tokens", SIZES] = (
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        15,
        20,
    )
    num_filters: Annotated[tuple[int, ...], "discriminator: filters of each width", SIZES] = (
        100,
        200,
        200,
        200,
        200,
        100,
        100,
        100,
        100,
        100,
        160,
        160,
    )
    highway: Annotated[bool, "discriminator: a highway layer over the features"] = True
    d_dropout: Annotated[float, "discriminator: dropout before the last layer", SHARE] = 0.25
    d_l2: Annotated[float, "discriminator: L2 penalty of the last layer", WEIGHT] = 0.2
    d_lr: Annotated[float, "discriminator: learning rate (Adam)", RATE] = 1e-4
    d_bf16: Annotated[bool, "discriminator: learn in bfloat16 (autocast), faster where the processor has it"] = False
    d_batch_size: Annotated[int, "discriminator: texts in a batch, half of them real", Whole(2, 2**20)] = 64
    d_samples: Annotated[int, "discriminator: generated texts in a round; 0: as many as there are real ones", STEPS] = 0
    d_epochs: Annotated[int, "discriminator: passes over the texts of a round (k)", COUNT] = 3
    d_pretrain_rounds: Annotated[int, "discriminator pretraining: rounds, each with newly generated texts", STEPS] = 50
    d_patience: Annotated[
        int,
        "discriminator: early stop after this many rounds without a better cross-entropy on held-out text, "
        "and while playing go back to the better one; 0: never",
        STEPS,
    ] = 0

    iterations: Annotated[int, "adversarial: iterations of g and d steps", STEPS] = 200
    g_steps: Annotated[int, "adversarial: policy updates in an iteration (g)", COUNT] = 1
    d_steps: Annotated[int, "adversarial: discriminator rounds in an iteration (d)", STEPS] = 5
    g_lr: Annotated[float, "adversarial: learning rate of the policy (Adam)", RATE] = 0.01
    g_batch_size: Annotated[int, "adversarial: texts drawn for a policy update", Whole(2, 2**20)] = 64
    rollouts: Annotated[int, "adversarial: completions of every prefix (N)", Whole(1, 2**16)] = 16
    reward: Annotated[Literal["probability", "log-odds"], "adversarial: the form in which the discriminator pays"] = (
        "probability"
    )
    baseline: Annotated[
        Literal["none", "batch", "prefix"],
        "adversarial: what a reward is compared with; prefix: the rollouts from one token before",
    ] = "none"
    normalize_advantage: Annotated[bool, "adversarial: give advantages unit size"] = False
    reduction: Annotated[Literal["mean", "sum"], "adversarial: over the tokens of a batch"] = "sum"
    mle_weight: Annotated[float, "adversarial: weight of an MLE term in every policy update", WEIGHT] = 0.0
    control: Annotated[
        Literal["none", "constant", "shuffled"],
        "adversarial, an ablation: pay every text the same, or each the reward of another",
    ] = "none"
    validate_every: Annotated[int, "adversarial: iterations between two validations", COUNT] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unknown("discriminator", self.discriminator, DISCRIMINATOR_NAMES)
        if len(self.filter_sizes) != len(self.num_filters):
            raise ConfigError(
                f"--filter-sizes has {len(self.filter_sizes)} numbers and --num-filters {len(self.num_filters)}; "
                "give as many of each"
            )
        if self.d_batch_size % 2:
            raise ConfigError(
                f"--d-batch-size {self.d_batch_size} is odd, and half of a batch is real; give an even number"
            )


CONFIGS: dict[str, type[MLEConfig]] = {"mle": MLEConfig, "seqgan": SeqGANConfig}

_MLE_DEFAULT: dict[str, Any] = {
    "embedding_dim": 128,
    "hidden_dim": 192,
    "tie_embeddings": True,
    "dropout": 0.6,
    "mle_lr": 0.002,
    "mle_epochs": 15,
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
_GAME_DEFAULT: dict[str, Any] = {
    "filter_sizes": (1, 2, 3, 4, 5),
    "num_filters": (64, 64, 64, 64, 64),
    "highway": False,
    "d_dropout": 0.5,
    "d_l2": 0.1,
    "d_lr": 1e-3,
    "d_batch_size": 256,
    "d_samples": 384,
    "d_epochs": 1,
    "d_pretrain_rounds": 100,
    "d_patience": 10,
    "iterations": 50,
    "d_steps": 1,
    "g_lr": 3e-4,
    "g_batch_size": 128,
    "rollouts": 4,
    "reward": "log-odds",
    "baseline": "prefix",
    "normalize_advantage": True,
    "reduction": "mean",
    "mle_weight": 1.0,
}
_GAME_QUICK = {
    **_GAME_DEFAULT,
    "filter_sizes": (1, 2, 3),
    "num_filters": (32, 32, 32),
    "d_pretrain_rounds": 4,
    "iterations": 4,
    "g_batch_size": 32,
    "rollouts": 2,
    "validate_every": 2,
}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "mle": {"default": _MLE_DEFAULT, "quick": _MLE_QUICK, "paper": {}},
    "seqgan": {"default": {**_MLE_DEFAULT, **_GAME_DEFAULT}, "quick": {**_MLE_QUICK, **_GAME_QUICK}, "paper": {}},
}
"""What a preset changes. "default" suits a few thousand short texts and two cores; "quick" shows that it runs."""
