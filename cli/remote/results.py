"""`colt eval` and `colt compare`: what jobs have learned."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.remote import service
from cli.remote.options import AsJson, Settings, Url, Wait, settings_of
from cli.remote.printing import interval, points, print_fields, print_json, print_table, print_warnings, text


def evaluate(
    wanted: Annotated[str, typer.Argument(metavar="JOB", help="Its id, or its name if only one has it.")],
    kind: Annotated[str, typer.Argument(metavar="PROBE", help="linear, few_shot or knn.")] = "linear",
    checkpoint: Annotated[str | None, typer.Option(help="Id of a checkpoint. Default: the last.")] = None,
    changes: Settings = None,
    wait: Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a checkpoint of a job with a probe. Asking for the same again gives the result that
    there is."""
    with service.service(url) as client:
        found = service.job(client, wanted).evaluate(kind, checkpoint_id=checkpoint, **settings_of(changes))
        if wait:
            found.wait()
    if as_json:
        print_json(found)
        return
    info = found.info
    groups = {} if info.group_accuracy is None else info.group_accuracy.model_dump()
    print_fields(
        {"id": info.id, "status": info.status, "probe": info.kind, "epoch": info.epoch}
        | {"all": points(info.balanced_accuracy)}
        | {name: points(value) for name, value in groups.items()}
        | {"std": points(info.group_std)}
    )
    print_warnings(info.warnings)


def compare(
    wanted: Annotated[list[str], typer.Argument(metavar="JOB JOB...", help="Ids or names.")],
    baseline: Annotated[str | None, typer.Option(help="The job to compare with. Default: the first.")] = None,
    evaluation: Annotated[str | None, typer.Option(help="Probe to compare by.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Compare jobs with a baseline, in points. Jobs that differ by their seed alone are runs of one
    setting. Intervals are 95 % t intervals of differences that are paired by seed."""
    with service.service(url) as client:
        ids = [service.job(client, name).id for name in wanted]
        base = ids[0] if baseline is None else service.job(client, baseline).id
        jobs = list(dict.fromkeys([*ids, base]))
        found = client.compare(*jobs, baseline=base, evaluation=evaluation)
    if as_json:
        print_json(found)
        return
    print_table(("job", "id"), ((job.name, job.id) for job in found.jobs))
    against = found.against
    if against is None or against.evaluation is None:
        print("The baseline has no evaluation to compare by.")
    else:
        print(f"evaluation: {against.evaluation}")
        names = {job.id: job.name for job in found.jobs}
        for setting in against.settings:
            _print_setting(setting, names)
    print_warnings(found.warnings)


def _print_setting(setting: Any, names: dict[str, str]) -> None:
    print(f"\n{', '.join(text(names[job_id]) for job_id in setting.job_ids)}")
    if setting.differs_in:
        print(f"differs in: {', '.join(setting.differs_in)}")
    if setting.no_verdict:
        print(f"no verdict: {text(setting.no_verdict)}")
    if setting.rows:
        heads = ("metric", "mean", "sd", "n", "difference", "95 % interval", "verdict")
        print_table(
            heads,
            (
                (
                    row.metric,
                    points(row.mean),
                    points(row.sd),
                    row.n,
                    points(row.difference, signed=True),
                    interval(row.interval),
                    row.verdict,
                )
                for row in setting.rows
            ),
        )
