"""trackai import comet"""

from trackai.cli.imports import tracker_command

comet = tracker_command(
    "comet",
    """Import offline experiments of Comet.

    PATH is an archive (<key>.zip), or any folder above archives. Importing again adds what is new.
    The exit code is 4 if something could not be stored; the printed receipt lists it.
    """,
)
