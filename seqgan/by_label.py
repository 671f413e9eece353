"""What an evaluation says of labels: a row for each policy and label, beside real text of that label, and how often a
classifier recognises samples as of their label."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from seqgan.core.report import Measured
from seqgan.core.stats import Units, mean_influences, ratio_influences, units_of
from seqgan.data.encoding import Learned
from seqgan.data.ragged import Ragged
from seqgan.metrics import MetricInput, bleu, nll, over_texts, variety
from seqgan.metrics.recognition import BagOfTokens, classifier, recognised
from seqgan.model import TextModel
from seqgan.reporting import LABELLED, REAL, Row

FEWEST = 20  # validation texts of a label, and as many test texts, for rows of its own


class Labels:
    """The held-out texts of each label, and a classifier of labels."""

    def __init__(self, model: TextModel, train: Learned, valid: Learned, test: Learned) -> None:
        self.model, self.valid, self.test = model, valid, test
        rows = train.split.sequences
        self.classifier: BagOfTokens = classifier(
            rows, valid.split.sequences, model.policy.vocab_size, len(model.labels), model.device
        )
        self.signature = f"classifier:bag-of-tokens/{len(rows)}|labels:{len(model.labels)}"

    def recognised(self, rows: Ragged, source: str, units: Units) -> Measured:
        """The share of texts that are recognised as of their label."""
        right = recognised(self.classifier, rows, self.model.device).numpy()
        signature = f"n:{len(rows)}|{self.signature}|err:{over_texts(units)}"
        return Measured.of(float(right.mean()), {source: mean_influences(right, units)}, signature)

    def on_test(self) -> Measured:
        """The share of all test texts."""
        return self.recognised(self.test.split.sequences, "test", units_of(self.test))

    def rows(self, models: Mapping[str, TextModel], beside: MetricInput, seed: int) -> dict[str, dict[str, Row]]:
        """Label -> rows. Each has as many texts as there are validation texts of the label, which are the row of real
        text; the references are its test texts. Labels with fewer than `FEWEST` of either are left out."""
        found: dict[str, dict[str, Row]] = {}
        for number, label in enumerate(self.model.labels):
            held, references = (_of_label(part, number) for part in (self.valid, self.test))
            if min(len(held), len(references)) < FEWEST:
                continue
            texts = [self.valid[place] for place in held]
            real = replace(
                beside, samples=texts, references=[self.test[place] for place in references], training=(),
                cut_training=None, held_out=True,
            )  # fmt: skip
            rows, units = self.test.split.sequences.part(torch.tensor(references)), units_of(real.references)
            found[label] = {}
            for name, model in models.items():
                drawn = model.draw(len(held), label=label, seed=seed)
                inputs = real.of([model.tokenizer.decode(ids) for ids in drawn])
                row = found[label][name] = self._row(inputs, self.recognised(drawn, "samples", np.arange(len(drawn))))
                row["nll-test"] = _nll(model, rows, units)
            found[label][REAL] = self._row(real, self.recognised(rows, "test", units))
        return found

    def _row(self, inputs: MetricInput, share: Measured) -> Row:
        measured = {**bleu(inputs), **variety(inputs), "recognised": share}
        return {name: measured[name] for name in LABELLED if name in measured}


def _of_label(texts: Learned, number: int) -> list[int]:
    labels = texts.split.sequences.labels
    assert labels is not None
    return (labels == number).nonzero().flatten().tolist()


def _nll(model: TextModel, rows: Ragged, units: Units) -> Measured:
    """NLL per token of texts given their label."""
    losses, sizes = -nll.text_log_probs(model.policy, rows).numpy(), rows.lengths.numpy()
    tokens = f"tok:{model.tokenizer.kind}/{len(model.tokenizer)}|given:label/{len(model.labels)}"
    signature = f"rows:{len(rows)}|per:token|err:{over_texts(units)}|{tokens}"
    return Measured.of(float(losses.sum() / sizes.sum()), {"test": ratio_influences(losses, sizes, units)}, signature)
