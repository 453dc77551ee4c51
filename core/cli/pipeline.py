"""``pipeline``: what DVC's files say, whether it is sound and current, and running it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_json,
    print_table,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.pipeline.checks import CheckedFiles
    from core.pipeline.jobs import Job
    from core.pipeline.reproduce import RunPlan
    from core.pipeline.types import Finding, Pipeline

app = typer.Typer(help="DVC pipelines: state, soundness, metrics, runs.", no_args_is_help=True)

ProjectOption = Annotated[
    Path | None, typer.Option("--project", help="DVC project; else the workspace's first one.")
]
RevOption = Annotated[str | None, typer.Option("--rev", help="Commit, branch, tag or experiment.")]
NoFilesOption = Annotated[bool, typer.Option("--no-files", help="Do not hash files; say 'not-checked'.")]


@app.command()
def status(
    project: ProjectOption = None,
    rev: RevOption = None,
    no_files: NoFilesOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """The state of each stage and why; files are hashed unless --no-files (or --rev) is given.

    Example: python -m core pipeline status --project .demo/project --output json
    """
    from core.pipeline.read import read_pipeline
    from core.pipeline.status import stage_states

    pipeline = read_pipeline(project_folder(project, workspace), rev)
    states = {state.name: state for state in stage_states(pipeline, _checked(pipeline, no_files))}
    if output is Output.JSON:
        print_json(_status_json(pipeline, states))
        return
    rows = [
        (stage.name, states[stage.name].state, "; ".join(map(str, states[stage.name].reasons)))
        for stage in pipeline.stages
    ]
    print_table(("stage", "state", "why"), rows, output)
    _log_findings(pipeline.findings)


@app.command()
def validate(
    project: ProjectOption = None,
    rev: RevOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """What would keep the pipeline from running; exit code 3 when something does.

    Example: python -m core pipeline validate --project .demo/project
    """
    from core.pipeline.read import read_pipeline
    from core.pipeline.validate import is_sound
    from core.pipeline.validate import validate as check

    findings = check(read_pipeline(project_folder(project, workspace), rev))
    if output is Output.JSON:
        print_json({"ok": is_sound(findings), "findings": [_finding_json(one) for one in findings]})
    else:
        rows = [(one.severity, one.file, one.line, one.message) for one in findings]
        print_table(("severity", "file", "line", "message"), rows, output)
    if not is_sound(findings):
        raise typer.Exit(3)


@app.command()
def metrics(
    revisions: Annotated[list[str] | None, typer.Argument(help="Revisions to compare.")] = None,
    project: ProjectOption = None,
    params: Annotated[bool, typer.Option("--params", help="Parameters instead of metrics.")] = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Metrics of the working tree, or of revisions side by side ('.' is the working tree).

    Example: python -m core pipeline metrics HEAD~1 HEAD . --project .demo/project
    """
    from core.pipeline.measures import differences, read_metrics, read_params

    wanted = [None if name == "." else name for name in revisions or ["."]]
    read = read_params if params else read_metrics
    found = read(project_folder(project, workspace), wanted)
    names = [name or "." for name in wanted]
    if output is Output.JSON:
        print_json({"revisions": [_measures_json(one) for one in found], "differing": _differing(found)})
        return
    keys = dict.fromkeys(
        (file, key) for one in found for file, values in one.values.items() for key in values
    )
    delta = {(one.file, one.key): one.delta for one in differences(found)}
    rows = [
        (file, key, *(one.values.get(file, {}).get(key) for one in found), delta.get((file, key)))
        for file, key in keys
    ]
    print_table(("file", "key", *names, "delta"), rows, output)
    for one in found:
        for stored in one.stored:
            log(f"{stored.path} is in DVC's storage only: {stored.way_out}")


