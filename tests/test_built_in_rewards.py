"""The built-in rewards: what each is worth on texts that can be judged by hand, and what a training makes of them."""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import seqgan
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.algorithms.maligan import new_maligan
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core.record import read_record
from seqgan.core.run import describe
from seqgan.data.batches import pad
from seqgan.data.corpus import load_corpus
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.data.vocabulary import Ids
from seqgan.errors import CheckpointError, ConfigError, UsageError
from seqgan.metrics import MetricInput, bleu, form
from seqgan.models.policy import sample
from seqgan.rewards import REWARDS, by_rollouts
from seqgan.rewards.asked import ARGUMENTS, Asked, asked
from seqgan.rewards.builtin import Given, LanguageModel
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rewards.mixed import Mixed
from seqgan.rollout import Score
from seqgan.symbols import EOS
from tests.conftest import tiny_lines
from tests.test_cli import call, refusal
from tests.test_own_parts import GAME, PURSUIT, Bag, ends_the_same_when_killed

Make = Callable[..., MLEConfig]
CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"embedding_dim": 8, "hidden_dim": 8, "threads": 1}
LM_OPTIONS: dict[str, Any] = {**GAME, "iterations": 2, "mle_epochs": 2}
POEMS = ["春风入小楼 明月照河流 不见行人去 孤舟自在浮", "江水向东流 人家住小楼 春来花满树 明月照扁舟"] * 8


def of(texts: Sequence[str], kind: Kind = "char") -> TokenDataset:
    """A dataset of these texts, which are their own validation split."""
    tokenizer = Tokenizer.train(texts, kind, 1000)
    rows = EncodedSplit.of([[*ids, EOS] for ids in tokenizer.encode_all(texts)])
    return TokenDataset(rows, rows, tokenizer, 30)


def worth(reward: str, dataset: TokenDataset, texts: Sequence[str], **given: Any) -> list[float]:
    """What texts score by a reward as it is asked for."""
    [one] = asked([reward]).values()
    score = REWARDS[one.name](Given(dataset, **given), one.argument)
    vocabulary: Any = dataset.vocabulary
    tokens = pad([[*vocabulary.encode(text), EOS] for text in texts]).tokens
    return score(tokens).tolist()


# --- what is asked for


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        (["discriminator"], {"discriminator": Asked("discriminator", "", 1.0)}),
        (["bleu-2:0.5"], {"bleu-2": Asked("bleu-2", "", 0.5)}),
        (["length:5-10"], {"length": Asked("length", "5-10", 1.0)}),
        (["length:5-5:-2"], {"length": Asked("length", "5-5", -2.0)}),
        (["keyword:3"], {"keyword": Asked("keyword", "3", 1.0)}),  # a number is a word, too
        (["keyword:a:b:2"], {"keyword": Asked("keyword", "a:b", 2.0)}),
        (["lm:runs/a@mle:1e-1"], {"lm": Asked("lm", "runs/a@mle", 0.1)}),
        (
            ["keyword:moon:2", "keyword:sun", "bleu"],
            {
                "keyword:moon": Asked("keyword", "moon", 2.0),
                "keyword:sun": Asked("keyword", "sun", 1.0),
                "bleu": Asked("bleu", "", 1.0),
            },
        ),
    ],
)
def test_what_is_asked_for(rewards: list[str], expected: dict[str, Asked]) -> None:
    assert asked(rewards) == expected


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        (["bluw"], r"there is no reward 'bluw'; did you mean bleu"),
        (["xyz"], r"there is no reward 'xyz'; choose one of discriminator, bleu, "),
        (["discriminator,bleu"], r"there is no reward 'discriminator,bleu'; did you mean discriminator\?"),
        (["keyword"], r"the reward 'keyword' lacks its argument; keyword:WORD was expected"),
        (["length:"], r"the reward 'length:' lacks its argument; length:LO-HI was expected"),
        (["lm::2"], r"the reward 'lm::2' lacks its argument; lm:RUN was expected"),
        (["length:10-5"], r"the reward 'length:10-5' names no span; length:LO-HI was expected, as in length:5-10"),
        (["length:five-ten"], r"'length:five-ten' names no span"),
        (["length:5"], r"'length:5' names no span"),
        (
            ["keyword:moon:much"],
            r"the reward 'keyword:moon:much': after the argument 'much' is no weight; a number from",
        ),
        (["keyword:moon:nan"], r"'nan' is no weight"),
        (["keyword:moon:"], r"'' is no weight"),
        (["bleu:3:2"], r"the reward 'bleu:3:2': bleu takes no argument, and '3:2' is no weight; a number from"),
        (["discriminator:"], r"discriminator takes no argument, and '' is no weight"),
        (["bleu:1e9"], r"'1e9' is no weight; a number from -1000000 to 1000000 was expected"),
        (
            ["bleu", "form", "bleu:2"],
            r"the reward 'bleu' is asked for twice; give it once, with the sum of the weights",
        ),
        (["keyword:a", "keyword:b", "keyword:a:2"], r"the reward 'keyword:a' is asked for twice"),
    ],
)
def test_what_is_no_reward_is_one_clear_error(rewards: list[str], message: str) -> None:
    for make in (
        asked,
        lambda rewards: CONFIGS["seqgan"](reward=rewards),
        lambda rewards: CONFIGS["maligan"](reward=rewards),
    ):
        with pytest.raises(ConfigError, match=message) as refused:
            make(rewards)  # type: ignore[operator]
        assert "\n" not in str(refused.value)


