"""Folders of every usual layout are read, split, shuffled and numbered right; and what was read is told."""

import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imagegan.data import UNLABELLED, ImageDataset, Splits
from imagegan.data.folder import read_folder
from imagegan.data.hub import as_sets
from imagegan.data.splits import arrange, part_of
from seqgan.errors import DataError
from tests.imagegan.test_data import idx

SIDE = 4
CLASSES = ("cat", "dog", "owl")
EACH = 40


def image(label: int, number: int) -> np.ndarray:
    """One that is like no other, and whose first pixel tells its class."""
    values = np.random.default_rng((label, number)).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    values[0, 0] = label
    return values


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def fill(folder: Path, names: Sequence[str] = CLASSES, numbers: Iterable[int] = range(EACH)) -> Path:
    for label, name in enumerate(names):
        for number in numbers:
            save(folder / name / f"{number}.png", image(label, number))
    return folder


def shown_labels(dataset: ImageDataset) -> list[int]:
    """What the images themselves say."""
    return dataset.images[:, 0, 0, 0].tolist()


def right(dataset: ImageDataset) -> bool:
    return dataset.labels.tolist() == shown_labels(dataset)


def classes_only(root: Path) -> Path:
    return fill(root)


def train_only(root: Path) -> Path:
    fill(root / "train")
    return root


def as_an_archive_unpacks(root: Path) -> Path:
    fill(root / "animals")
    fill(root / "__MACOSX")
    return root


def deeper(root: Path) -> Path:
    for label, name in enumerate(CLASSES):
        for number in range(EACH):
            save(root / "Training" / name / f"year {number % 3}" / f"{number}.png", image(label, number))
    return root


def wrapped_in_a_split(root: Path) -> Path:
    fill(root / "train" / "images")
    return root


def linked(root: Path) -> Path:
    fill(root.parent / "elsewhere")
    root.mkdir()
    for name in CLASSES:
        (root / name).symlink_to(root.parent / "elsewhere" / name)
    return root


def idx_files(root: Path) -> Path:
    root.mkdir()
    images = np.stack([image(label, number) for label in range(3) for number in range(EACH)])
    (root / "train-images-idx3-ubyte").write_bytes(idx(images))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(3 * EACH, dtype=np.uint8) // EACH))
    return root


LAYOUTS = (classes_only, train_only, as_an_archive_unpacks, deeper, wrapped_in_a_split, linked, idx_files)


def test_every_layout_of_the_same_images_is_the_same_set(tmp_path: Path) -> None:
    first, *others = (read_folder(layout(tmp_path / layout.__name__), SIDE) for layout in LAYOUTS)
    assert all(map(right, first))
    assert (len(first.train.labels), len(first.test.labels)) == (108, 12)
    assert first.test.labels.bincount().tolist() == [4, 4, 4]
    assert first.train.labels[:30].bincount().min() >= 5  # no first ones are of one class
    for other in others:
        for mine, its in zip(first, other, strict=True):
            assert its.images.equal(mine.images)
            assert its.labels.equal(mine.labels)
    assert {sets.train.names for sets in others[:-1]} == {CLASSES}
    assert others[-1].train.names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("train", "held"), [("train", "test"), ("Train", "TEST"), ("train", "val"), ("TRAIN", "Valid"), ("", "validation")]
)
def test_a_split_is_held_out_and_labels_are_those_of_train(train: str, held: str, tmp_path: Path) -> None:
    fill(tmp_path / train)
    for number in range(7):  # dog is the first folder here
        save(tmp_path / held / "dog" / f"{number}.png", image(1, 100 + number))
    sets = read_folder(tmp_path, SIDE)
    assert all(map(right, sets))
    assert (len(sets.train.labels), len(sets.test.labels)) == (3 * EACH, 7)
    assert sets.train.names == CLASSES
    assert "no image of 2 classes is held out (cat, owl)" in sets.notes
    assert "with fewer than 20 held out, no distance can be measured" in sets.notes


