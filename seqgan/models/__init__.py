"""The players: a policy that writes, a discriminator that judges."""
