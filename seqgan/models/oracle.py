"""The oracle: a language model whose weights are drawn at random, as the truth that a policy learns from.

Yu et al. (2017), section 4: an LSTM with weights from N(0, 1) makes the training sequences, and since it gives every
sequence its probability, a policy can be measured exactly. Its sequences have one length, and no end."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.core.seed import private_generator
from seqgan.errors import RunError, why
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import sample
from seqgan.symbols import BOS, EOS

SHIFT = EOS + 1  # an oracle's own token k has the id k + SHIFT, as a policy's vocabulary has it
LENGTH = 20  # of the published oracle, whose file does not say it
GATES = ("i", "f", "c", "o")  # in torch's order: input, forget, cell, output
NAMES = ("embedding", *(f"{part}_{gate}" for part in "WUb" for gate in GATES), "W_out", "b_out")

OracleTokens = Int[Tensor, "B T"]  # 0 .. V-1


class Oracle(nn.Module):
    """An LSTM over V tokens, 0 to V-1, that starts by reading token 0. `policy` is the same model in the ids of
    policies: what is there for policies (sampling, distributions) is there for it."""

    def __init__(self, vocab_size: int, length: int, embedding_dim: int = 32, hidden_dim: int = 32) -> None:
        super().__init__()
        self.vocab_size, self.length = vocab_size, length
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn in vain
            self.policy = LSTMPolicy(vocab_size + SHIFT, length, embedding_dim, hidden_dim)
        self.policy.ends = False
        self.policy.requires_grad_(False)
        self.eval()

    def log_probs(self, tokens: OracleTokens) -> Float[Tensor, "B T"]:
        """log p(token | all before it), in nats."""
        return self.policy.log_probs(tokens + SHIFT)

    def sample(self, count: int, rng: torch.Generator | None = None) -> OracleTokens:
        """Draw sequences."""
        return sample(self.policy, count, rng=rng).tokens - SHIFT

    @torch.no_grad()
    def set_weights(
        self,
        embedding: Float[Tensor, "V E"],
        gates: tuple[Float[Tensor, "G E"], Float[Tensor, "G H"], Float[Tensor, "G"]],
        output: tuple[Float[Tensor, "V H"], Float[Tensor, "V"]],
    ) -> None:
        """Take weights over; those of the gates are stacked in torch's order: input, forget, cell, output."""
        policy = self.policy
        policy.embedding.weight[SHIFT:] = embedding
        policy.embedding.weight[BOS] = embedding[0]
        for own, given in zip(policy.lstm.all_weights[0], gates, strict=False):  # torch's second bias stays zero
            own.copy_(given)
        policy.output.weight[SHIFT:], policy.output.bias[SHIFT:] = output


def new_oracle(vocab_size: int = 5000, length: int = LENGTH, *, hidden_dim: int = 32, seed: int = 0) -> Oracle:
    """An oracle whose weights are all drawn from N(0, 1), as those of the published one: a function of the seed."""
    rng = private_generator(seed, "oracle")

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    oracle = Oracle(vocab_size, length, hidden_dim, hidden_dim)
    gates = normal(4 * hidden_dim, hidden_dim), normal(4 * hidden_dim, hidden_dim), normal(4 * hidden_dim)
    oracle.set_weights(normal(vocab_size, hidden_dim), gates, (normal(vocab_size, hidden_dim), normal(vocab_size)))
    return oracle


def load_oracle(path: Path | str, length: int = LENGTH) -> Oracle:
    """An oracle from a file of numpy arrays (.npz), named as the equations of an LSTM have them: `embedding` "V E";
    `W_g` "E H", `U_g` "H H", `b_g` "H" for the gates g = i, f, o and the cell c; `W_out` "H V", `b_out` "V". Row
    vectors times matrices.

    The published oracle is such a file (LantaoYu/SeqGAN, `save/target_params_py3.pkl`, 15 arrays in this order:
    embedding; W, U, b of i, f, o, c; W_out, b_out).

    Raises:
        RunError: it is no such file, or its arrays do not fit together."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in NAMES}
        vocab_size, embedding_dim = found["embedding"].shape
        oracle = Oracle(vocab_size, length, embedding_dim, len(found["U_i"]))
        w, u = (torch.cat([found[f"{part}_{gate}"] for gate in GATES], dim=1).T for part in "WU")
        gates = w, u, torch.cat([found[f"b_{gate}"] for gate in GATES])
        oracle.set_weights(found["embedding"], gates, (found["W_out"].T, found["b_out"]))
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} holds no weights of an oracle: {why(error)}; a file of numpy arrays (.npz) with "
            f"{', '.join(NAMES)} was expected"
        ) from error
    return oracle
