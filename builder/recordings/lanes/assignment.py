"""Assignment: a column for each row of a table of costs, no column twice, at the least sum.

The algorithm, shortest augmenting paths by Jonker and Volgenant (Computing 38, 1987), and its order
of search are those of ``scipy.optimize.linear_sum_assignment``, whose import takes longer than
everything else that opens a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def assign(costs: Sequence[Sequence[float]]) -> list[int]:
    """Return the column of each row.

    Parameters
    ----------
    costs : (n_rows, n_columns)
        At least as many columns as rows; infinite where a row can't have a column. Some assignment
        is finite.
    """
    of_row, of_column = [0.0] * len(costs), [0.0] * len(costs[0])
    columns, rows = [-1] * len(costs), [-1] * len(costs[0])
    for first in range(len(costs)):
        reached: dict[int, float] = {}  # column → length of the shortest path to it
        visited = [first]
        lengths, origin = [inf] * len(rows), [-1] * len(rows)
        remaining = list(range(len(rows)))[::-1]
        row, sink, length = first, -1, 0.0
        while sink < 0:
            for column in remaining:
                through = length + costs[row][column] - of_row[row] - of_column[column]
                if through < lengths[column]:
                    lengths[column], origin[column] = through, row
            place = _nearest(remaining, lengths, rows)
            column = remaining[place]
            length = reached[column] = lengths[column]
            remaining[place] = remaining[-1]
            del remaining[-1]
            if rows[column] < 0:
                sink = column
            else:
                row = rows[column]
                visited.append(row)
        of_row[first] += length
        for row in visited[1:]:
            of_row[row] += length - lengths[columns[row]]
        for column, own in reached.items():
            of_column[column] -= length - own
        column, row = sink, -1
        while row != first:
            row = rows[column] = origin[column]
            columns[row], column = column, columns[row]
    return columns


def _nearest(remaining: Sequence[int], lengths: Sequence[float], rows: Sequence[int]) -> int:
    """Return the place of the column with the shortest path; of equal ones, rather a free one."""
    place, lowest = 0, inf
    for i, column in enumerate(remaining):
        own = lengths[column]
        if own < lowest or (own == lowest and rows[column] < 0):
            place, lowest = i, own
    return place
