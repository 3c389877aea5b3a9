"""Transfer: is a reward from this evidence right in another environment, identified or not?

**Soft-optimal agents.**  The evidence leaves ``theta + N x`` open.  All of these have one soft policy in environment E
exactly when ``Phi_E N`` shapes there, range(Phi_E N) in range(B_E).  For rewards on state-action pairs that is the rank
test of Rolland et al. (2022): E raises the rank by exactly S.  Decided by the sines of the principal angles.

**Optimal agents.**  Let theta_0 be in the relative interior of the cone and pi take its optimal actions in E, evenly.
The advantage ``A(s, a) = Q_pi(s, a) - V_pi(s)`` of each action over pi is linear in theta.  If some policy is optimal
in E for every member, then pi is: an action that is optimal for theta_0 has advantage 0 over that policy there and at
most 0 on the whole cone, hence 0 on all of it.  So one support function of ``A(s, a)`` for each action in each state
that E can reach decides: none above 0, certified, and pi is right whatever the objective; else the member that reaches
it is a witness, and planning says what pi costs it.

**Approximately known policies.**  Let k environments have soft policies known up to
``e_i = b |log pi_i' - log pi_i|_2`` and r' any reward that has pi_i' in each.  Then r' - r is within e_i of range(B_i),
and with phi half of the second principal angle between these subspaces, the smallest non-zero eigenvalue of the mean
projector away from them is ``sin(phi)^2``, so that, up to a constant,

    ``|r' - r|_2 <= d = sqrt(mean of e_i^2) / sin(phi)``.

In any environment, soft values of actions move by at most ``range(r' - r) / (1 - g) <= sqrt(2) d / (1 - g)``, the
logits of the policy by that over b, a divergence between two such policies is at most an eighth of its square
(Hoeffding's lemma), and the loss of acting on r' is b times the expected divergence: in units of occupancies that sum
to 1,

    ``loss <= d^2 / (4 b (1 - g)^2)``.

Schlaginhaufen & Kamgarpour (2024, theorem 3.10) have the same form, a loss of order ``1 / sin(phi)^2``, with constants
for general regularisers and experts known by their returns; the constants here follow from these lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from irl_ident import planning
from irl_ident.environment import Array, Environment
from irl_ident.identified import anything, identify
from irl_ident.identified.advantages import advantage_rows, normaliser
from irl_ident.identified.base import IdentifiedSet, Rationality, checked_environments
from irl_ident.identified.report import LINE
from irl_ident.identified.shaping_rank import SURE_ABOVE, affine_set, principal_angles
from irl_ident.identified.soft import SoftSet
from irl_ident.rewards import RewardFamily

Answer = Literal["yes", "no", "undecided"]

NO_ADVANTAGE = 1e-6
"""Certified advantages up to this share of the largest value of a reward in the gauge are none; a loss above it is one.
"""


MEMBERS = 50
"""Members drawn from a confidence set."""

LOSSLESS = 1e-12
"""Losses up to this are rounding."""

INWARDS = 0.01
"""Witnesses are moved by this share from the boundary of the cone, where more is tied than was shown, to the centre."""


@dataclass(frozen=True, eq=False)
class Generalisation:
    """Whether a reward from some evidence is right in an environment.

    Attributes
    ----------
    answer : {"yes", "no", "undecided"}
        "yes": acting on the centre of the identified set is right for every member.
    loss : float
        What acting on ``witness[0]`` costs there under ``witness[1]``, with occupancies that sum to 1: return for
        optimal agents, return and entropy for soft ones.  0 without a witness.
    witness : tuple of array (d,), or None
        Two members, the centre and another, for which other behaviour is right; planning has confirmed that the other
        explains the evidence.
    singular_values : array
        Soft agents: sines of the angles between what is open and what shapes in the environment, descending.  Optimal
        agents: certified upper bounds on the advantages that members see over the centre's policy, descending.
    tolerance, gap : float
        Values up to ``tolerance`` count as 0; smallest that does not over largest that does.
    reasons : tuple of str
    """

    answer: Answer
    loss: float
    witness: tuple[Array, Array] | None
    singular_values: Array = field(default_factory=lambda: np.zeros(0))
    tolerance: float = 0.0
    gap: float = np.inf
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = {
            "yes": "yes: all members of the identified set ask for the same behaviour there",
            "no": f"no: two members ask for different behaviour there; acting on one costs the other {self.loss:.3g}",
            "undecided": "undecided",
        }[self.answer]
        item = {"initial_indent": "  - ", "subsequent_indent": "    ", "break_on_hyphens": False}
        facts = [textwrap.fill(reason, LINE, **item) for reason in self.reasons]  # type: ignore[arg-type]
        return "\n".join([f"Right in the new environment? {told}", *facts])


def generalises(
    seen: IdentifiedSet | Sequence[tuple[Environment, Any]] | Sequence[Environment],
    env: Environment,
    family: RewardFamily | None = None,
    rationality: Rationality = "optimal",
    *,
    temperature: float = 1.0,
) -> Generalisation:
    """Will a reward from this evidence be right in that environment, even though it may not be identified?

    Parameters
    ----------
    seen : IdentifiedSet, or sequence of (Environment, observation), or sequence of Environment
        Evidence.  Environments alone ask before any data, of soft-optimal agents, whose open directions do not depend
        on the objective.
    env : Environment
        Where the reward is to be used.
    family : RewardFamily
        Not needed with an identified set.
    rationality, temperature
        As for :func:`irl_ident.identify`; not used with an identified set.

    Returns
    -------
    Generalisation

    Raises
    ------
    ValueError
        Without a family; for environments alone and optimal agents.
    ContradictoryEvidence
        When the identified set is empty.

    Examples
    --------
    Where nothing that happens depends on the action, a soft agent's rewards on states and actions are not identified;
    yet they carry over to every environment in which nothing does, and to no other.

    >>> import irl_ident as ii
    >>> rows = np.repeat([[[0.5, 0.5]], [[0.1, 0.9]]], 2, axis=1)
    >>> env = ii.Environment(rows, 0.9)
    >>> family = ii.rewards.StateActionRewards(2, 2)
    >>> generalises([env], ii.Environment(rows, 0.9, [1, 0]), family, "soft").answer
    'yes'
    >>> generalises([env], ii.builders.discounted(env, 0.5), family, "soft").answer
    'yes'
    >>> generalises([env], ii.builders.random_environment(2, 2, 0.9, seed=0), family, "soft").answer
    'no'
    """
    if isinstance(seen, IdentifiedSet):
        ident = seen
    elif family is None:
        raise ValueError("family: should be given, unless seen is an identified set")
    elif len(seen) and all(isinstance(one, Environment) for one in seen):
        if rationality != "soft":
            raise ValueError(
                "seen: environments without observations tell what a soft-optimal agent leaves open; for "
                f"{rationality!r} agents it depends on what they do, give (environment, observation) pairs"
            )
        return _before_data(checked_environments(seen), env, family, temperature)
    elif len(seen):
        ident = identify(seen, family, rationality, temperature=temperature)  # type: ignore[arg-type]
    else:
        ident = anything(family, rationality, temperature=temperature)
    if isinstance(ident, SoftSet):
        affine = ident.affine
        warnings = () if affine.decided else ("the rank of the evidence is not decided",)
        return _soft(affine.null_basis, ident.center(), env, ident.family, ident.temperature, warnings)
    if ident.rationality == "soft":
        return _uncertain(ident, env)
    return _optimal(ident, env)


@dataclass(frozen=True, eq=False)
class TransferBound:
    """What approximately known soft policies guarantee in any environment.

    Attributes
    ----------
    angle : float
        Second principal angle between the shaping subspaces, in radians.
    distance : float
        Bound on ``|r' - r|_2`` modulo constants, for rewards on state-action pairs.
    loss : float
        Bound on the loss of return and entropy of acting on r' under r, with occupancies that sum to 1.
    """

    angle: float
    distance: float
    loss: float


def transfer_bound(
    environments: Sequence[Environment], errors: npt.ArrayLike, new: Environment, temperature: float = 1.0
) -> TransferBound:
    """Bound the loss in a new environment by the angle between those that were seen.

    Parameters
    ----------
    environments : sequence of Environment
        k >= 2 over the same states and actions, discounts below 1.
    errors : array (k,)
        ``b |log pi_i' - log pi_i|_2`` over all states and actions, at least 0.
    new : Environment
        Where the reward will be used, discount below 1.
    temperature : float
        b, positive.

    Returns
    -------
    TransferBound
        Infinite where the angle is too small to be told from 0.
    """
    given = checked_environments(environments)
    known = np.asarray(errors, dtype=float)
    if len(given) < 2 or given[0].n_states < 2:
        raise ValueError(f"environments: should hold at least two with at least two states, held {len(given)}")
    if known.shape != (len(given),) or not (np.isfinite(known).all() and (known >= 0).all()):
        raise ValueError(f"errors: should be {len(given)} finite numbers of at least 0, was {known.tolist()}")
    for place, one in enumerate([*given, new]):
        if one.discount >= 1:
            where = "new" if place == len(given) else f"environments[{place}]"
            raise ValueError(f"{where}: has discount 1, should be below")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: was {temperature!r}, should be finite and positive")
    angle = float(principal_angles(given)[1])
    sine = np.sin(angle / 2)
    distance = float(np.sqrt((known**2).mean()) / sine) if sine > SURE_ABOVE else np.inf
    return TransferBound(angle, distance, distance**2 / (4 * temperature * (1 - new.discount) ** 2))


def _before_data(
    environments: Sequence[Environment], env: Environment, family: RewardFamily, temperature: float
) -> Generalisation:
    systems = []
    for one in environments:
        features = family.matrix(one)
        systems.append((one.shaping, features, np.zeros(features.shape[0]), np.ones(features.shape[0], dtype=bool)))
    affine = affine_set(systems, family.dim)
    warnings = () if affine.decided else ("the rank of the environments is not decided",)
    return _soft(affine.null_basis, np.zeros(family.dim), env, family, temperature, warnings)


def _soft(
    open_basis: Array,
    center: Array,
    env: Environment,
    family: RewardFamily,
    temperature: float,
    warnings: tuple[str, ...],
) -> Generalisation:
    """Whether the open directions (d, m) shape in ``env``."""
    n_open = open_basis.shape[1]
    if n_open == 0:
        return Generalisation("yes", 0.0, None, reasons=("nothing is open",))
    moved = sparse.csr_array(family.matrix(env) @ open_basis)
    rows = np.ones(moved.shape[0], dtype=bool)
    found = affine_set([(env.shaping, moved, np.zeros(moved.shape[0]), rows)], n_open)
    decided = found.decided and not warnings
    answer: Answer = "undecided" if not decided else "no" if found.rank else "yes"
    reasons = (f"{n_open} directions are open, of which {n_open - found.rank} shape there", *warnings)
    if found.rank == 0:
        return Generalisation(answer, 0.0, None, found.singular_values, found.tolerance, found.gap, reasons)
    outside = open_basis @ linalg.null_space(found.null_basis.T)[:, 0] if found.null_basis.size else open_basis[:, 0]
    other = center + outside * (max(float(np.abs(center).max()), 1.0) / float(np.abs(outside).max()))
    loss = soft_loss(env, family.reward(env, other), family.reward(env, center), temperature)
    witness = (center, other)
    return Generalisation(answer, loss, witness, found.singular_values, found.tolerance, found.gap, reasons)


def _uncertain(ident: IdentifiedSet, env: Environment) -> Generalisation:
    """Members drawn from a confidence set of a soft-optimal agent, where sampling error leaves every direction some."""
    center, temperature = ident.center(), float(getattr(ident, "temperature", 1.0))
    pursued = ident.family.reward(env, center)
    drawn = ident.sample(MEMBERS, seed=0)
    losses = np.array([soft_loss(env, ident.family.reward(env, theta), pursued, temperature) for theta in drawn])
    place = int(losses.argmax())
    reasons = (f"a confidence set: the largest loss of {MEMBERS} members drawn; others may lose more",)
    if losses[place] <= LOSSLESS:
        return Generalisation("undecided", float(losses[place]), None, reasons=reasons)
    return Generalisation("no", float(losses[place]), (center, drawn[place]), reasons=reasons)


def soft_loss(env: Environment, reward: npt.ArrayLike, pursued: npt.ArrayLike, temperature: float = 1.0) -> float:
    """What a soft-optimal agent for ``pursued`` (S, A) loses under ``reward`` (S, A), entropy included.

    With occupancies that sum to 1 (discount 1: to the expected length of an episode).
    """
    best = planning.soft(env, reward, temperature)
    acted = planning.soft(env, pursued, temperature)
    divergence = (acted.policy * (acted.log_policy - best.log_policy)).sum(axis=1)
    visits = planning.occupancy(env, acted.policy).sum(axis=1)
    return normaliser(env) * temperature * float(visits @ divergence)


def _optimal(ident: IdentifiedSet, env: Environment) -> Generalisation:
    """Whether the centre's policy is optimal for every member."""
    family, center = ident.family, ident.center()
    best = planning.optimal_actions(planning.optimal(env, family.reward(env, center)).q)
    policy = planning.uniform_over(best)
    rows = advantage_rows(family, policy, env)
    largest = float(np.abs(planning.optimal(env, np.full(policy.shape, _row_size(family, env))).values).max())
    tolerance = NO_ADVANTAGE * largest
    asked = rows[(np.abs(rows).sum(axis=1) > 0.1 * tolerance) & np.repeat(env.reachable, env.n_actions)]
    bounds: list[float] = []
    worst, witness = 0.0, None
    for upper, extreme in ident.supports(asked):
        bounds.append(upper)
        if upper > tolerance:
            theta = (1 - INWARDS) * extreme + INWARDS * center
            reward = family.reward(env, theta)
            gone = env.initial @ (planning.optimal(env, reward).values - planning.evaluate(env, reward, policy))
            lost = normaliser(env) * float(gone)
            if lost > worst and ident.contains(theta):
                worst, witness = lost, (center, theta)
    values = np.sort(np.array(bounds))[::-1]
    above, below = values[values > tolerance], values[values <= tolerance]
    gap = float(above[-1] / max(below[0], np.finfo(float).eps)) if above.size and below.size else np.inf
    reasons: tuple[str, ...] = (
        f"{above.size} of {policy.size} actions can be better than what the centre of the set would do",
    )
    if not above.size:
        return Generalisation("yes", 0.0, None, values, tolerance, gap, reasons)
    if witness is None or worst <= tolerance * normaliser(env):
        reasons = (*reasons, "but no member was found that loses by what the centre would do from the initial states")
        return Generalisation("undecided", worst, witness, values, tolerance, gap, reasons)
    return Generalisation("no", worst, witness, values, tolerance, gap, reasons)


def _row_size(family: RewardFamily, env: Environment) -> float:
    """The largest reward in the gauge ``|theta|_inf <= 1``."""
    return float(abs(family.matrix(env)).sum(axis=1).max())
