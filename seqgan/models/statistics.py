"""What counts of the training texts tell a policy before and while it learns: the bias of its output, vectors of its
tokens, and how often a token of other texts will be one that it does not know."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqgan.data.ragged import Ragged
from seqgan.symbols import EOS

WINDOW = 5  # tokens to either side are the context of a token
COUNTED = 1_000_000  # tokens whose contexts are counted: those of every k-th text where there are more
OVERSAMPLED = 16  # dimensions more than are kept in a randomised decomposition (Halko et al. 2011)


def unigram_bias(counts: Int[Tensor, "V"]) -> Float[Tensor, "V"]:
    """The logarithms of the relative frequencies of tokens, with one occurrence more of each."""
    return ((counts + 1) / (counts + 1).sum()).log()


def unknown_rates(counts: Int[Tensor, "V"]) -> Float[Tensor, "V"]:
    """How often an occurrence of a token is to be taken for UNK, so that UNK comes as often as in other texts.

    A token of other texts is new with probability N1 / N, where N1 of N tokens stand there once (Good 1953). Each of
    the T different tokens, EOS aside, gives N1 / T of its occurrences for that (absolute discounting, Ney et al. 1994;
    at most half), so that UNK is expected where rare tokens stand."""
    counts = counts.index_fill(0, torch.arange(EOS + 1, device=counts.device), 0)
    return (((counts == 1).sum() / (counts > 0).sum()).clamp(max=0.5) / counts).nan_to_num(0.0, posinf=0.0)


def context_vectors(rows: Ragged, vocab_size: int, size: int) -> Float[Tensor, "V D"]:
    """Vectors of tokens from what stands beside them: the truncated singular value decomposition of their positive
    pointwise mutual information, U sqrt(S) (Levy and Goldberg 2014). D is `size`, or V where that is smaller; a token
    that is in no text has zeros. The decomposition draws from torch's generator."""
    every = -(-int(rows.lengths.sum()) // COUNTED)
    starts, lengths = rows.starts[::every], rows.lengths[::every]
    row = torch.arange(len(lengths)).repeat_interleave(lengths)
    tokens = rows.ids[torch.arange(len(row)) + (starts - lengths.cumsum(0) + lengths)[row]].long()
    pairs = []
    for distance in range(1, WINDOW + 1):
        together = row[distance:] == row[:-distance]
        first, second = tokens[:-distance][together], tokens[distance:][together]
        pairs += [first * vocab_size + second, second * vocab_size + first]
    found, counts = torch.cat(pairs).unique(return_counts=True)
    first, second = found // vocab_size, found % vocab_size
    frequencies = torch.zeros(vocab_size, dtype=torch.float64).index_add(0, first, counts.double())
    information = (counts * counts.sum() / (frequencies[first] * frequencies[second])).log().float()
    positive = information > 0
    places = torch.stack([first, second])[:, positive]
    matrix = torch.sparse_coo_tensor(places, information[positive], (vocab_size, vocab_size), check_invariants=False)
    vectors, values, _ = torch.svd_lowrank(matrix, q=min(size + OVERSAMPLED, vocab_size))
    known = torch.zeros(vocab_size, 1).index_fill(0, places[0], 1.0)  # elsewhere there are but rounding errors
    return (known * vectors * values.sqrt())[:, :size]
