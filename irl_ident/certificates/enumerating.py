"""All that an agent may still do in an environment: one objective for each behaviour that is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from irl_ident import planning
from irl_ident.certificates.certifying import start
from irl_ident.certificates.plans import Question
from irl_ident.certificates.premise import Tolerances
from irl_ident.certificates.properties import Linear
from irl_ident.certificates.region import Region
from irl_ident.certificates.searching import Node, costliest, opened
from irl_ident.certificates.witness import members
from irl_ident.environment import Array, Environment, Mask
from irl_ident.identified.base import IdentifiedSet
from irl_ident.transitions import visited

REGIONS = 300
"""The set is cut into at most so many parts, when nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class Behaviours:
    """What optimal agents with the objectives of a set do in an environment.

    Attributes
    ----------
    objectives : array (n, d)
        A member for each behaviour.
    policies : array (n, S, A)
        Its optimal actions, evenly; in states that it does not visit the policy is the member's own, too.
    complete : bool
        Whether the whole set was looked through, and every part of it has one of these: then any other member does what
        one of these does, up to ties among them and differences where it never comes.
    """

    objectives: Array
    policies: Array
    complete: bool


def behaviours(
    ident: IdentifiedSet,
    env: Environment,
    *,
    ties: float = Tolerances.ties,
    strictness: float = Tolerances.strictness,
    regions: int = REGIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Behaviours:
    """List what an agent whose objective is still possible may do.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
    env : Environment
        Where it will be.
    ties, strictness, regions, progress
        As for :func:`irl_ident.certify`.

    Returns
    -------
    Behaviours
        Told apart by what is done in states that are visited from ``env.initial``.

    Raises
    ------
    ValueError, ContradictoryEvidence
        As for :func:`irl_ident.certify`.

    Examples
    --------
    The animal has chosen *left* over *right*.  Offered three levers, of which the third is new, it may press two.

    >>> import irl_ident as ii
    >>> family = ii.rewards.StateRewards(4)
    >>> hall = np.array([[1, 1, 2], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> new = np.array([[1, 2, 3], [1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> start = [1.0, 0.0, 0.0, 0.0]
    >>> seen, coming = (ii.Environment(np.eye(4)[doors], 0.5, start) for doors in (hall, new))
    >>> chosen = ii.evidence.Policy([[0.5, 0.5, 0.0]] + 3 * [[1 / 3] * 3])
    >>> ident = ii.identify([(seen, chosen)], family)
    >>> left = behaviours(ident, coming)
    >>> left.policies[:, 0].round(3).tolist(), left.complete
    ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], True)
    """
    begun = start(ident, Linear(np.zeros(ident.family.dim)), env, Tolerances(ties, strictness))
    question, (middle, _) = begun.question, begun.nontrivial
    waiting, done = [Node(Region(begun.premise), [middle])], 0
    points, leaves = [middle], []
    while waiting and done < regions:
        node = waiting.pop()
        done += 1
        if progress is not None:
            progress(done, len(waiting))
        if not opened(node):
            continue
        plan = node.planned(question, node.points[0])
        points += [node.points[0], *plan.points]
        cut = costliest(question, plan)
        if cut is not None:
            waiting += node.split(*cut)
        else:
            leaves.append(_likely_member(node.region, node.points[0]))
    different, places = np.unique(np.array(points + leaves), axis=0, return_inverse=True)
    objectives, policies, confirmed = _told_apart(question, different, middle)
    everywhere = bool(confirmed[places.ravel()[len(points) :]].all())
    return Behaviours(objectives, policies, not waiting and everywhere)


def _likely_member(region: Region, theta: Array) -> Array:
    """``theta`` (d,), or where states are without observation a point that is a member if they are left as it says."""
    if not any(block.hidden.size for block in region.premise.cone.blocks):
        return theta
    room, inside, claim = Region(region.premise.completed(theta), region.cuts).middle()
    return inside if room >= 0 and claim.bound >= 0 else theta


def _told_apart(question: Question, points: Array, middle: Array) -> tuple[Array, Array, Mask]:
    """A certain member for each behaviour, and of which of ``points`` (N, d) the behaviour was confirmed, (N,).

    Ties among those that were found are no behaviour of their own.
    """
    env, ties = question.known, question.premise.tolerances.ties
    marked = [_optimal_where_visited(env, q, ties) for q in _planned(question, points)]
    found: list[tuple[Mask, Array, Array]] = []
    for place in np.argsort([own.sum() for own in marked], kind="stable"):
        own = marked[place]
        if any((other <= own).all() for other, _, _ in found):
            continue
        for theta in members(question.premise, points[place], middle):
            (q,) = _planned(question, theta[None])
            if (_optimal_where_visited(env, q, ties) == own).all():
                best = q >= q.max(axis=1, keepdims=True) - ties
                found.append((own, theta, planning.uniform_over(best)))
                break
    found.sort(key=lambda one: one[0].tobytes())
    confirmed = np.array([any((other <= own).all() for other, _, _ in found) for own in marked])
    return np.array([theta for _, theta, _ in found]), np.array([policy for _, _, policy in found]), confirmed


def _planned(question: Question, thetas: Array) -> Array:
    """Values Q (N, S, A) of objectives (N, d)."""
    return planning.optimal_batch(question.known, question.premise.ident.family.rewards(question.known, thetas))


def _optimal_where_visited(env: Environment, q: Array, ties: float) -> Mask:
    """Optimal actions (S, A) in states that optimal actions visit from the start."""
    best = q >= q.max(axis=1, keepdims=True) - ties
    return np.asarray(best & visited(env.transitions, env.initial > 0, best)[:, None])
