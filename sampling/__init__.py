"""Drawing from a trained model: loading it, choosing what its generator is given, and the files that come of it."""
