"""How long to watch an agent before moving on: sessions of a few episodes, each chosen by what it is expected to tell.

A *session* is ``episodes`` trajectories of at most ``horizon`` steps.  A step costs ``step_cost``, setting up another
environment ``environment_cost``.  Before every session the campaign's strategy says where it would go; the choice is
between one more session here and the first one there.

The **gain** of m sessions in an environment is the expected share of a pool of objectives that they rule out, when one
of the pool, theta_i, is the truth, with a probability in proportion to the likelihood of all choices so far: with
``N_i(s)`` the expected number of its choices in s during one episode, and counts that come out as expected, ``m *
episodes * N_i(s) pi_i(a|s)`` more than were seen,

* of an agent that errs, theta_j is ruled out when its optimal actions contradict what would be stated
  (:mod:`irl_ident.identified.confidence.statements`);
* of a soft-optimal agent, when the expected log-likelihood ratio ``m * episodes * sum_s N_i(s) KL(pi_i(s), pi_j(s))``
  exceeds what theta_j has left of it, ``l(theta_j) - floor`` (:mod:`irl_ident.identified.confidence.soft`).

Statements need several choices, so the gain of one session may be 0 where three would tell all.  An environment is
worth the best ratio over all lengths,

    max over m = 1, 2, 4, ..., ahead of   gain(m) / (cost of moving + m * cost of a session)

as Frazier & Powell (2010) do where the value of information is not concave; after every session it is worked out anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident import evidence as evidence_room
from irl_ident import planning
from irl_ident.design.behaviour import consistent, signatures
from irl_ident.design.campaign import Campaign
from irl_ident.design.strategies.base import Greedy
from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence import Trajectories
from irl_ident.identified.confidence.noisy import NoisySet
from irl_ident.identified.confidence.soft import SoftConfidenceSet
from irl_ident.identified.confidence.statements import log_evidence_optimal, log_evidence_worse, log_threshold
from irl_ident.planning.soft_batch import soft_batch

if TYPE_CHECKING:
    import pandas as pd

    from irl_ident.identified.base import IdentifiedSet

COLUMNS = {
    "decision": "int64",
    "environment": "int64",
    "moved": "bool",
    "episodes": "int64",
    "steps": "int64",
    "cost": "float64",
    "worth_staying": "float64",
    "worth_moving": "float64",
    "stated": "Int64",
    "consistent_share": "float64",
    "regret_bound": "float64",
}
"""The columns of the table and their types."""


_NOT_SAMPLED = (
    "ident: should be a confidence set, as identify(..., 'noisy', error=..., level=...) or identify(..., 'soft', "
    "level=...) make it, was {}"
)


class Watchable(Protocol):
    """Anything that can be watched."""

    def demonstrate(self, env: Environment, *, episodes: int, horizon: int, seed: Any) -> Trajectories:
        """Trajectories in ``env``."""
        ...


@dataclass(frozen=True, eq=False)
class Watching:
    """How an agent is watched, and what that costs.

    Parameters
    ----------
    episodes, horizon : int
        Of a session, at least 1.
    step_cost, environment_cost : float
        Above 0; at least 0.
    budget : float
        No session begins when this was spent.
    ahead : int
        Most sessions that are thought of at once.
    samples : int
        Size of the pool.
    hypotheses : array (N, d), optional
        The pool, instead of a sample of the identified set.
    deployed : Environment, optional
        Where regret is bounded.
    """

    episodes: int = 1
    horizon: int = 20
    step_cost: float = 1.0
    environment_cost: float = 0.0
    budget: float = 1000.0
    ahead: int = 64
    samples: int = 200
    hypotheses: npt.ArrayLike | None = None
    deployed: Environment | None = None

    def __post_init__(self) -> None:
        for name in ("episodes", "horizon", "ahead", "samples"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least 1")
        for name, least in (("step_cost", 0.0), ("environment_cost", -1.0), ("budget", 0.0)):
            value = getattr(self, name)
            if not (value > least and value >= 0 and (np.isfinite(value) or name == "budget")):
                raise ValueError(f"{name}: was {value!r}, should be {'at least' if least else 'above'} 0")

    def worth(self, ident: IdentifiedSet, env: Environment, moving: bool) -> float:
        """Best expected share of the pool ruled out per unit of cost, see the module; at least 0."""
        if not isinstance(ident, (NoisySet, SoftConfidenceSet)):
            raise ValueError(_NOT_SAMPLED.format(type(ident).__name__))
        thetas, kept = Greedy(self.samples, hypotheses=self.given).pool(ident)
        lengths = 2 ** np.arange(int(np.log2(self.ahead)) + 1)
        weights = truth_weights(ident, thetas[kept])
        gains, steps = session_gains(ident, env, thetas[kept], lengths * self.episodes, self.horizon, weights)
        costs = self.environment_cost * moving + lengths * self.episodes * steps * self.step_cost
        return float((gains / np.maximum(costs, np.finfo(float).tiny)).max())

    @property
    def given(self) -> Array | None:
        """The hypotheses as an array (N, d), if there are any."""
        return None if self.hypotheses is None else np.asarray(self.hypotheses, dtype=float)


@dataclass(frozen=True, eq=False)
class Watched:
    """What came of watching.

    Attributes
    ----------
    table : DataFrame
        One row a decision, see :func:`watch`.
    stopped_because : str
    """

    table: pd.DataFrame
    stopped_because: str


def session_gains(
    ident: IdentifiedSet,
    env: Environment,
    thetas: Array,
    episodes: npt.ArrayLike,
    horizon: int,
    weights: Array | None = None,
) -> tuple[Array, float]:
    """Expected share of a pool that so many episodes would rule out.

    Parameters
    ----------
    ident : NoisySet or SoftConfidenceSet
        What is known now.
    env : Environment
        Where the agent would be watched.
    thetas : array (N, d)
        Members of the set.
    episodes : int array (m,)
        Different numbers of episodes.
    horizon : int
    weights : array (N,), optional
        How likely each is to be the truth, sum 1; equal when not given.

    Returns
    -------
    gains : array (m,)
        In [0, 1).
    steps : float
        Expected number of steps of an episode.

    Raises
    ------
    ValueError
        For other identified sets, which take behaviour for known.
    """
    many = np.asarray(episodes, dtype=float)
    share = np.full(len(thetas), 1 / len(thetas)) if weights is None else weights
    if isinstance(ident, NoisySet):
        best = _best(env, ident, thetas)
        choices = expected_choices(env, _erring(ident, best), horizon)
        gains = np.array([share @ _contradicted(ident, env, best, choices * n) for n in many])
    elif isinstance(ident, SoftConfidenceSet):
        plans = soft_batch(env, ident.family.rewards(env, thetas), ident.temperature)
        choices = expected_choices(env, plans.policy, horizon)
        log_seen = plans.log_policy
        if ident.error:
            choices = (1 - ident.error) * choices + ident.error / env.n_actions * choices.sum(axis=2, keepdims=True)
            log_seen = np.log((1 - ident.error) * plans.policy + ident.error / env.n_actions)
        likelihoods = choices.reshape(len(thetas), -1) @ log_seen.reshape(len(thetas), -1).T
        ratios = np.diag(likelihoods)[:, None] - likelihoods
        left = ident.choices.log_likelihood(thetas) - ident.floor
        gains = np.array([share @ (n * ratios > left).mean(axis=1) for n in many])
    else:
        raise ValueError(_NOT_SAMPLED.format(type(ident).__name__))
    return gains, float(share @ choices.sum(axis=(1, 2)))


def truth_weights(ident: NoisySet | SoftConfidenceSet, thetas: Array) -> Array:
    """Probabilities (N,) of ``thetas`` (N, d) in proportion to the likelihood of all choices so far."""
    if isinstance(ident, SoftConfidenceSet):
        return np.asarray(special.softmax(ident.choices.log_likelihood(thetas)))
    total = np.zeros(len(thetas))
    for env in ident.environments:
        policies = _erring(ident, _best(env, ident, thetas))
        total += special.xlogy(ident.counts(env), policies).sum(axis=(1, 2))
    return np.asarray(special.softmax(total))


def expected_choices(env: Environment, policies: Array, horizon: int) -> Array:
    """How often each action is expected in each state in one episode.

    Parameters
    ----------
    env : Environment
    policies : array (N, S, A)
    horizon : int
        Steps after which an episode is cut off; it ends earlier where it enters an absorbing state.

    Returns
    -------
    array (N, S, A)
    """
    acting = ~env.absorbing
    here = np.repeat(env.initial[None] * acting, len(policies), axis=0)
    total = np.zeros_like(policies)
    for _ in range(horizon):
        taken = here[:, :, None] * policies
        total += taken
        here = np.asarray((env.transitions.T @ taken.reshape(len(policies), -1).T).T) * acting
    return total


def watch(campaign: Campaign, agent: Watchable, watching: Watching, seed: int = 0) -> Watched:
    """Watch an agent until the campaign stops, nothing more is to be learnt, or the budget is spent.

    Parameters
    ----------
    campaign : Campaign
        Assumes "noisy", or "soft" with a level.  What it was told already counts, the cost included, so that a campaign
        that goes on from its journal comes to the same end.
    agent : anything with ``demonstrate``
    watching : Watching
    seed : int

    Returns
    -------
    Watched
        Its table has a row for each session:

        =================  ==========================================================================================
        decision           1, 2, ...
        environment        position among the candidates
        moved              whether it is another environment than before
        episodes, steps    of this session
        cost               of all so far
        worth_staying,     expected share ruled out per unit of cost; missing where there was nothing to weigh up, or
        worth_moving       the decision was read from a journal
        stated             of an agent that errs: how many actions are stated to be optimal, or worse
        consistent_share   share of the pool, as it was before any evidence, that is left
        regret_bound       certified upper bound in the deployment environment; missing when there is none
        =================  ==========================================================================================
    """
    if not isinstance(campaign.ident, (NoisySet, SoftConfidenceSet)):
        raise ValueError("campaign: should assume 'noisy' with error and level, or 'soft' with a level")
    worths: dict[int, tuple[float, float]] = {}
    while True:
        reason = campaign.stopped_because
        if not reason and _cost(campaign, watching) >= watching.budget:
            reason = f"budget of {watching.budget:g} spent"
        if reason:
            return Watched(_table(campaign, watching, worths), reason)
        env, *worth = _where(campaign, watching)
        if env is None:
            return Watched(_table(campaign, watching, worths), "no session is expected to rule out anything")
        step = len(campaign.decisions)
        worths[step] = (worth[0], worth[1])
        random = np.random.SeedSequence(seed, spawn_key=(step,))
        seen = agent.demonstrate(env, episodes=watching.episodes, horizon=watching.horizon, seed=random)
        campaign.tell(env, seen)


def _where(campaign: Campaign, watching: Watching) -> tuple[Environment | None, float, float]:
    """The environment of the next session, and what staying and moving are worth."""
    asked = campaign.ask()
    if not campaign.decisions:
        return asked, np.nan, watching.worth(campaign.ident, asked, moving=True)
    here = campaign.decisions[-1].env
    staying = watching.worth(campaign.ident, here, moving=False)
    if asked.digest == here.digest:
        return (here if staying > 0 else None), staying, np.nan
    moving = watching.worth(campaign.ident, asked, moving=True)
    if max(staying, moving) <= 0:
        return None, staying, moving
    return (asked if moving > staying else here), staying, moving


def _best(env: Environment, ident: NoisySet, thetas: Array) -> Mask:
    """Optimal actions under each of ``thetas`` (N, d), (N, S, A)."""
    packed = signatures(env, ident.family, thetas, "optimal", 1.0)
    flat = np.unpackbits(packed, axis=1, count=env.n_states * env.n_actions)
    return flat.astype(bool).reshape(len(thetas), env.n_states, env.n_actions)


def _erring(ident: NoisySet, best: Mask) -> Array:
    """Policies (N, S, A) of agents that err."""
    return np.asarray((1 - ident.error) * planning.uniform_over(best) + ident.error / best.shape[2])


def _contradicted(ident: NoisySet, env: Environment, best: Mask, choices: Array) -> Array:
    """For each truth the share of the pool that contradicts what ``choices`` (N, S, A) more would state, (N,)."""
    known = [other.digest for other in ident.environments]
    place = known.index(env.digest) + 1 if env.digest in known else len(known) + 1
    threshold = log_threshold(place, env.n_states, env.n_actions, ident.level)
    counts = ident.counts(env) + choices
    size = len(best)
    optimal = (log_evidence_optimal(counts, ident.error) >= threshold).reshape(size, -1).astype(float)
    against = optimal @ (~best).reshape(size, -1).T.astype(float) > 0
    if ident.ties == "even":
        worse = (log_evidence_worse(counts, ident.error) >= threshold).reshape(size, -1).astype(float)
        against |= worse @ best.reshape(size, -1).T.astype(float) > 0
    return np.asarray(against.mean(axis=1))


def _sessions(campaign: Campaign) -> list[tuple[Environment, Any, bool, int]]:
    """Environment, observation, whether it was another environment than before, and steps of each session."""
    found, before = [], ""
    for env, seen in campaign.ident.evidence:
        steps = int(evidence_room.counts(env, seen).counts.sum())
        found.append((env, seen, env.digest != before, steps))
        before = env.digest
    return found


def _cost(campaign: Campaign, watching: Watching) -> float:
    sessions = _sessions(campaign)
    moves, steps = sum(moved for *_, moved, _ in sessions), sum(steps for *_, steps in sessions)
    return watching.environment_cost * moves + watching.step_cost * steps


def _stated(ident: IdentifiedSet) -> int | None:
    if not isinstance(ident, NoisySet):
        return None
    return sum(int(system.shown[system.observed].sum() + system.strict.sum()) for system in ident.systems)


def _table(campaign: Campaign, watching: Watching, worths: dict[int, tuple[float, float]]) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    cost = 0.0
    pool: Array | None = None
    for step, ((_, seen, moved, steps), decision) in enumerate(
        zip(_sessions(campaign), campaign.decisions, strict=True)
    ):
        if pool is None:
            start = decision.state.before.ident if decision.state.before is not None else campaign.ident
            pool = Greedy(watching.samples, hypotheses=watching.given).pool(start)[0]
        cost += watching.environment_cost * moved + watching.step_cost * steps
        ident, deployed = decision.state.ident, watching.deployed
        empty = ident.conflict is not None
        staying, moving = worths.get(step, (np.nan, np.nan))
        rows.append(
            {
                "decision": step + 1,
                "environment": decision.candidate,
                "moved": moved,
                "episodes": len(seen) if isinstance(seen, Trajectories) else 0,
                "steps": steps,
                "cost": cost,
                "worth_staying": staying,
                "worth_moving": moving,
                "stated": _stated(ident),
                "consistent_share": float(consistent(ident, pool).mean()),
                "regret_bound": np.nan if deployed is None or empty else decision.state.regret(deployed).upper,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
