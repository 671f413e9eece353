"""What each token of a sample earns.

    asked.py          what a config asks for: NAME[:ARGUMENT][:WEIGHT]
    builtin.py        REWARDS, by name: scores of finished sequences
    custom.py         a function of texts or of tokens in their place
    mixed.py          several scores of the same sequences, added up by weight
    per_token.py      what each token earns, from a score
    controls.py       the same without what the score knows

No torch here: the command line reads `asked` to check an option."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgan.rewards.builtin import REWARDS
    from seqgan.rewards.custom import DenseReward, TextReward, dense, on_text
    from seqgan.rewards.per_token import TokenReward, by_rollouts, of_sequence

__all__ = ["REWARDS", "DenseReward", "TextReward", "TokenReward", "by_rollouts", "dense", "of_sequence", "on_text"]

_HOMES = {
    "REWARDS": "builtin",
    **dict.fromkeys(("DenseReward", "TextReward", "dense", "on_text"), "custom"),
    **dict.fromkeys(("TokenReward", "by_rollouts", "of_sequence"), "per_token"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seqgan.rewards.{_HOMES[name]}"), name)
