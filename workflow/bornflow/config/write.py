"""Write a section of the configuration to a file, an input of the jobs that read the section.

python -m bornflow.config.write --json '{"spectra": {"resolution": 50}}' --out spectra.yaml
"""

import yaml

from .. import cli
from ..io import strict_yaml
from ..io.files import write_text


@cli.command
def main() -> None:
    """Write settings, given as JSON, to a YAML file."""
    args = cli.parse(main, "out", json=cli.option("settings as JSON, in the nesting of the configuration"))
    write_text(args.out, yaml.safe_dump(strict_yaml.parse(args.json, "--json")))


if __name__ == "__main__":
    main()
