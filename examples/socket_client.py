"""Let another program move the atoms: forces of a trained model through the socket of i-PI and ASE.

    python examples/socket_client.py results/models/physical-uncoupled/0 start.extxyz bornflow

The other program listens first: i-PI with `<ffsocket mode="unix" name="…"><address>bornflow</address>`,
or `ase.calculators.socketio.SocketIOCalculator(unixsocket="bornflow")`. The structure gives the elements.
"""

import sys

from ase.calculators.socketio import SocketClient
from ase.io import read

from bornflow.inference.calculator import BornflowCalculator

checkpoint, structure, name = sys.argv[1:]
atoms = read(structure)
atoms.calc = BornflowCalculator.from_checkpoint(checkpoint)
SocketClient(unixsocket=name).run(atoms, use_stress=bool(atoms.pbc.all()))
