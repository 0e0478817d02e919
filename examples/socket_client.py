"""Forces of a trained model for another program that moves the atoms, through a socket (i-PI, ASE).

    python examples/socket_client.py results/models/physical-uncoupled/0 start.extxyz bornflow

Start the other program first: i-PI with `<ffsocket mode="unix" name="…"><address>bornflow</address>`,
or `ase.calculators.socketio.SocketIOCalculator(unixsocket="bornflow")`. The structure sets
the elements.
"""

import sys

from ase.calculators.socketio import SocketClient
from ase.io import read

from bornflow.inference import BornflowCalculator

checkpoint, structure, name = sys.argv[1:]
atoms = read(structure)
atoms.calc = BornflowCalculator.from_checkpoint(checkpoint)
SocketClient(unixsocket=name).run(atoms, use_stress=bool(atoms.pbc.all()))
