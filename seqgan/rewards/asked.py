"""What a config asks for as its reward: `NAME[:ARGUMENT][:WEIGHT]`, several of which are added up.

discriminator    bleu:0.5    length:5-10    keyword:moon:2    lm:runs/other@mle:0.1"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from seqgan.core.bounds import Real, Text
from seqgan.core.config import nearest
from seqgan.errors import ConfigError, quoted

DISCRIMINATOR, LM, CLASSIFIER = "discriminator", "lm", "classifier"
# What stands after the name; nothing where a reward takes no argument. `builtin.REWARDS` makes them.
ARGUMENTS = {
    DISCRIMINATOR: "",
    "bleu": "",
    **{f"bleu-{order}": "" for order in range(2, 6)},
    "length": "LO-HI",
    "keyword": "WORD",
    "form": "",
    "rhyme": "",
    "tone": "",
    LM: "RUN",
    CLASSIFIER: "RUN=LABEL",
}
WEIGHT = Real(-1e6, 1e6)


class Named(Text):
    """The type of the option; what is asked for is checked with the other values of a config."""

    name = "NAME[:ARGUMENT][:WEIGHT]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in ARGUMENTS if name.startswith(incomplete)]


class Asked(NamedTuple):
    """A built-in reward and how much it counts."""

    name: str
    argument: str = ""
    weight: float = 1.0

    @property
    def run(self) -> str:
        """The run whose policy it wants; empty where it wants none."""
        if self.name == CLASSIFIER:
            return run_and_label(self.argument)[0]
        return self.argument if self.name == LM else ""


def asked(rewards: Sequence[str]) -> dict[str, Asked]:
    """The rewards that are asked for, each by the name under which it is reported: its own, with the argument where
    it is asked for twice.

    Raises:
        ConfigError: there is no such reward, an argument is missing or wrong, a weight is no number, or one is asked
            for twice."""
    parsed = [_parsed(reward) for reward in rewards]
    times = Counter(one.name for one in parsed)
    by_name = {f"{one.name}:{one.argument}" if times[one.name] > 1 else one.name: one for one in parsed}
    if len(by_name) < len(parsed):
        counts = Counter((one.name, one.argument) for one in parsed)
        [(name, argument), _] = counts.most_common(1)[0]
        twice = f"{name}:{argument}" if argument else name
        raise ConfigError(f"the reward {quoted(twice)} is asked for twice; give it once, with the sum of the weights")
    return by_name


def _parsed(reward: str) -> Asked:
    name, _, rest = reward.partition(":")
    if name not in ARGUMENTS:
        raise ConfigError(f"there is no reward {quoted(name)}{nearest(name, ARGUMENTS)}")
    if not (wanted := ARGUMENTS[name]):
        return Asked(name, "", _weight(reward, rest, f"{name} takes no argument, and") if ":" in reward else 1.0)
    # A number is the weight only after an argument, so that an argument that holds a colon needs a weight behind it.
    argument, several, weight = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if not argument:
        raise ConfigError(f"the reward {quoted(reward)} lacks its argument; {name}:{wanted} was expected")
    if name == "length":
        span_of(argument)
    if name == CLASSIFIER:
        run_and_label(argument)
    return Asked(name, argument, _weight(reward, weight, "after the argument") if several else 1.0)


def _weight(reward: str, text: str, why: str) -> float:
    try:
        return WEIGHT.check(WEIGHT.read(text))
    except ValueError as error:
        raise ConfigError(
            f"the reward {quoted(reward)}: {why} {quoted(text)} is no weight; {WEIGHT.expected} was expected"
        ) from error


def run_and_label(argument: str) -> tuple[str, str]:
    """The two parts of `RUN=LABEL`.

    Raises:
        ConfigError: one is missing."""
    run, _, label = argument.rpartition("=")
    if not run or not label:
        raise ConfigError(
            f"the reward {quoted('classifier:' + argument)} names no label of a run; classifier:RUN=LABEL was "
            "expected, as in classifier:runs/speeches=war"
        )
    return run, label


def span_of(argument: str) -> tuple[int, int]:
    """The least and the largest number of tokens of `LO-HI`.

    Raises:
        ConfigError: it is none."""
    found = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", argument)
    least, most = map(int, found.groups()) if found else (1, 0)
    if least > most:
        raise ConfigError(
            f"the reward {quoted('length:' + argument)} names no span; length:LO-HI was expected, as in length:5-10"
        )
    return least, most
