"""Our SQL as PostgreSQL executes it."""

from __future__ import annotations

import pytest

from trackai.store.postgres.dialect import translate


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("a = ? AND b = ?", "a = $1 AND b = $2"),
        ("a = ?2 AND b = ?1 AND c = ?", "a = $2 AND b = $1 AND c = $3"),
        ("a = '?' AND \"b?\" = ?", "a = '?' AND \"b?\" = $1"),
        ("a = 'it''s ?' AND b = ?", "a = 'it''s ?' AND b = $1"),
        ("id IN (SELECT value FROM json_each(?))", "id = ANY ($1)"),
        ("id NOT IN (\n    SELECT value FROM json_each(?2)\n)", "id <> ALL ($2)"),
        ("a IS ? AND b IS NOT ?", "a IS NOT DISTINCT FROM $1 AND b IS DISTINCT FROM $2"),
        ("a IS NULL", "a IS NULL"),
        ("LIMIT ? OFFSET ?", "LIMIT nullif($1::bigint, -1) OFFSET $2"),
        ("a = x'01ff'", "a = '\\x01ff'::bytea"),
        ("ifnull(a, ?)", "coalesce(a, $1)"),
        ("?/*pg: ::bigint */, ?", "$1 ::bigint , $2"),
        ("/*pg: FOR UPDATE OF ? */", " FOR UPDATE OF $1 "),
        ("FROM series INDEXED BY series_by_path WHERE ?", "FROM series  WHERE $1"),
        ("/*sqlite*/ a /*end*/ /*pg: b */", "  b "),
        ("a -- what is this?\n= ?", "a \n= $1"),
        ("/* why? */ a = ?", "  a = $1"),
    ],
)
def test_texts_are_translated(ours: str, theirs: str) -> None:
    assert translate(ours).split() == theirs.split()
