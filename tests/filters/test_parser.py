"""The filter language: parsing, and the errors."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.errors import InvalidInputError
from trackai.filters.parser import (
    MAX_COMPARISONS,
    MAX_DEPTH,
    MAX_LENGTH,
    parse_field,
    parse_fields,
    parse_filter,
)
from trackai.filters.tree import (
    And,
    Attribute,
    Comparison,
    Config,
    Fact,
    Metric,
    Not,
    Or,
    field_text,
)
from trackai.values.times import microseconds


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("state=running", Comparison(Attribute("state"), "=", "running")),
        ("state == 'running'", Comparison(Attribute("state"), "=", "running")),
        ("config.opt/lr<0.01", Comparison(Config("opt/lr"), "<", 0.01)),
        ("config.a.b>=-3", Comparison(Config("a.b"), ">=", -3)),
        ('config."a b"!=x', Comparison(Config("a b"), "!=", "x")),
        (r'config."a\"\\b"=1', Comparison(Config('a"\\b'), "=", 1)),
        ("config.flag = true", Comparison(Config("flag"), "=", True)),
        ('config.flag = "true"', Comparison(Config("flag"), "=", "true")),
        ("config.flag = null", Comparison(Config("flag"), "=", None)),
        ("config.n = 007", Comparison(Config("n"), "=", 7)),
        ("config.n = 1e3", Comparison(Config("n"), "=", 1000.0)),
        ("config.n = 9223372036854775808", Comparison(Config("n"), "=", 2.0**63)),
        ("env.git/branch = main", Comparison(Fact("git/branch"), "=", "main")),
        ('env."a b" ~ h', Comparison(Fact("a b"), "~", "h")),
        ("metric.val/acc.max>0.9", Comparison(Metric("val/acc", "max"), ">", 0.9)),
        ("metric.val.acc>0.9", Comparison(Metric("val.acc", "last"), ">", 0.9)),
        ('metric."val.max" > 0', Comparison(Metric("val.max", "last"), ">", 0)),
        ('metric."val.max".min > 0', Comparison(Metric("val.max", "min"), ">", 0)),
        ("metric.max > 0", Comparison(Metric("max", "last"), ">", 0)),
        ("metric.loss = inf", Comparison(Metric("loss"), "=", math.inf)),
        ("name = 007", Comparison(Attribute("name"), "=", "007")),
        ('name~"sub string"', Comparison(Attribute("name"), "~", "sub string")),
        ("name !~ 5", Comparison(Attribute("name"), "!~", "5")),
        ("group=a", Comparison(Attribute("group_name"), "=", "a")),
        (
            "created > 2026-01-31",
            Comparison(
                Attribute("created_at"), ">", microseconds(datetime(2026, 1, 31, tzinfo=UTC))
            ),
        ),
        (
            "updated <= 2026-01-31T12:00:00.000001+01:00",
            Comparison(
                Attribute("updated_at"),
                "<=",
                microseconds(datetime(2026, 1, 31, 11, 0, 0, 1, tzinfo=UTC)),
            ),
        ),
    ],
)
def test_comparisons(text: str, tree: Comparison) -> None:
    assert parse_filter(text) == tree


A, B, C = (Comparison(Attribute("tag"), "=", tag) for tag in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("tag=a and tag=b or tag=c", Or((And((A, B)), C))),
        ("tag=a and (tag=b OR tag=c)", And((A, Or((B, C))))),
        ("not tag=a and tag=b", And((Not(A), B))),
        ("not (tag=a and tag=b)", Not(And((A, B)))),
        ("((tag=a))", A),
        ("tag=a\nand\ttag=b AND tag=c", And((A, B, C))),
    ],
)
def test_and_binds_tighter_than_or(text: str, tree: object) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 1, "expected a field"),
        ("state", 6, "expected an operator"),
        ("state=", 7, "expected a value"),
        ("state=runing", 7, "state must be one of"),
        ("name =~ 'a('", 9, "the regular expression has a ( without a )"),
        ("name =~ '" + "a" * 1001 + "'", 9, "at most 1000 characters, got 1001"),
        ("created =~ 2", 12, "=~ only compares text"),
        ("archived < true", 12, "< cannot compare with true"),
        ("archived = yes", 12, "must be a time"),
        ("tag=a tag=b", 7, "'and', 'or' or the end"),
        ("(tag=a", 7, "expected ')'"),
        ("tag=a)", 6, "'and', 'or' or the end"),
        ("tag=a and", 10, "expected a field"),
        ("config.=1", 8, "a configuration key"),
        ("env.=1", 5, "the name of a fact"),
        ('config."a=1', 8, "missing closing quote"),
        ("metric.loss.max>high", 17, "max must be compared with a number"),
        ('metric."a".avg>1', 12, "unknown figure 'avg'"),
        ("created>soon", 9, "must be a time"),
        ("created>9999999999", 9, "must be a time"),
        ("created~2026", 9, "~ only compares text"),
        ("id=x", 4, "id must be compared with a number"),
        ("config.a<null", 10, "< cannot compare with null"),
        ("not " * 40 + "tag=a", 4 * (MAX_DEPTH + 1) + 1, "nested at most 32"),
        (" and ".join(["tag=a"] * (MAX_COMPARISONS + 1)), 1001, "at most 100 comparisons"),
    ],
)
def test_mistakes_are_named_with_their_position(text: str, position: int, words: str) -> None:
    with pytest.raises(InvalidInputError, match="filter: ") as caught:
        parse_filter(text)
    assert f"at position {position} " in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.field == "filter"


def test_a_filter_has_a_longest_length() -> None:
    with pytest.raises(InvalidInputError, match="at most 8192 characters"):
        parse_filter("x" * (MAX_LENGTH + 1))


def test_fields_keep_the_text_that_names_them() -> None:
    assert parse_fields('config.a/b, metric."x, y".max ,metric.loss,tag') == {
        "config.a/b": Config("a/b"),
        'metric."x, y".max': Metric("x, y", "max"),
        "metric.loss": Metric("loss"),
        "tag": Attribute("tag"),
    }
    for text in ("", "name,", "name tag", ",", "nope"):
        with pytest.raises(InvalidInputError, match="columns: "):
            parse_fields(text)
    with pytest.raises(InvalidInputError, match="sort_by: must be one field"):
        parse_field("name,tag")


@given(st.text(min_size=1), st.sampled_from(["last", "max", "mean"]))
def test_every_key_and_path_can_be_written(name: str, figure: str) -> None:
    for field in (Config(name), Fact(name), Metric(name, figure)):  # type: ignore[arg-type]
        assert parse_field(field_text(field)) == field
        tree = parse_filter(f"{field_text(field)}>1 and {field_text(field)}<2")
        assert tree == And((Comparison(field, ">", 1), Comparison(field, "<", 2)))


@given(st.text(alphabet="ntagoredmricv.=<>~!()\"'\\ ,0.5e"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        parse_filter(text)