@pytest.mark.parametrize(
    ("train", "held"),
    [("training_set", "test_set"), ("seg_train/seg_train", "seg_test/seg_test"), ("Trainset", "valset")],
)
def test_splits_may_be_called_something_more(train: str, held: str, tmp_path: Path) -> None:
    fill(tmp_path / train)
    fill(tmp_path / held, numbers=range(100, 107))
    fill(tmp_path / "pred", ("unknown",), range(300, 302))
    sets = read_folder(tmp_path, SIDE)
    assert all(map(right, sets))
    assert (len(sets.train.labels), len(sets.test.labels), sets.train.names) == (3 * EACH, 21, CLASSES)
    assert sets.notes == (f"left out: 2 images beside {train.partition('/')[0]}/ (pred)",)


@pytest.mark.parametrize("names", ["train/train", "train"])
def test_a_split_in_a_folder_of_its_name_has_no_class(names: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(30):
            save(tmp_path / names.replace("train", split) / f"{number}.png", image(split == "test", number))
    sets = read_folder(tmp_path, SIDE)
    assert sets.train.names == ()
    assert [shown_labels(images) for images in sets] == [[0] * 30, [1] * 30]


def test_a_class_with_a_split_in_its_name_stays_one(tmp_path: Path) -> None:
    assert read_folder(fill(tmp_path, ("latest", "trains", "valley")), SIDE).train.names == (
        "latest",
        "trains",
        "valley",
    )


def test_below_a_split_one_class_stays_one_where_the_other_split_is_flat(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "owl", ("2019", "2020"))
    fill(tmp_path / "test", ("owl",), range(100, 107))
    sets = read_folder(tmp_path, SIDE)
    assert (sets.train.names, len(sets.train.labels), len(sets.test.labels)) == (("owl",), 80, 7)


def test_beside_a_test_split_a_validation_split_is_left_out_and_told(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    fill(tmp_path / "test", numbers=range(100, 107))
    fill(tmp_path / "val", numbers=range(200, 205))
    save(tmp_path / "sample.png", image(0, 300))
    sets = read_folder(tmp_path, SIDE)
    assert (len(sets.train.labels), len(sets.test.labels)) == (120, 21)
    assert sets.notes == (
        "left out: 1 image beside train/",
        f"left out: val/ (15 images), since {tmp_path / 'test'} is held out",
    )


def test_a_class_to_test_on_that_train_lacks_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "train", ("cat", "dog"))
    save(tmp_path / "test" / "Dog" / "1.png", image(1, 100))
    with pytest.raises(DataError, match=r"1 class to test on \(Dog\) that none .* train on .* 2 classes \(cat, dog\)"):
        read_folder(tmp_path, SIDE)
    (tmp_path / "idx").mkdir()
    for name, labels in (("train", np.arange(30) % 3), ("t10k", np.arange(30) % 4)):
        images = np.stack([image(int(label), number) for number, label in enumerate(labels)])
        (tmp_path / "idx" / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    with pytest.raises(DataError, match=r"1 class to test on \(3\)"):
        read_folder(tmp_path / "idx", SIDE)


def test_what_systems_leave_behind_is_skipped_and_what_is_no_image_is_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path, (".ipynb_checkpoints", "__MACOSX"))
    for junk in ("cat/._0.png", "cat/.DS_Store", "dog/Thumbs.db", "desktop.ini"):
        (tmp_path / junk).write_bytes(b"junk")
    (tmp_path / "labels.csv").write_text("a,b")
    (tmp_path / "cat" / "notes.TXT").write_text("no image")
    (tmp_path / "cat" / "more.png").mkdir()  # a folder, whatever its name
    os.mkfifo(tmp_path / "cat" / "pipe.png")  # would wait for ever
    (tmp_path / "empty").mkdir()
    sets = read_folder(tmp_path, SIDE)
    assert all(map(right, sets))
    assert sets.train.names == CLASSES
    assert sets.notes[0] == "left out: 3 files that are no images (.txt 1, .png 1, .csv 1)"


def test_classes_are_in_natural_order(tmp_path: Path) -> None:
    names = [str(number) for number in range(12)]
    sets = read_folder(fill(tmp_path, names, range(3)), SIDE)
    assert sets.train.names == tuple(names)
    assert all(map(right, sets))


def test_images_named_by_class_are_no_longer_held_out_class_by_class(tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        for number in range(EACH):
            save(tmp_path / f"{name}_{number:03}.png", image(label, number))
    train, test = read_folder(tmp_path, SIDE)
    assert (train.labels == UNLABELLED).all()
    assert len(set(shown_labels(test))) == 3
    assert min(Counter(shown_labels(train)[:30]).values()) >= 5


def test_every_class_is_held_out_of_however_few_it_has(tmp_path: Path) -> None:
    fill(tmp_path, ("cat",), range(100))
    fill(tmp_path, ("cat", "dog"), range(100, 102))
    sets = read_folder(tmp_path, SIDE)
    assert sets.test.labels.bincount().tolist() == [10, 1]
    alone = read_folder(fill(tmp_path / "alone", [f"class {number}" for number in range(12)], [0]), SIDE)
    assert (len(alone.train.labels), len(alone.test.labels)) == (11, 1)


def test_the_first_of_the_held_out_images_are_of_all_classes_alike() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20_000, 3, 3), dtype=np.uint8)
    sets = arrange(part_of(images, np.arange(20_000) % 10, "x"), None, "x")
    for dataset in sets:
        for count in (100, 500, 2000):
            numbers = dataset.labels[:count].bincount(minlength=10).numpy()
            assert np.square(numbers - count / 10).sum() / (count / 10) < 25  # chi-square of 9 degrees: .003


