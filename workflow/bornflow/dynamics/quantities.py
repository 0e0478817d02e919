"""The contents of a run's HDF5 file: every series, every constant dataset, every attribute, with units.

`chunks` writes and `series` reads with the names, units and limits of these tables.
"""

from ..io.hdf5 import AttributeRule, DatasetRule

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


def _rule(name: str) -> DatasetRule:
    item = (3,) if name in VECTORS else (None, 3) if name in PER_ATOM else ()
    return DatasetRule(QUANTITIES[name][0], item, minimum=0.0 if name in NOT_NEGATIVE else float("-inf"))


SERIES = {name: _rule(name) for name in QUANTITIES}

# Datasets that do not change with time: the cell, and values of each atom.
FIXED = {
    "numbers": DatasetRule(None, (), 1, 118, integer=True),
    "cell": DatasetRule("Å", (3,)),
    "masses": DatasetRule("amu", (), 1e-6),
}

ATTRIBUTES = {
    "structure": AttributeRule("text"),
    "kind": AttributeRule("text", choices=("bulk", "cluster")),
    "timestep [fs]": AttributeRule("number", above=0),
    "temperature [K]": AttributeRule("number", above=0),
    "frame_interval [steps]": AttributeRule("integer", minimum=1),
    "velocity_interval [steps]": AttributeRule("integer", minimum=1),
    "electric_field [V/Å]": AttributeRule("vector"),
    "volume [Å³]": AttributeRule("number", above=0, may_be_nan=True),  # NaN for clusters
    "thermostat": AttributeRule("text"),
    "thermostat_time [fs]": AttributeRule("number", above=0),
    "equilibration [steps]": AttributeRule("integer", minimum=0),
    "precision": AttributeRule("text"),
    "fixed_charges": AttributeRule("flag"),
    "n_molecules": AttributeRule("integer", minimum=1),
    "model": AttributeRule("text"),
    "model_sha256": AttributeRule("text"),
    "replica": AttributeRule("integer", minimum=0),
}
