"""A policy whose tokens a discriminator reweights, against enumeration of all texts."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import seqgan
from seqgan import evaluation
from seqgan.data.batches import pad
from seqgan.errors import UsageError
from seqgan.metrics import residual
from seqgan.metrics.nll import divergence
from seqgan.models.beam_search import beam_search
from seqgan.models.policy import PolicyModule, sample
from seqgan.models.reweighted import ReweightedPolicy
from seqgan.shapes import Tokens
from seqgan.symbols import EOS, PAD, UNK
from tests.conftest import TINY_CONFIGS, TINY_GAME, tiny_lines
from tests.models.test_from_policy import BOTH, a_policy, made
from tests.test_choice import LINES
from tests.test_cli import call, refusal

LENGTH = 4
ENDED = [(*some, EOS) for n in range(LENGTH) for some in itertools.product((4, 5), repeat=n)]
EVERY = [*ENDED, *itertools.product((4, 5), repeat=LENGTH)]  # all texts of two words


def padded(rows: list[Any]) -> Tokens:
    return torch.tensor([[*row, *[PAD] * (LENGTH - len(row))] for row in rows])


def adds(judge: Any, prefix: tuple[int, ...], token: int, label: int | None) -> float:
    """What the logit of a text gains by one more token, by what the discriminator says of whole texts."""
    given = () if label is None else (torch.tensor([label]),)
    with torch.no_grad():
        before = float(judge(torch.tensor([prefix]), *given)) if prefix else 0.0
        return float(judge(torch.tensor([[*prefix, token]]), *given)) - before


def enumerated(policy: PolicyModule, judge: Any, slope: float, label: int | None = None) -> Tensor:
    """The probability of every text, token by token from q and the logits of whole texts."""
    given = () if label is None else (torch.tensor([label]),)
    nexts: dict[tuple[int, ...], dict[int, float]] = {}
    for prefix in (text[:n] for text in EVERY for n in range(len(text))):
        if prefix not in nexts:
            with torch.no_grad():
                q = policy.distributions(torch.tensor([[*prefix, EOS]]), *given)[0, -1]
            raised = {t: math.exp(float(q[t - EOS]) + slope * adds(judge, prefix, t, label)) for t in (EOS, 4, 5)}
            nexts[prefix] = {token: weight / sum(raised.values()) for token, weight in raised.items()}
    return torch.tensor([math.prod(nexts[text[:n]][text[n]] for n in range(len(text))) for text in EVERY])


@pytest.mark.parametrize("label", [None, 1])
@pytest.mark.parametrize("name", BOTH)
def test_log_probs_are_those_of_the_locally_normalised_model_and_draws_follow_them(
    name: str, label: int | None
) -> None:
    policy, judge = a_policy(labels=0 if label is None else 2), made(name, 0 if label is None else 2)
    exact = enumerated(policy, judge, 2.0, label)
    plain, opposite = enumerated(policy, judge, 0.0, label), enumerated(policy, judge, -2.0, label)
    apart = min(float((exact - other).abs().sum()) / 2 for other in (plain, opposite))
    assert apart > 0.1
    labels = None if label is None else torch.full((len(EVERY),), label)
    reweighted = ReweightedPolicy(policy, judge, 2.0)
    found = reweighted.log_probs_drawn(padded(EVERY), labels).sum(dim=1).exp()
    assert_close(found, exact, atol=1e-6, rtol=1e-4)
    assert found.sum().item() == pytest.approx(1)
    count = 20_000
    under = None if label is None else torch.full((count,), label)
    drawn = sample(reweighted, count, labels=under, rng=torch.Generator().manual_seed(0)).tokens
    numbers = {text: number for number, text in enumerate(EVERY)}
    counts = torch.zeros(len(EVERY))
    for row in drawn.tolist():
        counts[numbers[tuple(token for token in row if token != PAD)]] += 1
    variation = float((counts / count - exact).abs().sum()) / 2
    assert variation < 0.02 < apart / 4  # expected: sqrt(2 * 31 / (pi * 20000)) / 2 = .016 at most


@pytest.mark.parametrize("name", BOTH)
def test_temperature_and_cuts_come_after_the_reweighting(name: str) -> None:
    policy, judge = a_policy(), made(name)
    reweighted = ReweightedPolicy(policy, judge, 0.7)
    first = torch.tensor(
        [float(enumerated(policy, judge, 0.7)[[t[0] == token for t in EVERY]].sum()) for token in (EOS, 4, 5)]
    )
    for options, expected in (
        ({"temperature": 0.5}, first.square() / first.square().sum()),
        ({"top_k": 1}, (first == first.max()).float()),
    ):
        drawn = sample(reweighted, 20_000, rng=torch.Generator().manual_seed(1), **options).tokens[:, 0]
        shares = torch.stack([(drawn == token).float().mean() for token in (EOS, 4, 5)])
        assert_close(shares, expected, atol=0.015, rtol=0.0)


@pytest.mark.parametrize("name", BOTH)
def test_without_a_slope_it_is_the_policy(name: str) -> None:
    policy = a_policy()
    same = ReweightedPolicy(policy, made(name), 0.0)
    assert_close(same.log_probs_drawn(padded(EVERY)), policy.log_probs_drawn(padded(EVERY)))
    seeded = [sample(each, 200, rng=torch.Generator().manual_seed(0)).tokens for each in (policy, same)]
    assert seeded[0].equal(seeded[1])


@pytest.mark.parametrize("labels", [0, 2])
def test_a_likelihood_ratio_gives_the_geometric_mean_and_p_at_slope_1(labels: int) -> None:
    judge = made("likelihood-ratio", labels)
    given = (torch.arange(len(EVERY)) % 2,) if labels else ()
    p, q = (model.distributions(padded(EVERY), *given) for model in (judge.model, judge.reference))
    for slope, expected in ((1.0, p), (0.3, (0.7 * q + 0.3 * p).log_softmax(dim=-1))):
        found = ReweightedPolicy(judge.reference, judge, slope).distributions(padded(EVERY), *given)
        assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (p - q).abs().max() > 0.1


@pytest.mark.parametrize("name", BOTH)
def test_an_unknown_token_keeps_its_probability_and_the_others_share_the_rest(name: str) -> None:
    policy = a_policy()
    reweighted, rows = ReweightedPolicy(policy, made(name), 0.7), padded([(4, UNK, 5, EOS)])
    own, theirs = (
        policy.logits(policy.features_before(rows), UNK).softmax(dim=-1),
        reweighted.logits(reweighted.features_before(rows), UNK).softmax(dim=-1),
    )
    assert_close(theirs[..., 0], own[..., 0])
    drawn = reweighted.distributions(rows).exp()
    assert_close(theirs[..., 1:], drawn * (1 - own[..., :1]))
    assert_close(reweighted.log_probs(rows)[0, 1], own[0, 1, 0].log())


def test_beam_search_finds_the_likeliest_of_the_reweighted_texts() -> None:
    policy, judge = a_policy(), made("lstm")
    exact = enumerated(policy, judge, 0.7).log()
    lengths = torch.tensor([len(text) for text in EVERY])
    best = EVERY[int((exact / lengths).argmax())]
    assert tuple(beam_search(ReweightedPolicy(policy, judge, 0.7), 40)[0].ids) == best


def test_the_slope_is_that_of_the_largest_likelihood() -> None:
    """Two tokens of q = 1/2 and g = 0, 1: e^a / (1 + e^a) is the share of the second, here 3/4."""
    log_probs, added = torch.full((400, 2), 0.5).log(), torch.tensor([[0.0, 1.0]]).expand(400, 2)
    chosen = torch.tensor([1, 1, 1, 0]).repeat(100)
    assert residual.token_slope(log_probs, added, chosen) == pytest.approx(math.log(3), abs=1e-4)
    assert residual.token_slope(log_probs, added, 1 - chosen) == 0.0  # never below 0
    assert residual.token_slope(log_probs, 0 * added, chosen) == 0.0
    assert 10 < residual.token_slope(log_probs, added, torch.ones(400, dtype=torch.long)) <= 100  # best: infinite


# --- of a run


@pytest.fixture(scope="module", params=BOTH)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    options = {**TINY_GAME, "iterations": 0, "d_pretrain_rounds": 20, "d_samples": 64, "discriminator": request.param}
    folder = tmp_path_factory.mktemp("reweighted") / "run"
    return seqgan.train(LINES, run_dir=folder, threads=1, device="cpu", **options)


def test_the_calibrated_model_gives_validation_texts_more_than_the_policy_does(run: seqgan.TrainedRun) -> None:
    best, plain = run.reweighted(), run.model()
    assert isinstance(best.policy, ReweightedPolicy)
    slope, valid = best.policy.slope, run.corpus().valid
    assert 0 < slope < 100

    def likelihood(at: float) -> float:
        return sum(plain.reweighted(at).log_probs(valid))

    assert likelihood(slope) == pytest.approx(sum(best.log_probs(valid)))
    assert likelihood(slope) > max(likelihood(0.0), likelihood(0.8 * slope), likelihood(1.25 * slope))
    assert likelihood(0.0) == pytest.approx(sum(plain.log_probs(valid)), rel=1e-5)


def test_the_command_writes_what_python_does_and_tells_the_slope_and_the_divergence(run: seqgan.TrainedRun) -> None:
    best = run.reweighted()
    found = call("generate", run.folder, "--resample-tokens", "-n", 6, "--seed", 3)
    assert found.stdout.splitlines() == run.generate(6, resample_tokens=True, seed=3)
    rows = best.draw(6, seed=3)
    kl = divergence(best.policy, run.model().policy, rows)
    assert kl > 0
    assert f"KL from the policy {kl:.4f} nats per token; slope {best.policy.slope:.3f}" in found.stderr
    line = call("generate", run.folder, "--resample-tokens", "-n", 1, "--seed", 3, "--json").stdout
    assert set(json.loads(line)) == {"text", "tokens", "ended"}


def test_prompts_distinct_and_new_texts_are_those_of_any_policy(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("oh\nhi\n")
    words = ("generate", run.folder, "--resample-tokens", "--seed", 0)
    found = call(*words, "--prompts", tmp_path / "prompts.txt", "-n", 5).stdout
    assert [line.split()[0] for line in found.splitlines()] == ["oh"] * 5 + ["hi"] * 5
    found = call(*words, "-n", 10, "--distinct", "--new", "--temperature", 1.5).stdout
    assert len(set(found.splitlines()) - set(run.corpus().train)) == 10


def test_the_divergence_leaves_the_tokens_of_a_prompt_out(run: seqgan.TrainedRun) -> None:
    best, plain = run.reweighted(), run.model()
    written = best.generate_detailed(4, prompt=["oh", "hi"], seed=1)
    tokens = pad([text.ids for text in written]).tokens
    with torch.no_grad():
        drawn, other = best.policy.distributions(tokens), plain.policy.distributions(tokens)
    mask = (tokens != PAD) & (torch.arange(tokens.shape[1]) > 0)
    exact = float(((drawn.exp() * (drawn - other)).sum(dim=-1) * mask).sum() / mask.sum())
    assert best.kl_from(plain, written, ["oh", "hi"]) == pytest.approx(exact, rel=1e-4)


def test_a_saved_model_is_reweighted_with_a_slope_that_is_given(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    run.save_pretrained(tmp_path / "model")
    saved, best = seqgan.from_pretrained(tmp_path / "model"), run.reweighted()
    assert isinstance(best.policy, ReweightedPolicy)
    assert saved.reweighted(best.policy.slope).log_probs(LINES[:3]) == pytest.approx(best.log_probs(LINES[:3]))
    assert "need the validation texts" in refusal("generate", tmp_path / "model", "--resample-tokens")[0]


def test_a_model_with_labels_is_reweighted_under_each(tmp_path: Path) -> None:
    options = {**TINY_CONFIGS["seqgan"], "iterations": 1, "discriminator": "lstm", "threads": 1}
    lines = tiny_lines()
    labels = ["first" if number % 2 else "second" for number in range(len(lines))]
    run = seqgan.train(lines, labels=labels, run_dir=tmp_path / "run", **options)
    detailed = run.reweighted().generate_detailed(5, label="first")
    assert [text.label for text in detailed] == ["first"] * 5
    found = call("generate", run.folder, "--resample-tokens", "-n", 3, "--label", "second")
    assert "KL from the policy" in found.stderr


def test_the_slope_is_fitted_to_a_part_of_many_validation_texts(
    run: seqgan.TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(evaluation, "CALIBRATING_NUMBERS", 20 * len(run.model().tokenizer))
    monkeypatch.setattr(residual, "token_slope", lambda log_probs, added, chosen: seen.append(len(chosen)) or 1.0)
    evaluation.validation_token_slope(run.model(), run.encoded(), 0)
    assert 10 <= seen[0] <= 20  # tokens


def test_what_judges_whole_texts_is_refused_with_what_to_do(tmp_path: Path) -> None:
    options = {**TINY_GAME, "iterations": 0, "d_pretrain_rounds": 1}
    run = seqgan.train(LINES, run_dir=tmp_path / "run", threads=1, device="cpu", **options)
    with pytest.raises(UsageError, match=r"CNNDiscriminator, judges whole texts, .* --discriminator lstm .*--resample"):
        run.generate(2, resample_tokens=True)
    message, code = refusal("generate", run.folder, "--resample-tokens")[:2]
    assert code == 2
    assert "--discriminator lstm" in message
    with pytest.raises(UsageError, match="give one of them"):
        run.generate(2, resample=4, resample_tokens=True)
    assert "give one of them" in refusal("generate", run.folder, "--accept", "--resample-tokens")[0]
    assert "--resample-tokens" in refusal("generate", run.folder, "--beams", "2", "--resample-tokens")[0]
    with pytest.raises(UsageError, match="no discriminator"):
        replace(run.model(), discriminator=None).reweighted()
