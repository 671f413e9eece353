"""Images are what a viewer shows: each made by Pillow, beside the pixels that are expected."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagegan.data.folder import read_folder
from imagegan.data.image_files import Unreadable, as_pixels, cropped, decoded, read_images
from seqgan.errors import DataError

GREYS = np.array([[0, 100], [200, 255]], np.uint8)
REDS = np.array([[[255, 0, 0], [0, 0, 255]], [[10, 20, 30], [40, 50, 60]]], np.uint8)


def of(image: Image.Image, form: str = "PNG", **options: object) -> np.ndarray:
    """What becomes of an image that was saved in this format: C S S."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    with Image.open(buffer) as opened:
        return as_pixels(decoded(opened).image)


def with_transparent(image: Image.Image, corner: int) -> Image.Image:
    alpha = Image.new("L", image.size, 255)
    alpha.putpixel((0, 0), corner)
    image.putalpha(alpha)
    return image


def palette(colours: list[int]) -> Image.Image:
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
    image.putpalette(colours)
    return image


def test_what_needs_nothing_stays_as_it_is() -> None:
    assert (of(Image.fromarray(GREYS)) == GREYS).all()
    assert (of(Image.fromarray(REDS)) == REDS.transpose(2, 0, 1)).all()
    assert (of(Image.fromarray(GREYS > 99)) == [[0, 255], [255, 255]]).all()
    assert (of(Image.fromarray(REDS), "BMP") == REDS.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_scaled_by_the_range_of_their_type(form: str) -> None:
    values = np.array([[0, 257], [25_700, 65_535]], np.uint16)
    assert (of(Image.fromarray(values), form) == [[0, 1], [100, 255]]).all()


def test_a_transparent_level_of_16_bits_is_white() -> None:
    values = np.array([[0, 257], [25_700, 65_535]], np.uint16)
    assert (of(Image.fromarray(values), transparency=25_700) == [[0, 1], [255, 255]]).all()


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_without_a_white_point_are_refused(kind: type) -> None:
    with pytest.raises(Unreadable, match="values without a white point; save it with 8 or 16 bits"):
        of(Image.fromarray(GREYS.astype(kind)), "TIFF")


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, GREYS),
        (2, GREYS[:, ::-1]),
        (3, GREYS[::-1, ::-1]),
        (4, GREYS[::-1]),
        (5, GREYS.T),
        (6, np.rot90(GREYS, -1)),
        (7, np.rot90(GREYS, 2).T),
        (8, np.rot90(GREYS)),
    ],
)
def test_images_are_turned_upright(orientation: int, upright: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (of(Image.fromarray(GREYS), exif=exif) == upright).all()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (with_transparent(Image.fromarray(GREYS), 0), [[[255, 100], [200, 255]]]),
        (with_transparent(Image.fromarray(GREYS), 128), [[[127, 100], [200, 255]]]),
        (
            with_transparent(Image.fromarray(REDS), 0),
            [[[255, 0], [10, 40]], [[255, 0], [20, 50]], [[255, 255], [30, 60]]],
        ),
    ],
)
def test_transparency_is_laid_over_white(image: Image.Image, expected: list[list[list[int]]]) -> None:
    assert (of(image) == expected).all()


def test_a_transparent_colour_is_white_too() -> None:
    assert (of(Image.fromarray(GREYS), transparency=100) == [[0, 255], [200, 255]]).all()
    assert (of(Image.fromarray(REDS), transparency=(255, 0, 0))[:, 0, 0] == 255).all()
    assert (of(Image.fromarray(GREYS > 99), transparency=0) == 255).all()


