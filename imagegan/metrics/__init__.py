"""Numbers about generated images; nothing here is downloaded. FID is what only Inception's features may be called."""
