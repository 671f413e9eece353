"""An image file as a viewer shows it, in grey or RGB; then its largest central square, as large as was asked for.

    16 bits                   scaled by the range of the type: 65,535 is white
    32-bit integers, floats   refused: nothing says which value is white
    orientation (EXIF)        turned upright
    transparency              laid over white
    palette                   grey where all its colours are
    animation, several pages  the first frame

Colour profiles are not applied."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from seqgan.errors import DataError

SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .tif .tiff .pgm .ppm .pbm .pnm .avif .apng".split()  # noqa: SIM905
)
FIRST = 5  # of many names
GREY = ("1", "L", "LA", "La")

Pixels = NDArray[np.uint8]


class Seen(NamedTuple):
    """An image, "L" or "RGB", and what was done to it that someone should know."""

    image: Image.Image
    remarks: tuple[str, ...] = ()


class Unreadable(Exception):
    """What is wrong with one image, in a few words; the reader of a set collects them and reports all at once."""


def read_images(paths: Sequence[Path], size: int, source: str) -> tuple[Pixels, list[str]]:
    """The images in files, N C S S; see `gathered`."""

    def seen(at: int) -> Seen:
        with telling(), Image.open(paths[at]) as image:
            return as_square(as_seen(image), size)

    def name(at: int) -> str:
        path = paths[at]
        return shown(str(path.relative_to(source) if path.is_relative_to(source) else path.name))

    return gathered(len(paths), seen, name, size, source)


def gathered(
    count: int, seen: Callable[[int], Seen], name: Callable[[int], str], size: int, source: str
) -> tuple[Pixels, list[str]]:
    """So many images, N C S S, grey where every one is; and how many of them were changed in what way.

    Raises:
        DataError: some cannot be used (all are tried, and the first of them named)."""
    images = np.empty((count, 1, size, size), np.uint8)
    remarks: Counter[str] = Counter()
    unreadable: dict[str, list[str]] = {}
    for at in range(count):
        try:
            image, of_it = seen(at)
        except Unreadable as error:
            unreadable.setdefault(str(error), []).append(name(at))
            continue
        if image.mode != "L" and images.shape[1] == 1:
            grey, images = images, np.empty((count, 3, size, size), np.uint8)
            images[:at] = grey[:at]
        images[at] = as_pixels(image)
        remarks.update(of_it)
    if unreadable:
        told = []
        for reason, names in unreadable.items():
            more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
            told.append(f"{', '.join(names[:FIRST])}{more} ({reason})")
        raise DataError(
            f"{sum(map(len, unreadable.values()))} of {count} images in {source} cannot be used: {', '.join(told)}; "
            "remove them, or save them again as PNG"
        )
    return images, [f"{number} {remark}" for remark, number in remarks.items()]


def as_pixels(image: Image.Image) -> Pixels:
    """Bytes, C S S."""
    values = np.asarray(image)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def as_seen(image: Image.Image) -> Seen:
    """
    Raises:
        Unreadable: it is damaged, or nothing says how its values are meant."""
    with telling():
        if not all(image.size):
            raise Unreadable("it has no pixels")
        several = getattr(image, "is_animated", False) and image.format != "MPO"  # a photograph with its preview
        remarks = ("of several frames, of which the first is taken",) if several else ()
        from_pnm = image.format == "PPM"
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16") or (image.mode == "I" and from_pnm):
            return Seen(_of_16_bits(image), ("of 16 bits, scaled to 8", *remarks))
        if image.mode in ("I", "F"):
            kind = "floating-point" if image.mode == "F" else "32-bit"
            raise Unreadable(f"{kind} values without a white point; save it with 8 or 16 bits")
        if image.has_transparency_data:
            layers = image.convert("RGBA")
            if layers.getchannel("A").getextrema() != (255, 255):
                remarks = ("with transparency, laid over white", *remarks)
            flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layers).convert("RGB")
        else:
            flat = image.convert("L" if image.mode in GREY else "RGB")
        grey = image.mode in GREY or (image.mode in ("P", "PA") and _is_grey(flat))
        return Seen(flat.convert("L") if grey else flat, remarks)


def as_square(seen: Seen, size: int) -> Seen:
    """The largest square in the middle, `size` x `size`."""
    image = seen.image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if image.size == (size, size):
        return seen
    square = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    remarks = [*seen.remarks]
    if image.width != image.height:
        remarks.append("not square, cut to the middle")
    if side != size:
        remarks.append("larger, made smaller" if side > size else "smaller, enlarged")
    return Seen(square, tuple(remarks))


def _of_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    scaled = np.rint(values.clip(0, 65535) / 257)
    if isinstance(transparent := image.info.get("transparency"), int):
        scaled[values == transparent] = 255
    return Image.fromarray(scaled.astype(np.uint8))


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = as_pixels(image.convert("RGB"))
    return bool((red == green).all() and (green == blue).all())


@contextmanager
def telling() -> Iterator[None]:
    """Pillow's readers fail in as many ways as there are formats; its warnings are of no use to who trains."""
    try:
        with catch_warnings():
            simplefilter("ignore")
            simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Unreadable, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise Unreadable(f"of more than {limit} million pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise Unreadable("no image in a format that is known") from error
    except Exception as error:
        raise Unreadable("damaged or cut short") from error


def shown(name: str) -> str:
    """A file's name as it may be printed and written as JSON: no control characters, no bytes that are no text."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
