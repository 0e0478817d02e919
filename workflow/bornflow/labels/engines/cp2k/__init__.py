"""CP2K: inputs, runs, outputs, and the cache of finished runs."""
