"""Text in, tokens out: corpora, tokenisers, batches."""
