"""The tour shows what the commands print: all of them are run again here."""

from __future__ import annotations

from scripts import record_tour


def test_the_tour_is_what_the_commands_print() -> None:
    written = record_tour.TOUR.read_text(encoding="utf-8")
    for part in record_tour.record_all():
        assert record_tour.comparable(part) in record_tour.comparable(written)
    assert written.count("$ trackai") == sum(len(stop.commands) for stop in record_tour.STOPS)


def test_the_readme_shows_the_beginning_of_the_tour() -> None:
    written = record_tour.TOUR.read_text(encoding="utf-8")
    readme = record_tour.README.read_text(encoding="utf-8")
    shown = readme.partition(record_tour.BEGIN)[2].partition(record_tour.END)[0]
    assert "docs/tour.md" in readme
    blocks = [part for part in shown.split("```") if part.startswith("text\n")]
    assert blocks
    for block in blocks:
        assert block in written


def test_what_differs_is_seen() -> None:
    one = "lively-grove-1  0.25  3 s ago"
    assert record_tour.comparable(one) == record_tour.comparable("odd-fox-1  0.25   2 min ago")
    for other in ("lively-grove-2  0.25  3 s ago", "lively-grove-1  0.26  3 s ago"):
        assert record_tour.comparable(one) != record_tour.comparable(other)
