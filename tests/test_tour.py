"""Run the commands of the tour and compare their output with the page."""

from __future__ import annotations

from scripts import record_tour


def test_tour_shows_the_output_of_its_commands() -> None:
    tour = record_tour.TOUR.read_text(encoding="utf-8")
    for part in record_tour.record_all():
        assert record_tour.comparable(part) in record_tour.comparable(tour)
    assert tour.count("$ trackai") == sum(len(stop.commands) for stop in record_tour.STOPS)


def test_readme_quotes_the_tour() -> None:
    tour = record_tour.TOUR.read_text(encoding="utf-8")
    readme = record_tour.README.read_text(encoding="utf-8")
    excerpt = readme.partition(record_tour.BEGIN)[2].partition(record_tour.END)[0]
    assert "docs/tour.md" in readme
    blocks = [part for part in excerpt.split("```") if part.startswith("text\n")]
    assert blocks
    for block in blocks:
        assert block in tour


def test_comparison_ignores_only_names_times_and_spacing() -> None:
    line = "lively-grove-1  0.25  3 s ago"
    assert record_tour.comparable(line) == record_tour.comparable("odd-fox-1  0.25   2 min ago")
    for different in ("lively-grove-2  0.25  3 s ago", "lively-grove-1  0.26  3 s ago"):
        assert record_tour.comparable(line) != record_tour.comparable(different)
