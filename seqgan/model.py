"""A trained policy with its tokenizer: generate texts, and score texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import torch
from torch import nn

from seqgan.algorithms.configs import CONFIGS
from seqgan.choice import Chooser, Draw, joined
from seqgan.core.bounds import (
    BEAMS,
    DRAWN,
    PROMPTS,
    RESAMPLE,
    SEED,
    SLOPE,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    YES_NO,
    Function,
    checked,
)
from seqgan.core.config import nearest
from seqgan.core.game import inference
from seqgan.data.batches import Texts, map_by_length
from seqgan.data.ragged import Batch, Ragged
from seqgan.data.spans import Overlong
from seqgan.data.texts import a_list_of_texts
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import UsageError, quoted
from seqgan.metrics.nll import divergence, text_log_probs, token_log_probs
from seqgan.metrics.novelty import Known
from seqgan.models.beam_search import beam_search
from seqgan.models.from_policy import FromPolicy
from seqgan.models.policy import PolicyModule, sample
from seqgan.models.reweighted import ReweightedPolicy
from seqgan.rollout import in_chunks
from seqgan.shapes import Labels, Scores
from seqgan.symbols import EOS, PAD, UNK

CHOOSER = Function("what chooses among draws (TextModel.chooser)")
DRAWS_PER_TEXT = 100  # how many may be drawn in search of a text that is distinct and new


class Generated(NamedTuple):
    """A generated text."""

    text: str
    tokens: int
    ended: bool  # with EOS, rather than at the longest length
    label: str | None = None  # under which it was written, where the policy is conditioned on labels
    ids: Sequence[int] = ()  # its tokens


class Scored(NamedTuple):
    """The score of a text."""

    text: str
    log_prob: float  # of the whole text with its end, in nats
    tokens: int  # its end included
    unknown: int  # of them outside the vocabulary; each counts as the one token UNK
    real: float | None  # the discriminator's probability that it is real, where there is a discriminator
    by_token: list[float]  # log pi(token | all before it), in nats

    @property
    def per_token(self) -> float:
        return self.log_prob / self.tokens


@dataclass(frozen=True, repr=False)
class TextModel:
    """A trained policy and its tokenizer, and the discriminator if it has one."""

    policy: PolicyModule
    tokenizer: Tokenizer
    discriminator: nn.Module | None = None
    about: Mapping[str, Any] = field(default_factory=dict)  # what config.json holds

    def __repr__(self) -> str:
        discriminator = f", discriminator {type(self.discriminator).__name__}" if self.discriminator is not None else ""
        tokens = f"{len(self.tokenizer)} {self.tokenizer.kind} tokens"
        policy = f"policy {type(self.policy).__name__}, {tokens}, at most {self.policy.max_length} a text"
        return f"<TextModel: {policy}{discriminator}>"

    @property
    def overlong(self) -> Overlong:
        """How overlong texts were treated in training."""
        return self.about.get("config", {}).get("overlong", "truncate")

    @property
    def labels(self) -> list[str]:
        """The labels that the policy is conditioned on, in the order of their numbers; none: without."""
        return list(self.about.get("labels", {}))

    @property
    def device(self) -> torch.device:
        return next(self.policy.parameters()).device

    @property
    def logit_is_log_odds(self) -> bool:
        """Whether the discriminator's logit is the log-odds of "real"; a pairwise loss, as RelGAN's, only compares."""
        known = getattr(CONFIGS.get(self.about.get("algorithm", "")), "logit_is_log_odds", True)
        return known and self.about.get("config", {}).get("d_loss") != "pairwise"

    def generate(self, count: int = 10, **options: Any) -> list[str]:
        """Texts written by the policy; options as for `generate_detailed`."""
        return [generated.text for generated in self.generate_detailed(count, **options)]

    @checked
    def generate_detailed(
        self,
        count: Annotated[int, DRAWN],
        *,
        prompt: Annotated[str | Sequence[str], PROMPTS] = "",
        beams: Annotated[int, BEAMS] = 0,
        distinct: Annotated[bool, YES_NO] = False,
        exclude: Iterable[str] = (),
        label: str | Sequence[str] | None = None,
        seed: Annotated[int, SEED] = 0,
        choose: Annotated[Chooser | None, CHOOSER] = None,
        **options: Any,
    ) -> list[Generated]:
        """Texts with their numbers of tokens and whether they ended: `count` for each prompt, in the prompts' order.

        They are drawn from the policy (options as for `sample_ids`), or with `beams` found by beam search, the
        likeliest first. With `distinct` no text comes twice. None is in `exclude`, whatever its blanks, nor, if it has
        not ended, the beginning of one: give the training texts for texts that are new. With `choose` (`chooser`) the
        discriminator chooses among what is drawn.

        A policy that is conditioned on labels writes under `label`; of several, or of all where none is given, each
        text has one drawn by their frequency in the training texts.

        Raises:
            UsageError: a number is out of range, a prompt is too long or holds unknown tokens, more texts than beams
                are asked for, too few texts are distinct and new, or there is no such label."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        known = Known(exclude)
        if beams and choose:
            raise UsageError("beam search draws nothing, so the discriminator has no choice: leave out beams or choose")
        if beams and (distinct or known or options):
            raise UsageError(
                "beam search finds the likeliest texts, each once, and draws nothing: leave out beams, or "
                f"{', '.join([*options, *(['distinct'] if distinct else []), *(['exclude'] if known else [])])}"
            )
        if beams:
            return [text for prompt in prompts for text in self._searched(count, beams, prompt, label)]
        rng, options = torch.Generator(self.device).manual_seed(seed), {**options, "label": label, "choose": choose}
        if not distinct and not known:
            return self._generated(self._written(count, prompts, rng, **options))
        return [text for prompt in prompts for text in self._selected(count, prompt, distinct, known, rng, options)]

    def _written(
        self, count: int, prompts: Sequence[str], rng: torch.Generator, choose: Chooser | None, **options: Any
    ) -> Ragged:
        """Drawn, or chosen among draws for each prompt."""
        if choose is None:
            return self._drawn(count, prompts, rng, **options)

        def draws(prompt: str) -> Draw:
            return lambda some: self._drawn(some, [prompt], rng, **options)

        return joined([choose(draws(prompt), count, rng) for prompt in prompts])

    @checked
    def chooser(self, resample: Annotated[int, RESAMPLE] = 0, *, slope: Annotated[float, SLOPE] = 1.0) -> Chooser:
        """What lets the discriminator choose among draws: one of `resample`, or by rejection (0); with a `slope` that
        calibrates its logit (`TrainedRun.chooser` finds it).

        Raises:
            UsageError: this model has no discriminator."""
        return Chooser(self.judge, slope, resample)

    @checked
    def reweighted(self, slope: Annotated[float, SLOPE] = 1.0) -> "TextModel":
        """The same model with a policy whose every next token the discriminator reweights: r(t | prefix) is
        q(t | prefix) e^(a g) / Z(prefix), with g what the token adds to the logit and a the `slope`
        (`TrainedRun.reweighted` finds it). It generates and scores as any other model: what `log_probs` gives is exact.

        Raises:
            UsageError: this model has no discriminator, or one that judges whole texts alone."""
        judge = self._its_discriminator()
        if not isinstance(judge, FromPolicy):
            raise UsageError(
                f"the discriminator of this model, a {type(judge).__name__}, judges whole texts, and tells nothing of "
                "the next token; train with --discriminator lstm or likelihood-ratio, or let it choose among whole "
                "texts (--resample)"
            )
        return replace(self, policy=ReweightedPolicy(self.policy, judge, slope))

    def kl_from(self, other: "TextModel", written: Sequence[Generated], prompts: Sequence[str] = ("",)) -> float:
        """KL(this || other) per token, over what this policy has `written` after the prompts, as many texts for each.

        At every token it is a sum over all that might have been drawn in its place; those of a prompt do not count."""
        numbers = self.numbers_of([text.label for text in written if text.label is not None])
        rows = Ragged.of([text.ids for text in written]).labelled(numbers or None)
        given = [len(self._prompt_ids(prompt)) for prompt in prompts for _ in range(len(written) // len(prompts))]
        return divergence(self.policy, other.policy, rows, given)

    def judge(self, rows: Ragged) -> Scores:
        """The discriminator's logits of sequences that hold no unknown token, as those that the policy draws.

        Raises:
            UsageError: this model has no discriminator."""
        with inference(self._its_discriminator()) as discriminator:
            tokens, _, labels = rows.take(torch.arange(len(rows))).to(self.device)
            return in_chunks(discriminator, Texts(tokens, labels)).cpu()

    def _its_discriminator(self) -> nn.Module:
        if self.discriminator is None:
            raise UsageError("this model has no discriminator: it was trained without one")
        return self.discriminator

    def sample_ids(self, count: int, **options: Any) -> list[list[int]]:
        """Sequences of ids drawn from the policy; options as for `draw`."""
        return list(self.draw(count, **options))

    @checked
    def draw(
        self,
        count: Annotated[int, DRAWN],
        *,
        prompt: Annotated[str | Sequence[str], PROMPTS] = "",
        seed: Annotated[int, SEED] = 0,
        choose: Annotated[Chooser | None, CHOOSER] = None,
        **options: Any,
    ) -> Ragged:
        """Sequences of ids drawn from the policy, `count` for each prompt, each to its end, with their labels where it
        is conditioned on them; with `choose` (`chooser`) those that the discriminator keeps.

        Options: `label` as for `generate_detailed`, `temperature` 0 is greedy decoding, `top_k` 0 (all) or more,
        `top_p` above 0 and at most 1.

        Raises:
            UsageError: a number is out of range, or a prompt is too long or holds unknown tokens."""
        rng = torch.Generator(self.device).manual_seed(seed)
        return self._written(count, [prompt] if isinstance(prompt, str) else list(prompt), rng, choose, **options)

    @checked
    def _drawn(
        self,
        count: Annotated[int, DRAWN],
        prompts: Sequence[str],
        rng: torch.Generator,
        *,
        label: str | Sequence[str] | None = None,
        temperature: Annotated[float, TEMPERATURE] = 1.0,
        top_k: Annotated[int, TOP_K] = 0,
        top_p: Annotated[float, TOP_P] = 1.0,
    ) -> Ragged:
        begun = [self._prompt_ids(prompt) for prompt in prompts]
        longest = max(map(len, begun))
        padded = torch.tensor([ids + [PAD] * (longest - len(ids)) for ids in begun], device=self.device)
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "rng": rng}
        rows = padded.repeat_interleave(count, dim=0) if longest else None
        total = count * len(prompts)
        tokens, mask, _, labels = sample(
            self.policy, total, labels=self._labels(total, label, rng), prompts=rows, **options
        )
        lengths = mask.sum(dim=1).tolist()
        drawn = Ragged.of([row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)])
        return drawn.labelled(labels.tolist() if labels is not None else None)

    def _labels(self, count: int, label: str | Sequence[str] | None, rng: torch.Generator) -> Labels | None:
        """The numbers of so many labels: of the one given, or drawn from several by their frequency in training."""
        if not self.labels and label is None:
            return None
        numbers = self.numbers_of([label] if isinstance(label, str) else label or self.labels)
        counts = torch.tensor([self.about["labels"][self.labels[number]] for number in numbers], dtype=torch.float)
        weights = (counts if counts.any() else torch.ones(len(numbers))).to(self.device)
        chosen = torch.multinomial(weights, count, replacement=True, generator=rng)
        return torch.tensor(numbers, device=self.device)[chosen]

    def numbers_of(self, labels: Sequence[str]) -> list[int]:
        """The number of each label.

        Raises:
            UsageError: there is no such label."""
        for label in labels:
            if label not in self.labels:
                known = nearest(str(label), self.labels) if self.labels else ": it was trained on texts without labels"
                raise UsageError(f"this model has no label {quoted(str(label))}{known}")
        numbers = {label: number for number, label in enumerate(self.labels)}
        return [numbers[label] for label in labels]

    def _generated(self, rows: Ragged) -> list[Generated]:
        labels = [None] * len(rows) if rows.labels is None else [self.labels[number] for number in rows.labels.tolist()]
        return [
            Generated(self.tokenizer.decode(row), len(row), row[-1] == EOS, label, row)
            for row, label in zip(rows, labels, strict=True)
        ]

    def _searched(self, count: int, beams: int, prompt: str, label: str | Sequence[str] | None) -> list[Generated]:
        if self.labels and not isinstance(label, str):
            raise UsageError(f"beam search writes under one label; give one of {', '.join(self.labels)}")
        if count > beams:
            raise UsageError(f"{count} texts were asked for, but {beams} beams find at most {beams}; ask for no more")
        numbers = None if label is None else self.numbers_of([label] if isinstance(label, str) else label)
        under = None if numbers is None else torch.tensor(numbers, device=self.device)
        found = beam_search(self.policy, beams, self._prompt_ids(prompt), under)[:count]
        rows = Ragged.of([hypothesis.ids for hypothesis in found])
        return self._generated(rows.labelled(None if numbers is None else numbers * len(found)))

    def _selected(
        self,
        count: int,
        prompt: str,
        distinct: bool,
        known: Known,
        rng: torch.Generator,
        options: Mapping[str, Any],
    ) -> list[Generated]:
        """The first `count` texts drawn that are new and, if they have to be, distinct."""
        kept: list[Generated] = []
        seen: set[str] = set()
        drawn = 0
        while len(kept) < count:
            if drawn >= DRAWS_PER_TEXT * count:
                what = " and ".join((["distinct"] if distinct else []) + (["new"] if known else []))
                raise UsageError(
                    f"of {drawn} texts drawn only {len(kept)} are {what}, and {count} were asked for; ask for fewer, "
                    "or raise the temperature"
                )
            some = min(max(count - len(kept), 100), DRAWS_PER_TEXT * count - drawn)
            drawn += some
            for text in self._generated(self._written(some, [prompt], rng, **options)):
                if not (distinct and text.text in seen) and not known.holds(text.text, ended=text.ended):
                    seen.add(text.text)
                    kept.append(text)
        return kept[:count]

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of texts, each with EOS, of any length."""
        return [[*ids, EOS] for ids in self.tokenizer.encode_all(a_list_of_texts(texts))]

    def _rows(self, texts: Iterable[str], label: str | Sequence[str] | None) -> Ragged:
        """The ids of texts, with their labels where the policy is conditioned on labels: one for all, or one for each.

        Raises:
            UsageError: the policy needs labels, and there are none or others, or it has none."""
        rows = Ragged.of(self.encode(texts))
        if label is None and not self.labels:
            return rows
        if label is None:
            raise UsageError(
                f"this model is conditioned on labels ({', '.join(self.labels)}), and a text is scored under one: give "
                "label=..., or a label for each text (on the command line --label, --label-column or --labels)"
            )
        numbers = self.numbers_of([label] * len(rows) if isinstance(label, str) else label)
        if len(numbers) != len(rows):
            raise UsageError(f"{len(numbers)} labels were given for {len(rows)} texts; give one, or one for each")
        return rows.labelled(numbers)

    def log_probs(self, texts: Iterable[str], *, label: str | Sequence[str] | None = None) -> list[float]:
        """log pi(text), its end included, in nats; under its label, where the policy is conditioned on labels: one for
        all texts, or one for each."""
        return text_log_probs(self.policy, self._rows(texts, label)).tolist()

    @torch.no_grad()
    def prob_real(self, texts: Iterable[str], *, label: str | Sequence[str] | None = None) -> list[float]:
        """The discriminator's probability that each text is real, of an unbiased mixture of real and generated ones.

        It was trained without unknown tokens, so each is replaced by the likeliest token of the policy.

        Raises:
            UsageError: this model has no discriminator, or one whose logits mean nothing by themselves."""
        its_discriminator = self._its_discriminator()
        if not self.logit_is_log_odds:
            raise UsageError(
                f"the discriminator of {self.about['algorithm']} only compares texts: its logit is no log-odds, and "
                "gives no probability"
            )

        def real(batch: Batch) -> Scores:
            tokens, _, labels = batch
            likeliest = self.policy.distributions(tokens, labels)[..., 1:].argmax(dim=-1) + EOS + 1
            logits: Scores = discriminator(*Texts(torch.where(tokens == UNK, likeliest, tokens), labels).parts)
            return logits.sigmoid()

        with inference(its_discriminator) as discriminator:
            return map_by_length(real, self._rows(texts, label), self.policy.vocab_size, self.device).tolist()

    def score(self, texts: Iterable[str], *, label: str | Sequence[str] | None = None) -> list[Scored]:
        """The log-probability of each text, and the discriminator's probability that it is real, where it has one;
        under a label for all, or one for each, where the policy is conditioned on labels."""
        texts = a_list_of_texts(texts)
        rows = self._rows(texts, label)
        by_token = [row.tolist() for row in token_log_probs(self.policy, rows)]
        judged = self.discriminator is not None and self.logit_is_log_odds
        reals: Sequence[float | None] = self.prob_real(texts, label=label) if judged else [None] * len(texts)
        return [
            Scored(text, sum(log_probs), len(row), row.count(UNK), real, log_probs)
            for text, row, log_probs, real in zip(texts, rows, by_token, reals, strict=True)
        ]

    def _prompt_ids(self, prompt: str) -> list[int]:
        if unknown := self.tokenizer.unknown(prompt):
            several = "; leave them out, or put tokens of the training texts in their place"
            instead = several if len(unknown) > 1 else nearest(unknown[0], self.tokenizer.readable())
            raise UsageError(f"the prompt holds tokens outside the vocabulary: {' '.join(unknown)}{instead}")
        ids = self.tokenizer.encode(prompt) if prompt else []
        if len(ids) >= self.policy.max_length:
            raise UsageError(f"the prompt has {len(ids)} tokens; this model generates at most {self.policy.max_length}")
        return ids
