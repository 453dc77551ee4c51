"""The pipelines that `ci init` writes: their schema, and every shell line run in order on a copy of the demo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.access import demo_actor
from core.ci.comments import place_of, post
from core.ci.init import Names, Provider, template, write
from core.errors import BadInput, BadSettings, Conflict, Unavailable
from core.registry.approvals import approve
from core.registry.requests import newest_request
from core.registry.standing import standings
from core.workspace import open_workspace

ROOT = Path(__file__).parents[2]
NAMES = Names(model="diagnosis-risk", data="data/raw/patients.csv", workspace="..")
POLICY = """
tiers:
  - {name: t, models: ["*"], checks: [data-validation], gates: [{metric: auroc, min: 0.5}]}
"""
SCHEMA = "columns: {age: {type: number, min: 0, max: 130, missing: 0.1}, sex: {type: category}}\n"
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def github() -> dict[str, Any]:
    return yaml.safe_load(template(Provider.GITHUB, NAMES))["jobs"]


def gitlab() -> dict[str, Any]:
    jobs = yaml.safe_load(template(Provider.GITLAB, NAMES))
    return {name: job for name, job in jobs.items() if isinstance(job, dict) and "script" in job}


@pytest.mark.parametrize("provider", Provider)
def test_the_file_fits_the_providers_own_schema(provider: Provider, tmp_path: Path) -> None:
    file = write(tmp_path, provider, NAMES)
    kind = {
        "github": ["vendor.github-workflows"],
        "gitlab": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    }
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *kind[provider], str(file)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"@[A-Z_]+@", file.read_text())


def test_this_projects_own_workflow_fits_too() -> None:
    file = ROOT / ".github" / "workflows" / "ci.yml"
    words = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(file),
    ]
    assert subprocess.run(words, capture_output=True).returncode == 0
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert own["permissions"] == {"contents": "read"}
    assert {"lint", "test", "demo", "bench"} <= set(own["jobs"])
    for job in own["jobs"].values():
        assert all(PINNED.fullmatch(step["uses"]) for step in job["steps"] if "uses" in step)


ACTIONLINT = Path(sys.executable).with_name("actionlint")


@pytest.mark.skipif(not ACTIONLINT.is_file(), reason="no wheel of actionlint for this machine")
def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    files = [ROOT / ".github" / "workflows" / "ci.yml", write(tmp_path, Provider.GITHUB, NAMES)]
    # Whether shellcheck and pyflakes are at hand differs between machines.
    words = [str(ACTIONLINT), "-no-color", "-shellcheck=", "-pyflakes=", *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    files[1].write_text(files[1].read_text().replace("needs: [register]", "needs: [regster]"))
    assert "regster" in subprocess.run(words, capture_output=True, text=True).stdout


def test_rights_are_least_and_actions_pinned() -> None:
    text = yaml.safe_load(template(Provider.GITHUB, NAMES))
    assert text["permissions"] == {"contents": "read"}
    granted = {name: job["permissions"] for name, job in text["jobs"].items() if "permissions" in job}
    assert granted == {"model-validation": {"contents": "read", "pull-requests": "write"}}
    for name, job in text["jobs"].items():
        for step in job["steps"]:
            assert "uses" not in step or PINNED.fullmatch(step["uses"]), (name, step)
    assert {job.get("environment") for job in text["jobs"].values()} == {None, "staging", "production"}
    top = json.dumps(text["env"])
    assert "secrets." not in top, "a secret is passed to the jobs that need it, not to all"


def test_code_of_a_pull_request_holds_no_key_to_the_ledger() -> None:
    holds = {
        name: "MODELDESK_LEDGER__URL" in job.get("env", {}) and any("dvc repro" in line for line in ran(job))
        for name, job in github().items()
    }
    assert not any(holds.values()) and any("dvc repro" in line for line in ran(github()["model-training"]))
    lines = [line for job in github().values() for line in ran(job) if re.search(r"python .*-m core", line)]
    assert len(lines) > 10 and all("python -P -m core" in line for line in lines), (
        "a checkout may hold a core/"
    )


KEYS = {"MODELDESK_LEDGER__URL", "GITLAB_TOKEN"}


def test_on_gitlab_a_key_reaches_the_jobs_of_its_environment_alone() -> None:
    """The environments of the jobs, and the scopes that the file's first lines tell people to set."""
    named = {name: job.get("environment") for name, job in gitlab().items()}
    scopes = {name: one["name"] if isinstance(one, dict) else one for name, one in named.items()}
    assert scopes == {
        "data-validation": None, "model-training": None, "model-validation": "model-validation",
        "register": "staging", "deploy-staging": "staging", "approval": "staging", "deploy-production": "production",
    }  # fmt: skip
    deploying = [name for name, one in named.items() if isinstance(one, str)]
    assert deploying == ["deploy-staging", "deploy-production"], "the others do not count as deployments"
    told, scope = {}, ""
    for line in template(Provider.GITLAB, NAMES).split("stages:")[0].splitlines():
        scope = found[1] if (found := re.match(r"#   scope (.{20})", line)) else scope
        for key in re.findall(r"[A-Z_]{6,}", line):
            told.setdefault(key, set()).add(scope.split()[0]) if scope else None
    assert told["MODELDESK_LEDGER__URL"] == {"model-validation", "staging"}
    assert told["GITLAB_TOKEN"] == {"model-validation"}
    top = yaml.safe_load(template(Provider.GITLAB, NAMES))["variables"]
    assert not KEYS & set(top)


