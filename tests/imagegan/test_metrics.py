"""Every measure of images on cases whose answer is known, and all of them on images made worse step by step."""

import itertools
import math
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import imagegan
import seqgan
from imagegan.data import ImageDataset, Splits, digits, toy
from imagegan.metrics.classes import accuracy, covered, covered_error, covered_modes, imbalance, shares
from imagegan.metrics.codes import (
    agreement,
    class_found,
    correlations,
    factors_found,
    factors_read,
    r_squared,
)
from imagegan.metrics.distances import (
    Moments,
    fid,
    frechet,
    frechet_distance,
    kernel_distance,
    kid,
    moments,
    read_arrays,
)
from imagegan.metrics.features import Space, pca64, random, spaces_for
from imagegan.metrics.neighbours import Manifolds, closer, nearest
from imagegan.metrics.neighbours import manifolds as with_parts
from imagegan.metrics.predictors import Predictor, predictor
from seqgan.core.report import Measured
from seqgan.core.stats import jackknife, jackknife_error, left_out
from seqgan.errors import DataError
from tests.imagegan.ladder import FALLING, RUNGS, frechet_gap, ladder

RNG = np.random.default_rng(0)
IDENTITY = Space("identity", "0" * 8, [torch.nn.Flatten()])


@pytest.fixture(autouse=True)
def _same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(0))


def manifolds(samples: np.ndarray, reference: np.ndarray, neighbours: int = 5) -> Manifolds:
    [whole] = with_parts(samples, reference, neighbours)
    return whole


def covariance(size: int) -> np.ndarray:
    root = RNG.normal(size=(size, size))
    return root @ root.T


def test_frechet_distance_of_two_normal_distributions_in_closed_form() -> None:
    zero, shift, spread = np.zeros(3), np.array([1.0, -2.0, 2.0]), covariance(3)
    assert frechet_distance(Moments(zero, spread), Moments(zero, spread)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(Moments(shift, spread), Moments(zero, spread)) == pytest.approx(9)
    one, other = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    diagonal = frechet_distance(Moments(zero, np.diag(one)), Moments(zero, np.diag(other)))
    assert diagonal == pytest.approx(((np.sqrt(one) - np.sqrt(other)) ** 2).sum())
    assert frechet_distance(Moments(zero, 4 * spread), Moments(zero, spread)) == pytest.approx(np.trace(spread))


def test_frechet_distance_is_the_general_formula_and_does_not_see_rotations() -> None:
    first, second = (Moments(RNG.normal(size=5), covariance(5)) for _ in range(2))
    root = np.sqrt(np.linalg.eigvals(first.covariance @ second.covariance).astype(complex)).sum().real
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    expected = ((first.mean - second.mean) ** 2).sum() + traces - 2 * root
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)
    turn, _ = np.linalg.qr(RNG.normal(size=(5, 5)))
    turned = [Moments(turn @ m.mean, turn @ m.covariance @ turn.T) for m in (first, second)]
    assert frechet_distance(*turned) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_is_never_negative_where_the_covariance_is_singular() -> None:
    for _ in range(20):
        few = RNG.normal(size=(5, 64)) * 1e3
        assert 0 <= frechet_distance(moments(few), moments(few[::-1])) < 1e-3
    assert frechet_distance(moments(np.ones((9, 4))), moments(np.ones((9, 4)))) == 0
    assert moments([[1.0], [3.0]]) == (2.0, 2.0)


@pytest.mark.parametrize("package", [seqgan, imagegan])
def test_no_linear_algebra_is_numpys_which_takes_all_cores_whatever_threads_are_asked_for(package: ModuleType) -> None:
    [folder] = package.__path__
    for path in Path(folder).rglob("*.py"):
        assert not re.search(r"\bnp\.(linalg\.[a-mo-z]|cov|corrcoef|dot)", path.read_text(encoding="utf-8")), path


