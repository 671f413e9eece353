"""Image GANs on the trainer core of seqgan."""
