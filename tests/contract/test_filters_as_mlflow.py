"""MLflow's own filter strings find the same runs here, on a real SQLite store with every odd value we know of."""

from __future__ import annotations

import logging
import math
import sqlite3

import pytest

from core.experiments.runs import open_tracking
from tests.contract.experiments_store import ODD_KEY, START
from tests.model_store import new_model_store

LARGEST = "1.7976931348623157e308"
NUMBERS = f"""
metrics.auroc > 0.9 | metrics.auroc>.9 | metrics.auroc>=-.5 | metric.auroc < 1E-3 | metrics.auroc != 0.9
metrics.auroc = 1e308 | metrics.auroc <= 0. | metrics.up > 1e308 | metrics.up = {LARGEST} | metrics.up != {LARGEST}
metrics.down <= -{LARGEST} | metrics.down = -{LARGEST} | metrics.auroc < {LARGEST} | metrics.nosuch != 1
metrics.`a-b` = 2 | metrics."a b" = 3 | metrics.`a b` = 3 | metrics."a/b" = 4 | metrics.a.b = 5 | metrics.`a.b` = 5
metrics."a:b" = 6 | metrics.5x = 7 | metrics.`5x` = 7 | metrics.`{ODD_KEY}` = 0 | `metrics`.auroc > 0.9
metrics.auroc > 0.5 AnD params.model = 'rf' | metrics.auroc>0.9 AND tags.stage='Dev_1' AND params.depth='10'
"""
TEXTS = f"""
param.model = "rf" | parameter.model = 'RF' | parameters.model != 'rf' | params.model LIKE 'r%' | params.model = 'null'
params.model LIKE 'R%' | params.model like 'r_' | params.model ILIKE 'r_' | params.model LIKE '' | params.model = 'rF '
params.empty = '' | params.empty != '' | params.empty LIKE '%' | params.empty IS NOT NULL | params.model IS NULL
params.q = "it's" | params.q = 'say "hi"' | params.q LIKE 'it%s' | params.p LIKE '50%' | params.p = '%'
params.p LIKE '50\\%' | params.u LIKE 'a_b' | params.u LIKE 'a\\_b' | params.u LIKE 'a%b' | params.u = 'a_b'
params.b = 'C:\\dir\\' | params.b LIKE 'C:\\%' | params.b LIKE '%\\' | params.order = 'desc' | params."order" = 'x'
params.`{ODD_KEY}` LIKE '%🫀' | params.z = '05' | params.depth != '3' | `params`.`model` = 'rf' | params.nosuch != 'x'
tag.stage LIKE 'dev%' | tags.stage ILIKE 'DEV%' | tags.note = '' | tags.note LIKE '%line2' | tags.note IS NULL
tags.note LIKE 'line1_line2' | tags.`a b` = '1' | tags."mlflow.user" = 'rina' | tags.mlflow.user ILIKE 'RINA'
tags.mlflow.source.git.commit LIKE '1a2b%' | tags.mlflow.source.git.commit = '1a2b3c4' | tags.nosuch IS NULL
"""
ATTRIBUTES = f"""
attributes.run_name = 'base' | attributes.run_name ILIKE 'ODD%' | run_name != 'base' | run.run_name LIKE 'b%'
attr.status = 'FAILED' | attribute.status != 'FINISHED' | status = "FINISHED" | status = 'finished' | status LIKE 'FIN%'
user_id = 'rina' | attributes.artifact_uri LIKE '%artifacts' | attributes.`Run name` = 'base'
start_time > {START + 30_000} | start_time = {START} | start_time > 1.79e12 | start_time <= {START}.5
attributes.Created < {START + 30_000} | end_time > {START + 100_000} | end_time != 0 | attributes.end_time >= 0
"""
DATASETS = """
dataset.name = 'train' | datasets.name != 'train' | dataset.name LIKE 'tr%' | dataset.name ILIKE 'TR%'
dataset.name IN ('train', 'x') | dataset.name NOT IN ('train') | dataset.digest NOT IN ('ab') | dataset.context = ''
dataset.context = 'training' | dataset.context != 'training' | dataset.context NOT IN ('training')
dataset.context LIKE '%' | dataset.name = 'train' AND dataset.digest = 'cd' | dataset.`name` = 'train'
"""
ORDERS = """metrics.auroc DESC | metrics.auroc | metrics.up DESC | metrics.down | attributes.end_time DESC
end_time ASC | start_time ASC | run_name | attributes.run_name DESC | params.model DESC | tags.stage
metrics.`a b` DESC | user_id | attributes.Created | run_id | metrics.nosuch"""


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.strip().replace("\n", "|").split("|")]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    folder = tmp_path_factory.mktemp("filters")
    store = new_model_store(folder)
    client = store.client
    experiment = client.create_experiment("e", (folder / "artifacts").as_uri())
    found: dict[str, str] = {}

    def add(name, at, metrics=(), params=(), tags=(), data=(), status="FINISHED"):
        start = START + at * 1000
        run = client.create_run(
            experiment, start_time=start, run_name=name, tags={"mlflow.user": "rina"} | dict(tags)
        )
        found[name] = run_id = run.info.run_id
        client.log_batch(
            run_id,
            [Metric(key, value, start, 0) for key, value in dict(metrics).items()],
            [Param(*item) for item in dict(params).items()],
        )
        for dataset, digest, context in data:
            marks = [InputTag("mlflow.data.context", context)] if context else []
            client.log_inputs(run_id, [DatasetInput(Dataset(dataset, digest, "local", "{}"), marks)])
        if status:
            client.set_terminated(run_id, status, start + 60_000)

    add("base", 0, {"auroc": 0.9, "in": 1, "a-b": 2, "a b": 3, "a/b": 4, "a.b": 5, "a:b": 6, "5x": 7},
        {"depth": "3", "model": "rf", "empty": "", "q": "it's", "order": "x"},
        data=[("train", "ab", "training"), ("hold", "ff", "testing")])  # fmt: skip
    add("Better", 10, {"auroc": 0.95}, {"depth": "10", "model": "RF", "q": 'say "hi"', "p": "50%", "u": "a_b"},
        {"stage": "Dev_1", "mlflow.source.git.commit": "1a2b3c4d" * 5}, [("train", "cd", "training")])  # fmt: skip
    add("odd", 20, {"auroc": math.nan, "up": math.inf, "down": -math.inf, ODD_KEY: 0.0},
        {ODD_KEY: "v — 🫀", "p": "50x", "u": "axb", "b": "C:\\dir\\"}, {"note": "line1\nline2"},
        [("other", "ee", "")], "FAILED")  # fmt: skip
    add("running", 30, {"auroc": 0.0}, {"depth": "3.0", "model": "rF ", "b": "C:/dir"}, status="")
    add("ODD", 40, {"auroc": 1e308}, {"u": "a%b", "p": "%"}, {"stage": "dev_1", "note": ""}, status="KILLED")
    add("nothing", 40)
    add("neg", 50, {"auroc": -3.5}, {"model": "null", "order": "desc", "z": "05"}, {"a b": "1"})
    return client, experiment, open_tracking(store.uri, folder), found


