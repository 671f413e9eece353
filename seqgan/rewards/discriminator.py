"""The reward of SeqGAN: the output of a discriminator for a finished sequence."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from seqgan.core.game import inference
from seqgan.data.batches import Texts
from seqgan.models.cnn import CNNDiscriminator
from seqgan.ops.table_scores import prefix_scores, tables_pay
from seqgan.rollout import Completions, each_by_itself
from seqgan.shapes import Scores

Form = Literal["probability", "log-odds"]

LARGEST_LOG_ODDS = 8.0


class DiscriminatorReward:
    """P(real), or log P(real) / P(generated) within +-8; the discriminator is in eval mode while it scores.

    With an optimal discriminator the log-odds are log p_data / p_policy, so that REINFORCE descends the reverse KL."""

    def __init__(self, discriminator: nn.Module, form: Form) -> None:
        self.discriminator, self.form = discriminator, form

    def __call__(self, *text: Tensor) -> Scores:
        with inference(self.discriminator) as discriminator:
            return self.of_logits(discriminator(*text))

    def of_all(self, samples: Texts, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
        """The rewards of samples and of completions of their prefixes, which the CNN scores faster together."""
        with inference(self.discriminator) as cnn:
            # A subclass may score otherwise: it takes the general path, as any custom module does.
            if type(cnn) is CNNDiscriminator and tables_pay(cnn.embedding.num_embeddings, finished.tokens):
                parts = cnn.embedding, cnn.filters, cnn.classify
                tokens, labels = samples
                shared = finished.begun, finished.sample, labels
                logits = prefix_scores(*parts, tokens, finished.tokens, *shared)
            else:
                logits = each_by_itself(cnn, samples, finished)
        return self.of_logits(logits[0]), self.of_logits(logits[1])

    def of_logits(self, logits: Scores) -> Scores:
        if self.form == "probability":
            return logits.sigmoid()
        return logits.clamp(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
