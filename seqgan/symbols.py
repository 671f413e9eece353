"""The ids that are not text. They come first, so that a slice leaves out those that cannot be drawn."""

PAD, BOS, UNK, EOS = range(4)
"""Padding after the end; the start token fed before the first; an unknown token; the end of a text.

`[EOS:]` is what a policy may draw, `[UNK:]` what a text may hold."""
