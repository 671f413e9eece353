"""`seqgan runs`."""

from collections.abc import Mapping, Sequence
from typing import Any

from seqgan.algorithms.configs import MLE_PHASE
from seqgan.core.command import runs_command


def main_numbers(description: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The validation NLL of MLE, its lowest where it may stop early, and that of the last step."""
    of_mle = [line["valid_nll"] for line in lines if line["phase"] == MLE_PHASE and "valid_nll" in line]
    later = [line["valid_nll"] for line in lines if line["phase"] != MLE_PHASE and "valid_nll" in line]
    found = {}
    if of_mle:
        found["valid_nll after MLE"] = min(of_mle) if description["config"].get("mle_patience") else of_mle[-1]
    if later:
        found["final valid_nll"] = later[-1]
    return found


runs = runs_command("seqgan", "seqgan train --corpus poems", main_numbers)