def test_the_extrapolated_frechet_distance_lies_below_the_biased_one() -> None:
    """Two samples of one distribution: truth 0, the plain estimate far above, by a bias that goes as 1/N."""
    first, second = ([RNG.normal(size=(2000, 16))] for _ in range(2))
    plain = frechet(IDENTITY, first, second, "x")
    assert plain.signature == "FD[identity@00000000, N=2000, x]"
    assert plain.value > 0.05


def spread_and_error(measure: Callable[[], tuple[float, float]], splits: int = 60) -> tuple[float, float]:
    """How far a number differs between so many pairs of new sets, and what it is told to be."""
    values, errors = np.array([measure() for _ in range(splits)]).T
    return float(np.std(values, ddof=1)), float(np.sqrt(np.mean(errors**2)))


def normal(count: int = 300, shift: float = 0.0, scale: float = 1.0, size: int = 4) -> np.ndarray:
    return RNG.normal(size=(count, size)) * scale + shift


@pytest.mark.parametrize("kept", ["reference", "mu"])
def test_the_error_of_fid_is_the_spread_between_new_sets(kept: str, tmp_path: Path) -> None:
    """Within a quarter, for 300 images a set; blocks of a tenth would tell twice as much."""

    def measure() -> tuple[float, float]:
        reference = {"reference": normal()} if kept == "reference" else {"mu": np.zeros(4), "sigma": np.eye(4)}
        np.savez(tmp_path / "some.npz", samples=normal(shift=0.3, scale=0.8), **reference)
        value, stderr, _ = fid(tmp_path / "some.npz")
        return value, stderr

    truth, told = spread_and_error(measure)
    assert 0.75 * truth < told < 1.35 * truth


@pytest.mark.parametrize("measure", [frechet, kernel_distance])
@pytest.mark.parametrize(("shift", "scale"), [(0.3, 1.0), (0.5, 0.6)])
def test_the_error_of_a_distance_is_the_spread_between_new_sets(
    measure: Callable[..., Measured], shift: float, scale: float
) -> None:
    def once() -> tuple[float, float]:
        value, stderr, _ = measure(IDENTITY, [normal(shift=shift, scale=scale)], [normal()], "x")
        return value, stderr

    truth, told = spread_and_error(once)
    assert 0.75 * truth < told < 1.35 * truth


def test_the_errors_of_precision_and_its_likes_are_never_too_small() -> None:
    """A ball is there or not, so leaving a block out moves them more than a new set does: up to twice as much."""
    pairs = [(normal(200, 0.3, 0.8, 3), normal(200, size=3)) for _ in range(40)]
    truth = np.std([manifolds(*pair) for pair in pairs], axis=0, ddof=1)
    told = np.sqrt(
        np.mean([jackknife_error(with_parts(*pair, jackknife=True)[1:]) ** 2 for pair in pairs[:20]], axis=0)
    )
    assert (0.8 * truth < told).all(), told / truth
    assert (told < 2.5 * truth).all(), told / truth


def test_the_errors_of_copies_and_classes_are_the_spread_between_new_sets() -> None:
    training = torch.from_numpy(normal(500)).float().view(500, 1, 2, 2)
    real = shares(np.arange(10), 10)

    def of_copies() -> tuple[float, float]:
        some, others = (nearest(torch.from_numpy(normal(200, 0.1)).float().view(200, 1, 2, 2), training) for _ in "ab")
        return closer(some, others), float(jackknife(closer, some, others))

    def of_classes() -> tuple[float, float]:
        """Four classes are rare: whether they are there is chance."""
        found = shares(RNG.choice(10, 300, p=[0.01, 0.012, 0.008, 0.02, *[0.95 / 6] * 6]), 10)
        return covered(found, real), covered_error(found, real, 300)

    def of_balance() -> tuple[float, float]:
        found = RNG.choice(10, 300, p=[0.05, 0.15] * 5)
        return imbalance(shares(found, 10), real), float(
            jackknife(lambda some: imbalance(shares(some, 10), real), found)
        )

    for measure in (of_copies, of_classes, of_balance):
        truth, told = spread_and_error(measure, 200)
        assert 0.75 * truth < told < 1.35 * truth, measure
    assert covered_error(shares(np.arange(10), 10), real, 1000) < 1e-6
    assert covered_error(np.eye(10)[0], real, 1000) == 0


