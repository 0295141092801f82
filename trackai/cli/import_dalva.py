"""trackai import dalva"""

from trackai.cli.imports import tracker_command

dalva = tracker_command(
    "dalva",
    """Import runs of Dalva.

    PATH is the folder of a run (RUN-...), or any folder above, such as ~/.dalva. Importing again
    adds what is new. The exit code is 4 if something could not be stored; the printed receipt
    lists it.
    """,
)
