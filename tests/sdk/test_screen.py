"""Printed text as lines: what is rewritten is one line."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.progress import Progress
from tqdm import tqdm

from trackai.sdk.output_limit import BURST, LINES_PER_SECOND, MAX_BYTES, OutputLimit
from trackai.sdk.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND = 1_000_000


def lines(*texts: str) -> list[str]:
    """What is logged of texts that are printed at once."""
    screen = Screen()
    for text in texts:
        screen.feed(text, SECOND)
    return [line for _, line in screen.take(SECOND, final=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\n\n  two\t \n", ["one", "", "  two\t "]),
        ("no end", ["no end"]),
        ("10%\r20%\r100%\n", ["100%"]),
        ("longer\rab\n", ["abnger"]),
        ("of Windows\r\nlines\r\n", ["of Windows", "lines"]),
        ("abc\b\bX\n", ["aXc"]),
        ("\x1b[1;31mred\x1b[0m and \x1b[38;5;12mblue\x1b[m\n", ["red and blue"]),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", ["alink"]),
        ("\x1b(Bplain\x1b7\x1b8\x1b=\n", ["plain"]),
        ("bell\x07 and nul\x00\n", ["bell and nul"]),
        ("progress\r\x1b[Kdone\n", ["done"]),
        ("progress\x1b[4D\x1b[1Kxx\n", ["    xxss"]),
        ("progress\x1b[2Kx\n", ["        x"]),
        ("a\nb\nc\n\x1b[2A\x1b[2Knew b\n", ["a", "new b", "c"]),
        ("a\nb\n\x1b[FB\n", ["a", "B"]),
        ("a\nb\nc\x1b[2A\r\x1b[JX\n", ["X"]),
        ("a\x1b[3Cb\x1b[2Gx\n", ["ax  b"]),
        ("page 1\n\x1b[2J\x1b[Hpage 2\n", ["page 1", "page 2"]),
        ("\x1b[99Aa\n\x1b[99Bb\n", ["a", "b"]),
        ("\x1b[99999999999Ca\x1b[\x1b", [" " * 1 + "a"]),
        ("日本語\r日\n", ["日本語"]),
    ],
)
def test_a_text_as_lines(text: str, expected: list[str]) -> None:
    assert lines(text) == expected
    # In whatever pieces it is written.
    assert lines(*text) == expected


def test_a_bar_is_logged_once_a_second_then_more_rarely_and_at_its_end() -> None:
    screen, logged = Screen(), []
    for tenth in range(3000):
        now = SECOND + tenth * SECOND // 10
        screen.feed(f"\rstep {tenth}", now)
        logged += screen.take(now)
    screen.feed("\n", now)
    logged += screen.take(now)
    times = [time for time, _ in logged]
    pauses = [late - early for early, late in itertools.pairwise(times)]
    assert logged[0][1] == "step 10"
    assert logged[-1][1] == "step 2999"
    assert min(pauses[:-1]) >= SECOND
    assert max(pauses) <= 11 * SECOND
    assert 40 < len(logged) < 100


def test_a_line_that_ends_within_a_second_is_logged_once() -> None:
    screen = Screen()
    screen.feed("x", SECOND)
    assert screen.take(SECOND + 1) == []
    screen.feed("y\n", SECOND + 2)
    assert screen.take(SECOND + 3) == [(SECOND + 2, "xy")]
    assert screen.take(9 * SECOND, final=True) == []


def test_a_text_without_an_end_is_logged_after_a_second() -> None:
    screen = Screen()
    screen.feed("loading ...", SECOND)
    assert screen.take(2 * SECOND) == [(2 * SECOND, "loading ...")]
    assert screen.take(9 * SECOND) == []
    screen.feed(" done\n", 9 * SECOND)
    assert screen.take(9 * SECOND) == [(9 * SECOND, "loading ... done")]


def test_a_long_line_is_cut() -> None:
    [line] = lines("x" * 10_000, "y" * 10_000 + "\n")
    assert line == "x" * 10_000 + "y" * 6384 + " … [3616 characters left out]"


def test_bars_of_tqdm() -> None:
    out = io.StringIO()
    for _ in tqdm(range(2), desc="outer", file=out, mininterval=0):
        for _ in tqdm(range(50), desc="inner", file=out, leave=False, mininterval=0):
            pass
    printed = lines(out.getvalue())
    assert [line.split("|")[0] for line in printed if line] == ["outer: 100%"]


def test_bars_of_rich() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60)
    with Progress(console=console, auto_refresh=False) as progress:
        tasks = [progress.add_task(name, total=9) for name in ("a", "b")]
        for _ in range(9):
            for task in tasks:
                progress.advance(task)
            progress.refresh()
        progress.console.print("between")
    printed = [line.split() for line in lines(out.getvalue()) if line]
    assert [(words[0], "100%" in words) for words in printed] == [
        ("between", False), ("a", True), ("b", True),
    ]  # fmt: skip


def admitted(limit: OutputLimit, texts: Iterable[str], now: int, **options: bool) -> list[str]:
    return [text for _, text in limit.admit([(now, text) for text in texts], now, **options)]


def test_lines_that_are_printed_too_fast_are_left_out_but_for_the_last() -> None:
    limit = OutputLimit()
    first = [f"line {number}" for number in range(BURST + 250)]
    assert admitted(limit, first, SECOND) == first[:BURST]
    assert admitted(limit, ["more"], SECOND) == []
    after = admitted(limit, ["later"], 3 * SECOND)
    left_out = f"[trackai: 151 lines left out: faster than {LINES_PER_SECOND} a second]"
    assert after == [left_out, *first[-99:], "more", "later"]


def test_what_is_left_out_at_the_end_is_named_at_the_end() -> None:
    limit = OutputLimit()
    admitted(limit, ["x"] * BURST, SECOND)
    limit.leave_out(7)
    last = admitted(limit, ["error"], SECOND, final=True)
    assert last == ["[trackai: 7 lines left out: faster than 1000 a second]", "error"]


def test_a_run_keeps_a_bounded_amount() -> None:
    limit = OutputLimit()
    kept = [
        admitted(limit, ["x" * 100_000], second * SECOND) for second in range(MAX_BYTES // 100_000)
    ]
    assert sum(map(len, kept)) == 500
    assert admitted(limit, ["x"], 9999 * SECOND) == []
    for _ in range(200):
        assert admitted(limit, ["y"], 9999 * SECOND) == []
    last = admitted(limit, [], 9999 * SECOND, final=True)
    assert last[0] == "[trackai: 101 lines left out: of more than 50 MB]"
    assert last[1:] == ["y"] * 100
