"""Published tests of identifiability of a soft-optimal agent's reward, by the names of their papers.

==============================  ====================================================================================
:func:`kim_2021`                deterministic moves, long finite horizon: coverable and aperiodic
:func:`cao_2021`                two discounts or two transitions: value-distinguishing
:func:`cao_2021_state_only`     rewards on states, one environment: ``P_a - P_0`` have only constants in common
:func:`cao_2021_horizon`        one start, finite horizon: full access and full action rank
:func:`rolland_2022`            k environments: rank ``k S - 1``; with features ``k S + d``
:func:`rolland_2022_transfers`  a new environment raises that rank by exactly S
:func:`shehab_2024`             finite horizon, any family: a kernel of dimension 1
:func:`schlaginhaufen_2024`     two environments: the second principal angle; the rank only says whether it is 0
==============================  ====================================================================================

All answer the same question, whether the reward is known up to a constant, and where two of them apply they agree.  A
test by rank has a third answer, *undecided*: a singular value too small to be surely not 0 and too large to be surely
0.  The singular values are those of bases without units (:mod:`irl_ident.identified.shaping_rank`), not of the
matrices as printed in the papers, whose ranks they share.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from irl_ident.environment import Array, Environment
from irl_ident.identified.domain_graph import domain_graph
from irl_ident.identified.report import LINE
from irl_ident.identified.shaping_rank import Rank, affine_set, decide_rank, principal_angles, stacked_rank
from irl_ident.rewards import RewardFamily, StateActionRewards
from irl_ident.transformed import finite_horizon

Answer = Literal["identified", "not identified", "undecided"]


@dataclass(frozen=True, eq=False)
class Identifiability:
    """What a published test says.

    Attributes
    ----------
    test : str
        The paper and what it asks.
    answer : {"identified", "not identified", "undecided"}
        "identified" is up to a constant; for transfer, whether the reward carries over.
    open_dimensions : int or None
        Directions that stay open, constants included; None where the test does not tell.
    singular_values : array (n,)
        Descending; empty for a test that is exact.
    tolerance, gap : float
        As in :class:`irl_ident.identified.shaping_rank.Rank`; 0 and infinite for a test that is exact.
    reasons : tuple of str
    """

    test: str
    answer: Answer
    open_dimensions: int | None
    singular_values: Array = field(default_factory=lambda: np.zeros(0))
    tolerance: float = 0.0
    gap: float = np.inf
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        up_to = " up to a constant" if self.answer == "identified" and self.open_dimensions == 1 else ""
        lines = [f"{self.test}: {self.answer}{up_to}"]
        facts = list(self.reasons)
        if self.open_dimensions is not None:
            facts.append(f"open directions, constants included: {self.open_dimensions}")
        if self.singular_values.size:
            above = self.singular_values[self.singular_values > self.tolerance]
            least = f"{above[-1]:.3g}" if above.size else "none"
            gap = f"{self.gap:.1e}" if np.isfinite(self.gap) else "none"
            facts.append(f"smallest singular value above {self.tolerance:.1e}: {least}; gap: {gap}")
        item = {"initial_indent": "  - ", "subsequent_indent": "    ", "break_on_hyphens": False}
        return "\n".join([*lines, *(textwrap.fill(fact, LINE, **item) for fact in facts)])  # type: ignore[arg-type]


def kim_2021(env: Environment) -> Identifiability:
    """Deterministic moves and a finite horizon that is long enough: is the graph of moves coverable and aperiodic?

    Kim, Garg, Shiragur & Ermon (2021): rewards r(s, a) of a deterministic model are *weakly* identifiable always (what
    is known is the total of each walk, up to a number for each start), *strongly*, up to a constant, iff its graph is
    coverable and aperiodic.

    Parameters
    ----------
    env : Environment
        Deterministic, and strongly connected where it can be reached.

    Raises
    ------
    ValueError
        As :func:`irl_ident.identified.domain_graph.domain_graph`.
    """
    graph = domain_graph(env)
    reasons = [f"period {graph.period}"]
    if not graph.coverable:
        reasons.append(f"{int((~graph.reachable).sum())} states cannot be reached")
    return Identifiability(
        "Kim et al. 2021, deterministic, long finite horizon",
        "identified" if graph.strongly_identifiable else "not identified",
        1 if graph.strongly_identifiable else None,
        reasons=tuple(reasons),
    )


def cao_2021(first: Environment, second: Environment) -> Identifiability:
    """Two discounts or two transitions: are the two environments value-distinguishing?

    Cao, Cohen & Szpruch (2021, definition 1 and theorem 2): iff ``B_1 w = B_2 w'`` has no solution but constants,
    r(s, a) is known up to a constant from the soft policies of both.
    """
    found = _by_rank("Cao, Cohen & Szpruch 2021, two environments", stacked_rank([first, second]), 2 * first.n_states)
    discounts = f"discounts {first.discount:g} and {second.discount:g}"
    same = abs(first.transitions - second.transitions).count_nonzero() == 0
    return _with(found, f"{discounts}, {'the same' if same else 'different'} transitions")


def cao_2021_state_only(env: Environment) -> Identifiability:
    """Rewards on states, one environment: do the ``P_a - P_0`` have only constants in their common kernel?

    Cao, Cohen & Szpruch (2021, corollary 3).  For discounts above 0; at 0 nothing is seen of rewards on states.
    """
    n_states = env.n_states
    moves = env.transitions.toarray().reshape(n_states, env.n_actions, n_states)
    differences = env.discount * (moves[:, 1:] - moves[:, :1]).reshape(-1, n_states)
    values = linalg.svdvals(differences) if differences.size else np.zeros(n_states)
    values = np.concatenate([values, np.zeros(n_states - values.size)]) / np.sqrt(env.n_actions)
    return _by_rank("Cao, Cohen & Szpruch 2021, rewards on states", decide_rank(values), n_states)


def cao_2021_horizon(env: Environment, horizon: int) -> Identifiability:
    """One start and a finite horizon: full access, and full action rank?

    Cao, Cohen & Szpruch (2021, definitions 2 and 3, theorem 4): with full access (every state is possible at the last
    decision), r(s, a) is known up to a constant if the discounted expected visits to states over all fixed sequences of
    actions span all S dimensions.  Where transitions are stochastic that is sufficient but, against their converse, not
    necessary: behaviour is seen in each state, so that the visits of all sequences of *decision rules*, which choose by
    state, count.  The answer is by rules, which is necessary and sufficient; both ranks are in the reasons.

    Parameters
    ----------
    env : Environment
        With one initial state.
    horizon : int
        Number of decisions, at least 1.

    Notes
    -----
    The span is computed without listing sequences: an action, or a rule, maps pairs of the present distribution and the
    visits so far linearly.  Without full access the theorem is silent and the answer is undecided.
    """
    starts = np.flatnonzero(env.initial)
    if starts.size != 1:
        raise ValueError(f"env: has {starts.size} initial states, the test is for one")
    if horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, should be at least 1")
    n_states = env.n_states
    name = f"Cao, Cohen & Szpruch 2021, horizon {horizon}"
    possible = _possible_last(env, int(starts[0]), horizon)
    if not possible.all():
        silent = f"no full access: {int((~possible).sum())} states are not possible at the last decision"
        return Identifiability(name, "undecided", None, reasons=(silent,))
    moves = env.transitions.toarray().reshape(n_states, env.n_actions, n_states)
    by_actions = [moves[:, a] for a in range(env.n_actions)]
    masks = np.eye(n_states)[:, :, None]
    by_rules = [moves[:, 0], *(m * (moves[:, a] - moves[:, 0]) for a in range(1, env.n_actions) for m in masks)]
    fixed = _visits(by_actions, [True] * len(by_actions), int(starts[0]), env.discount, horizon)
    rank = _visits(by_rules, [True] + [False] * (len(by_rules) - 1), int(starts[0]), env.discount, horizon)
    answer: Answer = "undecided" if not rank.decided else "identified" if rank.rank == n_states else "not identified"
    return Identifiability(
        name,
        answer,
        1 + n_states - rank.rank,
        rank.singular_values,
        rank.tolerance,
        rank.gap,
        (f"full access; action rank {fixed.rank} of {n_states} by fixed sequences, {rank.rank} by decision rules",),
    )


def rolland_2022(environments: Sequence[Environment], features: sparse.csr_array | None = None) -> Identifiability:
    """k environments: is the rank of the stacked shaping matrices ``k S - 1``, with features ``k S + d``?

    Rolland, Viano, Schürhoff, Nikolov & Cevher (2022, theorems 2 and 4; there k = 2, rank ``2 S + d``).

    Parameters
    ----------
    environments : sequence of Environment
        k >= 1, over the same states and actions.
    features : sparse (S*A, d), optional
        Where they can express a constant, that stays open: rank ``k S + d - 1``.
    """
    rank = stacked_rank(environments, features)
    unknowns = len(environments) * environments[0].n_states
    what = f"{len(environments)} environments"
    if features is None:
        if len(environments) == 1:
            open_dimensions = environments[0].n_states
            one = "one environment leaves every shaping open (Cao, Cohen & Szpruch 2021)"
            answer: Answer = "identified" if open_dimensions == 1 else "not identified"
            return Identifiability(f"Rolland et al. 2022, {what}", answer, open_dimensions, reasons=(one,))
        return _by_rank(f"Rolland et al. 2022, {what}", rank, unknowns)
    dense = features.toarray()
    weights = linalg.lstsq(dense, np.ones(dense.shape[0]))[0]
    constants = int(np.abs(dense @ weights - 1).max() <= 1e-9)
    return _by_rank(f"Rolland et al. 2022, {what} and features", rank, unknowns + dense.shape[1], constants)


def rolland_2022_transfers(environments: Sequence[Environment], new: Environment) -> Identifiability:
    """Does the reward from these environments predict the soft policy in a new one, identified or not?

    Rolland et al. (2022, section 5.2): iff appending it raises the rank of the stacked matrix by exactly S.
    See :func:`irl_ident.generalises` for any family and for evidence with gaps.
    """
    before, after = stacked_rank(environments), stacked_rank([*environments, new])
    raised = after.rank - before.rank
    answer: Answer = "identified" if raised == new.n_states else "not identified"
    if not (before.decided and after.decided):
        answer = "undecided"
    return Identifiability(
        "Rolland et al. 2022, transfer to a new environment",
        answer,
        None,
        after.singular_values,
        after.tolerance,
        after.gap,
        (f"the new environment raises the rank by {raised}, S is {new.n_states}",),
    )


def shehab_2024(env: Environment, horizon: int, family: RewardFamily | None = None) -> Identifiability:
    """A finite horizon: does the kernel of all equations leave one direction of the reward?

    Shehab, Aspeel, Aréchiga, Best & Ozay (2024): unknowns ``(r; V_0, ..., V_H-1)``, an equation for every time and
    state that can be reached and every action; the kernel, projected on r, holds the constant, and r is known up to it
    iff that is all.

    Parameters
    ----------
    env : Environment
    horizon : int
        Number of decisions H, at least 1.
    family : RewardFamily, optional
        Rewards on state-action pairs when not given.
    """
    rewards = StateActionRewards(env.n_states, env.n_actions) if family is None else family
    uniform = np.full((env.n_states, env.n_actions), 1 / env.n_actions)
    ((world, _),), mapped = finite_horizon([(env, uniform)], rewards, horizon)
    reached = env.initial > 0
    rows = np.ones(world.n_states * world.n_actions, dtype=bool)
    moves = sparse.csr_array(sparse.kron(sparse.eye_array(env.n_states), np.ones((1, env.n_actions))) @ env.transitions)
    block = env.n_states * env.n_actions
    for time in range(horizon):
        rows[time * block : (time + 1) * block] = np.repeat(reached, env.n_actions)
        reached = (moves.T @ reached.astype(float)) > 0
    features = mapped.matrix(world)
    found = affine_set([(world.shaping, features, np.zeros(features.shape[0]), rows)], rewards.dim)
    left = int(found.null_basis.shape[1])
    constants = _expresses_constant(rewards, env)
    answer: Answer = "identified" if left == constants else "not identified"
    never = int((abs(features[rows]).sum(axis=0) == 0).sum())
    reasons = [f"horizon {horizon}, discount {env.discount:g}"] + ([f"{never} parameters never read"] if never else [])
    return Identifiability(
        "Shehab et al. 2024, finite horizon",
        answer if found.decided else "undecided",
        left,
        found.singular_values,
        found.tolerance,
        found.gap,
        tuple(reasons),
    )


def schlaginhaufen_2024(first: Environment, second: Environment) -> Identifiability:
    """Two environments: how far is the second principal angle between their shaping subspaces from 0?

    Schlaginhaufen & Kamgarpour (2024): the rank of :func:`rolland_2022` says whether it is 0, its size says how well
    the reward is known when policies are known approximately; errors grow as ``1 / sin(angle / 2)``, see
    :func:`irl_ident.identified.generalising.transfer_bound`.
    """
    if first.n_states < 2:
        raise ValueError("first: has one state, so that there is no second principal angle")
    rank = stacked_rank([first, second])
    found = _by_rank("Schlaginhaufen & Kamgarpour 2024, two environments", rank, 2 * first.n_states)
    angle = float(principal_angles([first, second])[1])
    return _with(found, f"second principal angle {angle:.3g} rad, 1 / sin(angle / 2) = {1 / np.sin(angle / 2):.3g}")


def _by_rank(test: str, rank: Rank, unknowns: int, constants: int = 1) -> Identifiability:
    """Identified iff the rank misses the number of unknowns by the constants alone."""
    left = unknowns - rank.rank
    answer: Answer = "undecided" if not rank.decided else "identified" if left == constants else "not identified"
    wanted = f"rank {rank.rank}, identified iff {unknowns - constants}"
    return Identifiability(test, answer, left, rank.singular_values, rank.tolerance, rank.gap, (wanted,))


def _with(found: Identifiability, reason: str) -> Identifiability:
    return Identifiability(
        found.test,
        found.answer,
        found.open_dimensions,
        found.singular_values,
        found.tolerance,
        found.gap,
        (*found.reasons, reason),
    )


def _expresses_constant(family: RewardFamily, env: Environment) -> int:
    dense = family.matrix(env).toarray()
    weights = linalg.lstsq(dense, np.ones(dense.shape[0]))[0]
    return int(np.abs(dense @ weights - 1).max() <= 1e-9)


def _possible_last(env: Environment, start: int, horizon: int) -> npt.NDArray[np.bool_]:
    """Which states are possible at the last decision, (S,)."""
    moves = env.transitions.toarray().reshape(env.n_states, env.n_actions, env.n_states).sum(axis=1) > 0
    possible = np.eye(env.n_states)[start] > 0
    for _ in range(horizon - 1):
        possible = possible @ moves
    return np.asarray(possible)


def _visits(steps: Sequence[Array], counts: Sequence[bool], start: int, discount: float, horizon: int) -> Rank:
    """The rank of the span of discounted visits to states.

    ``steps`` (S, S) are maps of distributions; those that do not count are differences of maps and bring no visits.
    """
    n_states = steps[0].shape[0]
    pairs = np.zeros((2 * n_states, 1))
    pairs[start] = 1
    for time in range(horizon - 1):
        here, so_far = pairs[:n_states], pairs[n_states:]
        visited = so_far + discount**time * here
        moved = [np.vstack([step.T @ here, visited * count]) for step, count in zip(steps, counts, strict=True)]
        pairs = _span(np.hstack(moved))
    values = linalg.svdvals(pairs[n_states:] + discount ** (horizon - 1) * pairs[:n_states])
    return decide_rank(np.concatenate([values, np.zeros(max(0, n_states - values.size))])[:n_states] / values[0])


def _span(columns: Array) -> Array:
    """The same span with orthogonal columns, their lengths kept."""
    left, values, _ = linalg.svd(columns, full_matrices=False)
    kept = values > 1e-13 * values[0]
    return np.asarray(left[:, kept] * values[kept], dtype=float)
