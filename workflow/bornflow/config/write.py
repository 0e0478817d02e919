"""Write the sections of a configuration that one kind of job reads as a file of their own.

python -m bornflow.config.write --json '{"spectra": {"resolution": 50}}' --out spectra.yaml
"""

import yaml

from .. import cli
from ..io import strict_yaml
from ..io.files import write_text


@cli.command
def main() -> None:
    """Write sections of a configuration as a YAML file."""
    args = cli.parse(main, "out", json=cli.option("the sections and their values as JSON"))
    write_text(args.out, yaml.safe_dump(strict_yaml.parse(args.json, "--json")))


if __name__ == "__main__":
    main()