def test_every_reward_that_can_be_asked_for_can_be_made() -> None:
    assert ARGUMENTS.keys() == REWARDS.keys()


def test_command_line_files_and_python_ask_alike(tmp_path: Path, corpus_file: Path, tiny_options: Any) -> None:
    wanted = ["length:2-9", "keyword:a,b:0.5"]  # a comma separates nothing
    (tmp_path / "c.toml").write_text(f"reward = {json.dumps(wanted)}\n")
    (tmp_path / "c.json").write_text(json.dumps({"reward": wanted}))
    (tmp_path / "one.toml").write_text('reward = "length:2-9"\n')
    common = ["train", "--corpus", corpus_file, *tiny_options("seqgan"), "--iterations", "1", "--tokenizer", "char"]
    common += ["--threads", "1", "--mle-epochs", "1"]
    lists = {
        "typed": ["--reward", wanted[0], "--reward", wanted[1]],
        "toml": ["--config", tmp_path / "c.toml"],
        "json": ["--config", tmp_path / "c.json"],
        "one": ["--config", tmp_path / "one.toml"],
        "usual": [],
    }
    for name, options in lists.items():
        with open(corpus_file, "a", encoding="utf-8") as file:
            file.write("a,b\n" if name == "typed" else "")  # that the tokenizer knows the comma
        call(*common, *options, "--run-dir", tmp_path / name)
    found = {name: describe(tmp_path / name)["config"]["reward"] for name in lists}
    assert found["typed"] == found["toml"] == found["json"] == wanted
    assert found["one"] == ["length:2-9"]
    assert found["usual"] == ["discriminator"]
    message, _ = refusal(*common, "--run-dir", tmp_path / "bad", "--reward", "lenght:2-9")
    assert message == "there is no reward 'lenght'; did you mean length?"


# --- what a text is worth