def test_a_grey_palette_is_grey_and_a_transparent_entry_white() -> None:
    greys, colours = [0, 0, 0, 9, 9, 9, 99, 99, 99, 255, 255, 255], [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]
    for form in ("PNG", "GIF"):
        assert of(palette(greys), form).tolist() == [[[0, 9], [99, 255]]]
        assert of(palette(colours), form).shape == (3, 2, 2)
        assert of(palette(greys), form, transparency=0).tolist() == [[[255, 9], [99, 255]]]
    assert of(palette(greys), transparency=bytes([255, 0, 255, 255])).tolist() == [[[0, 255], [99, 255]]]
    assert of(palette(colours), transparency=1)[:, 0, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colour_models_become_rgb(mode: str) -> None:
    plain = Image.new("RGB", (8, 8), (200, 30, 60))
    found = of(plain.convert(mode), "TIFF", compression="tiff_lzw")  # Pillow 12 reads no YCbCr without compression
    assert found.shape == (3, 8, 8)
    assert np.abs(found[:, 4, 4].astype(int) - [200, 30, 60]).max() <= 3
    found = of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(found[:, 4, 4].astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_frames_the_first_is_taken(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{form.lower()}"
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black", "red")]
    frames[0].save(path, form, save_all=True, append_images=frames[1:])
    images, notes = read_images([path], 4, "x")
    assert (images == 255).all()
    assert notes == ["1 of several frames, of which the first is taken"]


def test_the_largest_square_in_the_middle_is_taken() -> None:
    wide = np.zeros((4, 8), np.uint8)
    wide[:, 2:6] = 200
    seen = cropped(decoded(Image.fromarray(wide)), 4)
    assert (np.asarray(seen.image) == 200).all()
    assert (np.asarray(cropped(decoded(Image.fromarray(wide.T)), 4).image) == 200).all()
    tiny = cropped(decoded(Image.new("L", (1, 1), 77)), 4)
    assert (np.asarray(tiny.image) == 77).all()
    assert (seen.notes, tiny.notes) == (("not square, cut to the middle",), ("smaller, enlarged",))


def test_one_grey_image_among_colours_is_grey_in_rgb(tmp_path: Path) -> None:
    Image.fromarray(GREYS).save(tmp_path / "0.png")
    Image.fromarray(REDS).save(tmp_path / "1.png")
    Image.fromarray(GREYS).save(tmp_path / "2.png")
    images, _ = read_images(sorted(tmp_path.iterdir()), 2, "x")
    assert (images[[0, 2]] == GREYS).all()
    assert (images[1] == REDS.transpose(2, 0, 1)).all()


# --- what cannot be read


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """A few bytes that claim to be an image of this size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def damaged(name: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG" if name.endswith("jpg") else "PNG")
    return buffer.getvalue()


BAD: dict[str, Callable[[], bytes]] = {
    "bomb.png": lambda: png_of(60_000, 60_000),
    "cut.jpg": lambda: damaged("jpg")[:-300],
    "cut.png": lambda: damaged("png")[:700],
    "empty.png": lambda: b"",
    "flipped.png": lambda: damaged("png")[:100] + b"\xff" * 40 + damaged("png")[140:],
    "large.png": lambda: png_of(10_000, 10_000),
    "nothing.png": lambda: png_of(0, 5),
    "text.png": lambda: b"<html>not found</html>",
}


def test_an_image_is_named_with_its_class_and_a_reason_once(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for number in range(6):
            (tmp_path / kind / f"{number}.png").write_bytes(b"text")
    with pytest.raises(
        DataError, match=r"12 of 12 .* cannot be used: cat/0.png, .* and 7 more \(not an image of a"
    ) as told:
        read_folder(tmp_path, 4)
    assert str(told.value).count("not an image of a known format") == 1


def test_all_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    for number in range(12):
        Image.fromarray(GREYS + np.uint8(number)).save(tmp_path / f"good{number}.png")
    for name, data in BAD.items():
        (tmp_path / name).write_bytes(data())
    with pytest.raises(DataError) as told:
        read_folder(tmp_path, 4)
    message = str(told.value)
    assert "8 of 20 images in" in message
    assert "bomb.png, large.png (of more than 89 million pixels; make it smaller), cut.jpg" in message
    assert "; remove them, or save them again as PNG" in message
    assert "\n" not in message
    for name in BAD:  # each of them by itself
        with pytest.raises(DataError, match=f"1 of 1 images in x cannot be used: {name}"):
            read_images([tmp_path / name], 4, "x")
        (tmp_path / name).unlink()
    assert len(read_folder(tmp_path, 4).train.labels) == 11


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_nothing_but_a_refusal_comes_of_damaged_bytes(form: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(buffer, form)
    rng, whole = np.random.default_rng(1), buffer.getvalue()
    path = tmp_path / "x.png"
    for _ in range(60):
        broken = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 120), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken))
        try:
            images, _ = read_images([path], 4, "x")
        except DataError:
            continue
        assert images.shape[2:] == (4, 4)
