"""The parts of a report that all identified sets share."""

from __future__ import annotations

from collections.abc import Sequence

from irl_ident.environment import Environment
from irl_ident.identified.base import Conflict
from irl_ident.identified.report import Ambiguity
from irl_ident.identified.shaping_rank import principal_angles
from irl_ident.rewards import RewardFamily

ANGLE_ROWS = 12_000
"""Angles between shaping subspaces, dense linear algebra, are computed up to this number of state-action pairs in all.
"""

AFTER_TRIVIAL = (
    "ask whether all that was shown was optimal (a learner in states that it hardly knows is not), or take errors into "
    "account, or a larger reward family"
)
"""What to do when nothing is explained but by rewards that make every action optimal."""


def assumptions(manner: str, family: RewardFamily, environments: Sequence[Environment]) -> tuple[str, ...]:
    """The four things that every verdict is relative to."""
    discounts = sorted({env.discount for env in environments})
    known = ", ".join(f"{g:g}" for g in discounts) or "not used"
    count = len(environments)
    return (
        f"rationality: {manner}",
        f"rewards: {type(family).__name__} with {family.dim} parameters",
        f"discount: {known}, known",
        f"environments: {count}, transitions known",
    )


def next_step(found: Sequence[Ambiguity], conflict: Conflict | None) -> str:
    """What would tell more."""
    if conflict is not None:
        return "look at these observations again, or drop the assumption of one objective or of this rationality"
    kinds: dict[str, Ambiguity] = {a.kind: a for a in found if not a.representational}
    if not kinds:
        return "nothing: no environment can resolve what is left"
    if "unvisited" in kinds:
        return (
            f"observe states not seen so far ({'; '.join(kinds['unvisited'].words[:3])}), for instance by other starts"
        )
    if "symmetry" in kinds:
        return f"an environment that tells apart: {kinds['symmetry'].words[0]}"
    return "another environment: rank candidates with a strategy's score(ident, candidates)"


def second_angle(environments: Sequence[Environment]) -> float | None:
    """The second principal angle between the shaping subspaces, in radians; None for one environment or very large
    ones.
    """
    rows = sum(env.n_states * env.n_actions for env in environments)
    if len(environments) < 2 or rows > ANGLE_ROWS or environments[0].n_states < 2:
        return None
    return float(principal_angles(environments)[1])