@pytest.mark.parametrize(("kind", "tokens"), [("char", "chars"), ("word", "words"), ("bpe", "words")])
def test_bleu_is_the_measure(kind: Kind, tokens: str) -> None:
    """For Chinese by characters, for English by words, as the evaluation of a run counts them."""
    texts = POEMS if kind == "char" else [f"{line}, she said" for line in tiny_lines(40)]
    dataset = of(texts, kind)
    references = texts[: len(texts) // 2]
    dataset = replace(dataset, train=EncodedSplit.of(list(dataset.train.sequences)[: len(references)]))
    torch.manual_seed(1)
    config = CONFIGS["seqgan"](embedding_dim=8, hidden_dim=8, tie_embeddings=True, reward=("bleu",))
    game = new_seqgan(config, dataset, CPU, 0)
    drawn = sample(game.generator, 40).tokens
    rows = list(dataset.valid.sequences)
    mixed_up = pad([row[:5] + other[-4:] for row, other in pairwise(rows)]).tokens
    for rows in (drawn, mixed_up):
        measured = bleu(MetricInput(dataset.decode(rows.tolist()), references, tokens=tokens))
        for order in range(2, 6):
            score = REWARDS[f"bleu-{order}"](Given(dataset), "")(rows)
            assert float(score.double().mean()) == pytest.approx(measured[f"bleu-{order}"].value, rel=1e-6)
        assert REWARDS["bleu-2"](Given(dataset), "")(rows).std() > 0
        assert_close(REWARDS["bleu"](Given(dataset), "")(rows), REWARDS["bleu-4"](Given(dataset), "")(rows))


def test_bleu_of_a_training_text_is_one_and_of_another_less() -> None:
    assert worth("bleu", of(POEMS), [POEMS[0], "春风入小楼 明月照扁舟", "小小小小小"]) == pytest.approx(
        [1.0, 0.2, 0.1], abs=0.25
    )
    assert worth("bleu", of(POEMS), [POEMS[1]]) == [1.0]


def test_bleu_of_plain_numbers_counts_them_one_by_one() -> None:
    """Of an oracle's sequences, that are no text."""
    rows = [[5, 6, 7, 8, EOS], [8, 7, 6, 5, EOS]]
    dataset = TokenDataset.of(rows, rows, Ids(12))
    score = REWARDS["bleu-2"](Given(dataset), "")
    assert score(torch.tensor([[5, 6, 7, 8, EOS], [5, 7, 5, 7, EOS]])).tolist() == pytest.approx(
        [1.0, (2 / 4 * 0.1 / 3) ** 0.5]
    )


def test_a_length_inside_is_worth_one_and_less_the_farther_it_is_off() -> None:
    texts = ["a", "ab", "abc", "abcd", "abcde", "abcdef"]
    assert worth("length:3-4", of(texts), texts) == pytest.approx([1 / 3, 1 / 2, 1, 1, 1 / 2, 1 / 3])
    unended = torch.tensor([[4, 5, 6, 7]])  # as long as can be, without an end
    assert REWARDS["length"](Given(of(texts)), "4-4")(unended).tolist() == [1.0]


def test_a_keyword_is_a_whole_word_or_in_chinese_any_part() -> None:
    texts = ["the moon!", "moonlight", "Moon", "a full-moon", "moon"]
    assert worth("keyword:moon", of(texts), texts) == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert worth("keyword:明月", of(POEMS), ["见明月照", "明 月", "月明"]) == [1.0, 0.0, 0.0]


def test_form_is_the_measure() -> None:
    texts = [*POEMS[:3], "春风入小楼 明月照河流", "春风", ""]
    found = worth("form", of(POEMS), texts)
    assert found == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    measured = form(MetricInput(texts, training=POEMS, tokens="chars"))["form"]
    assert measured.value == pytest.approx(sum(found) / len(found))


def test_a_discriminator_scores_as_it_is_given() -> None:
    score = REWARDS["discriminator"](Given(of(POEMS), lambda tokens, labels=None: tokens[:, 0].float()), "")
    assert score(torch.tensor([[4, 5], [7, 5]])).tolist() == [4.0, 7.0]


@pytest.mark.parametrize(
    ("reward", "texts", "message"),
    [
        ("keyword:zebra", tiny_lines(), r"the reward keyword:zebra can never be earned: 'z' is not in the vocabulary"),
        ("form", tiny_lines(), r"the reward form wants verse in characters"),
        ("form", ["春风", "明月照", "江水向东"] * 3, r"these have no form in common"),
        ("lm:runs/other", tiny_lines(), r"the policy of runs/other was not given"),
    ],
)
def test_a_reward_that_these_texts_cannot_earn_is_refused(reward: str, texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        worth(reward, of(texts), texts[:1])


# --- several at once


def test_mixing_is_linear_in_the_weights(tiny_config: Make) -> None:
    """On the same samples and completions: the scores that share work, those of texts, and those of tokens."""
    texts = of(tiny_lines(), "word")
    game = new_seqgan(tiny_config("seqgan"), texts, CPU, 3)
    sampled = game.generator.sample(9)
    parts: dict[str, Score] = {
        "discriminator": DiscriminatorReward(game.discriminator, "log-odds"),
        "keyword": REWARDS["keyword"](Given(texts), "bo"),
        "length": REWARDS["length"](Given(texts), "2-4"),
    }
    weights = {"discriminator": 0.5, "keyword": -3.0, "length": 7.0}

    def paid(score: Score) -> torch.Tensor:
        torch.manual_seed(8)
        return by_rollouts(game.generator, score, 4)(sampled)

    alone = {name: paid(score) for name, score in parts.items()}
    assert all(rewards.std() > 0 for rewards in alone.values())
    together = paid(Mixed(parts, weights))
    assert_close(together, sum(weights[name] * alone[name] for name in parts))
    assert_close(paid(Mixed(parts, {name: 2 * weight for name, weight in weights.items()})), 2 * together)
    whole = Mixed(parts, weights)(sampled.tokens)
    assert_close(whole, sum(weights[name] * parts[name](sampled.tokens) for name in parts))


# --- in a training


def test_where_no_reward_asks_for_a_discriminator_there_is_none(tmp_path: Path) -> None:
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward="length:5-9", **GAME)
    lines = read_record(run.folder)
    assert {line["phase"] for line in lines} == {"pretrain generator", "adversarial"}
    assert not (run.folder / "discriminator.safetensors").exists()
    assert describe(run.folder)["custom"] == []
    assert not any(name.startswith("reward_l") for line in lines for name in line)  # it is the reward itself
    loaded = seqgan.load(run.folder)
    assert loaded.generate(5) == run.generate(5)
    assert loaded.score(tiny_lines()[:1])[0].real is None


@pytest.mark.parametrize("algorithm", ["seqgan", "maligan"])
def test_each_of_several_rewards_is_reported_as_it_is(algorithm: str, texts: TokenDataset, tiny_config: Make) -> None:
    """Without its weight, and whatever a control makes of the sum."""
    config = tiny_config(algorithm, reward=("discriminator:0.5", "keyword:bo", "keyword:dan:9"), control="noise")
    game = {"seqgan": new_seqgan, "maligan": new_maligan}[algorithm](config, texts, CPU, 3)
    torch.manual_seed(1)
    tokens = game.generator.sample(8).tokens
    with torch.no_grad():
        logits = game.discriminator.eval()(tokens)
    torch.manual_seed(1)
    measured = game.policy_update(0)
    decoded = texts.decode(tokens.tolist())
    names = {"reward", "reward_std", "rewards", "reward_discriminator", "reward_keyword:bo", "reward_keyword:dan"}
    assert {name for name in measured if name.startswith("reward")} == names
    assert_close(measured["reward_discriminator"], logits.mean())
    for word in ("bo", "dan"):
        assert float(measured[f"reward_keyword:{word}"]) == sum(word in text.split() for text in decoded) / 8
    assert 0 < measured["reward"] < 1


def test_a_reward_of_maligan_is_the_weight_of_its_sequence(texts: TokenDataset, tiny_config: Make) -> None:
    config = tiny_config("maligan", reward=("length:3-5:2", "discriminator:0.5"), mle_weight=0.0)
    game = new_maligan(config, texts, CPU, 3)
    torch.manual_seed(1)
    tokens = game.generator.sample(8).tokens
    lengths = (tokens > EOS).sum(dim=1)
    with torch.no_grad():
        logits = game.discriminator.eval()(tokens) / 2
    logits += 2 / (1 + torch.where(lengths < 3, 3 - lengths, (lengths - 5).clamp(min=0)))
    loss = -(game.generator.log_probs_drawn(tokens).sum(dim=1) * (logits.softmax(dim=0) - 1 / 8)).sum()
    torch.manual_seed(1)
    assert_close(game.policy_update(0)["loss"], loss.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("reward", ["keyword:bo", "length:2-3"])
def test_a_policy_gets_more_of_its_reward(reward: str, tmp_path: Path) -> None:
    options = {**PURSUIT, "tokenizer": "word", "mle_epochs": 3, "g_lr": 0.02}
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=reward, seed=1, **options)
    of_stage = {}
    for stage in ("mle", "final"):
        scores = worth(reward, of(tiny_lines(), "word"), run.generate(300, stage=stage, seed=2))
        of_stage[stage] = sum(scores) / len(scores)
    assert of_stage["final"] > of_stage["mle"] + 0.15
    paid = [line["reward"] for line in read_record(run.folder) if line["phase"] == "adversarial"]
    assert sum(paid[-5:]) / 5 > sum(paid[:5]) / 5 + 0.15


def test_what_texts_earn_is_a_number_of_every_evaluation(other: seqgan.TrainedRun, tmp_path: Path) -> None:
    """Of samples and of held-out text; those of the run, and others that are asked for, such as for its control."""
    asked_for = ("keyword:bo:2", "discriminator", "length:1-2")
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=asked_for, **LM_OPTIONS)
    closing = json.loads((run.folder / "evaluations" / "training.json").read_text(encoding="utf-8"))["rows"]
    own, lm = {"reward-keyword:bo", "reward-length:1-2"}, f"lm:{other.folder}"
    found = run.evaluate(rewards=["keyword:bo", "keyword:anna:3", lm])
    for name, row in found.rows.items():
        assert {one for one in closing[name] if one.startswith("reward-")} == own
        assert {one for one in row if one.startswith("reward-")} == {*own, "reward-keyword:anna", f"reward-{lm}"}
        texts = found.texts[name]
        for word in ("bo", "anna"):
            shares = np.array([bool(re.search(rf"\b{word}\b", text)) for text in texts], dtype=float)
            assert row[f"reward-keyword:{word}"].value == pytest.approx(shares.mean())
            if name != "real":  # copies of held-out text are one text
                error = shares.std(ddof=1) / np.sqrt(len(texts))
                assert row[f"reward-keyword:{word}"].stderr == pytest.approx(error, rel=1e-3)
    scored = [one.per_token for one in other.score(found.texts["final"])]
    assert found["final"][f"reward-{lm}"].value == pytest.approx(np.mean(scored), abs=0.2)  # texts without an end, too
    again = seqgan.train(tiny_lines(), run_dir=tmp_path / "mle", algorithm="mle", mle_epochs=1, **SMALL)
    assert not any(name.startswith("reward-") for name in again.evaluate()["mle"])
    told = call("evaluate", tmp_path / "mle", "--reward", "keyword:bo", "--reward", "length:1-2")
    assert "what texts earn, by reward" in told.stdout
    both = call("evaluate", tmp_path / "mle", run.folder, "--reward", "length:1-2", "--json").stdout
    assert {"reward-length:1-2"} <= set(json.loads(both)["rows"]["run final"]) & set(
        json.loads(both)["rows"]["mle mle"]
    )