def test_equal_images_stay_on_one_side_and_are_told(tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        for number in range(37):  # a tenth of 111 would cut three of a kind
            for copy in range(3):
                save(tmp_path / "one" / name / f"{number} ({copy}).png", image(label, number))
    sets = read_folder(tmp_path / "one", SIDE)
    known = {row.tobytes() for row in sets.train.images.numpy()}
    assert not any(row.tobytes() in known for row in sets.test.images.numpy())
    assert sets.notes == (f"{len(sets.train.labels) * 2 // 3} images to train on equal to others of them",)
    fill(tmp_path / "two" / "train")
    fill(tmp_path / "two" / "test", numbers=range(30, 50))
    assert "30 of 60 held-out images equal to some to train on" in read_folder(tmp_path / "two", SIDE).notes


def test_the_fingerprint_depends_on_images_and_labels_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_folder(fill(tmp_path / "a"), SIDE).train.fingerprint()
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: reversed(list(listed(path))))
    assert read_folder(fill(tmp_path / "b"), SIDE).train.fingerprint() == before
    save(tmp_path / "b" / "cat" / "0.png", image(0, 999))
    assert read_folder(tmp_path / "b", SIDE).train.fingerprint() != before


def test_layouts_that_can_be_meant_in_two_ways_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "train")
    fill(tmp_path / "a" / "val")
    fill(tmp_path / "a" / "Validation")
    fill(tmp_path / "b" / "bottle", ("train", "test"))
    fill(tmp_path / "b" / "cable", ("train", "test"))
    fill(tmp_path / "c" / "test")
    fill(tmp_path / "e", ("bus", "train"))
    fill(tmp_path / "f", ("bus", "train"))
    fill(tmp_path / "f" / "test", ("bus",), range(100, 107))
    (tmp_path / "d").mkdir()
    for folder, complaint in [
        ("a", "has two folders of one split, Validation and val; keep one"),
        ("b", r"bottle/test is a split inside of a class; put splits first \(test/bottle\)"),
        ("c", "there is a split to test on alone"),
        ("e", r"e/train can be a class beside bus, or a split; .* \(train/bus\)"),
        ("f", r"f/train can be a class beside bus, or a split"),
        ("d", "neither images to train on as idx files nor images"),
    ]:
        with pytest.raises(DataError, match=complaint):
            read_folder(tmp_path / folder, SIDE)


def test_circles_of_links_end_and_odd_names_are_read(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "nowhere.png").symlink_to("nowhere.png")
    odd = tmp_path / os.fsdecode(b"f\xe4tal\n")
    for number in range(10):
        save(odd / os.fsdecode(b"\xff%d.png" % number), image(3, number))
    sets = read_folder(tmp_path, SIDE)
    assert sets.train.names == ("cat", "dog", "f\\xe4tal?", "owl")
    assert len(sets.train.labels) + len(sets.test.labels) == 130
    assert "\n" not in sets.summary("folder")


