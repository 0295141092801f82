"""trackai import trackio"""

from trackai.cli.imports import tracker_command

trackio = tracker_command(
    "trackio",
    """Import a local trackio folder.

    PATH is the folder (usually ~/.cache/huggingface/trackio), or the database of one project in
    it. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """,
)