def test_rewards_that_cannot_be_measured_are_refused(other: seqgan.TrainedRun, tmp_path: Path) -> None:
    for words, message in (
        (["keywort:bo"], "there is no reward 'keywort'; did you mean keyword?"),
        (["discriminator"], "what a discriminator says of texts is measured as d-auc"),
        (["keyword:zebra"], "can never be earned"),
        (["lm:no/such/run"], "no/such/run"),
    ):
        options = [part for word in words for part in ("--reward", word)]
        assert message in refusal("evaluate", other.folder, *options)[0]
    saved = other.save_pretrained(tmp_path / "saved")
    corpus = tmp_path / "lines.txt"
    corpus.write_text("\n".join(tiny_lines()), encoding="utf-8")
    assert (
        "wants the training texts of a run"
        in refusal("evaluate", saved, "--corpus", corpus, "--reward", "length:1-2")[0]
    )
    assert "it goes with RUN" in refusal("evaluate", "--samples", corpus, "--reward", "length:1-2")[0]


def test_a_run_with_several_rewards_ends_the_same_when_killed(tmp_path: Path) -> None:
    several = ("discriminator", "bleu-2:2", "length:5-9", "keyword:bo:0.5")
    ends_the_same_when_killed(tmp_path, {**GAME, "tokenizer": "char", "reward": several})


