"""Names for the shapes of tensors: one letter, one meaning, everywhere.

B batch, T time, V vocabulary, H hidden units, R rows of a rollout, K completions per prefix."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Tokens = Int[Tensor, "B T"]  # ids, padded on the right with PAD
Token = Int[Tensor, "B"]  # one id for each row
Labels = Int[Tensor, "B"]  # the number of the label of each row
SoftTokens = Float[Tensor, "B T V"]  # a distribution over the vocabulary in the place of each id
Mask = Bool[Tensor, "B T"]  # True where a token counts
Logits = Float[Tensor, "B V"]
LogProbs = Float[Tensor, "B T"]
Rewards = Float[Tensor, "B T"]
Scores = Float[Tensor, "B"]  # one number for each sequence
Scalar = Float[Tensor, ""]
