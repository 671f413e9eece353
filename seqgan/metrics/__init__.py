"""Numbers about policies, texts and discriminators. None of them is ever used to choose a step on the test split."""