def test_a_discriminator_that_no_reward_asks_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a discriminator was given, but the reward is bleu; add discriminator to it"):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=("bleu",), discriminator=Bag, **GAME)
    assert not (tmp_path / "run").exists()
    run = seqgan.train(
        tiny_lines(), run_dir=tmp_path / "run", reward=["bleu", "discriminator"], discriminator=Bag, **GAME
    )
    assert describe(run.folder)["config"]["reward"] == ["bleu", "discriminator"]


def test_a_custom_reward_stands_in_the_place_of_all(texts: TokenDataset, tiny_config: Make) -> None:
    config = tiny_config("seqgan", reward=("discriminator", "length:5-9"))
    game = new_seqgan(config, texts, CPU, 0, Components(reward=lambda tokens: tokens[:, 0].float()))
    assert game.critic is None
    assert "reward_length" not in game.policy_update(0)


# --- the likelihood under another run


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    """A run by characters."""
    folder = tmp_path_factory.mktemp("other") / "run"
    return seqgan.train(tiny_lines(), algorithm="mle", run_dir=folder, tokenizer="char", mle_epochs=3, **SMALL)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_lm_is_the_log_probability_of_a_token_under_the_other_run(kind: Kind, other: seqgan.TrainedRun) -> None:
    """By its own ids, or by words that are cut into characters again."""
    model = other.model()
    texts = tiny_lines()[:7]
    dataset = of(texts, kind)
    if kind == "char":
        dataset = replace(dataset, vocabulary=model.tokenizer)
    found = worth("lm:other", dataset, texts, models={"other": LanguageModel(model.policy, model.tokenizer)})
    assert found == pytest.approx([scored.per_token for scored in model.score(texts)], rel=1e-4)


