"""Which solver suits an environment: measured from the graph of its transitions, once an environment.

Sparse LU lives or dies by fill-in.  With the states in reverse Cuthill-McKee order the factors of ``I - C`` stay inside
the band (George & Liu 1981, chapter 4), so the bandwidth w bounds the fill by ``2 S w`` and the work by ``2 S w^2``.
A grid of S cells has w near ``sqrt S``; a random sparse graph has w near S, and LU is hopeless there while Krylov
methods converge in a few steps, since such a chain mixes fast.  Without cycles (:mod:`irl_ident.planning.layers`)
``I - C`` is triangular, but for the columns of absorbing states, and its factors have no entries that it has not.
"""

from __future__ import annotations

from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from irl_ident.environment import Environment
from irl_ident.planning.layers import layers

Method = Literal["dense LU", "sparse LU", "substitution", "BiCGSTAB"]

DENSE_STATES = 150
"""Up to so many states dense LU is used whatever the structure: nothing sparse is faster."""
CROWDED = 0.1
"""Share of non-zero entries in the graph from which dense arithmetic is the faster one."""
CROWDED_STATES = 3000
"""Up to so many states a crowded or tangled system is factorised densely."""
TANGLED_STATES = 600
"""Up to so many states a sparse graph with a wide band is factorised densely."""
BAND = 6.0
"""Bandwidths up to this multiple of ``sqrt S`` count as grid-like."""
BAND_STATES = 200_000
"""Beyond so many states no factorisation is tried."""

_methods: WeakKeyDictionary[Environment, Method] = WeakKeyDictionary()


def method_for(env: Environment) -> Method:
    """The way to solve ``(I - C_pi) x = b`` in ``env``, for any policy."""
    if env not in _methods:
        _methods[env] = _measured(env)
    return _methods[env]


def is_crowded(env: Environment) -> bool:
    """Whether products with the transitions are faster as dense ones."""
    rows = env.transitions
    return env.n_states <= CROWDED_STATES and rows.nnz > CROWDED * rows.shape[0] * rows.shape[1]


def bandwidth(env: Environment) -> int:
    """Bandwidth of the graph of all transitions in reverse Cuthill-McKee order."""
    rows, n_states = env.continuation, env.n_states
    pointer = rows.indptr[:: env.n_actions].astype(np.int32)
    graph = sparse.csr_array((np.ones(rows.nnz), rows.indices.astype(np.int32), pointer), shape=(n_states, n_states))
    graph.sum_duplicates()
    order = csgraph.reverse_cuthill_mckee(graph, symmetric_mode=False)
    place = np.empty(n_states, dtype=np.int64)
    place[order] = np.arange(n_states)
    entries = graph.tocoo()
    return int(np.abs(place[entries.row] - place[entries.col]).max(initial=0))


def _measured(env: Environment) -> Method:
    n_states = env.n_states
    if n_states <= DENSE_STATES or is_crowded(env):
        return "dense LU"
    if layers(env) is not None:
        return "substitution"
    if n_states > BAND_STATES:
        return "BiCGSTAB"
    if bandwidth(env) <= BAND * np.sqrt(n_states):
        return "sparse LU"
    return "dense LU" if n_states <= TANGLED_STATES else "BiCGSTAB"
