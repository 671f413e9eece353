"""The built-in rewards by name: each makes a score of finished sequences, (tokens "B T", labels "B") -> "B".

A score of texts reads them decoded, up to their end, as a reader would."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seqgan.core.config import nearest
from seqgan.core.game import inference
from seqgan.data.batches import pad
from seqgan.data.dataset import TokenDataset
from seqgan.data.splits import some_of
from seqgan.data.tokenizer import Tokenizer
from seqgan.data.tokens import TOKENS, suitable_tokens, tokens_of
from seqgan.errors import UsageError, quoted
from seqgan.metrics import shape, usual_form
from seqgan.metrics.bleu import Index, sentence_bleu
from seqgan.models.policy import PolicyModule
from seqgan.rewards.asked import CLASSIFIER, DISCRIMINATOR, LM, run_and_label, span_of
from seqgan.rewards.custom import TextReward
from seqgan.rewards.verse import reading, rhyme, tone
from seqgan.rollout import Score
from seqgan.shapes import Labels, Scores, Tokens
from seqgan.symbols import EOS, PAD

MOST_REFERENCES = 100_000  # training texts that a sample is compared with


class LanguageModel(NamedTuple):
    """A trained policy with its tokenizer, and the labels that it is conditioned on, if any."""

    policy: PolicyModule
    tokenizer: Tokenizer
    labels: Sequence[str] = ()

    def reader(self, given: "Given") -> Callable[[Tokens], Int[Tensor, "B S"]]:
        """A function of sequences to the ids of this tokenizer, which cuts their texts anew where it is another."""
        vocabulary, decode = given.dataset.vocabulary, given.dataset.decode
        if isinstance(vocabulary, Tokenizer) and vocabulary.model == self.tokenizer.model:
            return lambda tokens: tokens

        def again(tokens: Tokens) -> Int[Tensor, "B S"]:
            ended = (tokens == EOS).any(dim=1).tolist()
            encoded = self.tokenizer.encode_all(decode(tokens.tolist()))
            rows = [[*ids, EOS] if end or not ids else ids for ids, end in zip(encoded, ended, strict=True)]
            return pad(rows, tokens.device).tokens

        return again


class Given(NamedTuple):
    """What a reward may be made from."""

    dataset: TokenDataset
    discriminator: Score | None = None
    models: Mapping[str, LanguageModel] = {}  # by the run that each is of

    @property
    def training(self) -> Sequence[str]:
        """The training texts as the policy could have written them."""
        return self.dataset.decode(some_of(self.dataset.train.sequences, MOST_REFERENCES))

    def of_texts(self, function: Callable[[Sequence[str]], Sequence[float]]) -> Score:
        return TextReward(function).on_tokens(self.dataset.decode)


def discriminator(given: Given, argument: str) -> Score:
    """What the discriminator says (Yu et al. 2017, equation 2), in the form that the algorithm pays."""
    assert given.discriminator is not None
    return given.discriminator


def bleu(order: int) -> "Make":
    """The sentence BLEU-n of a sample against the training texts (PG-BLEU of Yu et al. 2017), as `seqgan evaluate`
    computes it."""

    def make(given: Given, argument: str) -> Score:
        training = given.training
        cut = TOKENS[tokens_of(given.dataset.vocabulary.kind, training)]
        index = Index([cut(text) for text in training], order)
        return given.of_texts(lambda texts: sentence_bleu(index.matches([cut(text) for text in texts]))[-1].tolist())

    return make


def length(given: Given, argument: str) -> Score:
    """1 where a sequence has LO to HI tokens, its end not counted; 1 / (1 + the tokens that it lacks or has beyond)."""
    least, most = span_of(argument)

    def score(tokens: Tokens, labels: Labels | None = None) -> Scores:
        count = (tokens > EOS).sum(dim=1)
        return 1 / (1 + (least - count).clamp(min=0) + (count - most).clamp(min=0))

    return score


def keyword(given: Given, argument: str) -> Score:
    """1 where a text holds the word, else 0: between words a whole one, in scripts without blanks anywhere.

    Raises:
        UsageError: the policy cannot write it."""
    vocabulary = given.dataset.vocabulary
    if isinstance(vocabulary, Tokenizer) and (unknown := vocabulary.unknown(argument)):
        raise UsageError(
            f"the reward keyword:{argument} can never be earned: {quoted(unknown[0])} is not in the vocabulary; "
            "choose another word, or a tokenizer that has it"
        )
    word = re.escape(argument)
    found = re.compile(word if suitable_tokens([argument]) == "chars" else rf"(?<!\w){word}(?!\w)")
    return given.of_texts(lambda texts: [float(found.search(text) is not None) for text in texts])


def form(given: Given, argument: str) -> Score:
    """1 where a text has the form of most training texts (5-5-5-5 for quatrains), else 0: the measure `form`.

    Raises:
        UsageError: most training texts have no form in common."""
    training = given.training
    usual = usual_form(training) if tokens_of(given.dataset.vocabulary.kind, training) == "chars" else ""
    if not usual:
        raise UsageError(
            "the reward form wants verse in characters, most texts of which have as many in each line as the others "
            "(5-5-5-5 for quatrains); these have no form in common, so choose another reward"
        )
    return given.of_texts(lambda texts: [float(shape(text) == usual) for text in texts])


def likelihood(given: Given, argument: str) -> Score:
    """The mean log-probability of a token under the policy of another run, in nats, the end included where there is
    one. A policy with another tokenizer reads the text, cut anew.

    Raises:
        UsageError: its policy is not given, or is conditioned on labels."""
    model = _model(given, argument)
    policy, read = model.policy, model.reader(given)
    if policy.label_embedding is not None:
        raise UsageError(f"the policy of {argument} is conditioned on labels; lm wants a run of texts without labels")

    def score(tokens: Tokens, labels: Labels | None = None) -> Scores:
        rows = read(tokens)
        with inference(policy):
            return policy.log_probs(rows).sum(dim=1) / (rows != PAD).sum(dim=1)

    return score


def classifier(given: Given, argument: str) -> Score:
    """P(label | text) by Bayes' rule: of the labels of another run, whose policy gives p(text | label), each as
    frequent as among its training texts.

    Raises:
        UsageError: its policy is not given, has no labels, or not this one."""
    run, label = run_and_label(argument)
    model = _model(given, run)
    policy, read, count = model.policy, model.reader(given), len(model.labels)
    if policy.label_embedding is None:
        raise UsageError(f"the run {run} has no labels; the reward classifier wants one that was trained with labels")
    if label not in model.labels:
        raise UsageError(f"the run {run} has no label {quoted(label)}{nearest(label, model.labels)}")
    frequency = policy.label_sums.diff(prepend=policy.label_sums.new_zeros(1))

    def score(tokens: Tokens, labels: Labels | None = None) -> Scores:
        rows = read(tokens)
        each = torch.arange(count, device=rows.device).repeat(len(rows))
        with inference(policy):
            under = policy.log_probs(rows.repeat_interleave(count, dim=0), each).sum(dim=1)
        return (under.view(-1, count) + frequency.log()).softmax(dim=1)[:, model.labels.index(label)]

    return score


def _model(given: Given, run: str) -> LanguageModel:
    if run not in given.models:
        raise UsageError(f"the policy of {run} was not given; Components(models={{...}}) takes it")
    return given.models[run]


def of_verse(function: Callable[[str], float]) -> "Make":
    """A number of each text by the modern readings of its characters.

    Raises:
        UsageError: pypinyin is not installed."""

    def make(given: Given, argument: str) -> Score:
        reading("一")  # an error now, rather than after MLE
        return given.of_texts(lambda texts: [function(text) for text in texts])

    return make


Make = Callable[[Given, str], Score]
REWARDS: dict[str, Make] = {
    DISCRIMINATOR: discriminator,
    "bleu": bleu(4),
    **{f"bleu-{order}": bleu(order) for order in range(2, 6)},
    "length": length,
    "keyword": keyword,
    "form": form,
    "rhyme": of_verse(rhyme),
    "tone": of_verse(tone),
    LM: likelihood,
    CLASSIFIER: classifier,
}
