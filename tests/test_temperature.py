"""The search for the temperature at which samples are most like validation texts, both ways."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from seqgan.metrics.texts import evaluate
from seqgan.temperature import TEMPERATURES, best_of, by_temperature
from tests.conftest import tiny_lines

REAL = tiny_lines(80)


@dataclass
class Writer:
    """Real texts at one temperature, one text again and again below it, and nonsense above."""

    right: float
    asked: list[dict[str, Any]] = field(default_factory=list)

    def generate(self, count: int, **options: Any) -> list[str]:
        self.asked.append({"count": count, **options})
        if options["temperature"] == self.right:
            return REAL[:count]
        return [REAL[0] if options["temperature"] < self.right else f"zz{number} qq xx" for number in range(count)]


@pytest.mark.parametrize("right", [1.0, 0.7, 0.5])
def test_the_temperature_of_real_text_is_found(right: float) -> None:
    writer: Any = Writer(right)
    scores = by_temperature(writer, REAL, "words", seed=3)
    assert tuple(scores) == TEMPERATURES
    assert best_of(scores) == right
    assert scores[right] == pytest.approx(1)
    assert all(
        asked == {"count": 80, "temperature": t, "seed": 3} for asked, t in zip(writer.asked, scores, strict=True)
    )


def test_a_score_is_the_harmonic_mean_of_bleu_both_ways() -> None:
    class Half:
        def generate(self, count: int, **options: Any) -> list[str]:
            return [*REAL[: count // 2], *REAL[: count // 2]]

    model: Any = Half()
    measured = evaluate(model.generate(80), REAL)
    forward, backward = measured["bleu-3"].value, measured["backward-bleu-3"].value
    assert backward < forward
    expected = 2 / (1 / forward + 1 / backward)
    assert by_temperature(model, REAL, "words")[0.8] == pytest.approx(expected)


def test_of_equal_temperatures_the_highest_is_the_best() -> None:
    assert best_of({1.0: 0.2, 0.9: 0.3, 0.5: 0.3}) == 0.9
    assert best_of(dict.fromkeys(TEMPERATURES, 0.0)) == 1.0
