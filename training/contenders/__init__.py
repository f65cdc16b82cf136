"""Who is compared on the same folds: the models, plain alternatives, and probes for leaks."""
