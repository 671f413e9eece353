"""What a researcher puts in the place of our own parts: a reward, a discriminator, a policy, an algorithm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

import seqgan
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS, PRESETS, MLEConfig
from seqgan.algorithms.mle import MLE, policy_files
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core.bounds import Whole
from seqgan.core.phase import Phase
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, describe
from seqgan.core.weights import clone
from seqgan.data.dataset import TokenDataset
from seqgan.errors import ConfigError, DivergedError, RunError, UsageError
from seqgan.models import DISCRIMINATOR_NAMES, POLICY_NAMES
from seqgan.models.factory import DISCRIMINATORS, POLICIES, new_policy
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import sample
from seqgan.models.soft import embed
from seqgan.symbols import EOS, PAD, UNK
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.killing import Killed, contents, dying_at

LEARNING: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1}
# `reward` is left out: it is a custom reward here.
GAME: dict[str, Any] = {**{name: value for name, value in TINY_GAME.items() if name != "reward_form"}, "threads": 1}
# Long enough for a reward to be followed, and nothing beside it to follow.
PURSUIT: dict[str, Any] = {
    **GAME,
    "tokenizer": "char",
    "max_length": 10,
    "mle_epochs": 1,
    "iterations": 30,
    "g_lr": 0.01,
    "g_batch_size": 32,
    "rollouts": 1,
    "mle_weight": 0.0,
    "validate_every": 30,
}
TEXTS = tiny_lines()


def ends_the_same_when_killed(folder: Path, options: Mapping[str, Any]) -> None:
    """Train in one go, and killed in the last phase and resumed: all that is left on the disk must be equal."""

    def train(place: Path) -> None:
        seqgan.train(TEXTS, run_dir=place, resume=True, save_steps=1, **options)

    with dying_at(-1) as seen:
        train(folder / "whole")
    with dying_at(seen.count * 7 // 10), pytest.raises(Killed):
        train(folder / "killed")
    assert read_record(folder / "killed")[-1]["phase"] == read_record(folder / "whole")[-1]["phase"]
    train(folder / "killed")
    assert contents(folder / "killed") == contents(folder / "whole")


# --- a reward


def share_of_a(texts: Sequence[str]) -> list[float]:
    return [text.count("a") / max(1, len(text)) for text in texts]


def share_of_five(tokens: torch.Tensor) -> torch.Tensor:
    return (tokens == 5).float().sum(dim=1) / (tokens != PAD).sum(dim=1)


def mean_share_of_a(run: seqgan.TrainedRun, stage: str) -> float:
    return sum(share_of_a(run.generate(400, stage=stage))) / 400


def test_a_reward_of_texts_is_followed_and_not_so_its_controls(tmp_path: Path) -> None:
    shares = {}
    for control in ("none", "constant", "shuffled"):
        options = {**PURSUIT, "control": control, "reward": seqgan.rewards.on_text(share_of_a)}
        run = seqgan.train(TEXTS, run_dir=tmp_path / control, **options)
        shares[control] = mean_share_of_a(run, "mle"), mean_share_of_a(run, "final")
    before, after = shares["none"]
    assert after > before + 0.3
    for control in ("constant", "shuffled"):
        before, after = shares[control]
        assert abs(after - before) < 0.03


def test_a_reward_of_tokens_rises_in_the_record(tmp_path: Path) -> None:
    seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=share_of_five, **PURSUIT)
    lines = read_record(tmp_path / "run")
    paid = [line["reward"] for line in lines if line["phase"] == "adversarial"]
    assert len(paid) == 30
    assert sum(paid[-5:]) / 5 > sum(paid[:5]) / 5 + 0.2
    assert {line["phase"] for line in lines} == {"pretrain generator", "adversarial"}  # and no discriminator


def test_a_reward_sees_finished_texts_as_a_reader_would(tmp_path: Path) -> None:
    seen: list[str] = []

    def reward(texts: Sequence[str]) -> list[float]:
        seen.extend(texts)
        return [0.5] * len(texts)

    seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=seqgan.rewards.on_text(reward), **GAME)
    words = {word.strip("!") for text in TEXTS for word in text.split()}
    assert len(seen) > 3 * 8
    assert {word.strip("!") for text in seen for word in text.split()} <= words | {""}


def test_a_run_with_a_reward_ends_the_same_when_killed(tmp_path: Path) -> None:
    ends_the_same_when_killed(tmp_path, {**GAME, "reward": share_of_five})


def test_a_run_with_a_reward_has_no_discriminator_and_wants_its_reward_again(tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=share_of_five, **GAME)
    assert describe(run.folder)["custom"] == ["reward"]
    assert run.score(TEXTS[:2])[0].real is None
    assert not (run.folder / "discriminator.safetensors").exists()
    assert seqgan.load(run.folder, reward=share_of_five).generate(5) == run.generate(5)
    with pytest.raises(RunError, match=r"custom reward; .* reward=\.\.\."):
        seqgan.train(TEXTS, run_dir=run.folder, resume=True, **GAME)


def test_a_dense_reward_is_what_each_token_earns_without_rollouts(tmp_path: Path) -> None:
    given: list[torch.Tensor] = []

    def is_five(tokens: torch.Tensor) -> torch.Tensor:
        given.append(tokens)
        return (tokens == 5).float()

    options = {**TINY_GAME, "rollouts": 64, "g_lr": 0.05, "iterations": 12, "mle_weight": 0.0, "baseline": "batch"}
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=seqgan.rewards.dense(is_five), **options)
    assert {len(tokens) for tokens in given} == {options["g_batch_size"]}  # the samples, and no completion
    rewards = [line["reward"] for line in read_record(run.folder) if "reward" in line]
    assert rewards[0] == pytest.approx(float((given[0] == 5).sum() / (given[0] != 0).sum()))
    assert sum(rewards[-3:]) > sum(rewards[:3])


@pytest.mark.parametrize("dense", [lambda tokens: tokens[:, 0].float(), lambda tokens: 1.0])
def test_a_dense_reward_of_another_shape_is_one_clear_error(dense: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the reward gave .*; a number for each of \(\d+, \d+\) was expected"):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=seqgan.rewards.dense(dense), **TINY_GAME)


def test_numbers_of_any_type_are_a_reward(tmp_path: Path) -> None:
    def length(tokens: torch.Tensor) -> torch.Tensor:
        return (tokens != PAD).sum(dim=1)

    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=length, **GAME)
    assert all(line["reward"] > 1 for line in read_record(run.folder) if line["phase"] == "adversarial")


@pytest.mark.parametrize(
    ("reward", "came"),
    [
        (lambda tokens: torch.ones(len(tokens), 1), r"\(\d+, 1\)"),
        (lambda tokens: torch.ones(len(tokens) + 1), r"\(\d+,\)"),
        (lambda tokens: torch.tensor(1.0), r"\(\)"),
        (lambda tokens: [1.0] * len(tokens), "list"),
        (lambda tokens: None, "NoneType"),
    ],
    ids=["a column", "one too many", "one for all", "a list", "nothing"],
)
def test_a_reward_of_another_shape_is_one_clear_error(reward: Any, came: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"the reward gave {came} for \d+ sequences; .* one number each") as error:
        seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=reward, **GAME)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "reward",
    [
        lambda texts: None,
        lambda texts: [None] * len(texts),
        lambda texts: ["good"] * len(texts),
        lambda texts: [[1.0], [2.0, 3.0]] * len(texts),
        lambda texts: 1.0,
        lambda texts: [1.0],
    ],
    ids=["nothing", "nothing for each", "words", "ragged", "one for all", "too few"],
)
def test_a_reward_of_texts_that_gives_no_numbers_is_one_clear_error(reward: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the reward gave") as error:
        seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=seqgan.rewards.on_text(reward), **GAME)
    assert "\n" not in str(error.value)


def test_a_reward_that_is_not_a_number_ends_training_and_keeps_what_was_good(tmp_path: Path) -> None:
    def reward(tokens: torch.Tensor) -> torch.Tensor:
        return torch.full((len(tokens),), float("nan"))

    with pytest.raises(DivergedError, match=r"step 1 of adversarial: .* is nan; the last good checkpoint is"):
        seqgan.train(TEXTS, run_dir=tmp_path / "run", reward=reward, **GAME)
    kept = seqgan.load(tmp_path / "run", reward=reward)
    assert all(parameter.isfinite().all() for parameter in kept.model().policy.parameters())
    assert len(kept.generate(5)) == 5


# --- a discriminator


class Bag(nn.Module):
    """A bag of words: the mean of their vectors."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 8)
        self.output = nn.Linear(8, 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        inside = 1 - tokens[..., PAD] if tokens.is_floating_point() else (tokens != PAD).float()
        mask = inside.unsqueeze(-1)
        mean = (embed(self.embedding, tokens) * mask).sum(dim=1) / mask.sum(dim=1)
        return self.output(mean).squeeze(1)


class Tied(Bag):
    """The same, with its vectors under two names."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.again = nn.Embedding(vocab_size, 8)
        self.again.weight = self.embedding.weight


@pytest.fixture(scope="module")
def bagged(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    return seqgan.train(TEXTS, run_dir=tmp_path_factory.mktemp("bag") / "run", discriminator=Bag, **GAME)


class Columns(Bag):
    """One that gives a column where a row of logits is expected."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().forward(tokens).unsqueeze(1)


class Pairs(Bag):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().forward(tokens), tokens  # type: ignore[return-value]


@pytest.mark.parametrize(("own", "came"), [(Columns, r"\(\d+, 1\)"), (Pairs, "tuple")])
@pytest.mark.parametrize("first", ["learning", "paying", "held-out text"])
def test_a_discriminator_of_another_shape_is_one_clear_error_wherever_it_comes_first(
    own: type[Bag], came: str, first: str, texts: TokenDataset
) -> None:
    game = new_seqgan(CONFIGS["seqgan"](**TINY_GAME), texts, torch.device("cpu"), 0, Components(discriminator=own))
    acts = {
        "learning": lambda: game.discriminator_update("any", 0),
        "paying": lambda: game.policy_update(0),
        "held-out text": lambda: game.critic.validate_and_restore(game.critic.pairs()),
    }
    with pytest.raises(UsageError, match=f"the discriminator gave {came} for .* one logit for each was expected"):
        acts[first]()


@pytest.mark.parametrize("kind", ["policy", "discriminator"])
def test_what_is_no_module_is_refused(kind: str, texts: TokenDataset) -> None:
    parts = Components(**{kind: lambda vocab_size, max_length: "a string"})
    with pytest.raises(UsageError, match=rf"{kind}=\.\.\. made 'a string'; a .*Module was expected"):
        new_seqgan(CONFIGS["seqgan"](**TINY_GAME), texts, torch.device("cpu"), 0, parts)


def test_a_discriminator_of_ones_own_learns(bagged: seqgan.TrainedRun, tmp_path: Path) -> None:
    longer = {**GAME, "d_pretrain_rounds": 30, "d_patience": 0, "d_lr": 0.05, "iterations": 1}
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", discriminator=Bag, **longer)
    losses = [line["bce"] for line in read_record(run.folder) if line["phase"] == "pretrain discriminator"]
    assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 0.05
    measured = bagged.evaluate().rows["final"]
    assert {"d-auc", "d-accuracy"} <= measured.keys()


def test_a_discriminator_of_ones_own_is_saved_and_judges_again(bagged: seqgan.TrainedRun) -> None:
    assert describe(bagged.folder)["custom"] == ["discriminator"]
    loaded = seqgan.load(bagged.folder, discriminator=Bag)
    assert [item.real for item in loaded.score(TEXTS)] == [item.real for item in bagged.score(TEXTS)]
    model = loaded.model()
    assert isinstance(model.discriminator, Bag)
    exported = load_file(bagged.folder / "discriminator.safetensors")
    assert exported.keys() == model.discriminator.state_dict().keys()
    judge = Bag(len(model.tokenizer), model.policy.max_length)
    judge.load_state_dict(exported)
    with torch.no_grad():
        by_hand = judge(torch.tensor([[*model.tokenizer.encode(TEXTS[0]), EOS]])).sigmoid()
    assert loaded.score(TEXTS[:1])[0].real == pytest.approx(float(by_hand), abs=1e-6)


def test_a_run_with_a_discriminator_of_ones_own_is_not_loaded_without_it(bagged: seqgan.TrainedRun) -> None:
    with pytest.raises(RunError, match=r"custom discriminator; .* discriminator=\.\.\.") as error:
        seqgan.load(bagged.folder).generate(2)
    assert str(bagged.folder) in str(error.value)
    with pytest.raises(RunError, match="does not belong to the run"):
        seqgan.load(
            bagged.folder, discriminator=lambda vocab_size, max_length: Bag(vocab_size + 1, max_length)
        ).generate(2)


def test_a_run_with_a_discriminator_of_ones_own_ends_the_same_when_killed(tmp_path: Path) -> None:
    ends_the_same_when_killed(tmp_path, {**GAME, "discriminator": Bag})


def test_a_discriminator_with_shared_weights_is_exported(tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", discriminator=Tied, **GAME)
    exported = load_file(run.folder / "discriminator.safetensors")
    assert exported["again.weight"].equal(exported["embedding.weight"])


# --- a policy


class Recurrent(seqgan.PolicyModule):
    """A GRU, with nothing but the three functions that a policy must have."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding = nn.Embedding(vocab_size, 8)
        self.cell = nn.GRUCell(8, 12)
        self.output = nn.Linear(12, vocab_size)

    def initial_state(self, count: int) -> tuple[torch.Tensor, ...]:
        return (self.output.weight.new_zeros(count, 12),)

    def step(self, embedded: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (self.cell(embedded, state[0]),)

    def features(self, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return state[0]


@pytest.mark.parametrize("options", [LEARNING, GAME], ids=["mle", "seqgan"])
def test_a_policy_of_three_functions_trains_writes_and_loads(options: dict[str, Any], tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", policy=Recurrent, **{**options, "mle_epochs": 6})
    losses = [line["nll"] for line in read_record(run.folder) if line["phase"] == "pretrain generator"]
    assert sum(losses[-3:]) / 3 < sum(losses[:3]) / 3 - 0.1
    assert isinstance(run.model().policy, Recurrent)
    loaded = seqgan.load(run.folder, policy=Recurrent)
    assert loaded.generate(20, prompt="hi") == run.generate(20, prompt="hi")
    assert loaded.score(TEXTS) == run.score(TEXTS)
    assert loaded.evaluate().as_json() == run.evaluate().as_json()
    with pytest.raises(RunError, match=r"custom policy; .* policy=\.\.\."):
        seqgan.load(run.folder).generate(2)


def test_a_run_with_a_policy_of_ones_own_ends_the_same_when_killed(tmp_path: Path) -> None:
    ends_the_same_when_killed(tmp_path, {**GAME, "policy": Recurrent, "mle_epochs": 1})


def test_the_game_moves_a_policy_of_ones_own(tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", policy=Recurrent, reward=share_of_five, **PURSUIT)
    paid = [line["reward"] for line in read_record(run.folder) if line["phase"] == "adversarial"]
    assert sum(paid[-5:]) / 5 > sum(paid[:5]) / 5 + 0.2


def test_modules_of_ones_own_are_made_under_the_seed_of_the_run(tmp_path: Path) -> None:
    own: dict[str, Any] = {**GAME, "policy": Recurrent, "discriminator": Bag, "iterations": 1}
    runs = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        torch.manual_seed(len(name))  # whatever was drawn before
        runs[name] = contents(seqgan.train(TEXTS, run_dir=tmp_path / name, seed=seed, **own).folder)
    assert runs["first"] == runs["again"]
    assert runs["first"]["generator.safetensors"] != runs["other"]["generator.safetensors"]


class Thin(seqgan.PolicyModule):
    """The LSTM policy seen through the three functions alone, so that all else takes the general path."""

    def __init__(self, inner: LSTMPolicy) -> None:
        super().__init__(inner.vocab_size, inner.max_length)
        self.inner, self.embedding, self.output = inner, inner.embedding, inner.output

    def initial_state(self, count: int) -> tuple[torch.Tensor, ...]:
        return self.inner.initial_state(count)

    def step(self, embedded: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return self.inner.step(embedded, state)

    def features(self, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.inner.features(state)


@pytest.fixture(params=[False, True], ids=["untied", "tie_embeddings"])
def pair(request: pytest.FixtureRequest) -> tuple[LSTMPolicy, Thin]:
    torch.manual_seed(3)
    fast = LSTMPolicy(
        vocab_size=11, max_length=7, embedding_dim=5, hidden_dim=6, tie_embeddings=request.param, init_std=1.0
    ).eval()
    return fast, Thin(fast).eval()


def some_text() -> torch.Tensor:
    """Rows of ids with unknown tokens in them, padded."""
    rng = torch.Generator().manual_seed(4)
    tokens = torch.randint(EOS + 1, 11, (9, 7), generator=rng)
    tokens[torch.rand(9, 7, generator=rng) < 0.2] = UNK
    for row, length in enumerate((7, 1, 4, 6, 2, 7, 3, 5, 7)):
        tokens[row, length - 1] = EOS
        tokens[row, length:] = PAD
    return tokens


def test_the_general_path_of_a_policy_is_the_fast_one(pair: tuple[LSTMPolicy, Thin]) -> None:
    fast, thin = pair
    tokens = some_text()
    unknown = tokens == UNK
    assert unknown.sum() > 5
    features = [policy.features_before(tokens)[tokens != PAD] for policy in pair]
    assert_close(features[1], features[0], atol=1e-5, rtol=0.0)
    assert_close(thin.log_probs(tokens), fast.log_probs(tokens), atol=1e-5, rtol=0.0)
    drawn = sample(fast, 20).tokens
    assert_close(thin.log_probs_drawn(drawn), fast.log_probs_drawn(drawn), atol=1e-5, rtol=0.0)
    assert_close(thin.distributions(drawn), fast.distributions(drawn), atol=1e-5, rtol=0.0)
    filled = [policy.fill_unknown(tokens, torch.Generator().manual_seed(5)) for policy in pair]
    assert filled[0].equal(filled[1])
    assert (filled[0] > EOS)[unknown].all()
    assert filled[0][~unknown].equal(tokens[~unknown])


def test_the_general_path_of_a_policy_has_the_gradient_of_the_fast_one(pair: tuple[LSTMPolicy, Thin]) -> None:
    gradients = []
    for policy in pair:
        policy.zero_grad()
        policy.log_probs(some_text()).sum().backward()
        learned = pair[0].named_parameters()
        gradients.append({name: p.grad.clone() for name, p in learned if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert any(gradient.abs().max() > 1 for gradient in gradients[0].values())
    for name, gradient in gradients[0].items():
        assert_close(gradients[1][name], gradient, atol=1e-4, rtol=1e-4)


def test_what_a_policy_does_not_implement_is_named() -> None:
    class Unfinished(Recurrent):
        features = seqgan.PolicyModule.features

    with pytest.raises(TypeError, match=r"abstract method.*features"):
        Unfinished(5, 4)


# --- networks by name


@pytest.mark.usefixtures("tables")
def test_registered_networks_are_not_passed_again(tmp_path: Path) -> None:
    """The run loads, writes, goes on, is started from, and is saved as a model that loads."""
    seqgan.register_policy("own gru", Recurrent)
    seqgan.register_discriminator("bag", Bag)
    networks = {"policy": "own gru", "discriminator": "bag"}
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", **GAME, **networks)
    assert {name: describe(run.folder)["config"][name] for name in networks} == networks
    assert describe(run.folder)["custom"] == []
    loaded = seqgan.load(run.folder)
    assert isinstance(loaded.model().policy, Recurrent)
    assert isinstance(loaded.model().discriminator, Bag)
    assert loaded.generate(9) == run.generate(9)
    saved = seqgan.from_pretrained(loaded.save_pretrained(tmp_path / "saved"))
    assert saved.score(TEXTS) == run.score(TEXTS)
    warm = seqgan.train(TEXTS, run_dir=tmp_path / "warm", init_from=str(run.folder), **LEARNING)
    assert describe(warm.folder)["config"]["policy"] == "own gru"
    assert isinstance(warm.model().policy, Recurrent)
    more = seqgan.train(TEXTS, run_dir=run.folder, resume=True, **{**GAME, "iterations": 4}, **networks)
    assert more.log_probs(TEXTS) != run.log_probs(TEXTS)


@pytest.mark.usefixtures("tables")
def test_a_network_that_is_not_registered_is_one_clear_error(tmp_path: Path) -> None:
    seqgan.register_policy("own gru", Recurrent)
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", policy="own gru", **LEARNING)
    model = run.save_pretrained(tmp_path / "saved")
    POLICY_NAMES.remove("own gru")
    for use in (lambda: seqgan.load(run.folder).generate(2), lambda: seqgan.from_pretrained(model)):
        with pytest.raises(RunError, match=r"there is no policy 'own gru'.*seqgan\.register_policy") as error:
            use()
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"there is no policy 'lstn' .*; did you mean lstm\?"):
        seqgan.train(TEXTS, run_dir=tmp_path / "other", policy="lstn", **LEARNING)
    with pytest.raises(ConfigError, match=r"there is no discriminator 'mlp' \(.*\); choose one of cnn"):
        seqgan.train(TEXTS, run_dir=tmp_path / "other", discriminator="mlp", **GAME)


@pytest.mark.usefixtures("tables")
def test_the_name_of_another_network_is_refused() -> None:
    with pytest.raises(UsageError, match="there is a policy 'lstm' already"):
        seqgan.register_policy("lstm", Recurrent)
    with pytest.raises(UsageError, match="there is a discriminator 'cnn' already"):
        seqgan.register_discriminator("cnn", Bag)
    for _ in range(2):  # the same once more, as a notebook does
        seqgan.register_policy("own gru", Recurrent)
    assert list(POLICIES) == POLICY_NAMES
    with pytest.raises(UsageError, match="there is a policy 'own gru' already"):
        seqgan.register_policy("own gru", Thin)


@pytest.mark.parametrize("options", [LEARNING, GAME], ids=["mle", "seqgan"])
def test_a_gru_trains_writes_and_loads(options: dict[str, Any], tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", policy="gru", **options)
    assert isinstance(run.model().policy, GRUPolicy)
    assert seqgan.load(run.folder).generate(20, prompt="hi") == run.generate(20, prompt="hi")


def test_a_policy_without_its_layers_is_one_clear_error() -> None:
    config = MLEConfig()
    with pytest.raises(UsageError, match=r"made a Recurrent with embedding Embedding\(6, 8\) .* for 5 tokens were"):
        new_policy(config, 5, 4, lambda vocab_size, max_length: Recurrent(vocab_size + 1, max_length))

    def bare(vocab_size: int, max_length: int) -> seqgan.PolicyModule:
        policy = Recurrent(vocab_size, max_length)
        del policy.output
        return policy

    with pytest.raises(UsageError, match=r"output None; an nn.Embedding and an nn.Linear for 5 tokens were expected"):
        new_policy(config, 5, 4, bare)


# --- an algorithm


@dataclass(frozen=True)
class RehearsalConfig(MLEConfig):
    """MLE, and then more of it at another rate."""

    extendable: ClassVar[str] = "rehearsals"

    rehearsals: Annotated[int, "steps after MLE", Whole(0)] = 4
    rehearsal_rate: Annotated[float, "learning rate of these steps"] = 0.01


class Rehearsal:
    """An algorithm of two phases, made of the parts that are there."""

    def __init__(
        self,
        config: RehearsalConfig,
        texts: TokenDataset,
        device: torch.device,
        seed: int,
        parts: Components = DEFAULTS,
    ) -> None:
        self.config, self.mle = config, MLE(config, texts, device, seed, parts)
        self.optimizer = torch.optim.SGD(self.mle.generator.parameters(), config.rehearsal_rate)
        self.after_mle: dict[str, torch.Tensor] = {}

    def phases(self) -> Sequence[Phase]:
        return [*self.mle.phases(), Phase("rehearsal", self.config.rehearsals, self.update, start=self.keep)]

    def keep(self) -> None:
        self.after_mle = self.mle.chosen()
        self.mle.generator.load_state_dict(self.after_mle)

    def update(self, step: int) -> dict[str, torch.Tensor]:
        loss = self.mle.loss(step)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"nll": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        state = self.mle.state_dict()
        if self.after_mle:
            state["policies"] = {"mle": self.after_mle, "final": clone(self.mle.generator)}
        return {**state, "after_mle": self.after_mle}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mle.load_state_dict(state)
        self.after_mle = state["after_mle"]

    def exports(self) -> Mapping[str, bytes]:
        return policy_files(self.state_dict()["policies"])


@pytest.fixture
def tables() -> Iterator[None]:
    """The tables of algorithms and networks, which are afterwards as they were."""
    known: list[dict[str, Any]] = [CONFIGS, PRESETS, ALGORITHMS, POLICIES, DISCRIMINATORS]
    before = [dict(table) for table in known]
    yield
    for table, kept in zip(known, before, strict=True):
        table.clear()
        table.update(kept)
    POLICY_NAMES[:], DISCRIMINATOR_NAMES[:] = POLICIES, DISCRIMINATORS


REHEARSAL: dict[str, Any] = {**LEARNING, "algorithm": "rehearsal", "rehearsals": 3}


@pytest.mark.usefixtures("tables")
def test_an_algorithm_of_ones_own_trains_resumes_and_is_measured(tmp_path: Path) -> None:
    seqgan.register("rehearsal", Rehearsal, RehearsalConfig, default={"rehearsal_rate": 0.5})
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", **REHEARSAL)
    schema = describe(run.folder)
    assert (schema["algorithm"], schema["config"]["rehearsal_rate"]) == ("rehearsal", 0.5)
    assert schema["sources"]["rehearsal_rate"] == "preset default"
    assert [line["step"] for line in read_record(run.folder) if line["phase"] == "rehearsal"] == [1, 2, 3]
    assert run.generate(9) != run.generate(9, stage="mle")
    assert list(run.evaluate().as_json()["rows"]) == ["mle", "final", "real"]
    assert seqgan.load(run.folder).score(TEXTS) == run.score(TEXTS)
    longer = seqgan.train(TEXTS, run_dir=run.folder, resume=True, **{**REHEARSAL, "rehearsals": 5})
    assert longer.log_probs(TEXTS) != run.log_probs(TEXTS)
    ends_the_same_when_killed(tmp_path, REHEARSAL)


@pytest.mark.usefixtures("tables")
def test_a_hyper_parameter_of_an_algorithm_of_ones_own_is_checked_like_ours(tmp_path: Path) -> None:
    seqgan.register("rehearsal", Rehearsal, RehearsalConfig)
    for options, message in (
        ({"rehearsal": 3}, "did you mean rehearsal"),
        ({"rehearsals": -1}, "rehearsals"),
        ({"rollouts": 3}, "rehearsal has no hyper-parameter 'rollouts'"),
    ):
        with pytest.raises(UsageError, match=message):
            seqgan.train(TEXTS, run_dir=tmp_path / "run", **{**REHEARSAL, **options})
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("tables")
def test_a_run_of_an_algorithm_that_is_not_registered_is_told(tmp_path: Path) -> None:
    seqgan.register("rehearsal", Rehearsal, RehearsalConfig)
    seqgan.train(TEXTS, run_dir=tmp_path / "run", **REHEARSAL)
    for table in (CONFIGS, PRESETS, ALGORITHMS):
        del table["rehearsal"]  # type: ignore[attr-defined]
    with pytest.raises(RunError, match=r"there is no algorithm 'rehearsal'; seqgan.register it first"):
        seqgan.load(tmp_path / "run").generate(2)
    assert checkpoints(tmp_path / "run")


@pytest.mark.usefixtures("tables")
def test_a_name_that_is_taken_is_refused() -> None:
    for name in ("mle", "seqgan"):
        with pytest.raises(UsageError, match=f"there is an algorithm '{name}' already"):
            seqgan.register(name, Rehearsal, RehearsalConfig)
    assert ALGORITHMS["mle"] is MLE
    seqgan.register("rehearsal", Rehearsal, RehearsalConfig)
    seqgan.register("rehearsal", Rehearsal, RehearsalConfig)  # the same once more, as a notebook does


@pytest.mark.usefixtures("tables")
def test_a_name_that_is_taken_is_refused_for_an_algorithm_with_the_same_config() -> None:
    with pytest.raises(UsageError, match="there is an algorithm 'mle' already"):
        seqgan.register("mle", Rehearsal, MLEConfig)
