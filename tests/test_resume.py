"""Whatever the configuration, and wherever it is stopped: a resumed run ends bit for bit as the uninterrupted one."""

import random
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS
from seqgan.core.phase import Phase
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.models.policy import PolicyModule, State
from seqgan.rewards import on_text
from tests.conftest import TINY_CONFIGS, tiny_lines
from tests.interruptions import Sitting, begun, ends_the_same, sat
from tests.killing import flat

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"batch_size": 24, "embedding_dim": 4, "hidden_dim": 4, "d_samples": 8, "d_batch_size": 8}


class Gated(PolicyModule):
    """A custom policy, with dropout and a parameter that is never used."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.cell = nn.Embedding(vocab_size, 4), nn.GRUCell(4, 4)
        self.drop, self.output, self.unused = nn.Dropout(0.3), nn.Linear(4, vocab_size), nn.Linear(2, 2)

    def initial_state(self, count: int) -> State:
        return (self.output.weight.new_zeros(count, 4),)

    def step(self, embedded: Tensor, state: State) -> State:
        return (self.cell(embedded, state[0]),)

    def features(self, state: State) -> Tensor:
        return self.drop(state[0])


def capricious(texts: Sequence[str]) -> list[float]:
    """A reward that draws from the generators of Python and numpy."""
    return [random.random() + float(np.random.rand()) + text.count("a") for text in texts]


@cache
def texts_of(kind: Any, *, labelled: bool = False, several_lines: bool = False) -> TokenDataset:
    parts = split([text.replace(" ", "\n", several_lines) for text in tiny_lines(40)])
    labels = {part: [text.split()[0] for text in texts] for part, texts in parts.items()} if labelled else {}
    return encode_corpus(Corpus("tiny", **parts, labels=labels), Tokenizer.train(parts["train"], kind, 60), 8)


def drawn(rng: random.Random) -> tuple[str, dict[str, Any], TokenDataset, Components]:
    """An algorithm with a configuration that anyone might choose, far away from the defaults as well."""
    choose = rng.choice
    name = choose(["mle", "seqgan", "seqgan", "maligan", "relgan"])
    config: dict[str, Any] = {
        **SMALL,
        "dropout": choose([0.0, 0.3]),
        "mle_epochs": choose([0, 1, 2, 3, 8]),
        "mle_patience": choose([0, 1, 2]),
        "mle_lr": choose([0.01, 0.1]),  # at the higher one it soon gets worse
        "weight_decay": choose([0.0, 0.01]),
        "weight_drop": choose([0.0, 0.3]),
        "ema_decay": choose([0.0, 0.5, 0.9]),
        "embedding_init": choose(["normal", "svd"]),
        "unigram_bias": choose([True, False]),
        "calibrate_unknown": choose([True, False]),
        "shuffle": choose([True, False]),
        "tie_embeddings": choose([True, False]),
        "max_grad_norm": choose([0.5, 5.0]),
        "highway": choose([True, False]),
        "d_dropout": choose([0.0, 0.25]),
        "d_l2": choose([0.0, 0.2]),
        "d_bf16": choose([True, False, False]),
        "d_lr": choose([0.001, 0.03]),
        "d_epochs": choose([1, 2]),
        "d_pretrain_rounds": choose([0, 1, 3, 40]),
        "d_patience": choose([0, 1, 2]),
        "iterations": choose([1, 2, 3, 5]),
        "g_steps": choose([1, 2]),
        "d_steps": choose([0, 1, 2]),
        "g_batch_size": choose([4, 6]),
        "rollouts": choose([1, 2]),
        "reward_form": choose(["probability", "log-odds"]),
        "baseline": choose(["none", "batch", "prefix"]),
        "normalize_advantage": choose([True, False]),
        "reduction": choose(["mean", "sum"]),
        "mle_weight": choose([0.0, 1.0]),
        "reward": choose([("discriminator",), ("discriminator",), ("discriminator:2", "length:3-5"), ("bleu-2",)]),
        "control": choose(["none", "none", "constant", "noise", "shuffled"]),
        "validate_every": choose([1, 2, 3]),
        "stop_on_collapse": choose([True, False]),
    }
    if config["d_pretrain_rounds"] == 40:
        config |= {"d_patience": choose([1, 2]), "d_epochs": 1, "d_lr": 0.03}  # it soon gets worse
    if name == "maligan":
        config["baseline"] = choose(["none", "uniform"])
    whole = {**TINY_CONFIGS[name], **{key: value for key, value in config.items() if key in TINY_CONFIGS["seqgan"]}}
    known = CONFIGS[name].__dataclass_fields__
    parts = Components(choose([None, None, Gated]), reward=on_text(capricious) if rng.random() < 0.2 else None)
    if name in ("mle", "relgan"):  # they take no reward
        parts = Components(parts.policy)
    kind = choose(["char", "word", "whitespace", "bpe"])
    texts = texts_of(kind, labelled=choose([False, True]), several_lines=choose([False, True]))
    return name, {**{k: v for k, v in whole.items() if k in known}, **of(config, known)}, texts, parts


def of(config: dict[str, Any], known: Any) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name in known}


def built(name: str, config: dict[str, Any], texts: TokenDataset, parts: Components = DEFAULTS, **changes: Any) -> Any:
    return ALGORITHMS[name](CONFIGS[name](**{**config, **changes}), texts, CPU, 5, parts)


def case(number: int, folder: Path) -> None:
    rng = random.Random(number)
    name, config, texts, parts = drawn(rng)
    build, extendable = partial(built, name, config, texts, parts), CONFIGS[name].extendable
    fewer = rng.randrange(config[extendable]) if config.get(extendable, 0) > 1 else 0
    shorter = partial(build, **{extendable: fewer}) if fewer else None
    ends_the_same(build, shorter, folder, rng, stops=rng.choice([1, 2, 3]))


@pytest.mark.parametrize("number", range(9))
def test_whatever_the_configuration_a_stopped_run_ends_as_the_uninterrupted(number: int, tmp_path: Path) -> None:
    case(number, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(1000, 1300))
def test_three_hundred_configurations_are_stopped_anywhere(number: int, tmp_path: Path) -> None:
    case(number, tmp_path)


EARLY: dict[str, Any] = {
    **TINY_CONFIGS["seqgan"], **SMALL, "mle_epochs": 1, "d_pretrain_rounds": 40, "d_patience": 2, "iterations": 3,
    "validate_every": 1, "rollouts": 1, "d_lr": 0.05,
}  # fmt: skip


def test_a_phase_that_stopped_early_does_not_begin_again_in_a_later_one(tmp_path: Path) -> None:
    """The first check of the last phase counts anew what ended the phase before."""
    build, rng = partial(built, "seqgan", EARLY, texts_of("char")), random.Random(0)
    places = Sitting(begun(tmp_path / "whole", 1), rng)
    whole = flat(sat(places, build).state_dict())
    pretraining = [step for phase, step in places.places if phase == "pretrain discriminator"]
    assert len(pretraining) < 40 * built("seqgan", EARLY, texts_of("char")).critic.per_round
    length = built("seqgan", EARLY, texts_of("char")).per_iteration
    stopped = Sitting(begun(tmp_path / "run", 1), rng, ("adversarial", length + 1))
    sat(stopped, build)
    resumed = Sitting(tmp_path / "run", rng)
    assert flat(sat(resumed, build).state_dict()) == whole
    assert {phase for phase, _ in resumed.places} == {"adversarial"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("fewer", "every"), [(1, 2), (2, 3), (3, 2)])
def test_more_iterations_give_the_run_that_had_them_from_the_start(
    fewer: int, every: int, seed: int, tmp_path: Path
) -> None:
    """The last check of the shorter run falls between those of the longer one."""
    config = {**EARLY, "d_pretrain_rounds": 2, "d_steps": 1, "validate_every": every, "iterations": 5, "g_steps": 1}
    build, rng = partial(built, "seqgan", config, texts_of("word")), random.Random(0)
    longer = flat(sat(Sitting(begun(tmp_path / "longer", seed), rng), build).state_dict())
    sat(Sitting(begun(tmp_path / "run", seed), rng), partial(build, iterations=fewer))
    assert flat(sat(Sitting(tmp_path / "run", rng), build).state_dict()) == longer


def test_a_check_between_two_others_at_the_last_step_only_measures(tmp_path: Path) -> None:
    class Counting:
        def __init__(self) -> None:
            self.checked = 0

        def phases(self) -> list[Phase]:
            return [Phase("only", 5, lambda step: {}, check=self.check, validate_every=2)]

        def check(self, step: int) -> dict[str, float]:
            self.checked += 1
            return {"checked": self.checked}

        def state_dict(self) -> dict[str, Any]:
            return {"checked": self.checked}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.checked = state["checked"]

        def exports(self) -> dict[str, bytes]:
            return {}

    from seqgan.core.record import read_record

    algorithm = sat(Sitting(begun(tmp_path / "run", 1), random.Random(0)), Counting)
    assert [line["checked"] for line in read_record(tmp_path / "run")] == [1, 2, 3]
    assert algorithm.state_dict() == {"checked": 2}


def test_a_reward_that_draws_from_python_and_numpy_is_the_same_when_resumed(tmp_path: Path) -> None:
    config = {**EARLY, "iterations": 6, "g_lr": 0.1}
    parts = Components(reward=on_text(capricious))
    rng = random.Random(0)
    ends_the_same(partial(built, "seqgan", config, texts_of("word"), parts), None, tmp_path, rng)


def test_a_run_that_stopped_early_says_that_more_steps_change_nothing(tmp_path: Path) -> None:
    config = {**TINY_CONFIGS["mle"], **of(SMALL, TINY_CONFIGS["mle"]), "mle_patience": 1, "mle_lr": 0.2}
    build, rng, said = partial(built, "mle", config, texts_of("word")), random.Random(0), list[str]()
    first = Sitting(begun(tmp_path / "run", 1), rng)
    sat(first, partial(build, mle_epochs=20))
    again = Sitting(tmp_path / "run", rng)
    again.display.message = said.append  # type: ignore[method-assign]
    sat(again, partial(build, mle_epochs=40))
    assert not again.places
    assert said == [
        f"pretrain generator has stopped early, at step {len(first.places)} of 40, as it would have if it had been "
        "given more steps from the start; nothing is left to do"
    ]