@app.command()
def repro(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages to reproduce; all when left out.")
    ] = None,
    project: ProjectOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run stages that are up to date too.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="From these stages on.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Start the job and return.")] = False,
    no_validate: Annotated[bool, typer.Option("--no-validate", help="Run in spite of findings.")] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run 'dvc repro' as a job that survives this terminal; exit code 3 when a stage fails.

    Example: python -m core pipeline repro train_model --downstream --project .demo/project
    """
    from core.access import local_actor
    from core.pipeline.reproduce import carry_out, plan_repro
    from core.workspace import open_workspace

    folder = project_folder(project, workspace)
    plan = plan_repro(folder, stages or (), force=force, downstream=downstream)
    if plan.blocked and not no_validate:
        _log_findings(plan.findings)
        log("Nothing was run. Mend the above, or use --no-validate.")
        raise typer.Exit(3)
    if dry_run:
        _print_plan(plan, output)
        return
    ws = open_workspace(workspace)
    job = carry_out(ws, plan, local_actor(ws.settings), in_spite=no_validate)
    if not background:
        job = _follow(folder, job.job_id)
    _print_job(job, output)


@app.command()
def jobs(
    project: ProjectOption = None, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """The jobs of a project, newest first.

    Example: python -m core pipeline jobs --project .demo/project
    """
    from core.pipeline.jobs import jobs as all_jobs

    found = all_jobs(project_folder(project, workspace))
    if output is Output.JSON:
        print_json({"jobs": [_job_json(job) for job in found]})
        return
    rows = [(job.job_id, job.state, job.started_at, " ".join(job.command), job.error) for job in found]
    print_table(("job", "state", "started", "command", "error"), rows, output)


@app.command()
def cancel(
    job_id: Annotated[str, typer.Argument(help="As 'pipeline jobs' lists it.")],
    project: ProjectOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop a running job; exit code 7 when it is not running.

    Example: python -m core pipeline cancel 20261124T093000-a1b2c3 --project .demo/project
    """
    from core.access import local_actor
    from core.pipeline.jobs import read_job, wait
    from core.pipeline.reproduce import cancel as stop
    from core.workspace import open_workspace

    folder, ws = project_folder(project, workspace), open_workspace(workspace)
    if dry_run:
        job = read_job(folder, job_id)
        log("Dry run: it goes on.")
    else:
        stop(ws, folder, job_id, local_actor(ws.settings))
        job = wait(folder, job_id, timeout_s=30)
    if output is Output.JSON:
        print_json(_job_json(job))
    else:
        print_table(("job", "state"), [(job.job_id, job.state)], output)


@app.command()
def report(
    project: ProjectOption = None,
    rev: RevOption = None,
    no_files: NoFilesOption = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write .md, .html or .json there.")] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.MARKDOWN,
) -> None:
    """States, metrics, params, findings and the last job in one document.

    Example: python -m core pipeline report --project .demo/project --out report.html
    """
    import json

    from core.errors import BadInput
    from core.pipeline.read import read_pipeline
    from core.pipeline.report import as_html, as_json, as_markdown, make_report

    folder = project_folder(project, workspace)
    checker = _checked(read_pipeline(folder, rev), no_files)
    made = make_report(folder, rev, checker, datetime.now(UTC))
    if out is None:
        if output is Output.JSON:
            print_json(as_json(made))
        else:
            typer.echo(as_markdown(made))
        return
    writers = {
        ".md": as_markdown,
        ".html": as_html,
        ".json": lambda one: json.dumps(as_json(one), default=str),
    }
    if out.suffix not in writers:
        raise BadInput(f"'{out}' ends in no known format.", "Use .md, .html or .json.")
    write_file(out, writers[out.suffix](made))
    log(f"written: {out}")


def project_folder(project: Path | None, workspace: Path) -> Path:
    """The named project, else the workspace's first; raises NotFound when there is neither."""
    from core.errors import NotFound

    if project is not None:
        return project
    from core.workspace import open_workspace

    settings = open_workspace(workspace).settings
    if not settings.dvc.projects:
        raise NotFound("The workspace names no DVC project.", "Give --project, or set [dvc] projects.")
    return settings.path(settings.dvc.projects[0])