def ran(job: dict[str, Any]) -> list[str]:
    return [line for _, lines in shell(job) for line in lines]


def test_both_providers_run_the_same_lines() -> None:
    ours = {name: [line for _, lines in shell(job) for line in lines] for name, job in github().items()}
    theirs = {name: [line.strip() for line in job["script"]] for name, job in gitlab().items()}
    assert set(ours) == set(theirs)
    for name in set(ours) - {"deploy-production"}:
        assert ours[name] == theirs[name], name
    *common, rollback = ours["deploy-production"]
    assert theirs["deploy-production"][:-1] == common[:-1]
    last = theirs["deploy-production"][-1]
    assert last.startswith(f"{common[-1]} ||") and rollback in last and last.endswith("exit $code; }")


def shell(job: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for step in job["steps"]:
        if "run" in step and step["name"] != "Install":
            yield step, step["run"].strip().split("\n")


@pytest.fixture
def project(demo_copy: Path) -> Path:
    """The demo's repository with what the pipeline names; releases need one approval, by alias alone."""
    settings = (demo_copy / "modeldesk.toml").read_text()
    settings = settings.replace('engine = "embedded"', 'engine = "none"')
    (demo_copy / "modeldesk.toml").write_text(settings)
    (demo_copy / "policy.yaml").write_text(POLICY)
    folder = demo_copy / "project"
    (folder / "schema.yaml").write_text(SCHEMA)
    (folder / "quality.yaml").write_text("max_missing: 0.5\nlabel: {column: diagnosis, min_share: 0.05}\n")
    return folder


class Runner:
    """A machine that runs a workflow's steps in bash: outputs, conditions and expressions, and nothing else."""

    def __init__(self, project: Path) -> None:
        self.project, self.outputs = project, {}
        self.summary = project.parent / "summary.md"
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MODELDESK_", "MLFLOW_"))
        }
        variables = yaml.safe_load(template(Provider.GITHUB, NAMES))["env"]
        self.environment = own | {
            **{name: value for name, value in variables.items() if "${{" not in str(value)},
            "BUILD": "4711",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{own['PATH']}",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "DVC_NO_ANALYTICS": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def job(self, name: str, **extra: str) -> list[tuple[str, int]]:
        """Run a job's steps; (step, exit code) of each that ran. ``outputs`` are kept for later jobs."""
        job, failed, ran, outcomes = github()[name], False, [], {}
        file = self.project.parent / f"{name}.outputs"
        file.touch()
        environment = self.environment | self._expressions(job.get("env", {})) | extra
        for step, lines in shell(job):
            if not self._due(step.get("if", "success()"), failed, outcomes):
                continue
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
                cwd=self.project,
                env=environment | {"GITHUB_OUTPUT": str(file)},
                capture_output=True,
                text=True,
                timeout=240,
            )
            ran.append((step["name"], done.returncode))
            outcomes[step.get("id")] = "success" if done.returncode == 0 else "failure"
            self.said = done.stdout + done.stderr
            failed = failed or done.returncode != 0
        self.outputs |= dict(line.split("=", 1) for line in file.read_text().splitlines())
        return ran

    @staticmethod
    def _due(condition: str, failed: bool, outcomes: dict[str | None, str]) -> bool:
        """The two conditions that the template has; another one is an error here."""
        if condition == "success()":
            return not failed
        assert condition == "failure() && steps.deploy.outcome == 'success'", condition
        return failed and outcomes.get("deploy") == "success"

    def _expressions(self, given: dict[str, str]) -> dict[str, str]:
        found = {name: re.search(r"outputs\.(\w+)", str(value)) for name, value in given.items()}
        return {name: self.outputs[match[1]] for name, match in found.items() if match}


