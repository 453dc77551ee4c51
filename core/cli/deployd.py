"""``deployd``: the process that keeps deployments as they were recorded."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    EnvironmentOption,
    ModelArgument,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
)

app = typer.Typer(
    help="Look after what was deployed: restart what dies, tell MLflow what changed.", no_args_is_help=True
)


@app.callback()
def deployd() -> None:
    """Look after what was deployed: restart what dies, tell MLflow what changed."""


@app.command("run")
def run(
    workspace: WorkspaceOption = HERE,
    stop_endpoints: Annotated[
        bool,
        typer.Option("--stop-endpoints", help="End models and router with it, unless they served before."),
    ] = False,
) -> None:
    """Stay in the foreground and look after this workspace's endpoints until stopped.

    Stopping it stops no model: the next one takes over what runs.

    Example: python -m core deployd run --workspace .demo
    """
    from core.deploy.supervisor import Supervisor
    from core.workspace import open_workspace

    Supervisor(open_workspace(workspace).deployments, log).run(stop_endpoints=stop_endpoints)


@app.command("adopt")
def adopt(
    model: ModelArgument,
    environment: EnvironmentOption = "production",
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Serve a pickled model; needs the approver role.")
    ] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Serve what was decided by alias so far: the live version, and the last good one warm behind it.

    Example: python -m core deployd adopt diagnosis-risk --workspace .demo
    """
    from core.access import local_actor
    from core.deploy import adopt as adopting
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    plan = adopting.plan_adopt(ws.deployments, model, environment)
    if not dry_run:
        adopting.adopt(ws.deployments, plan, local_actor(ws.settings), allow_code=allow_code)
    facts = {
        "model": model,
        "environment": environment,
        "live": plan.live.version,
        "previous": plan.previous.version if plan.previous else None,
        "dry_run": dry_run,
    }
    if output is Output.JSON:
        print_json(facts | {"steps": list(plan.steps)})
    else:
        print_table(["#", str(plan.key)], list(enumerate(plan.steps, 1)), output)
    if not dry_run:
        log("`python -m core deployd run` starts it.")


@app.command("stop")
def stop(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """End deployd; models and router go on serving.

    Example: python -m core deployd stop --workspace .demo
    """
    from core.deploy import supervisor
    from core.workspace import open_workspace

    desk = open_workspace(workspace).deployments
    pid = supervisor.running_pid(desk) if dry_run else supervisor.stop(desk)
    print_facts({"deployd": pid, "stopped": pid is not None and not dry_run, "dry_run": dry_run}, output)
    if dry_run:
        return
    log("deployd was not running." if pid is None else f"deployd (process {pid}) has ended.")


@app.command("status")
def status(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Whether deployd runs, the router answers, and what still has to be told to MLflow or the ledger.

    Example: python -m core deployd status --output json
    """
    from core.deploy import supervisor
    from core.workspace import open_workspace

    desk = open_workspace(workspace).deployments
    pid = supervisor.running_pid(desk)
    router = desk.serves and desk.engine.router_alive()
    waiting = desk.outbox.pending()
    if output is Output.JSON:
        untold = [{"endpoint": str(m.key), "kind": m.kind, "last_error": m.last_error} for m in waiting]
        print_json({"deployd": pid, "router": router, "untold": untold})
        return
    rows = [
        ["deployd", f"process {pid}" if pid else "not running"],
        ["router", "answers" if router else "down"],
    ]
    rows += [[f"untold {m.kind} of {m.key}", m.last_error or "not tried yet"] for m in waiting]
    print_table(["part", "state"], rows, output)


@app.command("shutdown")
def shutdown(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Stop every model, the router and deployd of this workspace; what was live stays recorded.

    Example: python -m core deployd shutdown --workspace .demo
    """
    from core.deploy import supervisor
    from core.workspace import open_workspace

    desk = open_workspace(workspace).deployments
    facts = {"deployd": supervisor.running_pid(desk), "serves": desk.serves, "dry_run": dry_run}
    print_facts(facts, output)
    if dry_run:
        log("Dry run: everything goes on.")
        return
    supervisor.stop(desk)
    if desk.serves:
        supervisor.stop_endpoints_of(desk)
    log("Everything is stopped; `python -m core deployd run` brings it back.")


@app.command("unit")
def unit(workspace: WorkspaceOption = HERE) -> None:
    """Print a systemd user unit that runs deployd.

    Example: python -m core deployd unit > ~/.config/systemd/user/modeldesk.service
    """
    from core.deploy.supervisor import unit as unit_text

    sys.stdout.write(unit_text(workspace.resolve(), sys.executable))
