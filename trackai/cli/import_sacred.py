"""trackai import sacred"""

from trackai.cli.imports import tracker_command

sacred = tracker_command(
    "sacred",
    """Import the runs of Sacred's FileStorageObserver.

    PATH is the folder of the observer, the folder of a run, or any folder above. Importing again
    adds what is new. The exit code is 4 if something could not be stored; the printed receipt
    lists it.
    """,
)
