"""HiGHS, held directly: warm starts and changes of rows that SciPy's interface has not; and its failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from irl_ident.environment import Array


class SolverFailed(RuntimeError):
    """A mathematical program was given no answer; the message carries the solver's status."""


def minimise(
    cost: Array,
    rows: sparse.csr_array,
    between: tuple[Array, Array],
    box: tuple[Array, Array],
    options: Mapping[str, object],
) -> Any:
    """A solver that holds ``min cost . x`` over ``between[0] <= rows x <= between[1]``, ``box[0] <= x <= box[1]``.

    Infinities stand for no bound.  It has not been run.
    """
    try:
        import highspy
    except ImportError as missing:
        raise ImportError("linear programs need highspy: pip install highspy") from missing
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = rows.shape
    model.col_cost_ = cost
    model.col_lower_, model.col_upper_ = box
    model.row_lower_, model.row_upper_ = between
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = rows.indptr.astype(np.int32)
    model.a_matrix_.index_ = rows.indices.astype(np.int32)
    model.a_matrix_.value_ = rows.data
    wrapper: Any = highspy.Highs
    solver = wrapper.__new__(wrapper)
    super(wrapper, solver).__init__()  # not Highs.__init__: its callbacks print a banner that no option silences
    for option, value in {"output_flag": False, "threads": 1, **options}.items():
        solver.setOptionValue(option, value)
    solver.passModel(model)
    return solver
