"""Shared by the tests of images."""

import pytest


@pytest.fixture(autouse=True)
def _few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training ends with a look at held-out images; a few will do."""
    monkeypatch.setattr("imagegan.training.HELD_OUT", 60)
