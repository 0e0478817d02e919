"""Columns of the tables that `select` writes and the figure of a selection reads."""

PICK = "pick"  # number of a chosen structure, from 1
FARTHEST = "farthest-point"  # covering radius of farthest-point sampling
RANDOM = "random"  # mean covering radius of random choices
