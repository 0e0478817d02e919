"""The molecules that structures are composed of: from SMILES, by ASE's name, or from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.data import atomic_numbers, ground_state_magnetic_moments

from .. import spacing
from ..electrons import multiplicity, reject_impossible, total_charge
from ..errors import BornflowError
from ..io import frames

# Elements with partly filled d or f shells, scandium to nickel and the rows below.
OPEN_SHELLS = frozenset([*range(21, 29), *range(39, 47), *range(57, 79), *range(89, 111)])
CHALCOGENS = frozenset(["O", "S", "Se", "Te"])


@dataclass(frozen=True)
class MoleculeSettings:
    """One entry of the section `molecules`; exactly one of `smiles`, `ase` and `file` is given."""

    smiles: str | None = None
    ase: str | None = None  # a name of `ase.build.molecule`, or the symbol of an element
    file: str | None = None
    charge: int | None = None  # e; None: that of the SMILES or the file, otherwise 0
    multiplicity: int | None = None


def build(name: str, settings: MoleculeSettings) -> Atoms:
    """The molecule `name`, with `charge` and `multiplicity` in `info`.

    Raises BornflowError, which names the entry, for SMILES that cannot be read or embedded, for an unknown
    name, a file of several or periodic structures, and a charge that does not fit the number of electrons.
    """
    place = f"molecules.{name}"
    try:
        if settings.smiles is not None:
            atoms = _from_smiles(settings.smiles)
        elif settings.ase is not None:
            atoms = _from_ase(settings.ase)
        else:
            atoms = _from_file(str(settings.file))
        if problem := spacing.problem(atoms):
            raise BornflowError(f"{problem}; correct its source")
        _set_electrons(atoms, settings)
        atoms.info["structure"] = name
    except BornflowError as error:
        raise BornflowError(f"{place}: {error}") from error
    return atoms


def _set_electrons(atoms: Atoms, settings: MoleculeSettings) -> None:
    """Set the charge and the multiplicity of the entry.

    With another charge than the source's, the multiplicity is the lowest possible one unless it is given.
    """
    is_stated = settings.file is not None and "multiplicity" in atoms.info
    if settings.charge is not None and settings.charge != total_charge(atoms):
        atoms.info["charge"] = settings.charge
        atoms.info["multiplicity"] = 1 + (int(atoms.numbers.sum()) - settings.charge) % 2
        is_stated = False
    if settings.multiplicity is not None:
        atoms.info["multiplicity"] = settings.multiplicity
    elif not is_stated and _has_several_spins(atoms, settings):
        raise BornflowError(
            f"the spin of {atoms.get_chemical_formula()} does not follow from its source; give multiplicity "
            "(2S + 1), for example 3 for O₂ and 6 for high-spin Mn²⁺"
        )
    try:
        reject_impossible(atoms)
    except BornflowError as error:
        raise BornflowError(
            f"charge {total_charge(atoms)} and multiplicity {multiplicity(atoms)} do not fit its "
            f"{int(atoms.numbers.sum()) - total_charge(atoms)} electrons; correct them"
        ) from error


def _has_several_spins(atoms: Atoms, settings: MoleculeSettings) -> bool:
    """Whether low and high spin are both plausible.

    This is so with partly filled d or f shells, with two or more unpaired electrons unless ASE names them,
    and in diatomic molecules such as O₂, SO and S₂, which SMILES describe with a double bond.
    """
    if any(number in OPEN_SHELLS for number in atoms.numbers):
        return True
    if settings.ase is not None and multiplicity(atoms) > 1:
        return False
    is_like_oxygen = len(atoms) == 2 and set(atoms.symbols) <= CHALCOGENS and not total_charge(atoms)
    return multiplicity(atoms) > 2 or is_like_oxygen


def _from_smiles(smiles: str) -> Atoms:
    """The conformer of lowest energy of ten, with RDKit's ETKDG and, where it has parameters, MMFF94."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    rdBase.DisableLog("rdApp.*")
    parsed = Chem.MolFromSmiles(smiles)
    if parsed is None:
        raise BornflowError(f"smiles: {smiles!r} found, which RDKit cannot read; correct it")
    if any(atom.GetAtomicNum() == 0 for atom in parsed.GetAtoms()):
        raise BornflowError(f"smiles: {smiles!r} found, which has an atom without element (*); replace it")
    if (count := len(Chem.GetMolFrags(parsed))) != 1:
        raise BornflowError(
            f"smiles: {smiles!r} found, which are {count} molecules; make an entry of each, and list them in "
            "`contains`"
        )
    mol = Chem.AddHs(parsed)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = 0
    conformers = list(rdDistGeom.EmbedMultipleConfs(mol, 10, parameters))
    if not conformers:
        raise BornflowError(f"smiles: {smiles!r} found, of which RDKit makes no geometry; give a `file`")
    lowest = conformers[0]
    if mol.GetNumAtoms() > 1 and rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        energies = [energy for _, energy in rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=1000)]
        lowest = conformers[int(np.argmin(energies))]
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    atoms = Atoms(numbers, mol.GetConformer(lowest).GetPositions())
    isotopes = [(atom.GetAtomicNum(), atom.GetIsotope()) for atom in mol.GetAtoms()]
    if any(isotope for _, isotope in isotopes):
        table = Chem.GetPeriodicTable()
        atoms.set_masses([table.GetMassForIsotope(*pair) if pair[1] else None for pair in isotopes])
    atoms.info["charge"] = Chem.GetFormalCharge(mol)
    atoms.info["multiplicity"] = 1 + sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    return atoms


