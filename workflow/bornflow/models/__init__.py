"""Models: from a structure to energy, forces and Born effective charges."""

from ..runtime import full_precision, keep_memory

keep_memory()
full_precision()
