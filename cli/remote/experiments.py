"""`colt experiment`: arms compared over data sets and seeds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.remote import service
from cli.remote.options import AsJson, Most, Output, Settings, Url, given, read_file, settings_of
from cli.remote.printing import interval, points, print_fields, print_json, print_table, print_warnings, save
from cli.remote.registering import AcceptCost

app = typer.Typer(help="Run experiments, and read their results.")
Wanted = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its id, or its name if only one has it.")]
Probe = Annotated[str | None, typer.Option(help="Probe. Default: the first of the experiment.")]
Baseline = Annotated[str | None, typer.Option(help="Name of an arm. Default: that of the experiment.")]


class Format(StrEnum):
    """What results can be written as."""

    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    JSON = "json"


@app.command(epilog="Example: colt experiment run --template did-it-help --dataset digits --pool glyphs --seeds 0,1,2")
def run(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="YAML or JSON: a body of POST /experiments.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="A bundled experiment, such as did-it-help.")] = None,
    name: Annotated[str | None, typer.Option(help="Default: that of the file or template.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Data set, by id or name. Repeatable.")] = None,
    balanced: Annotated[list[str] | None, typer.Option(help="Balanced data set of a control. Repeatable.")] = None,
    pool: Annotated[str | None, typer.Option(help="OOD pool, by id or name.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="0,1,2", help="Seeds, separated by commas.")] = None,
    changes: Settings = None,
    evaluate: Annotated[list[str] | None, typer.Option(help="Probe. Repeatable.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Name of the arm to compare with.")] = None,
    accept_cost: AcceptCost = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all jobs have ended.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Queue a job for each arm, data set and seed. Options come before what the file says, in which
    names of data may stand for ids. The file is kept as the experiment's protocol."""
    if file is None and template is None:
        raise typer.BadParameter("give a FILE or --template")
    body: dict[str, Any] = {} if file is None else {"protocol": file.read_text("utf-8"), **read_file(file)}
    body |= given(template=template, name=name, evaluations=evaluate, baseline=baseline, accept_cost=accept_cost)
    body.setdefault("name", template if file is None else file.stem)
    if seeds is not None:
        body["seeds"] = _seeds(seeds)
    if changed := settings_of(changes):
        body["config"] = {**body.get("config", {}), **changed}
    with service.service(url) as client:
        for field, names in (("dataset_ids", dataset), ("balanced_dataset_ids", balanced)):
            if wanted := names or body.get(field):
                body[field] = [service.dataset(client, str(each)).id for each in wanted]
        if wanted_pool := pool or body.get("ood_pool_id"):
            body["ood_pool_id"] = service.ood_pool(client, str(wanted_pool)).id
        found = client.experiments.submit(body.pop("dataset_ids", []), **body)
        if wait:
            found.wait()
    if as_json:
        print_json(found)
    else:
        print(f"{found.id}  {found.status}  {found.info.total} runs")


@app.command("ls", epilog="Example: colt experiment ls")
def list_(limit: Most = 50, url: Url = None, as_json: AsJson = False) -> None:
    """List experiments, newest first."""
    with service.service(url) as client:
        found = list(client.experiments.list(limit=limit))
    if as_json:
        print_json(found)
        return
    infos = [item.info for item in found]
    rows = ((i.id, i.name, i.status, f"{i.finished}/{i.total}", i.baseline, i.created_at) for i in infos)
    print_table(("id", "name", "status", "runs", "baseline", "created"), rows)


@app.command(epilog="Example: colt experiment show did-it-help --evaluation knn")
def show(
    wanted: Wanted, evaluation: Probe = None, baseline: Baseline = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Show an experiment and its results so far, in points."""
    with service.service(url) as client:
        experiment = service.experiment(client, wanted)
        results = experiment.results(evaluation=evaluation, baseline=baseline, classes=False)
        experiment.refresh()
    if as_json:
        print_json({"experiment": experiment.info.model_dump(mode="json"), "results": results.model_dump(mode="json")})
        return
    info = experiment.info
    shown = {"id": info.id, "name": info.name, "status": info.status, "runs": f"{info.finished}/{info.total}"}
    print_fields(shown | {"evaluation": results.evaluation, "baseline": results.baseline})
    heads = ("arm", "metric", "n", "mean", "sd", "pairs", "difference", "95 % interval", "verdict")
    print_table(
        heads,
        (
            (
                row.arm,
                row.metric,
                row.n,
                points(row.mean),
                points(row.sd),
                row.pairs,
                points(row.difference, signed=True),
                interval(row.interval),
                row.verdict,
            )
            for row in results.rows
        ),
    )
    print_warnings(results.warnings)


@app.command(epilog="Example: colt experiment export did-it-help --format latex -o table.tex")
def export(
    wanted: Wanted,
    format: Annotated[Format, typer.Option(help="How to write them.")] = Format.CSV,
    evaluation: Probe = None,
    baseline: Baseline = None,
    classes: Annotated[bool | None, typer.Option("--classes/--no-classes", help="Rows of classes too.")] = None,
    output: Output = None,
    url: Url = None,
) -> None:
    """Write the results of an experiment as a table."""
    query = given(evaluation=evaluation, baseline=baseline, classes=classes)
    with service.service(url) as client:
        experiment = service.experiment(client, wanted)
        save(output, lambda path: experiment.export(path, format=format.value, progress=False, **query))


def _seeds(said: str) -> list[int]:
    try:
        return [int(seed) for seed in said.split(",")]
    except ValueError:
        raise typer.BadParameter("are whole numbers, such as 0,1,2", param_hint="--seeds") from None
