"""Columns are those that Arrow itself makes of Python values, without pandas."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.dataset.schema import schema
from psgimg.builder.files.arrow_arrays import array

TEXT = st.text(max_size=5)
VALUES = {
    "image": st.fixed_dictionaries({"bytes": st.binary(max_size=5), "path": st.none() | TEXT}),
    "label": st.integers(0, 4),
    "corpus": TEXT,
    "epoch": st.integers(-(2**31), 2**31 - 1),
    "onset_s": st.floats(width=32, allow_nan=False),
    "votes": st.lists(st.integers(-128, 127), max_size=3),
    "lanes": st.lists(st.none() | TEXT, max_size=3),
}


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_a_column_is_the_one_that_arrow_makes(name, data):
    kind = schema().field(name).type
    values = data.draw(st.lists(st.none() | VALUES[name], max_size=20))
    found = array(values, kind)
    found.validate(full=True)
    assert found.equals(pa.array(values, kind))
    assert found.null_count == values.count(None)


def test_pandas_is_not_imported():
    program = (
        "import sys, pyarrow as pa\nfrom psgimg.builder.files.arrow_arrays import array\n"
        "array([['a', None], None], pa.list_(pa.string()))\nassert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
