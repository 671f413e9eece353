"""A batch of texts cut into tokens, as numbers. It imports little, since processes begin with it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgan.data.tokens import SPLIT

END = 0  # the number of what follows the last token of a text


class Numbered(NamedTuple):
    """A batch of texts as numbers of its own tokens."""

    types: list[str]
    numbers: NDArray[np.int32]
    lengths: NDArray[np.int32]  # END included


def numbered(texts: Sequence[str], way: str) -> Numbered:
    """The numbers of the tokens of each text, in the order in which they are first met; END follows each text."""
    split, types, numbers, lengths = SPLIT[way], {"": END}, list[int](), list[int]()
    for text in texts:
        begun = len(numbers)
        numbers += [types.setdefault(token, len(types)) for token in split(text)]
        numbers.append(END)
        lengths.append(len(numbers) - begun)
    return Numbered(list(types), np.array(numbers, dtype=np.int32), np.array(lengths, dtype=np.int32))
