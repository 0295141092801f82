"""trackai import swanlab"""

from trackai.cli.imports import tracker_command

swanlab = tracker_command(
    "swanlab",
    """Import local folders of SwanLab.

    PATH is the folder of a run (run-...), the folder that holds them, usually swanlog, or any
    folder above. Importing again adds what is new. The exit code is 4 if something could not be
    stored; the printed receipt lists it.
    """,
)
