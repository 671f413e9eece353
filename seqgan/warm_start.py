"""Beginning from a policy that was trained before: what `--init-from` brings into a new run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import MLEConfig
from seqgan.core.config import Chosen, nearest
from seqgan.core.weights import as_safetensors
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.labels import names_of
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import RunError, UsageError, quoted
from seqgan.runs import describe_run, load_model
from seqgan.symbols import EOS, UNK

# What the policy of --init-from brings with it; the rest of a config may differ.
INHERITED = (
    "tokenizer", "vocab_size", "policy", "embedding_dim", "hidden_dim", "tie_embeddings", "embedding_init",
    "unigram_bias",
)  # fmt: skip
MOST_UNKNOWN = 0.5  # share of the tokens that a policy may have to read as unknown, to be trained or measured further
INITIAL = "init.safetensors"  # the weights of --init-from, in the new run
BY_TOKEN = ("embedding.weight", "output.weight", "output.bias")  # weights of a policy with a row for each token


@dataclass(frozen=True)
class InitFrom:
    """A trained policy to begin with: `RUN`, or `RUN@mle`, `RUN@best`, `RUN@STEP`."""

    name: str
    folder: Path
    stage: str
    grow: bool = False  # add the tokens of the new texts to its vocabulary

    @classmethod
    def parse(cls, name: str, grow: bool = False) -> "InitFrom":
        return cls(name, *run_and_stage(name, "--init-from "), grow)

    def as_json(self) -> dict[str, str]:
        return {"run": str(self.folder.resolve()), "stage": self.stage}


def run_and_stage(name: str, option: str) -> tuple[Path, str]:
    """The run and the stage of `RUN`, `RUN@mle`, `RUN@best` or `RUN@STEP`, which followed an option.

    Raises:
        UsageError: it is none of these."""
    folder, at, stage = name.rpartition("@")
    if not at or Path(name).is_dir():
        folder, stage = name, "final"
    if not folder or not stage:
        raise UsageError(f"{option}{quoted(name)} names no policy: RUN, RUN@mle, RUN@best or RUN@STEP was expected")
    return Path(folder), stage


def inherit(
    init_from: InitFrom, chosen: Chosen, corpus: Corpus, components: Components
) -> tuple[MLEConfig, Tokenizer, bytes, list[str]]:
    """The config with what the policy of an earlier run brings, its tokenizer, its weights, and its labels: where it
    was trained without, those of the corpus, none of which says anything yet.

    Where its vocabulary grows, the most frequent tokens of the corpus that it does not know are added, so many that it
    knows the --vocab-size most frequent ones; the rows of a new token start with the mean of the rows of its pieces
    (what its text is in the old vocabulary), or of all tokens where it has no known piece (Hewitt 2021)."""
    theirs = describe_run(init_from.folder)
    model = load_model(init_from.folder, init_from.stage, components=components, with_discriminator=False)
    inherited = [name for name in INHERITED if not (init_from.grow and name == "vocab_size")]
    brought = {name: theirs["config"][name] for name in inherited} | {"tokenizer": theirs["tokenizer"]}
    for name, value in chosen.typed().items():
        if name in inherited and value not in (brought[name], "auto"):
            raise UsageError(
                f"--{name.replace('_', '-')} {value} was given, but the policy of {init_from.name} has "
                f"{quoted(brought[name])}; leave the option out"
            )
    labels = names_of(corpus.labels)
    if model.labels:
        refuse_other_labels(init_from, model.labels, labels)
    elif labels:
        model.policy.condition_on([1] * len(labels))
    config, tokenizer, weights = replace(chosen.config, **brought), model.tokenizer, model.policy.state_dict()
    if init_from.grow:
        tokenizer = tokenizer.grown(corpus.train, config.vocab_size)
        pieces = [model.tokenizer.encode(text) for text in tokenizer.added_to(model.tokenizer)]
        weights = {name: with_rows(rows, pieces) if name in BY_TOKEN else rows for name, rows in weights.items()}
    return config, tokenizer, as_safetensors(weights), model.labels or labels


def with_rows(rows: Float[Tensor, "V ..."], pieces: Sequence[Sequence[int]]) -> Float[Tensor, "W ..."]:
    """Rows by token, with one more for each list of pieces: the mean of theirs, or of all where none is known."""
    known = [[piece for piece in several if piece > EOS] for several in pieces]
    every = rows[EOS + 1 :].mean(dim=0)
    return torch.stack([*rows, *(rows[several].mean(dim=0) if several else every for several in known)])


def refuse_other_labels(init_from: InitFrom, known: Sequence[str], labels: Sequence[str]) -> None:
    """
    Raises:
        UsageError: the policy is conditioned on labels, and the texts have none, or others."""
    if not labels:
        shown = ", ".join(known[:5]) + (" ..." if len(known) > 5 else "")
        raise UsageError(
            f"the policy of {init_from.name} is conditioned on labels ({shown}), and the texts have none; give them by "
            "--label-column or --labels"
        )
    if unknown := [label for label in labels if label not in known]:
        raise UsageError(
            f"the policy of {init_from.name} was trained without the label {quoted(unknown[0])}"
            f"{nearest(unknown[0], known)}; choose texts with its labels, or leave --init-from out"
        )


def refuse_unreadable(init_from: InitFrom, encoded: TokenDataset) -> None:
    """
    Raises:
        UsageError: the tokenizer of the policy does not know most of the new texts."""
    rows = encoded.train.sequences
    share = rows.counted(UNK).sum() / max(1, int(rows.lengths.sum()) - rows.counted(EOS).sum())
    if share > MOST_UNKNOWN:
        raise UsageError(
            f"{share:.0%} of the corpus's tokens are unknown to the tokenizer of {init_from.name}; "
            "choose a run of texts like these, add --grow-vocabulary, or leave --init-from out"
        )


def refuse_other_init(folder: Path, description: Mapping[str, Any], name: str | None) -> None:
    """
    Raises:
        RunError: --init-from names another policy than the one a run was begun from."""
    begun = description["init_from"]
    if name is None or (begun and InitFrom.parse(name).as_json().items() <= begun.items()):
        return
    was = f"{begun['run']}@{begun['stage']}" if begun else "random weights"
    raise RunError(
        f"{folder} was begun from {was}, not from {name}; leave --init-from out to go on, or start a new run"
    )
