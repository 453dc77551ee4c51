"""Forms of dvc.yaml and dvc.lock that people and programs write, against DVC itself.

Where DVC reads the project our stages, commands and edges are its own and nothing is complained of; where it refuses
the file there is a graph all the same, and a finding that names the fault.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_project import dvc_graph, dvc_lock, init, write

from core.pipeline.read import read_pipeline
from core.pipeline.types import Pipeline

PARAMS = """\
a: 1
b: {c: [x, y], d: {e: 2}}
list: [1, 2.50, true, null, 1e-3, s]
dicts: [{n: p, v: 1}, {n: q, v: 2}]
map: {one: {k: 1}, two: {k: 2}}
opts: {lr: 0.1, flag: true, off: false, xs: [1, 2], s: 'a b', n: null}
deps: [raw, a.txt]
pf: more.json
cmds: [one, two]
"""
FILES = {
    "raw": "r",
    "more.json": '{"k": 1}',
    "v.toml": "[t]\nz = 4\n",
    "p.py": "A = 5\nclass K:\n    z = 1\n",
    "sub/v.yaml": "z: 8\n",
    "sub/params.yaml": "a: 3\n",
    "x/.keep": "",
}
GOOD = {
    "foreach over a mapping": "s: {foreach: '${map}', do: {cmd: 'x ${key} ${item.k}', outs: ['${key}.o']}}",
    "foreach over mappings": "s: {foreach: [{a: 1}, {a: 2}], do: {cmd: 'x ${item.a}', outs: ['o${item.a}']}}",
    "foreach over scalars": "s: {foreach: '${list}', do: {cmd: 'x ${item}', outs: ['o${item}']}}",
    "foreach with odd keys": "s: {foreach: {2: a, true: c, 1.5: d, e/f: g}, do: {cmd: 'x ${key} ${item}'}}",
    "foreach over nothing": "s: {foreach: [], do: {cmd: x}}\n  t: {cmd: y}",
    "matrix of mappings": "s: {matrix: {m: [a, b], cfg: '${dicts}'}, cmd: 'x ${item.m} ${item.cfg.n} ${key}'}",
    "matrix of types": "s: {matrix: {m: [1, 2.50, true, null, 1e-3, 'x y', [1], {k: v}]}, cmd: 'x ${key}'}",
    "mapping in a command": "s: {cmd: 'x ${opts}'}",
    "escapes": "s: {cmd: 'x \\${a} ${a} \\\\${a} $${a} $a'}",
    "access": "s: {cmd: 'x ${b.c[0]} ${b[d][e]} ${ a } ${opts.n}'}",
    "vars": "s: {cmd: 'x ${z} ${t.z} ${K.z}', wdir: sub, vars: [v.yaml]}\nvars: [v.toml, p.py, {b: {f: 9}}]",
    "params": "s: {cmd: x, params: [a, b.d, {more.json: , p.py: [A]}, {more.json: [k], '${pf}': [k]}, 'b.*']}",
    "working folder": "s: {cmd: x, wdir: '${b.c[0]}', params: [a], deps: [../raw, d], outs: [../top]}",
    "paths": "s: {cmd: x, deps: [./raw, d//e, ../out/x], outs: [o/, ./p, q/../r]}\n  t: {cmd: y, deps: [o/in, p, r]}",
    "inside and around": "s: {cmd: x, outs: [o, d/e/f]}\n  t: {cmd: y, deps: [o/a, d]}\n  u: {cmd: z, deps: [d/e/ff]}",
    "anchors": "s: &b\n    cmd: |\n      one\n      two\n    outs: [o1]\n  t:\n    <<: *b\n    outs: [o2]",
    "output flags": "s: {cmd: x, outs: [{o: {persist: true, cache: false, labels: [l], meta: {m: 1}}}, {q: {}}]}",
    "plots": "s: {cmd: x, plots: [{p.csv: {x: a, header: true}}, q.csv]}\nplots: [{q: {y: {f.csv: [a]}}}, {r.csv: }]",
    "odd names": "é: {cmd: x, outs: [ü]}\n  on: {cmd: y}\n  a.b-c_d: {cmd: z, deps: ['a\\b']}",
    "numbers": "s: {cmd: 'x ${f} ${g} ${i} ${k}'}\nvars: [{f: 1e-10, g: 1.0e+20, i: -0.0, k: 1_0}]",
}
BAD = {
    "vars of a stage that needs none": "s: {cmd: x, vars: [none.yaml]}",
    "vars that are absent": "s: {cmd: x}\nvars: [none.yaml]",
    "vars that overrule": "s: {cmd: x}\nvars: [{a: 2}]",
    "an output that holds dvc.yaml": "s: {cmd: x, outs: [.]}",
    "a switch that is a number": "s: {cmd: x, outs: [{o: {cache: 1}}]}",
    "a switch that is templated": "s: {cmd: x, frozen: '${opts.flag}'}",
    "a flag that is templated": "s: {cmd: x, outs: [{o: {cache: '${opts.off}'}}]}",
    "labels that are no list": "s: {cmd: x, outs: [{o: {labels: a}}]}",
    "an axis of a plot": "s: {cmd: x, plots: [{p.csv: {x: 1}}]}",
    "no stages": "",
    "a list for deps": "s: {cmd: x, deps: '${deps}'}",
    "a list in a command": "s: {cmd: 'x ${deps}'}",
    "nothing for flags": "s: {cmd: x, outs: [{p: }]}",
    "a date in vars": "s: {cmd: 'x ${m}'}\nvars: [{m: 2020-01-01}]",
    "a number for a name": "1: {cmd: x}",
    "an @ in a name": "a@b: {cmd: x}",
    "more than foreach and do": "s: {foreach: [1], do: {cmd: x}, cmd: y}",
    "nothing for wdir": "s: {cmd: x, wdir: }",
    "a mapping for vars": "s: {cmd: x, vars: {a: 1}}",
    "an artifact's key": "s: {cmd: x}\nartifacts: {m: {path: raw, foo: 1}}",
    "a plot's key": "s: {cmd: x}\nplots: [{a.csv: {foo: 1}}]",
    "a plot that is a number": "s: {cmd: x}\nplots: [1]",
    "the same output": "s: {cmd: x, outs: [o]}\n  t: {cmd: x, outs: [./o]}",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init(tmp_path_factory.mktemp("forms") / "project", {**FILES, "params.yaml": PARAMS})


def read(project: Path, form: str) -> Pipeline:
    write(project, {"dvc.yaml": f"stages:\n  {form}\n"})
    return read_pipeline(project)


def plain(cmd: Any) -> Any:
    return list(cmd) if isinstance(cmd, tuple) else cmd


@pytest.mark.parametrize("name", GOOD)
def test_what_dvc_reads_is_read_alike(name: str, project: Path) -> None:
    pipeline = read(project, GOOD[name])
    stages, edges = dvc_graph(project)
    assert {stage.name: plain(stage.cmd) for stage in pipeline.stages} == stages
    assert set(pipeline.edges) == edges
    assert pipeline.findings == ()


@pytest.mark.parametrize("name", BAD)
def test_what_dvc_refuses_is_a_finding(name: str, project: Path) -> None:
    from dvc.exceptions import DvcException

    pipeline = read(project, BAD[name])
    with pytest.raises((DvcException, TypeError)):
        dvc_graph(project)
    assert pipeline.findings
    assert {"s", "1", "s@1"} & {stage.name for stage in pipeline.stages} or name in (
        "no stages",
        "an @ in a name",
    )


def test_broken_params_cost_every_stage_of_their_folder(project: Path) -> None:
    """DVC loads params.yaml for its templating even where nothing is templated."""
    write(project, {"broken/params.yaml": "a: [1\n", "broken/dvc.yaml": "stages:\n  s: {cmd: x}\n"})
    try:
        pipeline = read(project, "t: {cmd: y}")
    finally:
        shutil.rmtree(project / "broken")
    assert [stage.name for stage in pipeline.stages] == ["t", "broken/dvc.yaml:s"]
    (finding,) = pipeline.findings
    assert finding.file == "broken/dvc.yaml" and finding.message.startswith("params.yaml: not valid YAML")


STAGES = """\
a: {cmd: run a, deps: [raw, 'https://h/x'], outs: [o/a, {flag: {cache: false}}]}
  b: {cmd: [one, two], deps: [o/a], params: [a, b.d, {more.json: }], metrics: [m.json], wdir: sub}
  c: {foreach: [1, 2], do: {cmd: 'run ${item}', deps: [flag], outs: ['c${item}']}}
