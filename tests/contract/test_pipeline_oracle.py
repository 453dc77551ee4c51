"""Our stages, commands and edges are DVC's own, on the grammar corpus and on generated projects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_project import dvc_graph, init, write

from core.pipeline.read import read_pipeline
from core.pipeline.types import Pipeline, Stage


@pytest.fixture(scope="module")
def grammar(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("grammar") / "project"
    shutil.copytree(corpus / "dvc-grammar", folder)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return read_pipeline(folder), expected["projects"]["."]


def test_grammar_has_no_fault(grammar: tuple[Pipeline, dict[str, Any]]) -> None:
    assert grammar[0].findings == ()


def test_grammar_edges(grammar: tuple[Pipeline, dict[str, Any]]) -> None:
    pipeline, expected = grammar
    assert {stage.name for stage in pipeline.stages} == set(expected["stages"])
    assert sorted(map(list, pipeline.edges)) == sorted(expected["edges"])


def test_grammar_stages(grammar: tuple[Pipeline, dict[str, Any]]) -> None:
    pipeline, expected = grammar
    assert {stage.name: plain(stage) for stage in pipeline.stages} == {
        name: reference(stage) for name, stage in expected["stages"].items()
    }


def test_grammar_top_sections(grammar: tuple[Pipeline, dict[str, Any]]) -> None:
    pipeline, expected = grammar
    top = expected["top"]
    assert list(pipeline.metrics) == top["metrics"]["dvc.yaml"]
    assert list(pipeline.params) == top["params"]["dvc.yaml"]
    assert [plot.name for plot in pipeline.plots] == ["loss.csv", "ROC curves", "images"]
    (artifact,) = pipeline.artifacts
    wanted = top["artifacts"]["dvc.yaml"]["my-model"]
    assert (artifact.desc, list(artifact.labels), artifact.meta) == (
        wanted["desc"],
        wanted["labels"],
        wanted["meta"],
    )


def plain(stage: Stage) -> dict[str, Any]:
    return {
        "cmd": list(stage.cmd) if isinstance(stage.cmd, tuple) else stage.cmd,
        "wdir": stage.wdir,
        "flags": (stage.frozen, stage.always_changed, stage.desc, stage.group),
        "meta": stage.meta,
        "deps": sorted(dep.path for dep in stage.deps),
        "params": sorted((one.file, sorted(one.keys), str(one.locked)) for one in stage.params),
        "outs": sorted(
            (
                out.path,
                out.hash and out.hash.value,
                out.hash and out.hash.kind,
                out.size,
                out.nfiles,
                out.cache,
            )
            for out in stage.outs
        ),
    }


def reference(stage: dict[str, Any]) -> dict[str, Any]:
    return {
        "cmd": stage["cmd"],
        "wdir": stage["wdir"],
        "flags": (stage["frozen"], stage["always_changed"], stage["desc"], stage["generated_from"]),
        "meta": stage["meta"],
        "deps": sorted(dep.get("abs", dep["path"]) for dep in stage["deps"] if dep["kind"] != "params"),
        "params": sorted(
            (dep["path"], sorted(dep["keys"]), str(dep["lock"]))
            for dep in stage["deps"]
            if dep["kind"] == "params"
        ),
        "outs": sorted(
            (
                out["abs"],
                out["hash"],
                out["hash"] and out["hash_name"],
                out["meta"].get("size"),
                out["meta"].get("nfiles"),
                out["cache"],
            )
            for out in stage["outs"]
        ),
    }


NAMES = st.sampled_from(["a", "b", "c", "data", "out/x", "out/y", "out", "deep/er/z", "sp ace", "ü"])
SCALARS = st.sampled_from([1, 2.5, True, "north", "1e-3", None])


@st.composite
def projects(draw: st.DrawFn) -> dict[str, str]:
    stages: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 5))):
        stage: dict[str, Any] = {"cmd": draw(st.sampled_from(["run", "run ${lr}", ["one", "two ${cfg.k}"]]))}
        stage["deps"] = draw(st.lists(NAMES, unique=True, max_size=3))
        stage["outs"] = [f"{draw(NAMES)}-{number}", {f"flag{number}": {"cache": draw(st.booleans())}}]
        if draw(st.booleans()):
            stage["deps"].append(draw(st.sampled_from([f"flag{n}" for n in range(number + 1)])))
        if draw(st.booleans()):
            stage["wdir"] = draw(st.sampled_from(["out", ".", "${folder}"]))
        if draw(st.booleans()):
            stage["params"] = ["lr", {"more.json": None}]
        stages[f"s{number}"] = generated(draw, stage)
    return {
        "dvc.yaml": json.dumps({"vars": [{"folder": "deep"}], "stages": stages}),
        "params.yaml": "lr: 1e-3\ncfg: {k: on}\naxis: [1, 2.0, no]\n",
        "more.json": "{}",
        "out/.keep": "",
        "deep/.keep": "",
    }


def generated(draw: st.DrawFn, stage: dict[str, Any]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["plain", "foreach", "matrix"]))
    if kind == "plain":
        return stage
    outs = [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]]
    suffix = "${item}" if kind == "foreach" else "${item.x}"
    body = {**stage, "outs": [f"{out}-{suffix}" for out in outs]}
    values = draw(st.one_of(st.just("${axis}"), st.lists(SCALARS, min_size=1, max_size=3, unique_by=str)))
    if kind == "foreach":
        return {"foreach": values, "do": body}
    return {"matrix": {"x": values}, **body}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=projects())
def test_generated_projects_are_read_as_dvc_reads_them(files: dict[str, str], tmp_path: Path) -> None:
    from dvc.exceptions import DvcException

    folder = tmp_path / "project"
    shutil.rmtree(folder, ignore_errors=True)
    init(folder, files)
    pipeline = read_pipeline(folder)
    try:
        stages, edges = dvc_graph(folder)
    except DvcException:
        assert pipeline.findings, files["dvc.yaml"]
        return
    assert {stage.name: plain(stage)["cmd"] for stage in pipeline.stages} == stages
    assert set(pipeline.edges) == edges


def test_one_bad_stage_costs_only_itself(tmp_path: Path) -> None:
    good = "stages:\n  good:\n    cmd: run\n    outs: [x]\n"
    init(
        tmp_path,
        {"dvc.yaml": f"{good}  bad:\n    cmd: run ${{nope}}\n  next:\n    cmd: run\n    deps: [x]\n"},
    )
    pipeline = read_pipeline(tmp_path)
    assert [stage.name for stage in pipeline.stages] == ["good", "bad", "next"]
    assert pipeline.edges == (("good", "next"),)
    (finding,) = pipeline.findings
    assert (finding.file, finding.line) == ("dvc.yaml", 5)
    assert "nope" in finding.message
    write(tmp_path, {"dvc.yaml": good})
    assert read_pipeline(tmp_path).findings == ()
