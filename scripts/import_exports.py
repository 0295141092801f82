"""Import an export of neptune-exporter; the same as `trackai import neptune`.

    uv run python scripts/import_exports.py [PATH]

PATH is the folder with `data` and `files`; by default `exports` in the current folder.
"""

from __future__ import annotations

import sys

from trackai.cli import main

if __name__ == "__main__":
    main(["import", "neptune", *sys.argv[1:]])
