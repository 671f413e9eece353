"""Arrays whose size is not known when they are begun: in memory, or as .npy files that are memory-mapped after that."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Growing:
    """A flat array to append to."""

    def __init__(self, path: Path | None, dtype: DTypeLike) -> None:
        """In memory where there is no path."""
        self._path, self._dtype, self._size = path, np.dtype(dtype), 0
        self._parts: list[NDArray[Any]] = []
        if path:
            self._file = path.open("wb")
            self._write_header()

    def append(self, part: NDArray[Any]) -> None:
        part = part.astype(self._dtype, copy=False)
        self._size += len(part)
        if self._path:
            part.tofile(self._file)
        else:
            self._parts.append(part)

    def close(self) -> NDArray[Any]:
        """The array."""
        if not self._path:
            return np.concatenate([*self._parts, np.zeros(0, self._dtype)])
        self._file.seek(0)
        self._write_header()
        self._file.close()
        return mapped(self._path)

    def _write_header(self) -> None:
        """numpy leaves room in it for a size of any number of digits."""
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self._size,)}
        np.lib.format.write_array_header_1_0(self._file, header)


def mapped(path: Path) -> NDArray[Any]:
    """A memory-mapped array; of one that is changed, which none is, the file would stay as it is."""
    return np.load(path, mmap_mode="c", allow_pickle=False)