def test_lm_of_a_text_without_an_end_counts_no_end(other: seqgan.TrainedRun) -> None:
    model, words = other.model(), of(tiny_lines(), "word")
    models = {"other": LanguageModel(model.policy, model.tokenizer)}
    ids = words.vocabulary.encode("hi anna anna")  # type: ignore[attr-defined]
    characters = model.tokenizer.encode("hi anna anna")
    score = REWARDS["lm"](Given(words, models=models), "other")
    expected = model.policy.log_probs(torch.tensor([characters])).mean()
    assert_close(score(torch.tensor([ids])), expected.detach().unsqueeze(0))
    assert score(torch.tensor([[EOS, 0]])).tolist() == pytest.approx(
        model.policy.log_probs(torch.tensor([[EOS]])).flatten().tolist()
    )


def test_a_run_keeps_the_policies_that_judge_it(other: seqgan.TrainedRun, tmp_path: Path) -> None:
    copy = tmp_path / "other"
    shutil.copytree(other.folder, copy)
    reward = (f"lm:{copy}@mle:0.5", f"lm:{copy}")
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=reward, **{**LM_OPTIONS, "iterations": 1})
    shutil.rmtree(copy)
    seqgan.train(tiny_lines(), run_dir=tmp_path / "run", resume=True, reward=reward, **LM_OPTIONS)
    lines = [line for line in read_record(run.folder) if line["phase"] == "adversarial"]
    assert len(lines) == 2
    assert all(line[f"reward_lm:{copy}"] < 0 for line in lines)
    shutil.copytree(other.folder, copy)
    seqgan.train(tiny_lines(), run_dir=tmp_path / "whole", reward=reward, **LM_OPTIONS)
    ends = [(tmp_path / name / "generator.safetensors").read_bytes() for name in ("whole", "run")]
    assert ends[0] == ends[1]
    (run.folder / "lm" / "1" / "generator.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError):
        seqgan.train(tiny_lines(), run_dir=run.folder, resume=True, **{**LM_OPTIONS, "iterations": 3})


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ("lm:no/such/run", "there is no run in no/such/run|no/such/run"),
        ("lm:@mle", r"the run of a reward: '@mle' names no policy: RUN, RUN@mle"),
    ],
)
def test_a_run_that_is_none_cannot_judge(reward: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=reward, **LM_OPTIONS)
    assert not (tmp_path / "run").exists()


def test_a_policy_with_labels_cannot_judge(tmp_path: Path) -> None:
    labels = [text.split()[0] for text in tiny_lines()]
    options = {**SMALL, "algorithm": "mle", "mle_epochs": 1}
    seqgan.train(tiny_lines(), labels=labels, run_dir=tmp_path / "labelled", **options)
    with pytest.raises(UsageError, match=r"labelled is conditioned on labels; lm wants a run of texts without labels"):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=f"lm:{tmp_path / 'labelled'}", **LM_OPTIONS)
    assert not (tmp_path / "run").exists()


# --- the label that another run would give


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    """A run by characters, of texts that are labelled by their first words."""
    labels = [text.split()[0] for text in tiny_lines()]
    folder = tmp_path_factory.mktemp("labelled") / "run"
    options = {**SMALL, "algorithm": "mle", "tokenizer": "char", "mle_epochs": 40, "mle_lr": 0.05, "mle_patience": 0}
    return seqgan.train(tiny_lines(), labels=labels, run_dir=folder, **options)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_classifier_is_bayes_rule_over_the_labels_of_the_other_run(kind: Kind, labelled: seqgan.TrainedRun) -> None:
    model, texts = labelled.model(), tiny_lines()[:9]
    dataset = of(texts, kind)
    if kind == "char":
        dataset = replace(dataset, vocabulary=model.tokenizer)
    models = {"other": LanguageModel(model.policy, model.tokenizer, model.labels)}
    trained = labelled.corpus().labels["train"]
    joint = np.array([np.array(model.log_probs(texts, label=label)) for label in model.labels])
    joint += np.log([[trained.count(label)] for label in model.labels])
    expected = np.exp(joint) / np.exp(joint).sum(axis=0)
    for row, label in enumerate(model.labels):
        found = worth(f"classifier:other={label}", dataset, texts, models=models)
        assert found == pytest.approx(expected[row].tolist(), rel=1e-3, abs=1e-6)
    right = [expected[list(model.labels).index(text.split()[0]), at] for at, text in enumerate(texts)]
    assert np.mean(right) > 0.5  # the label is the first word, by chance a third