def test_kid_is_unbiased_and_is_the_double_sum() -> None:
    first, second = RNG.normal(size=(6, 3)), RNG.normal(size=(5, 3)) + 1

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    within = np.mean([kernel(x, y) for x, y in itertools.permutations(first, 2)])
    within_other = np.mean([kernel(x, y) for x, y in itertools.permutations(second, 2)])
    between = np.mean([kernel(x, y) for x in first for y in second])
    assert kid(first, second) == pytest.approx(within + within_other - 2 * between)
    null = [kid(RNG.normal(size=(20, 4)), RNG.normal(size=(20, 4))) for _ in range(400)]
    assert abs(np.mean(null)) < 4 * np.std(null) / math.sqrt(400)
    assert min(null) < 0 < max(null)


def test_kid_does_not_depend_on_how_many_there_are() -> None:
    """The mean over samples of 30 is that over samples of 300, within its error; a Frechet distance's is not."""

    def of(count: int) -> Measured:
        splits = [[RNG.normal(size=(count * 40, 4)) + shift] for shift in (0.0, 0.3)]
        return kernel_distance(IDENTITY, *splits, "x")

    few, many = of(30), of(300)
    assert abs(few.value - many.value) < 4 * math.hypot(few.stderr, many.stderr)


def line(*places: float) -> np.ndarray:
    return np.array(places, dtype=float)[:, None]


def test_precision_and_recall_tell_missing_quality_from_missing_variety() -> None:
    real = RNG.normal(size=(400, 2))
    same = manifolds(RNG.normal(size=(400, 2)), real)
    assert same.precision > 0.9
    assert same.recall > 0.9
    assert 0.9 < same.density < 1.1
    assert same.coverage > 0.9
    narrow = manifolds(0.1 * RNG.normal(size=(400, 2)), real)
    assert narrow.precision > 0.99
    assert narrow.recall < 0.1
    assert narrow.coverage < 0.2
    wide = manifolds(10 * RNG.normal(size=(400, 2)), real)
    assert wide.precision < 0.3
    far = manifolds(real + 100, real)
    assert far == (0, 0, 0, 0)


def test_manifolds_of_a_few_points_on_a_line() -> None:
    """k = 1. Real balls: [-1, 1], [0, 2], [1, 5] around 0, 1, 3. Of the samples 0.5 lies in two, 4 and 2.5 in one, 9 in
    none. The samples' balls reach 2 (0.5), 1.5 (2.5 and 4) and 5 (9): all three real points lie in them."""
    found = manifolds(line(0.5, 4, 9, 2.5), line(0, 1, 3), neighbours=1)
    assert found.precision == 3 / 4
    assert found.density == 4 / 4
    assert found.coverage == 1
    assert found.recall == 1
    assert manifolds(line(0.2, 0.3), line(0, 1, 3), neighbours=1).recall == 0


@pytest.mark.parametrize(("count", "size"), [(40, 2), (1203, 64)])
def test_a_copy_of_the_real_images_has_precision_recall_density_and_coverage_one(count: int, size: int) -> None:
    """Naeem et al. (2020): the image itself and k - 1 others lie within the open ball to its k-th neighbour."""
    real = RNG.normal(size=(count, size)) + 3
    assert manifolds(real.copy(), real) == (1, 1, 1, 1)
    assert manifolds(real[::-1].copy(), real) == (1, 1, 1, 1)


