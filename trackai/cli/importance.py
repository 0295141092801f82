"""trackai importance"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import echo, json_option, pluralize, print_json, print_table

if TYPE_CHECKING:
    from trackai.store.engine.store import Store
    from trackai.structs.records import Importance
    from trackai.sweeps.importance import Sample


@click.command()
@click.argument("project")
@click.argument("target")
@click.option("--filter", "condition",
              help="Filter runs by a condition: 'config.lr < 0.01 and tag = x'.")  # fmt: skip
@click.option("--parameters", help="Fields to assess: 'config.lr,group'. By default the config.")
@url_option
@db_option
@json_option
def importance(
    project: str,
    target: str,
    condition: str | None,
    parameters: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Show which parameters matter for a metric, over all runs of PROJECT that match a filter.

    TARGET is a field such as metric.val/loss.min. The importance is from a random forest, the
    correlation is Spearman's.
    """
    from trackai.filters.parser import parse_field, parse_fields, parse_filter
    from trackai.store.catalogue import projects, run_tables, samples
    from trackai.sweeps.importance import of_sample

    field = parse_field(target, name="target")
    tree = None if condition is None else parse_filter(condition)
    fields = None if parameters is None else parse_fields(parameters, name="parameters")

    async def work(database: Store) -> Sample:
        async with database.snapshot() as conn:
            project_id = (await projects.find(conn, project)).id
            where = run_tables.RunFilter(project_id=project_id, tree=tree)
            return await samples.read(conn, where, field, fields)

    server = find_server(db, url)
    if server is None:
        answer = of_sample(target, with_database(db, work))
    else:
        answer = server.importance(
            server.find_project(project).id, target=target, filter=condition, parameters=parameters
        )
    if as_json:
        print_json(**{name: getattr(answer, name) for name in answer.__struct_fields__})
        return
    _show(answer)


def _show(answer: Importance) -> None:
    print_table(
        ("parameter", "importance", "correlation", "runs", "values"),
        [
            (
                parameter.field,
                None if parameter.importance is None else round(parameter.importance, 3),
                None if parameter.correlation is None else round(parameter.correlation, 2),
                parameter.runs,
                parameter.values,
            )
            for parameter in answer.parameters
        ],
    )
    for unused in answer.unused:
        echo(f"left out: {unused.field}: {unused.reason}", err=True)
    of = f"of {answer.matching}"
    if answer.sampled < answer.matching:
        of = f"of a sample of {answer.sampled} {of}"
    echo(
        f"{pluralize(answer.runs, 'run')} with a value of {answer.target}, {of}; "
        f"{answer.missing} without, {answer.nans} NaN, {answer.infinite} infinite.",
        err=True,
    )
    if answer.problem:
        echo(f"no importance: {answer.problem}", err=True)
    elif answer.r_squared is not None:
        share = round(100 * max(0.0, answer.r_squared))
        echo(f"The forest explains {share} % of the variance of other runs.", err=True)