@pytest.mark.slow
def test_every_line_of_the_pipeline_runs_to_production_and_back(project: Path) -> None:
    runner = Runner(project)
    assert runner.job("data-validation") == [("Data", 0), ("Schema", 0), ("Quality", 0)], runner.said
    assert {code for _, code in runner.job("model-training")} == {0}, runner.said
    assert {code for _, code in runner.job("model-validation")} == {0}, runner.said
    assert "<!-- model-desk:report diagnosis-risk -->" in runner.summary.read_text()
    assert {code for _, code in runner.job("register")} == {0}, runner.said
    version = int(runner.outputs["VERSION"])
    assert runner.job("deploy-staging") == [("Deploy", 0)], runner.said
    assert runner.job("approval", APPROVAL_TIMEOUT="0") == [("Wait for the approval", 5)]
    assert runner.job("deploy-production") == [("Deploy", 5)], "the rollback step must not run"

    ws = open_workspace(project.parent)
    request = newest_request(ws, "diagnosis-risk", version, "production")
    assert request is not None
    approve(ws, request.request_id, demo_actor(ws.settings, "demo-reviewer"))
    before = live(project)
    assert runner.job("approval", APPROVAL_TIMEOUT="0") == [("Wait for the approval", 0)], runner.said
    assert runner.job("deploy-production") == [("Deploy", 0), ("Check", 0)], runner.said
    assert live(project) == version != before

    from mlflow.tracking import MlflowClient

    uri = ws.settings.tracking_uri
    MlflowClient(uri, uri).set_registered_model_alias("diagnosis-risk", "champion", "1")
    runner.environment["BUILD"] = "4712"
    assert runner.job("deploy-production") == [("Deploy", 7)], runner.said
    assert live(project) == 1, "a deployment that was refused is no reason to roll back"
    lines = [line for step, block in shell(github()["deploy-production"]) for line in block]
    check, rollback = lines[-2:]
    assert bash(project, runner, check).returncode == 9
    done = bash(project, runner, gitlab()["deploy-production"]["script"][-1])
    assert done.returncode == 9 and live(project) == before, done.stderr
    assert bash(project, runner, rollback).returncode == 0, (
        "asked again under the same key, it is done already"
    )
    assert live(project) == before