def test_the_edge_of_a_ball_belongs_to_precision_and_recall_alone() -> None:
    """k = 1, balls of 1, 1 and 2 around 0, 1 and 3. The samples 1 and 5 lie in the ball around 1 and on the edges of
    the other two (Kynkaanniemi et al. 2019, equation 1: <=; Naeem et al. 2020: <)."""
    found = manifolds(line(1, 5), line(0, 1, 3), neighbours=1)
    assert found.precision == 1
    assert found.density == 1 / 2
    assert found.coverage == 1 / 3
    assert found.recall == 1


def test_without_each_block_they_are_what_the_rest_gives() -> None:
    samples, real = normal(61, 0.3), normal(50)
    parts = left_out(61, 50)
    found = with_parts(samples, real, jackknife=True)[1:]
    assert len(found) == 10
    for without, (some, others) in zip(found, parts, strict=True):
        assert without == pytest.approx(manifolds(samples[some], real[others]))


def test_one_outlier_does_not_stretch_density_and_coverage() -> None:
    """An outlier among the real images takes in everything by recall's likes; density and coverage hardly move."""
    real, fake = (
        np.vstack([RNG.normal(size=(200, 2)), [[1000.0, 0.0]]]),
        np.array([500.0, 0.0]) + RNG.normal(size=(200, 2)),
    )
    found = manifolds(fake, real)
    assert found.precision == 1
    assert found.density < 0.21
    assert found.coverage < 0.01


def test_the_nearest_training_image_and_the_share_of_copies() -> None:
    dataset, test = digits(600, seed=0), digits(100, seed=1).pixels
    training = dataset.pixels
    assert nearest(training[[7, 3, 590]], dataset.images).tolist() == [0, 0, 0]  # more than are looked at together
    beside = nearest(test, training)
    assert closer(nearest(training[:50], training), beside) == 1
    assert closer(beside, beside) == pytest.approx(0.5)
    assert closer(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([2.0, 3.0, 4.0])) == pytest.approx((3 + 2.5 + 0) / 9)


def test_class_balance_and_coverage() -> None:
    real = shares([0, 1, 2, 3], 4)
    assert real.tolist() == [0.25] * 4
    assert imbalance(real, real) == 0
    assert imbalance(shares([0, 0, 0, 0], 4), real) == 0.75
    assert covered(shares([0, 1, 1, 1], 4), real) == 0.5
    assert covered(np.array([0.97, 0.02, 0.01, 0]), real) == 0.25  # 0.02 is less than a tenth of 0.25
    assert covered(np.array([0.5, 0.5, 0]), np.array([0.5, 0.5, 0])) == 1
    assert accuracy([1, 2, 3, 4], [1, 2, 3, 3]) == 0.75


@pytest.mark.parametrize(("name", "count"), [("ring", 8), ("grid", 25)])
def test_modes_are_counted(name: str, count: int) -> None:
    dataset = toy(name, 4000)
    points = dataset.pixels.flatten(1)
    share, error, quality = covered_modes(points, name)
    assert (share, error) == (1, pytest.approx(0, abs=1e-6))
    assert quality == pytest.approx(1 - math.exp(-4.5), abs=0.01)  # a normal point in the plane within 3 deviations
    assert covered_modes(points[dataset.labels != 0], name)[0] == (count - 1) / count
    assert covered_modes(torch.full((10, 2), 0.17), name) == (0, 0, 0)


def test_agreement_is_the_best_over_all_matchings() -> None:
    codes = RNG.integers(0, 5, 200)
    labels = np.where(RNG.random(200) < 0.7, (codes + 2) % 5, RNG.integers(0, 5, 200))
    best = max((np.array(order)[codes] == labels).mean() for order in itertools.permutations(range(5)))
    assert agreement(codes, labels) == pytest.approx(best)
    assert agreement(codes, (codes + 3) % 5) == 1
    assert agreement(np.zeros(10, int), np.arange(10) % 2) == 0.5  # one code, one class
    assert agreement([0, 1, 2, 3], [0, 0, 1, 1]) == 0.5  # four codes, two classes: two codes stay alone


