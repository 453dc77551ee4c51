"""``approval expire`` and ``approval remind``: what follows from a date alone, for a nightly job."""

from __future__ import annotations

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, print_json, print_table, rehearsable


@rehearsable
def expire(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Close the requests whose date has passed, on the record; for a nightly job.

    Example: python -m core approval expire
    """
    from core.registry.deadlines import record_expired
    from core.workspace import open_workspace

    _print_ids("expired", record_expired(open_workspace(workspace)), output)


@rehearsable
def remind(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Remind, once each, of requests that wait for half and nine tenths of their time; `monitor` does it too.

    Example: python -m core approval remind
    """
    from core.registry.deadlines import record_reminders
    from core.workspace import open_workspace

    _print_ids("reminded", record_reminders(open_workspace(workspace)), output)


def _print_ids(name: str, request_ids: tuple[str, ...], output: Output) -> None:
    if output is Output.JSON:
        print_json({name: list(request_ids)})
    else:
        print_table([name], [[request_id] for request_id in request_ids], output)
