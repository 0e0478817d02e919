"""Models of other packages that bornflow's are compared with, as ASE calculators with random weights.

`make bench` installs lorem-jax and calorine, `make bench-mace` MACE in an environment of its own. Weights do
not change the time.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase.calculators.calculator import BaseCalculator

ELEMENTS = ("O", "H")
MACE_CUTOFF = 5.0  # Å
MACE_IRREPS = "32x0e + 32x1o"


@dataclass(frozen=True)
class Peer:
    """A model of another package."""

    package: str  # the module to import
    charges: str  # origin of Born effective charges
    properties: Sequence[str]  # ASE's names of what a step evaluates
    build: Callable[[], BaseCalculator]
    most_atoms: int  # larger systems are not timed
    device: Callable[[], str] = lambda: "cpu"
    installed_by: str = "make bench"

    @property
    def is_installed(self) -> bool:
        """Whether its package is installed."""
        return importlib.util.find_spec(self.package) is not None


def jax_device() -> str:
    """The device that jax uses."""
    import jax

    return jax.devices()[0].device_kind


def lorem_jax() -> BaseCalculator:
    """lorem-jax's model of Born effective charges in its default size."""
    from lorem import LoremBEC
    from lorem.calculator import Calculator

    return Calculator.from_model(LoremBEC())


def neuroevolution(charges: bool) -> BaseCalculator:
    """A neuroevolution potential (NEP4) or its charge model on the processor, by calorine's CPUNEP.

    Cutoffs are 6 and 5 Å, with n_max 8, eight basis functions, l_max 4 with four-body terms and 30 neurons.
    """
    from calorine.calculators import CPUNEP

    folder = TemporaryDirectory()
    path = Path(folder.name, "nep.txt")
    path.write_text(_nep_file(charges), encoding="utf-8")
    calculator = CPUNEP(str(path))
    calculator.folder = folder  # the file is read again for each number of atoms
    return calculator


def _nep_file(charges: bool, size: int = 8, degree: int = 4, neurons: int = 30) -> str:
    """A model file of GPUMD with random weights."""
    n = len(ELEMENTS)
    inputs = (size + 1) * (2 + degree)  # radial, angular of each degree, four-body
    outputs = 2 if charges else 1
    network = n * (inputs + 1 + outputs) * neurons + outputs
    expansion = 2 * n**2 * (size + 1) ** 2
    weights = np.random.default_rng(0).normal(scale=0.1, size=network + expansion)
    header = [
        f"nep4{'_charge1' * charges} {n} {' '.join(ELEMENTS)}",
        "cutoff 6 5 200 120",
        f"n_max {size} {size}",
        f"basis_size {size} {size}",
        f"l_max {degree} 2 0",
        f"ANN {neurons} 0",
    ]
    return "\n".join([*header, *(f"{value:.7e}" for value in weights), *["1.0"] * inputs]) + "\n"


def mace() -> BaseCalculator:
    """MACE with 32 channels of degree 0 and 1, two layers and a cutoff of 5 Å, in single precision."""
    import torch

    torch.serialization.add_safe_globals([slice])  # in a file that e3nn loads when it is imported
    from e3nn import o3
    from mace.calculators import MACECalculator
    from mace.modules import RealAgnosticResidualInteractionBlock, ScaleShiftMACE

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    model = ScaleShiftMACE(
        r_max=MACE_CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=RealAgnosticResidualInteractionBlock,
        interaction_cls_first=RealAgnosticResidualInteractionBlock,
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps(MACE_IRREPS),
        MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(2),
        avg_num_neighbors=50.0,
        atomic_numbers=[1, 8],
        correlation=3,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    return MACECalculator(models=[model], device="cpu", default_dtype="float32")


WITH_BEC = ("energy", "forces", "born_effective_charges")
PEERS = {
    "lorem-jax": Peer("lorem", "uncoupled", WITH_BEC, lorem_jax, 1000, jax_device),
    "charge-nep": Peer("calorine", "static", WITH_BEC, lambda: neuroevolution(charges=True), 10_000),
    "nep": Peer("calorine", "none", WITH_BEC[:2], lambda: neuroevolution(charges=False), 10_000),
    "mace": Peer("mace", "none", WITH_BEC[:2], mace, 1000, installed_by="make bench-mace"),
}
