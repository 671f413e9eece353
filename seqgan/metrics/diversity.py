"""How different texts are from one another."""

from collections.abc import Hashable, Sequence

from seqgan.metrics.ngrams import Texts


def texts_of(texts: Texts) -> list[list[Hashable]]:
    """Each text as a single thing."""
    return [[tuple(text)] for text in texts]


def ngrams_of(texts: Texts, order: int) -> list[list[Hashable]]:
    """The n-grams of each text: what distinct-n counts (Li et al. 2016)."""
    return [[tuple(text[i : i + order]) for i in range(len(text) - order + 1)] for text in texts]


def distinct(things: Sequence[Sequence[Hashable]], blocks: Sequence[Sequence[int]] = ()) -> list[float]:
    """The share of things that differ from all before them, 0 where there is none: of all texts, and then with the
    texts of one block left out each. One pass for all of it: what only one block has is lost with that block."""
    block_of = {number: name for name, numbers in enumerate(blocks) for number in numbers}
    total, in_block, owner = 0, [0] * len(blocks), dict[Hashable, int]()
    for number, several in enumerate(things):
        block = block_of.get(number, len(blocks))
        total += len(several)
        if block < len(blocks):
            in_block[block] += len(several)
        for thing in several:
            if owner.setdefault(thing, block) != block:
                owner[thing] = len(blocks)  # of more than one block
    lost = [0] * (len(blocks) + 1)
    for block in owner.values():
        lost[block] += 1
    without = [(len(owner) - lost[block]) / max(1, total - in_block[block]) for block in range(len(blocks))]
    return [len(owner) / max(1, total), *without]
