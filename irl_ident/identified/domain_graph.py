"""Deterministic dynamics: identifiability of a soft-optimal agent's reward from the graph of moves alone.

With deterministic transitions and a horizon that is long but finite, a maximum causal entropy agent's behaviour fixes
the time-homogeneous reward r(s, a) up to a constant exactly when the graph of moves is coverable and aperiodic (Kim,
Garg, Shiragur & Ermon 2021).  In words: rewards are known up to what adds the same total to all walks of horizon length
that start together, and if after so many steps the walk can be anywhere, potentials have nowhere to hide.  A graph of
period p that can be started anywhere leaves p dimensions, a constant for each of its cyclic classes; started in one
state it leaves besides the constant a potential for every state where the walk cannot end.

The period of a strongly connected graph is the greatest common divisor of d(u) + 1 - d(v) over its edges u -> v, with
d the distance from any one state (Denardo 1977).  It belongs to the graph of a *deterministic* model: the support of a
stochastic kernel says nothing about rewards, so stochastic transitions are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph, csr_array

from irl_ident.environment import Environment, Mask


@dataclass(frozen=True, eq=False)
class DomainGraph:
    """What the graph of moves of a deterministic environment says.

    Attributes
    ----------
    reachable : bool array (S,)
        States that can be reached from an initial state.
    period : int
        Of the part that can be reached; 1 is aperiodic.
    """

    reachable: Mask
    period: int

    @property
    def coverable(self) -> bool:
        """Whether every state can be reached."""
        return bool(self.reachable.all())

    @property
    def strongly_identifiable(self) -> bool:
        """Whether behaviour over long finite horizons fixes r(s, a) up to a constant."""
        return self.coverable and self.period == 1


def domain_graph(env: Environment) -> DomainGraph:
    """Reachable states and period of the graph of moves of ``env``.

    Parameters
    ----------
    env : Environment
        Deterministic, and every state that can be reached can be returned to.

    Raises
    ------
    ValueError
        Where a transition is stochastic, or a state that can be reached can be left for ever (the theorem's test is
        for strongly connected graphs; use the ranks of :mod:`irl_ident.identified.shaping_rank` there).
    """
    moves = env.transitions
    outcomes = np.diff(moves.indptr)
    if (outcomes != 1).any():
        row = int(np.argmax(outcomes != 1))
        state, action = divmod(row, env.n_actions)
        raise ValueError(
            f"env: action {env.actions[action]!r} in state {env.states[state]!r} has {outcomes[row]} outcomes; "
            "the test of the period holds for deterministic transitions only"
        )
    sources = np.repeat(np.arange(env.n_states), env.n_actions)
    targets = np.asarray(moves.indices)
    graph = csr_array((np.ones(targets.size), (sources, targets)), shape=(env.n_states, env.n_states))
    distance = np.asarray(
        csgraph.dijkstra(graph, indices=np.flatnonzero(env.initial > 0), unweighted=True, min_only=True)
    )
    reachable = np.isfinite(distance)
    _, component = csgraph.connected_components(graph, connection="strong")
    if np.unique(component[reachable]).size > 1:
        first, *_, last = np.flatnonzero(reachable)[np.argsort(component[reachable])]
        raise ValueError(
            f"env: states {env.states[int(first)]!r} and {env.states[int(last)]!r} can be reached, but not both from "
            "each other; the test of the period needs every state that can be reached to be one that can be returned to"
        )
    used = reachable[sources]
    root = np.flatnonzero(reachable)[0]
    distance = np.asarray(csgraph.dijkstra(graph, indices=root, unweighted=True))
    steps = distance[sources[used]] + 1 - distance[targets[used]]
    return DomainGraph(reachable=reachable, period=int(np.gcd.reduce(steps.astype(np.int64))))
