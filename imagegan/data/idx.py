"""The idx format of MNIST and its likes (LeCun, Cortes & Burges): a magic number, the sizes, the values.

Two zero bytes, a byte for the type, a byte for the number of dimensions, then each size as a big-endian 32-bit number.
The file may be packed by gzip or xz."""

import gzip
import lzma
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from seqgan.core.config import nearest
from seqgan.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 8
PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz"}
AT_ONCE = 1 << 20  # bytes; gzip has as many of its own
AGAIN = "copy or download it again"


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an idx file, in the machine's own byte order. Unpacked into its place: nothing is in memory twice.

    Raises:
        DataError: the file is missing, damaged, no idx file, or shorter or longer than its header says."""
    packed = ""
    try:
        with path.open("rb") as file:
            begin = file.read(6)
            packed = next((name for mark, name in PACKED.items() if begin.startswith(mark)), "")
            file.seek(0)
            if not packed:
                return _read(file, path)
            with gzip.open(file) if packed == "gzip" else lzma.open(file) as unpacked:
                return _read(unpacked, path)
    except FileNotFoundError as error:
        beside = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}{nearest(path.name, beside[:100]) if beside else ''}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} is a damaged or cut {packed} file: it does not unpack to its end; {AGAIN}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or 'the disk refuses'}); {AGAIN}") from error


def _read(file: "IO[bytes] | gzip.GzipFile | lzma.LZMAFile", path: Path) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= MOST_DIMENSIONS:
        kinds = ", ".join(f"{kind:02x}" for kind in TYPES)
        raise DataError(
            f"{path} is no idx file: its first bytes are {magic.hex(' ') or 'none'}, where 00 00, a type ({kinds}) and "
            f"the number of dimensions (1 to {MOST_DIMENSIONS}) were expected; {AGAIN}, or remove it"
        )
    kind, dimensions = np.dtype(TYPES[magic[2]]), magic[3]
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path} is cut short: its header alone takes {4 * dimensions + 4} bytes; {AGAIN}")
    shape = struct.unpack(f">{dimensions}I", header)
    expected = math.prod(shape) * kind.itemsize
    sizes = " x ".join(map(str, shape))
    try:
        array = np.empty(shape, kind)
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"{path} is damaged, or larger than memory: its header announces {sizes} values; {AGAIN}"
        ) from error
    place, found = array.reshape(-1).view(np.uint8).data, 0
    while found < expected and (more := file.readinto(place[found : found + AT_ONCE])):  # type: ignore[union-attr]
        found += more
    if found < expected or file.read(1):
        what = "cut short" if found < expected else "too long"
        there = f"{found}" if found < expected else "more"
        raise DataError(f"{path} is {what}: {sizes} values take {expected} bytes, and there are {there}; {AGAIN}")
    return array.astype(kind.newbyteorder("="), copy=False)
