"""The networks: a policy that generates text, a discriminator that classifies it."""
