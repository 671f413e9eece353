"""How much work is done at a time, and by whom."""

import pytest
import torch

from seqgan.ops.chunks import by_thread, cache_bytes, cached_rows, most_parts

CPU = torch.device("cpu")


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)


def test_every_thread_gets_as_many_rows(three_threads: None) -> None:
    rows = torch.arange(12.0).view(6, 2)
    assert by_thread(rows, 3).tolist() == [rows[:2].tolist(), rows[2:4].tolist(), rows[4:].tolist()]
    assert by_thread(rows, 3).data_ptr() == rows.data_ptr()
    assert by_thread(rows[:5], 3).tolist() == [rows[:5].tolist()]  # it does not come out even


def test_a_chunk_fits_its_share_of_the_cache_and_comes_out_even(three_threads: None) -> None:
    rows = cached_rows(1000, CPU, share=1 / 4)
    assert rows % 3 == 0
    assert 0 <= cache_bytes() / 4 - 1000 * rows < 3000
    assert cached_rows(10**12, CPU) == 3  # rows that fit nowhere


def test_parts_are_as_many_as_threads_while_all_of_them_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    cpu, matrix = torch.device("cpu"), 4 * 50_000 * 193
    assert most_parts(cpu) == most_parts(cpu, 4 * 5000 * 193) == 64
    assert most_parts(cpu, matrix) == 4  # a divisor of 64, so that rows for 64 threads come out even
    assert most_parts(cpu, matrix) * matrix < 2**28
    assert most_parts(cpu, 2**40) == 1
