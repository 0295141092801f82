"""trackai import clearml"""

from trackai.cli.imports import tracker_command

clearml = tracker_command(
    "clearml",
    """Import offline sessions of ClearML.

    PATH is a folder offline-<id> or its archive, or any folder above, such as
    ~/.clearml/cache/offline. Importing again adds what is new. The exit code is 4 if something
    could not be stored; the printed receipt lists it.
    """,
)