def bash(project: Path, runner: Runner, line: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-eo", "pipefail", "-c", line]
    return subprocess.run(words, cwd=project, env=runner.environment, capture_output=True, text=True)


def live(project: Path) -> int | None:
    found = standings(open_workspace(project.parent), "diagnosis-risk")
    return next(one.alias_version for one in found if one.environment == "production")


def test_init_keeps_what_is_there_and_refuses_odd_names(tmp_path: Path) -> None:
    file = write(tmp_path, Provider.GITHUB, NAMES)
    assert write(tmp_path, Provider.GITHUB, NAMES) == file
    file.write_text("mine")
    with pytest.raises(Conflict, match="another pipeline"):
        write(tmp_path, Provider.GITHUB, NAMES)
    assert file.read_text() == "mine"
    write(tmp_path, Provider.GITHUB, NAMES, replace=True)
    for name in ("a b", "x; rm -rf /", "$(id)", "'", ""):
        with pytest.raises(BadInput):
            template(Provider.GITHUB, Names(model=name, data="d.csv"))


class Forge(ThreadingHTTPServer):
    """Comments as GitHub and GitLab keep them: listed by pages, added by POST, changed by PATCH or PUT."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Comments)
        self.comments: list[dict[str, Any]] = [{"id": n, "body": "other"} for n in range(100)]
        self.refuse = False
        self.tokens: list[str | None] = []


class _Comments(BaseHTTPRequestHandler):
    server: Forge

    def do_GET(self) -> None:
        page = int(re.search(r"[?&]page=(\d+)", self.path)[1])  # type: ignore[index]
        self._answer(self.server.comments[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        comment = {"id": len(self.server.comments), "html_url": "https://forge/1", **self._body()}
        self.server.comments.append(comment)
        self._answer(comment)

    def do_PATCH(self) -> None:
        comment = self.server.comments[int(self.path.rsplit("/", 1)[1])]
        comment |= self._body()
        self._answer(comment)

    do_PUT = do_PATCH

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, document: object) -> None:
        self.server.tokens.append(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
        self.send_response(403 if self.server.refuse else 200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def forge() -> Iterator[Forge]:
    server = Forge()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("provider", Provider)
def test_a_comment_is_replaced_and_not_repeated(provider: Provider, forge: Forge) -> None:
    url = f"http://127.0.0.1:{forge.server_address[1]}"
    environment = {
        Provider.GITHUB: {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": url, "GITHUB_REPOSITORY": "o/r",
            "GITHUB_REF": "refs/pull/7/merge", "GITHUB_TOKEN": "t",
        },
        Provider.GITLAB: {
            "GITLAB_CI": "true", "CI_API_V4_URL": url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": "t",
        },
    }[provider]  # fmt: skip
    place = place_of(environment)
    assert place is not None and "'t'" not in repr(place)
    marked = "<!-- model-desk:report m -->\n# {}"
    assert post(place, marked.format("one")).action == "created"
    assert post(place, marked.format("two")).action == "updated"
    assert post(place, marked.format("two")).action == "unchanged"
    assert post(place, marked.replace("report m", "report n").format("x")).action == "created"
    assert [one["body"] for one in forge.comments[100:]] == [
        marked.format("two"),
        marked.replace("m -->", "n -->").format("x"),
    ]
    assert set(forge.tokens) == {"Bearer t" if provider is Provider.GITHUB else "t"}
    with pytest.raises(BadInput, match="marker"):
        post(place, "# no marker")
    forge.refuse = True
    with pytest.raises(Unavailable, match="403"):
        post(place, marked.format("three"))
    forge.shutdown()
    forge.server_close()
    with pytest.raises(Unavailable):
        post(place, marked.format("three"))
    token = "GITHUB_TOKEN" if provider is Provider.GITHUB else "GITLAB_TOKEN"
    with pytest.raises(BadSettings, match=token):
        place_of({name: value for name, value in environment.items() if name != token})


def test_where_no_pull_request_is_nothing_is_posted() -> None:
    assert place_of({}) is None
    assert place_of({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}) is None
    assert place_of({"GITLAB_CI": "true"}) is None
