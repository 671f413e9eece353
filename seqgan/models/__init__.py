"""The networks: a policy that generates text, a discriminator that classifies it."""

# What a config may name, and `models/factory.py` makes; `seqgan.register_policy` and its like add names.
POLICY_NAMES = ["lstm", "gru"]
DISCRIMINATOR_NAMES = ["cnn", "lstm", "likelihood-ratio"]
