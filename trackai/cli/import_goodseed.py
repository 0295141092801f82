"""trackai import goodseed"""

from trackai.cli.imports import tracker_command

goodseed = tracker_command(
    "goodseed",
    """Import runs of GoodSeed.

    PATH is the file of a run (<id>.sqlite), or any folder above, such as ~/.goodseed. Importing
    again adds what is new. The exit code is 4 if something could not be stored; the printed
    receipt lists it.
    """,
)
