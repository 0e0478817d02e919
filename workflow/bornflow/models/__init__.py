"""Models: from a structure to energy, forces and Born effective charges."""

from ..runtime import keep_memory

keep_memory()
