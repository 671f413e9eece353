"""The arms of the oracle benchmark: each is the config of another arm with one field changed.

No torch here: the command line reads the names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from seqgan.algorithms.configs import CONFIGS, PRESETS, MLEConfig, SeqGANConfig

EXACT = "exact"  # a reward: the log-odds that the best discriminator would give, which only an oracle knows
ACCEPTED = "accepted"  # of the draws of an arm: by rejection, rather than one of so many
CONSTANT = "constant"  # a reward: 1 for every sequence, without a discriminator
TEMPERATURES = (0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1)  # of the curve of arm mle
START = "mle"  # the policy that all adversarial arms of a seed begin with


class Size(NamedTuple):
    """How large the experiment is; sequences are drawn from the oracle."""

    vocab_size: int
    length: int
    train: int = 10_000
    valid: int = 2_000
    test: int = 10_000
    samples: int = 10_000
    mle_epochs: int = 40  # at most
    iterations: int = 120  # of each adversarial arm
    d_pretrain_rounds: int = 100  # at most
    hidden_dim: int = 32  # of the policy; the oracle has 32


SIZES = {
    "tiny": Size(20, 5, 400, 200, 500, 500, mle_epochs=4, iterations=4, d_pretrain_rounds=2),
    "narrow": Size(50, 10, hidden_dim=8),  # the policy is too small, and a discriminator sees that
    "small": Size(500, 10),
    "paper": Size(5000, 20),
}


@dataclass(frozen=True)
class Arm:
    """A setting. Of those that others are made of, `of` is empty."""

    of: str = ""
    change: Mapping[str, Any] = field(default_factory=dict)  # of one field of the config of that arm
    algorithm: str = ""  # another one than that arm's: the fields that both have stay
    reward: str = ""  # in the place of the discriminator: EXACT or CONSTANT
    keep: str = ""  # what the discriminator keeps of the draws: ACCEPTED, or one of so many; "": all
    cost: float = 1.0  # seconds of training, in those of arm mle; for an estimate alone


_POLICY: dict[str, Any] = {
    "embedding_dim": 32,
    "mle_lr": 0.003,
    "mle_patience": 3,
    "batch_size": 64,
    "shuffle": True,
}
_GAME: dict[str, Any] = {
    **{name: value for name, value in PRESETS["seqgan"]["default"].items() if name not in PRESETS["mle"]["default"]},
    **_POLICY,
    "mle_epochs": 0,
    "g_batch_size": 256,
}
# The reward and the estimator of the paper's code, and its learning rate.
_PUBLISHED: dict[str, Any] = {
    "rollouts": 16,
    "reward_form": "probability",
    "baseline": "none",
    "normalize_advantage": False,
    "reduction": "sum",
    "g_lr": 0.01,
    "g_batch_size": 64,
    "mle_weight": 0.0,
}
_OF_MLE, _OF_GAME = ("mle_epochs", "hidden_dim"), ("iterations", "d_pretrain_rounds", "hidden_dim")
ROOTS: dict[str, tuple[MLEConfig, Sequence[str]]] = {  # with the fields that a Size sets
    "mle": (MLEConfig(**_POLICY), _OF_MLE),
    "seqgan": (SeqGANConfig(**_GAME), _OF_GAME),
    "paper": (SeqGANConfig(**{**_GAME, **_PUBLISHED}), _OF_GAME),
    # An oracle has no UNK.
    "fast": (
        SeqGANConfig(**{**PRESETS["seqgan"]["fast"], "calibrate_unknown": False}),
        (*_OF_MLE, "d_pretrain_rounds"),
    ),
    "official": (SeqGANConfig(), ()),
    "official-discriminator": (replace(SeqGANConfig(**_POLICY), mle_epochs=0, iterations=0), ("hidden_dim",)),
}
ALONE = {"fast", "official"}  # with an MLE of their own: what they cost is told over their seconds of training

ARMS: dict[str, Arm] = {
    "random": Arm("mle", {"mle_epochs": 0}, cost=0.0),
    "mle": Arm(),
    "mle-to-the-end": Arm("mle", {"mle_patience": 0}, cost=2.0),
    "mle-lr-.001": Arm("mle", {"mle_lr": 0.001}, cost=2.0),
    "mle-lr-.01": Arm("mle", {"mle_lr": 0.01}, cost=0.5),
    "mle-dropout": Arm("mle", {"dropout": 0.2}),
    "mle-larger": Arm("mle", {"hidden_dim": 64}),
    "scheduled-sampling": Arm("mle", {"scheduled_sampling": 0.02}, cost=1.5),
    "mle-continued": Arm("mle", {"mle_lr": 3e-4}),
    "mle-one-epoch": Arm("mle-continued", {"mle_epochs": 1}, cost=0.5),
    "seqgan": Arm(cost=4.0),
    "best-of-8": Arm("seqgan", {"iterations": 0}, keep="8", cost=3.0),
    "accept": Arm("seqgan", {"iterations": 0}, keep=ACCEPTED, cost=3.0),
    "constant": Arm("seqgan", {"control": "constant"}, cost=4.0),
    "noise": Arm("seqgan", {"control": "noise"}, cost=4.0),
    "shuffled": Arm("seqgan", {"control": "shuffled"}, cost=4.0),
    "pg-bleu": Arm("seqgan", {"reward": ("bleu",)}, cost=3.0),
    "no-mle-term": Arm("seqgan", {"mle_weight": 0.0}, cost=4.0),
    "no-mle-term-shuffled": Arm("no-mle-term", {"control": "shuffled"}, cost=4.0),
    "exact": Arm("no-mle-term", reward=EXACT, cost=3.0),
    "maligan": Arm("seqgan", algorithm="maligan", cost=2.0),
    "relgan": Arm("seqgan", algorithm="relgan", cost=2.0),
    "paper": Arm(cost=4.0),
    "paper-constant": Arm("paper", {"control": "constant"}, cost=4.0),
    "paper-noise": Arm("paper", {"control": "noise"}, cost=4.0),
    "paper-shuffled": Arm("paper", {"control": "shuffled"}, cost=4.0),
    "fast": Arm(cost=3.0),
    "fast-constant": Arm("fast", reward=CONSTANT, cost=2.0),
    "official": Arm(cost=4000.0),
    "official-constant": Arm("official", reward=CONSTANT, cost=20.0),
    "official-discriminator": Arm(cost=20.0),  # its pretraining alone, on the policy of START
}
FROM_START = {"mle-continued", "mle-one-epoch"}  # of MLE, and yet begin with the policy of START


def algorithm_of(name: str) -> str:
    arm = ARMS[name]
    if arm.algorithm:
        return arm.algorithm
    if arm.of:
        return algorithm_of(arm.of)
    return "mle" if type(ROOTS[name][0]) is MLEConfig else "seqgan"


def root_of(name: str) -> str:
    return root_of(ARMS[name].of) if ARMS[name].of else name


def config_of(name: str, size: str) -> Any:
    """The config of an arm."""
    arm = ARMS[name]
    if not arm.of:
        (root, of_size), about = ROOTS[name], SIZES[size]._asdict()
        return replace(root, **{key: about[key] for key in of_size})
    config, kind = config_of(arm.of, size), CONFIGS[algorithm_of(name)]
    if type(config) is not kind:
        known = {one.name for one in fields(kind)}
        given = {one.name: getattr(config, one.name) for one in fields(config) if one.name in known}
        # What a config means by its own defaults is its paper's: a baseline of one algorithm is none of another's.
        config = kind(**{key: value for key, value in given.items() if key not in ("baseline",)})
    return replace(config, **arm.change)


def cost_of(name: str) -> float:
    return ARMS[name].cost


def told(name: str) -> str:
    """What an arm changes, as the table has it: `seqgan, control=constant`."""
    arm = ARMS[name]
    if not arm.of:
        return ""
    changed = [f"{key}={''.join(value) if isinstance(value, tuple) else value}" for key, value in arm.change.items()]
    extra = [f"algorithm={arm.algorithm}"] if arm.algorithm else [f"reward={arm.reward}"] if arm.reward else []
    kept = [f"keep={arm.keep}" if arm.keep == ACCEPTED else f"keep=1 of {arm.keep}"] if arm.keep else []
    return ", ".join([arm.of, *changed, *extra, *kept])


def begins_with_start(name: str) -> bool:
    return root_of(name) not in ALONE and (algorithm_of(name) != "mle" or name in FROM_START)


# Those that are compared unless others are asked for.
COMPARED = tuple(name for name in ARMS if root_of(name) not in {*ALONE, "official-discriminator"})
