"""The contents of a run's HDF5 file: every series, every constant dataset, every attribute, with units.

`chunks` writes and `series` reads with the names, units and limits of these tables.
"""

from ..io.hdf5 import Attribute, Dataset

# Name: unit, description. The first axis is time. Both are attributes of the dataset in the file.
QUANTITIES = {
    "current": ("e Å / fs", "bound-charge current dM/dt at every step"),
    "dipole": ("e Å", "M − M(0), the current's integral by the trapezoidal rule"),
    "static_current": ("e Å / fs", "Σ_i Q_i v_i, the current of coupled models without charge flux"),
    "potential_energy": ("eV", "potential energy at every step"),
    "kinetic_energy": ("eV", "kinetic energy at every step"),
    "conserved_energy": ("eV", "total energy minus the heat taken up from the thermostat"),
    "temperature": ("K", "instantaneous temperature at every step"),
    "bond_temperature": ("K", "temperature of the motion along the bonds, of the frames"),
    "positions": ("Å", "positions of the frames"),
    "velocities": ("Å / fs", "velocities, every velocity_interval steps"),
}

# The attribute with the number of steps between two values; all other series have a value at every step.
INTERVALS = {
    "bond_temperature": "frame_interval [steps]",
    "positions": "frame_interval [steps]",
    "velocities": "velocity_interval [steps]",
}
VECTORS = ("current", "dipole", "static_current")  # [time, 3]
PER_ATOM = ("positions", "velocities")  # [time, atoms, 3]
NOT_NEGATIVE = ("kinetic_energy", "temperature", "bond_temperature")


def _rule(name: str) -> Dataset:
    item = (3,) if name in VECTORS else (None, 3) if name in PER_ATOM else ()
    return Dataset(QUANTITIES[name][0], item, least=0.0 if name in NOT_NEGATIVE else float("-inf"))


SERIES = {name: _rule(name) for name in QUANTITIES}

# Datasets that do not change with time: the cell, and values of each atom.
FIXED = {
    "numbers": Dataset(None, (), 1, 118, whole=True),
    "cell": Dataset("Å", (3,)),
    "masses": Dataset("amu", (), 1e-6),
}

ATTRIBUTES = {
    "structure": Attribute("text"),
    "kind": Attribute("text", choices=("bulk", "cluster")),
    "timestep [fs]": Attribute("number", above=0),
    "temperature [K]": Attribute("number", above=0),
    "frame_interval [steps]": Attribute("whole", least=1),
    "velocity_interval [steps]": Attribute("whole", least=1),
    "electric_field [V/Å]": Attribute("vector"),
    "volume [Å³]": Attribute("number", above=0, may_be_nan=True),  # NaN for clusters
    "thermostat": Attribute("text"),
    "thermostat_time [fs]": Attribute("number", above=0),
    "equilibration [steps]": Attribute("whole", least=0),
    "precision": Attribute("text"),
    "fixed_charges": Attribute("flag"),
    "n_molecules": Attribute("whole", least=1),
    "model": Attribute("text"),
    "model_sha256": Attribute("text"),
    "replica": Attribute("whole", least=0),
}
