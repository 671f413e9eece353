"""Two real processes: they compute what one computes, hold the same weights, resume exactly, and end together."""

import ast
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from seqgan.cli import seqgan
from seqgan.core.run import checkpoints
from seqgan.errors import RunError
from tests import together
from tests.killing import contents, flat
from tests.launching import ROOT, finished, launched, process_of

Options = Callable[[str], list[str]]
Found = list[dict[str, Any]]
SLOWER = ["--mle-epochs", "3", "--iterations", "12", "--save-seconds", "0", "--threads", "1"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("together")
    code, _, errors = finished(launched("-m", "tests.together", folder))
    assert code == 0, errors
    return [torch.load(folder / f"found-{rank}.pt", weights_only=True) for rank in range(2)]


# --- two processes compute what one computes


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_gradients_advantages_and_metrics_are_those_of_a_single_process(found: Found, one_thread: None) -> None:
    alone = together.given()
    for kind in ("REINFORCE, mean", "REINFORCE, sum", "advantages", "MLE", "discriminator", "policy"):
        assert sum(name.startswith(kind) for name in alone) > 3
    for several in (own["given"] for own in found):
        assert several.keys() == alone.keys()
        for name, expected in alone.items():
            # A constant reward has no deviation, and no gradient has the norm that is clipped there.
            assert expected.abs().max() > 1e-4 or name in ("policy: reward_std", "policy: clipped"), name
            assert_close(several[name], expected, atol=1e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_an_update_adds_up_its_gradients_in_one_flat_reduction(found: Found) -> None:
    game = together.seqgan_game()
    assert game.discriminator is not None
    for player, module in (("policy", game.generator), ("mle", game.generator), ("discriminator", game.discriminator)):
        learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
        # with a flag for each parameter, that tells whether it has a gradient at all
        whole = sum(parameter.numel() for parameter in learned) + len(learned)
        assert [size for size in found[0]["sums"][player] if size > 50] == [whole], player


def test_a_gradient_that_one_process_has_reaches_all_and_one_that_none_has_stays_none(found: Found) -> None:
    for own in found:
        assert own["agreements"]["lone gradients"] == [[3.0, 3.0, 3.0], [1.0, 1.0], None]


# --- they agree


def test_all_processes_hold_the_same_weights_after_training(found: Found) -> None:
    for game in ("seqgan", "seqgan, own", "maligan", "relgan", "dcgan", "began", "semi-gan"):
        first, second = (own[game] for own in found)
        assert flat(first) == flat(second), game
    buffers = [name for name in found[0]["dcgan"]["generator"] if "running" in name]
    assert len(buffers) == 4
    vectors = [value for name, value in found[0]["dcgan"]["discriminator"].items() if name.endswith(("_u", "_v"))]
    assert len(vectors) == 6
    assert all(abs(float(vector.norm()) - 1) < 1e-5 for vector in vectors)
    assert 0 < found[0]["began"]["balance"]["k"] < 1  # which has moved, by the losses of both
    assert found[0]["world_size"] == 2


def test_stopped_and_resumed_they_end_as_the_uninterrupted(found: Found) -> None:
    for own in found:
        for game in ("seqgan", "dcgan"):
            assert flat(own[f"{game}, stopped"]) == flat(own[game]), game


def test_a_collapse_ends_the_training_of_both(found: Found) -> None:
    first, second = (own["collapsing"] for own in found)
    assert flat(first) == flat(second)
    assert "collapse" in first["health"]["warned"]
    assert 0 < found[0]["collapsing, steps"] < 6 * together.collapsing().per_iteration


@pytest.mark.parametrize("fast", [0, 1])
def test_what_a_clock_decides_one_process_decides_for_all(fast: int, found: Found) -> None:
    first, second = (own["fast"][fast] for own in found)
    assert flat(first["state"]) == flat(second["state"]) == flat(found[0]["dcgan"])


def test_clocks_are_read_only_where_the_processes_agree() -> None:
    """Clocks that are read elsewhere: what they decide, one process must decide for all (`distributed.broadcast`), and
    `together.under_other_clocks` must pass through it."""
    reading = set()
    for path in (path for name in ("seqgan", "imagegan") for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            of_time = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time"
            if of_time or (isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime")):
                reading.add(path.relative_to(ROOT).as_posix())
    shown_only = {"seqgan/core/log.py", "seqgan/core/overview.py"}
    alone = {f"seqgan/bench/{name}.py" for name in ("data", "oracle", "startup", "timed")}
    alone |= {"imagegan/bench/runs.py", "imagegan/bench/study.py", "seqgan/core/device.py"}  # the last one for benches
    agreed = {"seqgan/core/run.py", "seqgan/core/rendezvous.py"}
    assert reading == shown_only | alone | agreed


def test_what_the_first_process_meets_with_is_everyone_s(found: Found) -> None:
    for own in found:
        agreed = own["agreements"]
        assert agreed["refusal"] == ("RunError", "only the first looked")
        kind, message = agreed["divergence"]
        assert kind == "DivergedError"
        assert message.startswith("training diverged at step 4 of only: loss is nan")
        assert agreed["too little"][0] == "UsageError"
        assert "a batch of 1 cannot be split over 2 processes" in agreed["too little"][1]
        assert flat(agreed["from first"]) == flat({"rank": 0, "some": [torch.zeros(2)]})
        assert agreed["most"] == (1, 3)
        assert agreed["mean"] == 3.0


def test_the_first_process_logs(found: Found) -> None:
    assert [own["agreements"]["logged"] for own in found] == [[1, 2, 3], []]


def test_rewards_are_shuffled_among_all(found: Found) -> None:
    first, second = (own["agreements"]["shuffled"] for own in found)
    assert first.equal(second)
    assert sorted(first[:, 0].tolist()) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
    assert (first != torch.arange(14.0).view(7, 2)).all()  # and none gets its own


def test_noise_is_of_its_own_in_every_process(found: Found) -> None:
    first, second = (own["agreements"]["noise"] for own in found)
    assert first.equal(second)
    assert len(first.unique()) == 14


# --- the command


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[str]]:
    from tests.conftest import TINY_GAME, _as_options, tiny_lines

    corpus = tmp_path_factory.mktemp("corpus") / "tiny.txt"
    corpus.write_text("\n".join(tiny_lines()) + "\n", encoding="utf-8")
    options = ["--corpus", str(corpus), *_as_options(TINY_GAME), *SLOWER, "--quiet"]
    return lambda folder: ["-m", "seqgan", "train", *options, "--resume", str(folder)]


@pytest.fixture(scope="module")
def whole(words: Callable[[Path], list[str]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An uninterrupted run of two processes, and what they wrote to stdout."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    code, output, errors = finished(launched(*words(folder)))
    assert code == 0, errors
    return folder, output


def same_run(folder: Path, other: Path) -> bool:
    """But for the command line, which names the folder, and for the id that follows from it."""
    made = [contents(place) for place in (folder, other)]
    states = [re.sub(r"'run': '[0-9a-f]+'", "", parts.pop("newest checkpoint").decode()) for parts in made]
    for parts in made:
        del parts["run.json"]
    return made[0] == made[1] and states[0] == states[1]


def wait_for(process: subprocess.Popen[str], folder: Path, steps: int) -> None:
    """Until so many steps are saved."""
    while process.poll() is None and max(checkpoints(folder), default=0) < steps:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()


def test_one_process_writes_and_reports(whole: tuple[Path, str]) -> None:
    folder, output = whole
    assert output.count("what training achieved") == 1
    assert output.count(f"the run is in {folder}") == 1
    assert output.count(f"on one page: {folder / 'report.html'}") == 1
    record = (folder / "metrics.jsonl").read_text().splitlines()
    assert len(record) == len(set(record))


def test_interrupted_and_resumed_it_ends_bit_for_bit_the_same(
    words: Callable[[Path], list[str]], whole: tuple[Path, str], tmp_path: Path
) -> None:
    process = launched(*words(tmp_path / "run"))
    wait_for(process, tmp_path / "run", 10)
    process.send_signal(signal.SIGINT)
    code, _, errors = finished(process)
    assert code != 0
    assert errors.count(f"seqgan train --resume {tmp_path / 'run'}") == 1
    assert max(checkpoints(tmp_path / "run")) < max(checkpoints(whole[0]))
    code, _, errors = finished(launched(*words(tmp_path / "run")))
    assert code == 0, errors
    assert same_run(tmp_path / "run", whole[0])


@pytest.mark.parametrize("rank", [0, 1])
def test_one_unchanged_command_survives_the_death_of_a_process(
    rank: int, words: Callable[[Path], list[str]], whole: tuple[Path, str], tmp_path: Path
) -> None:
    process = launched(*words(tmp_path / "run"), restarts=1)
    wait_for(process, tmp_path / "run", 12)
    victim = process_of(process, rank)
    assert victim is not None

    os.kill(victim, signal.SIGKILL)
    code, output, errors = finished(process)
    assert code == 0, errors
    assert output.count("what training achieved") == 1
    # Told at most once; not at all where torchrun ends the survivor before it notices.
    assert errors.count("error: lost touch with the other processes") <= 1
    assert same_run(tmp_path / "run", whole[0])


def test_another_number_of_processes_is_refused(
    words: Callable[[Path], list[str]], whole: tuple[Path, str], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="was begun with 2 processes, now 1: go on with torchrun --nproc-per-node 2"):
        seqgan.main(["train", "--resume", str(whole[0]), "--quiet"], standalone_mode=False)
    _, _, *train = words(tmp_path / "run")
    seqgan.main([*train, "--mle-epochs", "1", "--d-pretrain-rounds", "1", "--iterations", "1"], standalone_mode=False)
    code, output, errors = finished(launched("-m", "seqgan", "train", "--resume", tmp_path / "run"))
    assert code != 0
    assert output == ""
    told = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert "was begun with 1 process, now 2: go on without torchrun" in told[0]