def test_codes_correlate_with_the_factors_they_move() -> None:
    factors = RNG.uniform(-1, 1, (1000, 3))
    codes = np.stack([-2 * factors[:, 1], factors[:, 2] + RNG.uniform(-1, 1, 1000), np.ones(1000)], axis=1)
    found = correlations(codes, factors)
    assert found.shape == (3, 3)
    assert found[0, 1] == pytest.approx(-1)
    assert found[1, 2] == pytest.approx(math.sqrt(0.5), abs=0.05)
    assert np.abs(found[2]).max() == 0
    assert np.abs(found[0, [0, 2]]).max() < 0.15


class Predicts(Predictor):
    """A network that reads exactly what a function of the images says."""

    def __init__(self, seen: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(1, 1, 1)
        self.seen = seen

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        return self.seen(images)


def test_a_code_that_is_the_class_agrees_wholly_and_a_shuffled_one_by_chance() -> None:
    """Images of one pixel that says its class; a category is another name of the class."""
    classes = torch.from_numpy(RNG.integers(0, 10, 5000))
    images = classes.float().view(-1, 1, 1, 1)
    classifier = Predicts(lambda some: torch.nn.functional.one_hot(some.flatten().long(), 10).float())
    perfect = class_found((classes + 3) % 10, images, classifier)
    assert perfect.value == 1
    assert perfect.stderr == 0
    assert "best one-to-one matching of categories and classes by labels@" in perfect.signature
    shuffled = class_found(classes[torch.from_numpy(RNG.permutation(5000))], images, classifier)
    assert 0.1 <= shuffled.value < 0.125  # the best of all matchings is a little above one in ten
    half = torch.where(torch.arange(5000) % 2 == 0, classes, torch.zeros(5000, dtype=torch.long))
    assert class_found(half, images, classifier).value == pytest.approx(0.55, abs=0.02)


def test_the_numbers_of_a_code_are_set_beside_the_factor_they_move_most() -> None:
    """The factors of an image are its pixels; the first number is a factor turned round, the second nothing."""
    factors = torch.from_numpy(RNG.uniform(-1, 1, (4000, 4))).float()
    images = factors.view(-1, 1, 2, 2)
    reader = Predicts(lambda some: some.flatten(1))
    test = ImageDataset(images, torch.zeros(4000, dtype=torch.long), factors, factor_names=("a", "b", "c", "d"))
    numbers = torch.stack([-factors[:, 2], torch.from_numpy(RNG.uniform(-1, 1, 4000)).float()], dim=1)
    row = factors_found(numbers, images, reader, test)
    assert list(row) == ["code-1", "code-2"]
    assert row["code-1"].value == pytest.approx(1)
    assert row["code-1"].signature.endswith("N=4000: c, whose held-out R^2 is 1.00")
    assert row["code-2"].value < 4 / math.sqrt(4000)
    assert factors_read(reader, test).value == 1
    blind = Predicts(lambda some: some.flatten(1) * torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert factors_read(blind, test).value == pytest.approx(0.75, abs=1e-3)
    assert r_squared([[1.0], [2.0], [3.0]], [[1.0], [2.0], [6.0]]).tolist() == [1 - 9 / 14]


def test_fid_is_for_inception_features_in_a_file(tmp_path: Path) -> None:
    samples, reference = RNG.normal(size=(100, 6)), RNG.normal(size=(80, 6)) + 1
    expected = frechet_distance(moments(samples), moments(reference))
    mean, spread = moments(reference)
    np.savez(tmp_path / "a.npz", samples=samples, reference=reference)
    np.savez(tmp_path / "b.npz", samples=samples, mu=mean, sigma=spread)
    for name in ("a.npz", "b.npz"):
        found = fid(tmp_path / name)
        assert found.value == pytest.approx(expected)
        assert found.signature == f"FID[Inception features of {name}, N=100]"
    np.savez(tmp_path / "c.npz", features=samples)
    with pytest.raises(DataError, match="holds features; Inception features were expected"):
        fid(tmp_path / "c.npz")
    with pytest.raises(DataError, match="there is no file"):
        fid(tmp_path / "d.npz")
    np.save(tmp_path / "f.npy", samples)
    with pytest.raises(DataError, match="is no npz file; numpy"):
        fid(tmp_path / "f.npy")
    (tmp_path / "e.npz").write_bytes(b"PK\3\4 no npz")
    with pytest.raises(DataError, match="is a damaged npz file"):
        fid(tmp_path / "e.npz")
    assert "FID" not in frechet(IDENTITY, [samples], [reference], "x").signature


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"samples": np.array([["a", "b"]] * 9)}, "samples holds <U1 values"),
        ({"samples": np.zeros((9, 2), "M8[s]")}, "samples holds datetime64"),
        ({"samples": np.zeros((9, 2), complex)}, "samples holds complex128 values"),
        ({"samples": np.zeros((9, 2), bool)}, "samples holds bool values"),
        ({"samples": np.full((9, 2), np.nan)}, "or some that are not finite"),
        ({"samples": np.full((9, 2), 1e300)}, "or some that are not finite or beyond 1e"),
        ({"samples": np.zeros((1, 2))}, "samples is 1 x 2; N x D features were expected, of two images at least"),
        ({"samples": np.zeros((9, 0))}, "samples is 9 x 0"),
        ({"samples": np.zeros(())}, "samples is a single value"),
        ({"reference": np.zeros((1, 2))}, "reference is 1 x 2"),
        ({"reference": np.zeros((9, 3))}, "the samples have 2 features, the reference 3"),
        ({"mu": np.zeros(2), "sigma": np.diag([1.0, -1.0])}, "sigma has negative variances"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 5.0], [0.0, 1.0]])}, "sigma is not symmetric"),
        ({"mu": np.zeros(2), "sigma": np.eye(3)}, "mu and sigma are 2 and 3 x 3; D numbers and a D x D covariance"),
        ({"mu": np.zeros(2), "sigma": np.array([["a"] * 2] * 2)}, "sigma holds <U1 values"),
    ],
)
def test_inception_features_of_another_kind_are_told(
    arrays: dict[str, np.ndarray], complaint: str, tmp_path: Path
) -> None:
    fine = {"samples": normal(9, size=2)}
    fine |= {} if "mu" in arrays else {"reference": normal(9, size=2)}
    np.savez(tmp_path / "x.npz", **{**fine, **arrays})
    with pytest.raises(DataError, match=complaint):
        fid(tmp_path / "x.npz")


