"""Array shapes that several modules of `models` share, in jaxtyping's notation.

Axes: `atoms` counts padding too; `neighbours` counts the entries of the padded neighbour list; `lm` runs over
l = 0 … max_degree and −l ≤ m ≤ l in e3x's order; `species` and `radial` are the species of the neighbour and
the radial function; `channels` and `features` are learned. An import hook checks the annotations of functions
in every test; tests/models/test_graph.py checks the fields of `Graph` and `Prediction`.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

Vectors = Float[Array, "3 atoms neighbours"]  # edge vectors, or derivatives with respect to them
Distances = Float[Array, "atoms neighbours"]
PerAtom = Float[Array, " atoms"]
Tensors = Float[Array, "atoms 3 3"]
Scalars = Float[Array, "atoms features"]
Spherical = Float[Array, "atoms lm channels"]
Amplitudes = Float[Array, "atoms lm species radial"]
Invariants = Float[Array, "atoms degrees invariants"]

HostOrDevice = np.ndarray | jax.Array
Parameters = Any  # nested mappings of arrays, as flax makes them
