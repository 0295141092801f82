"""python -m trackai.cli"""

from trackai.cli import main

main()