@pytest.mark.parametrize(
    "filters", [NUMBERS, TEXTS, ATTRIBUTES, DATASETS], ids=["numbers", "texts", "attributes", "datasets"]
)
def test_mlflows_filters_find_the_same_runs(store, filters):
    client, experiment, runs, _ = store
    for filter in listed(filters):
        theirs = [run.info.run_id for run in client.search_runs([experiment], filter)]
        assert list(runs.search("e", filter).run_ids) == theirs, filter


def test_mlflows_orders_are_the_same(store):
    client, experiment, runs, _ = store
    for order in listed(ORDERS):
        theirs = [run.info.run_id for run in client.search_runs([experiment], order_by=[order])]
        assert list(runs.search("e", order_by=order).run_ids) == theirs, order


def test_lists_as_scripts_write_them(store):
    client, experiment, runs, found = store
    many = tuple(f"{number:032x}" for number in range(1000))
    for ids in ((found["base"],), (*many, found["odd"])):
        for word in ("IN", "NOT IN"):
            filter = f"attributes.run_id {word} {ids}"
            theirs = [run.info.run_id for run in client.search_runs([experiment], filter)]
            assert list(runs.search("e", filter).run_ids) == theirs


def test_a_run_of_an_mlflow_before_1_30_has_its_name_in_a_tag(tmp_path):
    store = new_model_store(tmp_path)
    run_id = store.run(mlflow_runName="old")
    with sqlite3.connect(tmp_path / "mlflow.db") as plain:
        plain.execute("UPDATE runs SET name = ''")
    runs = open_tracking(store.uri, tmp_path)
    assert store.client.get_run(run_id).info.run_name == runs.run(run_id).name == "old"
    assert runs.search("risk", "run_name = 'old'").run_ids == (run_id,)
