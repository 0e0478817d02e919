"""The weights of the published networks in the form of ours, with the factors by which the two forms differ.

- solid harmonics are of r [Å] there and of r/r_c here: filters of degree l get a factor r_c^l
- the isotropic part of a product in the tensor head is coupled with 1/√3 there
- potentials are ½ k_e Σ q/r there [V] and Σ q/r here [e/Å]
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..units import COULOMB

Weights = Mapping[str, Any]  # nested, of the published network, in double precision
POTENTIAL = COULOMB / 2


def physical(weights: Weights, numbers: Sequence[int], cutoff: float, shape: Sequence[int]) -> dict[str, Any]:
    """Weights of `physical` without those of Born effective charges.

    `numbers` are the atomic numbers of the elements, `shape` that of the filters: radial, degrees, channels.
    """
    scalar, spherical = (weights[f"RadicalCoefficients_{n}"]["MLP_0"]["Dense_0"] for n in (0, 1))
    width = weights["LayerNorm_0"]["scale"].shape[0]  # of the scalar features, which are the first rows

    def rescaled(filters: np.ndarray) -> np.ndarray:
        factors = cutoff ** np.arange(shape[1])
        return (filters.reshape(-1, *shape) * factors[:, None]).reshape(filters.shape)

    backbone = {
        "embedding": weights["ChemicalEmbedding_0"]["Embed_0"]["embedding"][list(numbers)],
        "filter_scalar": scalar,
        "filter_centre": {"kernel": rescaled(spherical["kernel"][:width])},
        "filter_species": {
            "kernel": rescaled(spherical["kernel"][width:]),
            "bias": rescaled(spherical["bias"]),
        },
        "power": weights["MLP_0"]["Dense_0"],
        "LayerNorm_0": weights["LayerNorm_0"],
    }
    charge = {**weights["MLP_1"], "mean": np.zeros(len(numbers))}
    return {"backbone": backbone, "charge": charge, "energy": weights["MLP_2"]}


def lorem(weights: Weights, numbers: Sequence[int]) -> dict[str, Any]:
    """Weights of `lorem` with tensor charges, without those of Born effective charges."""
    backbone = {
        "embedding": weights["Initial_0"]["ChemicalEmbedding_0"]["Embed_0"]["embedding"][list(numbers)],
        "filter": weights["RadialCoefficients_0"]["MLP_0"],
        "filter_scalar": weights["Dense_0"],
        "filter_spherical": weights["Dense_1"],
        "TensorProduct_0": _tensor_product(weights["TensorDense_0"]),
        "Update_0": weights["Update_0"],
        "Update_1": weights["Update_1"],
    }
    long_range = {
        "Update_0": _with_scaled_potential(weights["Update_2"]),
        "Readout_0": weights["MLP_2"],
        "tensor_charges": _tensor_product(weights["TensorDense_1"]),
        "coupling": {"weights": weights["Tensor_0"]["kernel"][0, :, 0, :, 0]},
    }
    for degree, kernel in enumerate(_by_degree(weights["Dense_2"])):
        long_range[f"tensor_potential_{degree}"] = {"kernel": kernel * POTENTIAL}
    charge = {**weights["MLP_1"], "mean": np.zeros(len(numbers))}
    return {"backbone": backbone, "charge": charge, "energy": weights["MLP_0"], "long_range": long_range}


def tensor_head(weights: Weights) -> dict[str, Any]:
    """Weights of the tensor head `published`. Of its three layers only the last has an effect."""
    product = weights["TensorDense_0"]
    kernel = product["tensor"]["kernel"]  # [parity, l1, parity, l2, parity, l, channel]
    factors = np.where(np.arange(kernel.shape[5]) == 0, 1 / np.sqrt(3), 1)
    return {
        "Dense_0": weights["Dense_2"],
        "TensorDense_0": {**product, "tensor": {"kernel": kernel * factors[:, None]}},
    }


def _tensor_product(weights: Weights) -> dict[str, Any]:
    """The weights of a TensorProduct from those of e3x's TensorDense, whose linear maps are in one matrix."""
    maps: dict[str, Any] = {}
    for degree, kernel in enumerate(_by_degree(weights["dense"])):
        left, right = np.split(kernel, 2, axis=1)
        maps |= {f"left_{degree}": {"kernel": left}, f"right_{degree}": {"kernel": right}}
    return {**maps, "weights": weights["tensor"]["kernel"][0, :, 0, :, 0]}


def _by_degree(weights: Weights) -> list[np.ndarray]:
    """The matrices of e3x's Dense, whose names are `0+`, `1-`, `2+` and so on."""
    return [weights[name]["kernel"] for name in sorted(weights, key=lambda name: int(name[:-1]))]


def _with_scaled_potential(update: Weights) -> dict[str, Any]:
    """The weights of an Update whose first input is the potential."""
    layer = update["MLP_0"]["Dense_0"]
    kernel = layer["kernel"].copy()
    kernel[0] *= POTENTIAL
    return {**update, "MLP_0": {**update["MLP_0"], "Dense_0": {**layer, "kernel": kernel}}}
