"""An image file as a viewer shows it, in grey or RGB; then its largest central square, resized.

    16 bits                   scaled by the range of the type: 65,535 is white
    32-bit integers, floats   refused: which value is white is unknown
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
FIRST = 5  # names in a message
GREY = ("1", "L", "LA", "La")

Pixels = NDArray[np.uint8]


class Decoded(NamedTuple):
    """An image, "L" or "RGB", and what was changed when it was read."""

    image: Image.Image
    notes: tuple[str, ...] = ()


class Unreadable(Exception):
    """Why one image cannot be read, in a few words; `read_all` collects them and reports them together."""


def read_images(paths: Sequence[Path], size: int, source: str) -> tuple[Pixels, list[str]]:
    """The images in these files; see `read_all`."""

    def name(at: int) -> str:
        path = paths[at]
        return printable(str(path.relative_to(source) if path.is_relative_to(source) else path.name))

    return read_all(len(paths), lambda at: Image.open(paths[at]), name, size, source)


def read_all(
    count: int, opened: Callable[[int], Image.Image], name: Callable[[int], str], size: int, source: str
) -> tuple[Pixels, list[str]]:
    """`count` images, N C S S, grey where all are; and how many of them were changed in which way.

    Raises:
        DataError: some cannot be used (all are tried; the first are named)."""
    images = np.empty((count, 1, size, size), np.uint8)
    notes: Counter[str] = Counter()
    unreadable: dict[str, list[str]] = {}
    for at in range(count):
        try:
            with pillow_errors(), opened(at) as whole:
                image, image_notes = cropped(decoded(whole), size)
        except Unreadable as error:
            unreadable.setdefault(str(error), []).append(name(at))
            continue
        if image.mode != "L" and images.shape[1] == 1:
            grey, images = images, np.empty((count, 3, size, size), np.uint8)
            images[:at] = grey[:at]
        images[at] = as_pixels(image)
        notes.update(image_notes)
    if unreadable:
        parts = []
        for reason, names in unreadable.items():
            more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
            parts.append(f"{', '.join(names[:FIRST])}{more} ({reason})")
        raise DataError(
            f"{sum(map(len, unreadable.values()))} of {count} images in {source} cannot be used: {', '.join(parts)}; "
            "remove them, or save them again as PNG"
        )
    return images, [f"{number} {note}" for note, number in notes.items()]


def as_pixels(image: Image.Image) -> Pixels:
    """Bytes, C S S."""
    values = np.asarray(image)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def decoded(image: Image.Image) -> Decoded:
    """In grey or RGB; Unreadable where it is damaged, or the range of its values is unknown."""
    with pillow_errors():
        if not all(image.size):
            raise Unreadable("it has no pixels")
        several = getattr(image, "is_animated", False) and image.format != "MPO"  # a photograph with its preview
        notes = ("of several frames, of which the first is taken",) if several else ()
        from_pnm = image.format == "PPM"
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16") or (image.mode == "I" and from_pnm):
            return Decoded(_of_16_bits(image), ("of 16 bits, scaled to 8", *notes))
        if image.mode in ("I", "F"):
            kind = "floating-point" if image.mode == "F" else "32-bit"
            raise Unreadable(f"{kind} values without a white point; save it with 8 or 16 bits")
        if image.has_transparency_data:
            layers = image.convert("RGBA")
            if layers.getchannel("A").getextrema() != (255, 255):
                notes = ("with transparency, laid over white", *notes)
            flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layers).convert("RGB")
        else:
            flat = image.convert("L" if image.mode in GREY else "RGB")
        colours = as_pixels(flat.convert("RGB")) if image.mode in ("P", "PA") else None  # of a palette
        grey = image.mode in GREY or (colours is not None and bool((colours == colours[:1]).all()))
        return Decoded(flat.convert("L") if grey else flat, notes)


def cropped(decoded: Decoded, size: int) -> Decoded:
    """The largest square in the middle, `size` x `size`."""
    image = decoded.image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if image.size == (size, size):
        return decoded
    square = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    notes = [*decoded.notes]
    if image.width != image.height:
        notes.append("not square, cut to the middle")
    if side != size:
        notes.append("larger, made smaller" if side > size else "smaller, enlarged")
    return Decoded(square, tuple(notes))


def _of_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    scaled = np.rint(values.clip(0, 65535) / 257)
    if isinstance(transparent := image.info.get("transparency"), int):
        scaled[values == transparent] = 255
    return Image.fromarray(scaled.astype(np.uint8))


@contextmanager
def pillow_errors() -> Iterator[None]:
    """Any error of Pillow as `Unreadable`: its readers raise many kinds. Its warnings are ignored."""
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
        raise Unreadable("not an image of a known format") from error
    except Exception as error:
        raise Unreadable("damaged or cut short") from error


def printable(name: str) -> str:
    """A file's name as it may be printed and written as JSON: no control characters, no bytes that are no text."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
