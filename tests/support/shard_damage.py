"""Shards changed as a careless tool might."""

import pyarrow as pa
import pyarrow.parquet as pq


def spoil(path, column, row, value):
    """Change one value of a shard, as a careless tool might."""
    table = pq.read_table(path, partitioning=None)
    values = table[column].to_pylist()
    values[row] = value
    i = table.schema.get_field_index(column)
    changed = table.set_column(
        i, table.schema.field(i), pa.array(values, table.schema.field(i).type)
    )
    pq.write_table(changed, path)
