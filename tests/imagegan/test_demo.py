"""`imagegan demo`: what moves its pictures, and the page in a real browser."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import imagegan
from imagegan import demo, walk
from imagegan.generation import images_of, latents
from imagegan.latents import Latents
from imagegan.model import ImageModel
from tests.browser import Browser, browser  # noqa: F401
from tests.imagegan.tiny import made, tiny
from tests.serving import needs_gradio, served

FEW = {"images": 60, "steps": 4, "validate_every": 2}
PICTURES = "return [...document.querySelectorAll('.pictures img')].map((image) => image.src)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("imagegan.training.HELD_OUT", 60)
        for model in ("cgan", "infogan"):
            imagegan.train(model, run_dir=folder / model, threads=1, **tiny(model, **FEW))
        imagegan.train("gan", data="ring", run_dir=folder / "ring", threads=1, **tiny("gan", **FEW))
    return folder


def model_of(folder: Path) -> ImageModel:
    return imagegan.load(folder, device="cpu").model()


def asked(**changes: object) -> demo.Asked:
    return demo.Asked(3, 20, None, math.inf, [0.0, 0.0], [])._replace(**changes)  # type: ignore[arg-type]


def test_a_slider_moves_all_pictures_along_a_direction_and_a_category_is_one_for_all(runs: Path) -> None:
    model = model_of(runs / "infogan").model
    directions = walk.directions(model, 2)
    plain = latents(model, 20, 3)
    assert_close(demo.moved(model, asked(numbers=[0, 0]), directions), plain)
    moved = demo.moved(model, asked(along=[0, 2], numbers=[0.5, 0], category=4), directions)
    assert_close(moved.noise - plain.noise, 2 * directions[1].expand(20, -1))
    categories = model.prior.code.categories
    assert (moved.codes[:, :categories].argmax(dim=1) == 4).all()
    assert (moved.codes[:, :categories].sum(dim=1) == 1).all()
    assert_close(moved.codes[:, categories:] - plain.codes[:, categories:], torch.tensor([[0.5, 0.0]]).expand(20, -1))
    assert demo.moved(model, asked(truncation=0.5, numbers=[0, 0]), directions).noise.abs().max() <= 0.5


def test_directions_are_those_of_a_linear_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of G(z) = A z the mean Jacobian is A, whose strongest directions are known."""
    model = made("dcgan")
    size = model.prior.noise
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(0)))
    scale = torch.tensor([9.0, 3.0, *[0.1] * (size - 2)])
    linear = (basis * scale) @ torch.eye(size, 28 * 28)
    monkeypatch.setattr(walk, "images_of", lambda _, drawn: (drawn.noise @ linear).view(-1, 1, 28, 28))
    found = walk.directions(model, 2, count=20_000)
    assert found.shape == (2, size)
    assert_close((found * basis.T[:2]).sum(dim=1).abs(), torch.ones(2), atol=0.02, rtol=0)
    assert_close(found @ found.T, torch.eye(2), atol=1e-5, rtol=0)


def test_a_walk_has_both_pictures_as_its_ends(runs: Path) -> None:
    model = model_of(runs / "cgan").model
    ends = latents(model, 2, 3)
    block = walk.between(ends, 5)
    assert (block.rows, block.columns) == (1, 5)
    assert_close(block.latents.take(torch.tensor([0, 4])), ends)
    assert_close(block.latents.codes[2], ends.codes.mean(dim=0))
    assert images_of(model, block.latents).shape == (5, 1, 28, 28)
    same = walk.between(Latents(ends.noise[[0, 0]], ends.codes[[0, 0]]), 3)
    assert_close(same.latents.noise, ends.noise[[0, 0, 0]])


def test_points_are_one_picture(runs: Path) -> None:
    model = model_of(runs / "ring").model
    directions = walk.directions(model, 8)
    assert len(directions) == 2  # a point has two coordinates
    page = demo.rendered(model, demo.moved(model, asked(), directions), [0, 1])
    assert "data-picture" not in page
    assert page.count("<img") == 3  # the plane, and the walk twice


# --- in a browser


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with served("imagegan", runs / "cgan") as found:
        yield found


def opened(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> list[str]:  # noqa: F811
    browser.open(address, width, scheme)
    browser.wait("return document.querySelector('.pictures img')")
    return list(browser.run(PICTURES))


def changed(browser: Browser, before: list[str]) -> list[str]:  # noqa: F811
    return list(browser.wait(f"{PICTURES}.join() !== arguments[0] && {PICTURES[7:]}", ",".join(before)))


@needs_gradio
def test_click_and_see_the_pictures_change(address: str, browser: Browser) -> None:  # noqa: F811
    first = opened(browser, address)
    assert len(first) == 20
    browser.driver.find_element("xpath", "//button[normalize-space()='new seed']").click()
    second = changed(browser, first)
    number = browser.find("input[aria-label*='direction 1'][type=number]")
    number.clear()
    number.send_keys("3\ue007")  # enter
    third = changed(browser, second)
    film = browser.run("return document.querySelector('.walk img').src")
    assert film.startswith("data:image/gif")
    browser.find("[data-picture='7']").click()
    browser.wait("return document.querySelector('[data-picture=\"7\"]').getAttribute('aria-pressed') === 'true'")
    assert [
        p.get_attribute("data-picture") for p in browser.driver.find_elements("css selector", "[aria-pressed=true]")
    ] == ["1", "7"]
    assert browser.find(".bar h2").text == "From picture 2 to picture 8"
    assert browser.run("return document.querySelector('.walk img').src") != film
    assert browser.run(PICTURES) == third
    browser.find("input[aria-label='class']").click()
    browser.until(lambda: browser.driver.find_elements("css selector", "[role=option][aria-label='7']"))[0].click()
    changed(browser, third)


@needs_gradio
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_asks_nothing_of_the_network(
    address: str,
    browser: Browser,  # noqa: F811
    width: int,
    scheme: str,
) -> None:
    opened(browser, address, width, scheme)
    assert browser.run("return document.documentElement.scrollWidth") == width
    text = browser.run("return getComputedStyle(document.querySelector('.bar h2')).color")
    assert (min(map(int, re.findall(r"\d+", text))) > 128) == (scheme == "dark")
    assert browser.errors() == []
    assert [url for url in browser.requested() if not url.startswith((address, "data:", "blob:"))] == []