def _checked(pipeline: Pipeline, no_files: bool) -> CheckedFiles | None:
    from core.pipeline.checks import check_files

    return None if no_files or pipeline.revision else check_files(pipeline)


def _status_json(pipeline: Pipeline, states: dict[str, Any]) -> dict[str, Any]:
    return {
        "revision": pipeline.revision,
        "stages": [
            {
                "name": stage.name,
                "file": stage.file,
                "cmd": list(stage.cmd) if isinstance(stage.cmd, tuple) else stage.cmd,
                "deps": [dep.path for dep in stage.deps],
                "outs": [out.path for out in stage.outs],
                "state": str(states[stage.name].state),
                "reasons": [str(reason) for reason in states[stage.name].reasons],
            }
            for stage in pipeline.stages
        ],
        "edges": [list(edge) for edge in pipeline.edges],
        "findings": [_finding_json(one) for one in pipeline.findings],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "message": finding.message,
        "severity": str(finding.severity),
    }


def _measures_json(one: Any) -> dict[str, Any]:
    return {
        "revision": one.revision or ".",
        "commit": one.commit,
        "values": one.values,
        "stored": [{"path": stored.path, "way_out": stored.way_out} for stored in one.stored],
        "findings": [_finding_json(finding) for finding in one.findings],
    }


def _differing(found: Any) -> list[dict[str, Any]]:
    from core.pipeline.measures import differences

    return [
        {"file": one.file, "key": one.key, "values": list(one.values), "delta": one.delta}
        for one in differences(found)
    ]


def _log_findings(findings: tuple[Finding, ...]) -> None:
    for one in findings:
        log(f"{one.severity}: {one.file}:{one.line or '-'}: {one.message}")


def _follow(folder: Path, job_id: str) -> Job:
    from core.pipeline.jobs import cancel as stop
    from core.pipeline.jobs import wait

    log(f"job {job_id}; Ctrl+C cancels it")
    try:
        return wait(folder, job_id, watch=_stage_teller())
    except KeyboardInterrupt:
        stop(folder, job_id)
        return wait(folder, job_id, timeout_s=30)


def _stage_teller() -> Callable[[Job], None]:
    """Logs each stage when it begins, and when it ends."""
    told: dict[str, str] = {}

    def tell(job: Job) -> None:
        for one in job.stages:
            if told.get(one.name) != one.state:
                told[one.name] = one.state
                log(f"{one.name}: {one.state}" + (f" ({one.seconds:.1f} s)" if one.seconds else ""))

    return tell


def _print_plan(plan: RunPlan, output: Output) -> None:
    """What a reproduction would look at, and the command that would do it."""
    if output is Output.JSON:
        stages = [{"name": name, "state": "planned", "seconds": None} for name in plan.stages]
        facts = {"job_id": None, "state": "planned", "command": ["dvc", *plan.command], "stages": stages}
        print_json(facts | {"dry_run": True})
    else:
        print_table(("#", "stage"), list(enumerate(plan.stages, 1)), output)
    log(f"Dry run, nothing was started: dvc {' '.join(plan.command)}")


def _job_json(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "state": str(job.state),
        "stages": [{"name": one.name, "state": str(one.state), "seconds": one.seconds} for one in job.stages],
    }


def _print_job(job: Job, output: Output) -> None:
    from core.pipeline.jobs import JobState, log_tail

    if output is Output.JSON:
        print_json({**_job_json(job), "report": job.report})
    else:
        rows = [(one.name, one.state, one.seconds) for one in job.stages]
        print_table(("stage", "state", "seconds"), rows, output)
    if job.state in (JobState.SUCCEEDED, JobState.RUNNING):
        return
    root = job.folder.parents[3]
    log(log_tail(root, job.job_id, 20))
    log(f"error: the job {job.job_id} was {job.state}: {job.error or 'no reason given'}")
    raise typer.Exit(3 if job.state is JobState.FAILED else 1)
