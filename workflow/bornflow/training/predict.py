"""What a trained model says of structures, whether they are labelled or not.

python -m bornflow.training.predict --checkpoint DIR --structures A.extxyz B.extxyz --out P.extxyz
"""

import argparse

from .. import jax_setup
from ..cli import command
from ..inference import checkpoint
from ..io import frames
from . import metrics


@command
def main() -> None:
    """Write the structures with predicted energies, forces, Born effective charges, charges and screening."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--structures", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    jax_setup.configure()
    structures = [frames.without_labels(atoms) for atoms in frames.read_all(args.structures)]
    frames.write(args.out, metrics.predict(checkpoint.load(args.checkpoint), structures))


if __name__ == "__main__":
    main()