def test_what_is_no_array_in_an_npz_file_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(DataError, match=r"holds notes.txt, which is no array"):
        read_arrays(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", samples=np.array([{}]))
    whole = (tmp_path / "y.npz").read_bytes()
    for data in (whole, whole[:-30], whole[:60] + b"\xff" * 30 + whole[90:]):
        (tmp_path / "y.npz").write_bytes(data)
        with pytest.raises(DataError, match="is a damaged npz file, or holds Python objects; plain numbers"):
            read_arrays(tmp_path / "y.npz")


def test_the_principal_components_are_the_directions_of_most_variance() -> None:
    train = digits(300, seed=0)
    [features] = pca64(train).features(train.pixels)
    flat = train.pixels.flatten(1).double()
    expected = torch.linalg.eigvalsh(torch.cov(flat.t()))[-64:]
    assert np.allclose(np.diag(np.cov(features.T)), expected, rtol=1e-6)
    assert np.abs(features.mean(axis=0)).max() < 1e-5
    assert pca64(digits(300, seed=1)).fingerprint != pca64(train).fingerprint == pca64(train).fingerprint


def test_random_features_are_the_same_every_time() -> None:
    images = digits(10).pixels
    torch.manual_seed(5)
    first, second = random(1).features(images), random(1).features(images)
    assert len(first) == 3
    assert first[0].shape == (10, 64)
    assert all((x == y).all() for x, y in zip(first, second, strict=True))
    assert not np.allclose(first[0], first[1])


def test_points_are_measured_in_their_own_plane_only() -> None:
    assert [space.name for space in spaces_for(toy("ring", 50), None)] == ["pca64"]


@pytest.fixture(scope="module")
def splits() -> Splits:
    """Wide digits: their images differ more, so that a small set of them tells more."""
    return Splits(digits(2400, seed=1, wide=True), digits(5200, seed=2, wide=True))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def classifier(splits: Splits, cache: Path) -> Predictor:
    return predictor(splits.train, steps=150, folder=cache)


def test_the_classifier_knows_digits_and_is_kept(splits: Splits, cache: Path, classifier: Predictor) -> None:
    right = accuracy(classifier.classify(splits.test.pixels[:1000]), splits.test.labels[:1000])
    assert right > 0.8
    [kept] = cache.glob("labels-*.safetensors")
    again = predictor(splits.train, steps=150, folder=cache)  # read, for training would take seconds
    assert again.fingerprint() == classifier.fingerprint()
    kept.write_bytes(b"damaged")
    small = digits(60, seed=3)
    first = predictor(small, steps=2, folder=cache)
    assert len(list(cache.glob("labels-*.safetensors"))) == 2
    for damaged in cache.glob("labels-*.safetensors"):
        damaged.write_bytes(b"damaged")
    assert predictor(small, steps=2, folder=cache).fingerprint() == first.fingerprint()
    with pytest.raises(DataError, match="a classifier needs labels"):
        predictor(toy("swissroll", 20), folder=cache)
    with pytest.raises(DataError, match="a regressor of factors needs images with known factors"):
        predictor(toy("ring", 20), "factors", folder=cache)


def test_a_network_reads_factors_off_digits(splits: Splits, cache: Path) -> None:
    reader = predictor(splits.train, "factors", steps=150, folder=cache)
    found = correlations(reader.predict(splits.test.pixels[:1000]), splits.test.factors[:1000])
    assert np.diag(found).min() > 0.7


COUNT = 2000


@pytest.mark.parametrize("name", ["pca64", "random", "labels"])
def test_every_space_orders_the_ladder_and_tells_each_rung_from_the_floor(
    name: str, splits: Splits, classifier: Predictor
) -> None:
    """Noise, blur, missing classes and duplicates are farther the worse they are, memorised images nearer the more of
    them; and each rung differs from real images that were held out by more than five standard errors."""
    [space] = [space for space in spaces_for(splits.train, classifier) if space.name == name]
    reference = space.features(splits.train.pixels[:COUNT])

    real = space.features(splits.test.pixels[:COUNT])
    for disturbance, rungs in ladder(splits.train, splits.test, COUNT).items():
        gaps = [frechet_gap(space, space.features(images), real, reference, "train") for images in rungs]
        values = [0.0, *(gap.value for gap in gaps)]
        assert values == sorted(values, reverse=disturbance in FALLING), disturbance
        for rung, gap in zip(RUNGS[disturbance], gaps, strict=True):
            assert abs(gap.value) > 5 * gap.stderr, (disturbance, rung, gap)


def test_memorised_images_are_told_by_their_neighbours(splits: Splits) -> None:
    training, real = splits.train.pixels[:500], splits.test.pixels[:300]
    beside = nearest(real, training)
    told = [
        closer(nearest(torch.cat([training[: int(share * 300)], real[int(share * 300) :]]), training), beside)
        for share in RUNGS["memorised images"]
    ]
    assert told == pytest.approx([0.5 + share / 2 for share in RUNGS["memorised images"]], abs=0.03)