"""
DIGESTS = st.sampled_from(
    ["d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661", "1e5" + "0" * 29]
)


@st.composite
def entries(draw: st.DrawFn, paths: tuple[str, ...]) -> list[dict[str, Any]]:
    """Deps or outs of a lock: any of the stage's paths and one that it does not name, with more or less about them."""
    found = []
    for path in draw(st.lists(st.sampled_from([*paths, "gone"]), unique=True)):
        if path.startswith("https:"):
            found.append({"path": path, "checksum": draw(DIGESTS)})
            continue
        item: dict[str, Any] = {"path": path} | draw(st.sampled_from([{"hash": "md5"}, {}]))
        item["md5"] = draw(DIGESTS) + draw(st.sampled_from(["", ".dir"]))
        item |= draw(
            st.fixed_dictionaries({}, optional={"size": st.integers(0, 9), "nfiles": st.integers(0, 9)})
        )
        found.append(item | draw(st.sampled_from([{}, {"isexec": True}])))
    return found


@st.composite
def locks(draw: st.DrawFn) -> str:
    value = st.sampled_from([1, 2.5, "1e-3", 1e-05, None, True, [1], {"e": 2}])
    params = st.fixed_dictionaries({}, optional={"a": value, "b.d": value, "zz": value})
    made = {
        "a": ("run a", ("raw", "https://h/x"), ("o/a", "flag")),
        "b": (["one", "two"], ("o/a",), ("m.json",)),
        "c@1": ("run 1", ("flag",), ("c1",)),
        "stale": ("gone", ("raw",), ("old",)),
    }
    stages = {}
    for name, (cmd, deps, outs) in made.items():
        if draw(st.booleans()):
            entry = {"cmd": draw(st.sampled_from([cmd, "other", [cmd] if isinstance(cmd, str) else "one"]))}
            entry |= {"deps": draw(entries(deps)), "outs": draw(entries(outs))}
            if name == "b":
                entry["params"] = {"params.yaml": draw(params), "more.json": {"k": draw(value)}}
            stages[name] = {key: part for key, part in entry.items() if part}
    return draw(st.sampled_from([written, json.dumps]))({"schema": "2.0", "stages": stages})


def written(lock: dict[str, Any]) -> str:
    """As DVC writes it."""
    import io

    from ruamel.yaml import YAML

    stream, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.dump(lock, stream)
    return stream.getvalue()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lock=locks())
def test_generated_locks_are_read_as_dvc_reads_them(lock: str, project: Path) -> None:
    write(project, {"dvc.lock": lock})
    try:
        pipeline = read(project, STAGES)
        theirs = dvc_lock(project)
    finally:
        (project / "dvc.lock").unlink()
    ours = {
        stage.name: {
            "changed command": stage.has_lock and stage.lock_cmd != stage.cmd,
            "items": {
                item.written: (
                    item.hash and item.hash.value,
                    item.hash and item.hash.kind,
                    item.size,
                    item.nfiles,
                )
                for item in (*stage.deps, *stage.outs)
            },
            "params": {Path(one.file).name: one.locked for one in stage.params if one.locked},
        }
        for stage in pipeline.stages
    }
    assert ours == theirs
    assert pipeline.findings == ()
