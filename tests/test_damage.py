"""Whatever is damaged in a run or a saved model: the result is the same, or it is refused in one line.

Every file is taken whole and mutated: a byte flipped, the rest cut off, a field of it gone, replaced or added. What
never happens: another exception, or another result."""

import copy
import hashlib
import io
import json
import random
import shutil
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.core import checkpoint
from seqgan.core.checkpoint import digest
from seqgan.core.loop import train
from seqgan.core.run import Run, checkpoints, describe
from seqgan.core.schema import with_checksum
from seqgan.errors import CheckpointError, RunError, SeqGANError
from seqgan.library import train as train_run
from seqgan.pretrained import from_pretrained
from seqgan.runs import NOWHERE, load_model, run_config
from seqgan.training import read_data
from tests.conftest import TINY_GAME, tiny_lines
from tests.killing import flat

BRIEF: dict[str, Any] = {
    **TINY_GAME, "mle_epochs": 1, "d_pretrain_rounds": 1, "iterations": 2, "validate_every": 1,
    "embedding_dim": 4, "hidden_dim": 4,
    "d_embedding_dim": 4, "num_filters": (2, 2, 2), "threads": 1,
}  # fmt: skip
Path_ = tuple[Any, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has a step to go, and a saved model of it."""
    folder = tmp_path_factory.mktemp("whole")
    lines = folder / "tiny.txt"
    lines.write_text("\n".join(tiny_lines(30)) + "\n")
    trained = train_run(lines, run_dir=folder / "run", device="cpu", **BRIEF)
    trained.save_pretrained(folder / "model")
    newest = checkpoints(folder / "run")
    list(newest.values())[-1].unlink()
    return folder


def texts_of(run: Path) -> list[str]:
    return load_model(run, with_discriminator=True).generate(9)


def end_of(run: Path) -> str:
    """The state in which a run ends that goes on from where it stands."""
    description = describe(run)
    config, texts = run_config(run / "run.json", description), read_data(run, NOWHERE).dataset
    algorithm: Any = ALGORITHMS[description["algorithm"]](config, texts, torch.device("cpu"), description["seed"])
    with Run(run, save_seconds=1e9) as going:
        train(algorithm, going)
    return flat(algorithm.state_dict()) + (run / "metrics.jsonl").read_text()


def of_model(model: Path) -> list[str]:
    loaded = from_pretrained(model)
    return [*loaded.generate(9), str(loaded.log_probs(tiny_lines(3)))]


@cache
def expected(whole: Path) -> tuple[Any, Any, Any]:
    run = Path(shutil.copytree(whole / "run", whole / "again"))
    return texts_of(run), end_of(run), of_model(whole / "model")


def same_or_refused(act: Any, same: Any, what: object) -> str:
    """The line that an act is refused with; empty where it gives what it always gave."""
    try:
        found = act()
    except SeqGANError as error:
        return in_one_line(error)
    assert found == same, f"silently another result: {what}"
    return ""


def in_one_line(error: SeqGANError) -> str:
    assert "\n" not in str(error)
    assert "Error" not in str(error)
    return str(error)


def withstands(whole: Path, folder: Path, what: object, *, only: str = "") -> list[str]:
    texts, end, loaded = expected(whole)
    told = []
    if only != "model":
        told += [same_or_refused(partial(texts_of, folder / "run"), texts, what)]
        told += [same_or_refused(partial(end_of, folder / "run"), end, what)]
    if only != "run":
        told += [same_or_refused(partial(of_model, folder / "model"), loaded, what)]
    return told


def copied(whole: Path, folder: Path) -> Path:
    for part in ("run", "model"):
        shutil.copytree(whole / part, folder / part)
    return folder


def files_of(whole: Path) -> list[str]:
    newest = list(checkpoints(whole / "run").values())[-1].name
    return [
        f"run/checkpoints/{newest}", f"run/checkpoints/{newest}", "run/run.json", "run/run.json", "run/metrics.jsonl",
        "run/tokenizer.model", "model/config.json", "model/generator.safetensors", "model/discriminator.safetensors",
        "model/tokenizer.model",
    ]  # fmt: skip


def spoil(path: Path, rng: random.Random) -> str:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    how = rng.choice(["flipped", "flipped", "cut", "added"])
    if how == "flipped":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del data[at:]
    else:
        data[at:at] = bytes([rng.randrange(256)])
    path.write_bytes(bytes(data))
    return f"{how} at {at}"


def bytes_are_spoilt(whole: Path, folder: Path, numbers: range) -> None:
    for number in numbers:
        rng, place = random.Random(number), folder / str(number)
        copied(whole, place)
        name = files_of(whole)[number % len(files_of(whole))]
        what = f"{name} {spoil(place / name, rng)} ({number})"
        withstands(whole, place, what, only=name.split("/")[0])
        shutil.rmtree(place)


def paths(state: Any, place: Path_ = ()) -> Iterator[Path_]:
    """Every part of a nested state."""
    pairs = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list | tuple) else ()
    for key, value in pairs:
        yield (*place, key)
        yield from paths(value, (*place, key))


def replaced(value: Any, rng: random.Random) -> Any:
    """Something else than a value, perhaps of its own kind."""
    others: list[Any] = [0.5, None, "?", [], {}, -1, float("nan"), True, torch.zeros(3), 10**400]
    if isinstance(value, torch.Tensor):
        others += [value.double() if value.is_floating_point() else value.float(), value.reshape(-1), value + 1]
        if value.is_floating_point():
            others += [torch.full_like(value, float("nan")), torch.full_like(value, float("inf"))] * 2
    elif isinstance(value, int | float) and not isinstance(value, bool):
        others += [value + 1, -value - 1, value * 2 + 3]
    elif isinstance(value, dict):
        others += [{**value, "more": 1}, dict(list(value.items())[1:])]
    return rng.choice(others)


def mutated(content: Any, rng: random.Random) -> str:
    """Do something to some part of a nested table; what it was."""
    place = rng.choice(list(paths(content)))
    part = content
    for key in place[:-1]:
        part = part[key]
    if isinstance(part, tuple):
        return ""
    if rng.random() < 0.3:
        del part[place[-1]]
        return f"{place} is gone"
    part[place[-1]] = replaced(part[place[-1]], rng)
    return f"{place} is {str(part[place[-1]])[:40]}"


def save_as_it_is(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getvalue())


def fields_are_mutated(whole: Path, folder: Path, numbers: range) -> None:
    newest = list(checkpoints(whole / "run").values())[-1]
    state = torch.load(newest, weights_only=True)
    for number in numbers:
        rng, place = random.Random(number), copied(whole, folder / str(number))
        kind = ("checkpoint", "consistent", "run/run.json", "model/config.json")[number % 4]
        if "." in kind:
            content = json.loads((place / kind).read_text())
            what = mutated(content, rng)
            content = json.loads(json.dumps(content, default=str))
            (place / kind).write_text(json.dumps(content))
            withstands(whole, place, f"{kind} {what} ({number})", only=kind.split("/")[0])
        else:
            content = copy.deepcopy(state)
            what = mutated(content, rng)
            if kind == "consistent" and isinstance(content, dict):  # its checksum is right, its content is not
                content["sha256"] = digest({name: value for name, value in content.items() if name != "sha256"})
            save_as_it_is(place / "run" / "checkpoints" / newest.name, content)
            if kind == "checkpoint":
                withstands(whole, place, f"{what} ({number})", only="run")
            else:
                for act in (texts_of, end_of):
                    try:
                        act(place / "run")
                    except SeqGANError as error:
                        in_one_line(error)
        shutil.rmtree(place)


def test_a_spoilt_byte_is_found_or_harmless(whole: Path, tmp_path: Path) -> None:
    bytes_are_spoilt(whole, tmp_path, range(20))


def test_a_mutated_field_is_found_or_harmless(whole: Path, tmp_path: Path) -> None:
    fields_are_mutated(whole, tmp_path, range(24))


@pytest.mark.torture
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_two_thousand_spoilt_bytes(first: int, whole: Path, tmp_path: Path) -> None:
    bytes_are_spoilt(whole, tmp_path, range(first, first + 100))


@pytest.mark.torture
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_two_thousand_mutated_fields(first: int, whole: Path, tmp_path: Path) -> None:
    fields_are_mutated(whole, tmp_path, range(first, first + 100))


# --- single facts


def changed(run: Path, *place: Any, to: Any = None) -> Path:
    """A run whose newest checkpoint has another value at a place (none: it is gone), and a sha256 that is right."""
    path = list(checkpoints(run).values())[-1]
    state = torch.load(path, weights_only=True)
    del state["sha256"]
    part = state["algorithm"] if place[0] != "steps" else state
    for key in place[:-1]:
        part = part[key]
    if to is None:
        del part[place[-1]]
    else:
        part[place[-1]] = to
    save_as_it_is(path, {**state, "sha256": digest(state)})
    return run


@pytest.mark.parametrize(
    ("place", "to", "message"),
    [
        (("generator", "embedding.weight"), 0.5, r"generator/embedding.weight is 0.5, but a tensor of"),
        (("optimizer", "state", 0, "exp_avg"), torch.zeros(1), r"optimizer/state/0/exp_avg is a tensor of 1 \(float32"),
        (("discriminator_optimizer", "state", 0, "step"), None, r"discriminator_optimizer/state/0 lacks 'step'"),
        (
            ("discriminator_optimizer", "param_groups"),
            [],
            r"discriminator_optimizer/param_groups is of other parameters",
        ),
        (("snapshot", "more"), 1, r"snapshot has 'more', which was not expected"),
        (("snapshot", "weights"), {"a": torch.ones(1)}, r"snapshot/weights lacks"),
        (("best", "step"), -1, r"best/step is -1, but a whole number from 0 was expected"),
        (("checks_without_improvement",), 0.5, r"checks_without_improvement is 0.5, but a whole number"),
        (("after_mle",), None, r"it lacks 'after_mle'"),
        (("steps", "adversarial"), 10**6, r"has another name than it was saved under"),
        (("steps", "adversarial"), -1, r"steps is .*, but a table of whole numbers from 0 was expected"),
        (("generator", "more"), torch.full((2,), float("nan")), r"tensor generator/more holds NaN"),
    ],
)
def test_what_does_not_fit_is_named(place: Path_, to: Any, message: str, whole: Path, tmp_path: Path) -> None:
    run = changed(copied(whole, tmp_path) / "run", *place, to=to)
    with pytest.raises(CheckpointError, match=message) as told:
        end_of(run)
    assert "\n" not in str(told.value)


def test_weights_of_nan_are_refused_wherever_they_are_read(whole: Path, tmp_path: Path) -> None:
    run = copied(whole, tmp_path) / "run"
    broken = torch.load(list(checkpoints(run).values())[-1], weights_only=True)["algorithm"]["policies"]
    name, tensor = next(iter(broken["final"].items()))
    changed(run, "policies", "final", name, to=torch.full_like(tensor, float("inf")))
    for act in (texts_of, end_of):
        with pytest.raises(CheckpointError, match=f"policies/final/{name} holds NaN or infinite values"):
            act(run)
    from safetensors.torch import load_file, save_file

    path = tmp_path / "model" / "generator.safetensors"
    save_file({**load_file(path), name: torch.full_like(tensor, float("nan"))}, path)
    config = tmp_path / "model" / "config.json"
    about = json.loads(config.read_text())
    about["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    config.write_text(json.dumps(with_checksum(about)))
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinite values"):
        of_model(tmp_path / "model")


def test_a_run_whose_config_lost_values_is_refused_with_their_names(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path) / "run" / "run.json"
    content = json.loads(path.read_text())
    del content["config"]["g_lr"], content["config"]["dropout"]
    path.write_text(json.dumps(content))
    for act in (texts_of, end_of):
        with pytest.raises(RunError, match="its config lacks dropout, g_lr"):
            act(path.parent)


def test_a_record_that_is_not_what_was_written_is_refused(whole: Path, tmp_path: Path) -> None:
    for number, spoilt in enumerate((lambda data: data[:20], lambda data: data.replace(b"1", b"2", 1), lambda _: b"")):
        path = copied(whole, tmp_path / str(number)) / "run" / "metrics.jsonl"
        path.write_bytes(spoilt(path.read_bytes()))
        with pytest.raises(RunError, match=r"metrics\.jsonl(, line 1| is not the record that was written)"):
            end_of(path.parent)


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "step-1.pt").mkdir()
    with pytest.raises(CheckpointError, match=r"cannot be read: is a directory") as told:
        checkpoint.load(tmp_path / "step-1.pt")
    assert "remove it" not in str(told.value)
