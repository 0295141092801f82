"""Filters and orders of wandb's `Api.runs`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.filters.mongo import translate, translate_order
from trackai.filters.parser import parse_filter
from trackai.filters.tree import Attribute, Config, Metric, filter_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def api(db_path: Path) -> trackai.Api:
    for number, tags in enumerate((["x"], ["x", "y"], [])):
        config = {
            "lr": 10.0**-number, "opt": {"name": 'a"dam\\', "n": -number},
            "on": number == 1, "a.b": number,
        }  # fmt: skip
        if number == 2:
            config = {"only": "Text.1", "a": {"b": number, "value": {"c": 7}}}
        group = "g" if number else None
        with trackai.init(
            project="p",
            name=f"Run {number}",
            tags=tags,
            group=group,
            config=config,
            job_type=("train", "eval", None)[number],
        ) as run:
            run.log({"loss": float(number), "val/acc.min": 1.0})
    return trackai.Api()


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "012"),
        ({"config.lr": 0.1}, "1"),
        ({"config.lr.value": 0.1}, "1"),
        ({"config.lr": {"$lt": 0.5}}, "1"),
        ({"config.lr": {"$gte": 0.1, "$lte": 0.2}}, "1"),
        ({"config.lr": {"$ne": 0.1}}, "02"),
        ({"config.lr": {"$in": [1.0, 0.1]}}, "01"),
        ({"config.lr": {"$in": []}}, ""),
        ({"config.lr": {"$nin": [1.0]}}, "12"),
        ({"config.lr": {"$exists": True}}, "01"),
        ({"config.lr": {"$exists": False}}, "2"),
        ({"config.lr": None}, "2"),
        ({"config.lr": {"$not": {"$gt": 0.5}}}, "12"),
        ({"config.on": True}, "1"),
        ({"config.opt/name": 'a"dam\\'}, "01"),
        ({"config.opt.name": 'a"dam\\'}, "01"),
        ({"config.opt.value.name": 'a"dam\\'}, "01"),
        ({"config.opt.name": {"$ne": 'a"dam\\'}}, "2"),
        ({"config.opt.name": {"$in": ["x", 'a"dam\\']}}, "01"),
        ({"config.opt.name": {"$regex": "^a"}}, "01"),
        ({"config.opt.name": {"$exists": True}}, "01"),
        ({"config.opt.name": {"$exists": False}}, "2"),
        ({"config.opt.name": None}, "2"),
        ({"config.a.b": {"$gte": 0}}, "012"),
        ({"config.a.b": 1}, "1"),
        ({"config.a.b": 2}, "2"),
        ({"config.a.b": {"$exists": False}}, ""),
        ({"config.a.value.c": 7}, "2"),
        ({"jobType": "train"}, "0"),
        ({"job_type": {"$in": ["train", "eval"]}}, "01"),
        ({"jobType": {"$ne": "train"}}, "12"),
        ({"job_type": None}, "2"),
        ({"config._wandb.job_type": "eval"}, "1"),
        ({"config._wandb/job_type": "eval"}, "1"),
        ({"config.only": {"$regex": r"^T.*\.\d$"}}, "2"),
        ({"config.only": {"$regex": "text"}}, ""),
        ({"config.only": {"$regex": "text", "$options": "i"}}, "2"),
        ({"summary_metrics.loss": {"$gt": 0}}, "12"),
        ({"summary_metrics.loss.max": {"$eq": 2}}, "2"),
        ({"state": "finished"}, "012"),
        ({"state": {"$in": ["crashed", "running"]}}, ""),
        ({"tags": "y"}, "1"),
        ({"tags": {"$in": ["y", "z"]}}, "1"),
        ({"tags": {"$nin": ["y"]}}, "02"),
        ({"tags": {"$regex": "^y"}}, "1"),
        ({"$or": [{"tags": {"$regex": "^y"}}, {"config.only": {"$not": {"$regex": "t"}}}]}, "01"),
        ({"archived": True}, ""),
        ({"archived": False, "tags": {"$regex": "^y"}}, "1"),
        ({"group": "g"}, "12"),
        ({"group": None}, "0"),
        ({"display_name": {"$regex": "^Run [01]"}, "config.lr": {"$lt": 0.5}}, "1"),
        ({"displayName": "Run 2"}, "2"),
        ({"name": "run-2"}, "2"),
        ({"created_at": {"$gt": "2020-01-01T00:00:00Z"}}, "012"),
        ({"createdAt": {"$lt": NOW - timedelta(days=1)}}, ""),
        ({"duration": {"$lt": 1000}}, "012"),
        ({"$or": [{"config.lr": 1.0}, {"tags": "y", "group": "g"}]}, "01"),
        ({"$and": [{"group": "g"}, {"$or": [{"tags": "y"}]}]}, "1"),
        ({"$nor": [{"tags": "y"}, {"config.lr": 1.0}]}, "2"),
        ({"$or": [{}, {"tags": "y"}]}, "012"),
    ],
)  # fmt: skip
def test_filters_select_runs(api: trackai.Api, filters: dict[str, Any], expected: str) -> None:
    runs = api.runs("entity/p", filters, order="+created_at", per_page=100)
    assert "".join(str(run.name)[-1] for run in runs) == expected


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"config.lr": {"$near": 1}}, r"filters: config\.lr: operator '\$near' is not supported"),
        ({"$where": "1"}, r"operator '\$where' is not supported"),
        ({"username": "me"}, "unknown field 'username'; use config.KEY"),
        ({"name": {"$regex": 1}}, r"name: \$regex must be a regular expression, got 1"),
        ({"name": {"$regex": "(?=a)"}}, r"name: \$regex must .*\(\?=a is not supported"),
        ({"duration": {"$regex": "1"}}, r"duration: \$regex only compares text"),
        ({"name": {"$regex": "("}}, r"name: \$regex must be a regular expression"),
        ({"name": {"$regex": "a", "$options": "x"}}, r'\$options must be "i"'),
        ({"state": "sleeping"}, "state: must be one of running, completed, failed, finished"),
        ({"created_at": {"$gt": 5}}, "created_at: must be a time in ISO 8601, got 5"),
        ({"duration": "long"}, "duration: must be compared with a number, got 'long'"),
        ({"group": 1}, "group: must be compared with text, got 1"),
        ({"config.lr": [1]}, r"config\.lr: cannot compare with \[1\]"),
        ({"config.lr": {"$lt": None}}, r"config\.lr: cannot order None"),
        ({"config.lr": {}}, r"config\.lr: must have an operator"),
        ({"$or": {"a": 1}}, r"\$or must be a list"),
        ({"$and": []}, r"\$and must be a list"),
        ({"$and": ["a"]}, "must be a dict, got 'a'"),
        ({"summary_metrics.loss.min": "x"}, "must be compared with a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_named(filters: dict[str, Any], problem: str) -> None:
    with pytest.raises(trackai.InvalidInputError, match=problem):
        translate(filters)


def test_orders() -> None:
    assert translate_order("+created_at") == (Attribute("created_at"), True)
    assert translate_order("-createdAt") == (Attribute("created_at"), False)
    assert translate_order("heartbeat_at") == (Attribute("updated_at"), True)
    assert translate_order("-summary_metrics.val/acc") == (Metric("val/acc"), False)
    assert translate_order("+config.lr.value") == (Config("lr"), True)
    with pytest.raises(trackai.InvalidInputError, match="order: unknown field 'nope'"):
        translate_order("-nope")


def test_an_order_sorts_runs(api: trackai.Api) -> None:
    runs = api.runs(path="p", order="-summary_metrics.loss")
    assert [run.name for run in runs] == ["Run 2", "Run 1", "Run 0"]
    for order, names in {
        "+config.opt.n": "102",
        "-config.opt.n": "012",
        "-config.a.b": "102",  # a key with dots comes before a nested one
        "+job_type": "102",
        "-jobType": "012",
    }.items():
        assert "".join(str(run.name)[-1] for run in api.runs("p", order=order)) == names, order
    assert api.runs("p", order="-config.a.value.c")[0].name == "Run 2"
    with pytest.raises(trackai.InvalidInputError, match="order: cannot be combined with sort"):
        api.runs(order="-created_at", sort="name")
    both = api.runs(filters={"group": "g"}, filter="tag = y or tag = x", order="+created_at")
    assert [run.name for run in both] == ["Run 1"]


@pytest.mark.parametrize(
    "text",
    [
        'config."a b" = "x\\"y\\\\" and (metric.loss.min < 1e-300 or not tag = null)',
        "created_at > 2026-01-31T12:00:00.000001+02:00 and config.on = true",
        'config.x = nan or config.x != "nan" or config.x = -inf or metric."a.min".last >= 3',
        'not (not (name ~ "é" and state = running)) or duration <= 1.5',
    ],
)
def test_a_filter_is_parsed_as_it_is_written(text: str) -> None:
    tree = parse_filter(text)
    assert repr(parse_filter(filter_text(tree))) == repr(tree)
