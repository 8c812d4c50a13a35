"""The common way: olot writes the layers into an OCI layout, skopeo copies it.

Run by the peers' Python: `python olot_skopeo.py FOLDER LAYOUT DESTINATION`; LAYOUT holds the base.
"""

import subprocess
import sys
from pathlib import Path

from olot.basics import oci_layers_on_top


def main() -> None:
    """Add every file of FOLDER as a layer and push under the same digests."""
    folder, layout, destination = sys.argv[1:]
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    oci_layers_on_top(Path(layout), files)
    source = f"oci:{layout}:busybox"
    command = ["skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false", source]
    subprocess.run([*command, f"docker://{destination}"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
