"""The image variants by name. Their configs are read without torch."""
