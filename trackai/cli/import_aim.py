"""trackai import aim"""

from trackai.cli.imports import tracker_command

aim = tracker_command(
    "aim",
    """Import a repository of Aim.

    PATH is the folder that `.aim` is in, or `.aim`. aim itself must be installed. Importing again
    adds what is new. The exit code is 4 if something could not be stored; the printed receipt
    lists it.
    """,
)