def test_a_name_is_the_same_however_a_system_writes_it(tmp_path: Path) -> None:
    fill(tmp_path / "train", ("caf\u00e9", "dog"))
    fill(tmp_path / "test", ("cafe\u0301", "dog"), range(100, 110))
    assert read_folder(tmp_path, SIDE).train.names == ("caf\u00e9", "dog")


def test_a_folder_that_holds_nothing_but_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path)
    with pytest.raises(DataError, match="neither images to train on as idx files nor images"):
        read_folder(tmp_path, SIDE)


def test_idx_files_of_other_names_and_copies_of_them_are_found(tmp_path: Path) -> None:
    import gzip

    root = tmp_path / "MNIST" / "raw"
    root.mkdir(parents=True)
    images = np.stack([image(number % 3, number) for number in range(60)])
    for name in ("emnist-letters-Train", "emnist-letters-Test"):
        for what, array in (("images-idx3", images), ("labels-idx1", np.arange(60, dtype=np.uint8) % 3)):
            for suffix, data in (("", idx(array)), (".gz", gzip.compress(idx(array), 1))):
                (root / f"{name}-{what}-ubyte{suffix}").write_bytes(data)
    sets = read_folder(tmp_path / "MNIST", SIDE)
    assert (len(sets.train.labels), len(sets.test.labels)) == (60, 60)
    assert all(map(right, sets))


# --- what is told


def test_one_line_says_what_was_read(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.new("RGB", (9, 5), "red").save(tmp_path / "cat" / "red.png")
    (tmp_path / "readme.md").write_text("x")
    assert read_folder(tmp_path, SIDE).summary("folder") == (
        "folder: 109 to train on, 12 held out, 4 x 4 pixels, RGB; 3 classes: cat (37), dog (36), owl (36); "
        "left out: 1 file that is no image (.md 1); 1 not square, cut to the middle; 1 larger, made smaller; "
        "with fewer than 20 held out, no distance can be measured"
    )


# --- from the hub


@pytest.fixture
def rows() -> Callable[[Mapping[str, int]], dict[str, object]]:
    datasets = pytest.importorskip("datasets")

    def made(splits: Mapping[str, int]) -> dict[str, object]:
        features = datasets.Features({"img": datasets.Image(), "kind": datasets.ClassLabel(names=list(CLASSES))})
        found = {}
        for at, (split, count) in enumerate(splits.items()):
            labels = sorted(number % 3 for number in range(count))
            images = [Image.fromarray(image(label, 1000 * at + n)) for n, label in enumerate(labels)]
            found[split] = datasets.Dataset.from_dict({"img": images, "kind": labels}, features=features)
        return found

    return made


def test_a_dataset_of_the_hub_comes_through_the_same_place(rows: Callable[..., dict[str, object]]) -> None:
    def read(splits: Mapping[str, int]) -> Splits:
        return as_sets(rows(splits), "hf:a/b", SIDE)

    alone = read({"train": 60})
    assert alone.test.labels.bincount().tolist() == [2, 2, 2]
    assert alone.train.names == CLASSES
    given = read({"Validation": 30, "train": 60, "extra": 9})
    assert (len(given.train.labels), len(given.test.labels)) == (60, 30)
    assert "left out: the split extra" in given.notes
    for sets in (alone, given):
        assert all(map(right, sets))
        assert sets.train.labels[:20].bincount(minlength=3).min() >= 3


# --- memory


@pytest.mark.parametrize("kind", ["images", "colour idx", "packed idx"])
def test_to_read_images_takes_hardly_more_memory_than_they_have_bytes(kind: str, tmp_path: Path) -> None:
    import gzip

    side, count = 64, 400
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    if kind == "images":
        for number, array in enumerate(images):
            Image.fromarray(array).save(tmp_path / f"{number}.bmp")
    else:
        pack = (lambda data: gzip.compress(data, 1)) if kind == "packed idx" else bytes
        (tmp_path / "train-images-idx4-ubyte").write_bytes(pack(idx(images)))
    tracemalloc.start()
    sets = read_folder(tmp_path, side)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * images.nbytes
    assert torch.cat([dataset.images for dataset in sets]).numel() == images.size