def _from_ase(name: str) -> Atoms:
    if name in atomic_numbers and name != "X":
        number = atomic_numbers[name]
        moment = ground_state_magnetic_moments[number] if number < len(ground_state_magnetic_moments) else 0
        atoms = Atoms(name, magmoms=[moment])
    else:
        try:
            atoms = molecule(name)
        except (KeyError, NotImplementedError) as error:
            raise BornflowError(
                f"ase: {name!r} found, which is no element, and which ase.build.molecule does not know; give "
                "`smiles` or a `file`"
            ) from error
    moments = atoms.get_initial_magnetic_moments().sum()
    built = Atoms(atoms.symbols, atoms.positions)
    built.info["multiplicity"] = 1 + abs(round(float(moments)))
    return built


def _from_file(path: str) -> Atoms:
    structures = frames.read(path)
    if len(structures) > 1:
        raise BornflowError(f"file: {path} contains {len(structures)} structures; give a file with one")
    atoms = frames.without_labels(structures[0])
    if atoms.pbc.any():
        raise BornflowError(f"file: the structure in {path} is periodic; give an isolated molecule")
    return atoms


def compose(
    contains: Mapping[str, int], molecules: Mapping[str, MoleculeSettings]
) -> list[tuple[Atoms, int]]:
    """The molecules of a structure, each with its number of copies.

    Raises BornflowError as `build` does, and for a name that is not in `molecules`.
    """
    parts = []
    for name, copies in contains.items():
        if name not in molecules:
            raise BornflowError(f"{name} is not one of molecules: {', '.join(molecules)}; describe it there")
        parts.append((build(name, molecules[name]), copies))
    return parts


def charge_and_multiplicity(parts: list[tuple[Atoms, int]]) -> dict[str, int]:
    """Charge and multiplicity of all molecules together; unpaired electrons have parallel spins."""
    charge = sum(copies * total_charge(atoms) for atoms, copies in parts)
    unpaired = sum(copies * (multiplicity(atoms) - 1) for atoms, copies in parts)
    given = {"charge": charge, "multiplicity": 1 + unpaired}
    return {key: value for key, value in given.items() if value != (0 if key == "charge" else 1)}
