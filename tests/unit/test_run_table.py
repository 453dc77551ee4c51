"""What the browser is sent of a table of runs: the same words, in fewer bytes."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.parts.run_table import FEW_WORDS, coded_words


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=5), max_size=60))
def test_words_as_codes_are_the_same_words(words):
    frame = pa.table({"name": pa.array(words, pa.string()), "model": pa.array(words, pa.string())})
    coded = coded_words(frame)
    assert coded["model"].to_pylist() == words
    assert coded.schema.field("name").type == pa.string()


def test_repeated_words_become_codes_and_words_of_each_run_do_not():
    rows = 10 * FEW_WORDS
    late = ["same"] * (rows // 2) + [f"{row}" for row in range(rows // 2)]
    frame = pa.table(
        {
            "model": [f"model {row % 7}" for row in range(rows)],
            "late": late,
            "commit": [f"{row:07x}" for row in range(rows)],
        }
    )
    coded = coded_words(frame)
    assert pa.types.is_dictionary(coded.schema.field("model").type)
    assert coded.select(["late", "commit"]).equals(frame.select(["late", "commit"]))
    assert coded.nbytes < 0.8 * frame.nbytes
