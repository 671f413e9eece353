"""Where it is computed, and with how many threads."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from click.testing import CliRunner

from imagegan.cli import imagegan
from seqgan.cli import seqgan
from seqgan.core import device as devices
from seqgan.core.device import (
    autocast,
    on_cpu,
    peak_memory,
    resolve,
    sum_dtype,
)
from seqgan.core.seed import seed_everything
from seqgan.errors import UsageError

CPU, META = torch.device("cpu"), torch.device("meta")
PACKAGES = [Path(__file__).parents[2] / name for name in ("seqgan", "imagegan")]


# --- which device


@pytest.mark.parametrize(
    "name",
    [
        *("privateuseone", "mps", "xla", "hip", "meta", "cuda:99", "", "nonsense", "cpu:3", "cuda:-1", "mkldnn"),
        *("opengl", "hpu", "CPU", "ćpu", "cuda:999999999999", "x" * 2000, "cuda\n:0", "1", "\x1b[31mred"),
    ],
)
def test_a_device_that_is_not_there_gets_one_short_line(name: str, no_accelerator: None) -> None:
    with pytest.raises(UsageError, match=r"^cannot compute on --device .*: torch .* finds no accelerator") as refused:
        resolve(name)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("command", [seqgan, imagegan])
def test_a_run_is_not_begun_on_a_device_that_is_not_there(command: object, tmp_path: Path) -> None:
    data = ["--corpus", "poems"] if command is seqgan else ["--data", "digits"]
    result = CliRunner().invoke(command, ["train", *data, "--run-dir", str(tmp_path / "run"), "--device", "meta"])  # type: ignore[arg-type]
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


@pytest.fixture
def two_xpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which torch finds an accelerator that is no CUDA device."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("xpu"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


def test_without_an_accelerator_the_processor_computes(no_accelerator: None) -> None:
    assert resolve("auto") == resolve("cpu") == resolve("cpu:0") == resolve(CPU) == CPU


def test_auto_is_whatever_accelerator_torch_names(two_xpus: None) -> None:
    assert resolve("auto") == resolve("xpu") == torch.device("xpu")
    assert resolve("cpu") == CPU
    with pytest.raises(UsageError, match="finds xpu:0, xpu:1 on this machine; give one of them, auto or cpu"):
        resolve("mps")


def test_each_of_several_processes_has_an_accelerator_of_its_own(
    two_xpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"WORLD_SIZE": "6", "RANK": "4", "LOCAL_WORLD_SIZE": "3", "LOCAL_RANK": "1"}
    for name, value in (here | {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}).items():
        monkeypatch.setenv(name, value)
    assert resolve("auto") == resolve("xpu") == torch.device("xpu:1")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match=r"3 processes or more .* accelerator \(xpu\) for 2 of them only"):
        resolve("auto")
    monkeypatch.setattr(torch, "ones", lambda *_, **__: 1)  # as if the device could compute
    with pytest.raises(UsageError, match="xpu:0 is one device for 3 processes; give --device xpu"):
        resolve("xpu:0")


# --- what differs between them


def test_what_kind_of_device_it_is_is_asked_in_one_place() -> None:
    """Anything else would be forgotten on the next kind of accelerator."""
    kinds = {"cuda", "mps", "xpu"}
    asking = set()
    for path in (path for package in PACKAGES for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            of_torch = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch"
            named = (of_torch and node.attr in kinds) or (isinstance(node, ast.Attribute) and node.attr == "is_cuda")  # type: ignore[union-attr]
            if named or (isinstance(node, ast.Constant) and node.value in kinds):
                asking.add(path.name)
    assert asking == set()


def test_only_the_processor_is_the_processor() -> None:
    assert on_cpu(CPU)
    assert on_cpu(torch.zeros(1))
    assert not any(on_cpu(torch.device(kind)) for kind in ("meta", "cuda", "mps", "xpu", "privateuseone"))
    assert not on_cpu(torch.zeros(1, device=META))


@pytest.fixture
def fresh_sum_dtype() -> Iterator[None]:
    sum_dtype.cache_clear()
    yield
    sum_dtype.cache_clear()


def test_sums_are_in_float64_where_the_device_has_it(fresh_sum_dtype: None) -> None:
    assert sum_dtype("cpu") is torch.float64
    lacking = TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
    with mock.patch("torch.ones", side_effect=lacking):
        assert sum_dtype("mps") is torch.float32


def test_bfloat16_is_refused_only_where_it_is_asked_for_and_unknown() -> None:
    with autocast(CPU, enabled=True):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        with autocast(CPU, enabled=False):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    assert product.dtype is torch.bfloat16
    with autocast(META, enabled=False):
        pass
    with pytest.raises(UsageError, match="cannot mix in bfloat16 on meta"):
        autocast(META, enabled=True)


@pytest.mark.parametrize("in_use", [True, False])
def test_an_accelerator_in_use_is_seeded_whatever_it_is_called(in_use: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    module = SimpleNamespace(is_initialized=lambda: in_use, is_available=lambda: True, manual_seed_all=given.append)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("xpu"))
    monkeypatch.setattr(torch, "get_device_module", lambda device: module)
    seed_everything(3, "here")
    assert given == ([torch.initial_seed()] if in_use else [])
    del module.is_initialized, module.manual_seed_all  # as torch.mps
    module.manual_seed = given.append
    seed_everything(4, "here")
    assert given[-1] == torch.initial_seed()


# --- what the system tells, or does not


def test_the_memory_of_an_accelerator_is_told_where_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = SimpleNamespace(max_memory_allocated=lambda: 12)
    monkeypatch.setattr(devices, "_accelerator", lambda: torch.device("xpu"))
    monkeypatch.setattr(torch, "get_device_module", lambda device: counting)
    assert peak_memory() == 12
    for other in (SimpleNamespace(max_memory_allocated=lambda: 0), SimpleNamespace()):  # not in use, or not counted
        monkeypatch.setattr(torch, "get_device_module", lambda device, other=other: other)
        assert (peak_memory() or 0) > 50e6  # torch alone takes more than 50 MB
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None


def test_the_cores_are_shared_out_among_the_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(devices, "cores", lambda: 7)
    for name, value in {"WORLD_SIZE": "4", "RANK": "1", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")
    devices.use_threads(0)
    devices.use_threads(5)
    assert given == [3, 5]


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("0", 7), ("", 7), ("all", 7), ("2,4", 7)])
def test_the_environment_may_say_how_many_threads(given: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs with a thread for every core slow each other down many times over: OMP_NUM_THREADS=1 prevents it."""
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.setattr(devices, "cores", lambda: 7)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    devices.use_threads(0)
    devices.use_threads(2)
    assert used == [threads, 2]


def test_where_the_system_tells_no_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(devices.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(devices.os, "cpu_count", lambda: 5)
    assert devices.cores() == 5
    monkeypatch.setattr(devices.os, "cpu_count", lambda: None)
    assert devices.cores() == 1
