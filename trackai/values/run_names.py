"""Readable names for runs without a name."""

from __future__ import annotations

import random

_ADJECTIVES = """
    amber ancient autumn bold brave breezy bright calm clever cosmic crimson curious dawn deep
    eager fabled fancy fearless floral fresh frosty gentle glad golden hidden humble icy jolly
    keen lively lucky lunar mellow misty noble polar proud quiet rapid rosy silent silver snowy
    solar spring sturdy summer swift tidal vivid warm wild winter wise zesty
""".split()
_NOUNS = """
    badger beacon brook canyon cedar cliff cloud comet coral crane creek dune eagle ember falcon
    fern field fjord forest fox galaxy glacier grove harbor hare heron hill island lagoon lake
    leaf lynx maple meadow moon moss ocean orca otter owl pebble pine planet pond raven reef
    ridge river robin shore sparrow star stone storm sun thunder tide valley wave willow wolf
""".split()


def generate(number: int) -> str:
    """Make up a name such as "brave-otter-12".

    Args:
        number: makes the name unique in its project.
    """
    # Not `random.choice`: scripts seed that generator, and expect that no library advances it.
    rng = random.SystemRandom()
    return f"{rng.choice(_ADJECTIVES)}-{rng.choice(_NOUNS)}-{number}"
