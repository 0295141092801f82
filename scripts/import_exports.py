"""Import an export made with neptune-exporter: `trackai import neptune`, for short.

    uv run python scripts/import_exports.py [PATH]

Without a PATH it is the folder `exports` beside where you stand, with `data` and `files` in it.
"""

from __future__ import annotations

import sys

from trackai.cli import main

if __name__ == "__main__":
    main(["import", "neptune", *sys.argv[1:]])
