"""The idx format of MNIST and its likes (LeCun, Cortes & Burges): a magic number, the sizes, the values.

Two zero bytes, a byte for the type, a byte for the number of dimensions, then each size as a big-endian 32-bit number.
The file may be packed by gzip or xz."""

import gzip
import lzma
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgan.core.config import nearest
from seqgan.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an idx file, in the machine's own byte order.

    Raises:
        DataError: the file is missing, damaged, no idx file, or shorter or longer than its header says."""
    raw = _unpacked(path)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in TYPES or not raw[3]:
        raise DataError(f"{path} is no idx file: it begins with {raw[:4].hex(' ') or 'nothing'}")
    kind, dimensions = np.dtype(TYPES[raw[2]]), raw[3]
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise DataError(f"{path} is cut short: its header alone takes {start} bytes, and there are {len(raw)}")
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    expected = start + math.prod(shape) * kind.itemsize
    if len(raw) != expected:
        what = "cut short" if len(raw) < expected else "too long"
        sizes = " x ".join(map(str, shape))
        raise DataError(f"{path} is {what}: {sizes} values take {expected} bytes, and there are {len(raw)}")
    return np.frombuffer(raw, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def _unpacked(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            return gzip.decompress(raw)
        return lzma.decompress(raw) if raw[:6] == b"\xfd7zXZ\0" else raw
    except FileNotFoundError as error:
        beside = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}{nearest(path.name, beside[:100]) if beside else ''}") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
