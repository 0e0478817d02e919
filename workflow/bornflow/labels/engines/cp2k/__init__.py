"""CP2K: inputs, runs, outputs, and what is kept of them."""
