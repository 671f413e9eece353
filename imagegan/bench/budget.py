"""The cost of training, counted and not timed: a batch of images for each update of each player.

A round of two players costs two batches, one with five updates of the critic six, one of a pyramid as much for each of
its levels. So a model with more updates in a round gets fewer rounds."""

from collections.abc import Sequence

from imagegan.game import Recipe
from imagegan.nets import Shape
from imagegan.variants import VARIANTS
from imagegan.variants.configs import ImageConfig
from seqgan.errors import UsageError


def recipes_of(model: str, config: ImageConfig, shape: Shape) -> Sequence[Recipe]:
    made = VARIANTS[model](config, shape)
    return [made] if isinstance(made, Recipe) else made


def images_in_round(recipes: Sequence[Recipe], batch_size: int, step: int) -> int:
    turns = sum(recipe.rounds * player.turns(step) for recipe in recipes for player in recipe.players.values())
    return batch_size * turns


def rounds_within(recipes: Sequence[Recipe], batch_size: int, budget: int) -> int:
    """The rounds that a budget of images allows.

    Raises:
        UsageError: it allows none."""
    rounds, left = 0, budget - images_in_round(recipes, batch_size, 1)
    while left >= 0:
        rounds += 1
        left -= images_in_round(recipes, batch_size, rounds + 1)
    if not rounds:
        first = images_in_round(recipes, batch_size, 1)
        raise UsageError(
            f"a budget of {budget} images is too small for {first}, those of the first round; raise --budget"
        )
    return rounds