def test_a_run_is_rewarded_for_a_label(labelled: seqgan.TrainedRun, tmp_path: Path) -> None:
    label = labelled.model().labels[-1]
    reward = (f"classifier:{labelled.folder}={label}", f"classifier:{labelled.folder}={labelled.model().labels[0]}:-1")
    run = seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=reward, **LM_OPTIONS)
    lines = [line for line in read_record(run.folder) if line["phase"] == "adversarial"]
    assert all(0 <= line[f"reward_{asked}"] <= 1 for line in lines for asked in (reward[0], reward[1][:-3]))
    assert [path.name for path in (run.folder / "lm").iterdir()] == ["1"]  # one copy for both


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("{labelled}=none", r"has no label 'none'"),
        ("{other}=hi", r"has no labels; the reward classifier wants one that was trained with labels"),
        ("{labelled}", r"names no label of a run; classifier:RUN=LABEL was expected"),
        ("=hi", r"names no label of a run; classifier:RUN=LABEL was expected"),
    ],
)
def test_what_is_no_label_of_a_run_is_refused(
    argument: str, message: str, labelled: seqgan.TrainedRun, other: seqgan.TrainedRun, tmp_path: Path
) -> None:
    reward = "classifier:" + argument.format(labelled=labelled.folder, other=other.folder)
    with pytest.raises(UsageError, match=message):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "run", reward=reward, **LM_OPTIONS)
    assert not (tmp_path / "run").exists()


# --- verse


def test_without_pypinyin_one_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    for reward in ("rhyme", "tone"):
        with pytest.raises(UsageError, match=r"pypinyin, which is not installed; pip install 'seqgan\[verse\]'"):
            worth(reward, of(POEMS), POEMS)


def test_even_lines_rhyme() -> None:
    pytest.importorskip("pypinyin")
    poems = [
        "床前明月光 疑是地上霜 举头望明月 低头思故乡",  # shuang, xiang
        "床前明月光 疑是地上霜 举头望明月 低头思故人",
        "甲乙丙花 甲乙丙花 甲乙丙家 甲乙丙他 甲乙丙天 甲乙丙山",  # hua, ta, shan: one of two
        "疑是地上霜 低头思故乡",
        "床前\n疑是地上霜\n举头\n低头思故乡",
        "",
        "a b c d",
    ]
    assert worth("rhyme", of(poems), poems) == [1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0]
    assert worth("rhyme", of(["雪 女 月 资"]), ["雪 女 月 资"]) == [1.0]  # v and i are one rhyme


def test_the_bundled_poems_rhyme_as_often_as_they_are_said_to() -> None:
    pytest.importorskip("pypinyin")
    from seqgan.rewards.verse import rhyme, tone

    corpus = load_corpus("poems")
    poems = [*corpus.train, *corpus.valid, *corpus.test]
    assert sum(map(rhyme, poems)) / len(poems) == pytest.approx(0.93, abs=0.005)
    rng = random.Random(0)
    mixed_up = [" ".join("".join(rng.sample(line, 5)) for line in poem.split()) for poem in poems[:2000]]
    assert sum(map(tone, mixed_up)) / 2000 == pytest.approx(0.5, abs=0.03)
    assert sum(map(tone, poems[:2000])) / 2000 > 0.75


def test_tones_of_regulated_verse() -> None:
    pytest.importorskip("pypinyin")
    regulated = "白日依山尽 黄河入海流 欲穷千里目 更上一层楼"  # in the modern reading, too
    level = "天天天天天 天天天天天 天天天天天 天天天天天"  # of seven rules only that between couplets holds
    found = worth("tone", of([regulated, level]), [regulated, level, "天天", "天天天天 天天天", ""])
    assert found == [1.0, pytest.approx(1 / 7), 0.0, 0.0, 0.0]
