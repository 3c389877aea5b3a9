r"""Maximum causal entropy IRL (Ziebart, Bagnell & Dey 2010) as the ``imitation`` library computes it.

For H steps, with rewards ``r(s) = phi(s) . theta`` on states, it plans

    Q_t(s, a) = r(s) + sum_s' T[s, a, s'] V_{t+1}(s'),   V_t = log sum_a exp Q_t(s, a),   pi_t = exp(Q_t - V_t),

without a reward after the last step, and drives the difference of expected visits ``E_pi[n(s)] - E_D[n(s)]`` through
``phi`` to 0 by Adam.  Three things are the library's own:

* visits are counted in all H + 1 states of an episode, the last one included, although planning pays nothing there; so
  its zero is not exactly that of the likelihood's gradient, which counts H;
* a discount below 1 enters planning and the sums of visits, but the policy whose visits are summed plans with discount
  1: the two sides of the difference belong to different agents, and even the true reward is no zero.  Hence
  ``discount=1.0`` here, whatever the environments' discounts are;
* rewards on actions are out of its reach.

Several environments are one world: their disjoint union, in which an episode starts in each as often as it was seen
there, under one observation matrix phi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident.agents.known import SoftOptimal
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Evidence, Policy
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Solver
from irl_ident.solvers.imitation_library import demonstrations as demos
from irl_ident.solvers.imitation_library import library
from irl_ident.solvers.imitation_library.library import ImitationEstimate


@dataclass(frozen=True, eq=False)
class MCEEstimate(ImitationEstimate):
    """What MCE-IRL found.

    Attributes
    ----------
    policies : tuple of array (H, S, A)
        What the soft-optimal agent of H steps does at each step, environment by environment of the evidence in the
        order in which they first come.  ``policy(env)`` is another agent's: the one that plans for ever, with the
        environment's own discount.
    occupancy_error : float
        Largest difference in the expected number of visits to a state of the union.
    """

    policies: tuple[Array, ...]
    occupancy_error: float


@dataclass(frozen=True)
class MCEIRL(Solver):
    """``imitation.algorithms.mce_irl.MCEIRL``: maximum causal entropy over a finite horizon, for rewards on states.

    Parameters
    ----------
    horizon : int, optional
        Number of steps H; that of the longest episode in the evidence when not given.
    discount : float
        Handed to the library; below 1 it does not compute what it should (see the module).
    learning_rate : float
        Of Adam.
    iterations : int
        At most so many steps.
    occupancy_tolerance, gradient_tolerance : float
        The library stops when visits to every state agree to within the first, or the Euclidean norm of the gradient is
        below the second.
    episodes : int
        How many episodes a policy in the evidence counts for beside trajectories; its visits are exact.

    Notes
    -----
    The transitions are held as one dense array (m S, A, m S) for m environments.
    """

    horizon: int | None = None
    discount: float = 1.0
    learning_rate: float = 0.05
    iterations: int = 2000
    occupancy_tolerance: float = 1e-3
    gradient_tolerance: float = 1e-4
    episodes: int = 100

    def __post_init__(self) -> None:
        if self.horizon is not None:
            library.checked_count("horizon", self.horizon)
        for name in ("iterations", "episodes"):
            library.checked_count(name, getattr(self, name))
        for name in ("learning_rate", "occupancy_tolerance", "gradient_tolerance"):
            library.checked_positive(name, getattr(self, name))
        if not 0 < self.discount <= 1:
            raise ValueError(f"discount: was {self.discount!r}, should be in (0, 1]")

    def fit(self, evidence: Evidence, family: RewardFamily) -> MCEEstimate:
        """Match the visits; see :meth:`.Solver.fit`.

        Raises
        ------
        ValueError
            Also for families whose features depend on the action, and for counts.
        """
        library.require("MCEIRL")
        pairs = reading.checked(evidence, family)
        horizon = demos.horizon_of(pairs, self.horizon)
        seen = demos.members(pairs, solver="MCEIRL")
        features = np.vstack([state_features(family, env) for env, _ in seen])
        visits, initial = self._visits(seen, horizon)
        world = union([env for env, _ in seen], initial, features, horizon)
        with library.reproducible(0) as random:
            theta, steps, last = matched(self, world, visits, random)
            reward = features @ theta
            own = occupancies(world, reward, self.discount)
            policies = plan(world, reward, self.discount)
            learner = tabular(world, policies, random)
        error = float(np.abs(own - visits).max())
        gradient = float(np.linalg.norm(features.T @ (own - visits)))
        split = tuple(policies.reshape(horizon, len(seen), -1, world.action_dim).swapaxes(0, 1))
        return MCEEstimate(
            solver=self,
            agent=SoftOptimal(family, theta, 1.0),
            minimised=f"Euclidean norm of the difference in features summed over {horizon + 1} states",
            value=gradient,
            convergence=self._convergence(steps, last, error, gradient),
            gauge=self._gauge(horizon),
            learner=learner,
            policies=split,
            occupancy_error=error,
        )

    def _visits(self, seen: list[demos.Member], horizon: int) -> tuple[Array, Array]:
        """Expected visits per episode of the union and its first states, (m S,) each."""
        rates = self.discount ** np.arange(horizon + 1.0)
        episodes = np.zeros(len(seen))
        visits = np.zeros((len(seen), seen[0][0].n_states))
        first = np.zeros_like(visits)
        unused = np.random.default_rng(0)
        for place, (env, observations) in enumerate(seen):
            for each in observations:
                if isinstance(each, Policy):
                    flow = state_flow(env, demos.reachable(env, each), horizon)
                    count = self.episodes
                else:
                    shown = demos.of_length(env, demos.followed(env, each, 1, 1, 0), horizon, unused)
                    count = len(shown)
                    flow = np.array([np.bincount(s, minlength=env.n_states) / count for s in shown.states.T])
                visits[place] += count * (rates @ flow)
                first[place] += count * flow[0]
                episodes[place] += count
        return visits.ravel() / episodes.sum(), first.ravel() / episodes.sum()

    def _convergence(self, steps: int, last: dict[str, float], error: float, gradient: float) -> Convergence:
        """Why the library stopped, with what is left at the theta that it returned, which is one step further."""
        if last["linf_delta"] > self.occupancy_tolerance and last["grad_norm"] <= self.gradient_tolerance:
            return Convergence("converged", steps, "norm of the gradient", gradient)
        matched = last["linf_delta"] <= self.occupancy_tolerance
        return Convergence(
            "converged" if matched else "iterations", steps, "largest difference in visits to a state", error
        )

    def _gauge(self, horizon: int) -> str:
        said = (
            f"temperature 1, {horizon} steps at discount {self.discount:g}, the environments' own discounts unread; "
            "where Adam came from theta = 0, so what the evidence leaves open is as the path left it; visits are "
            "counted in the last state too, where planning pays no reward"
        )
        if self.discount < 1:
            said += "; the library sums discounted visits of a policy that it plans with discount 1, so this is biased"
        return said


def state_features(family: RewardFamily, env: Environment) -> Array:
    """Features of the states, (S, d); ``ValueError`` when they depend on the action."""
    rows = family.matrix(env).toarray().reshape(env.n_states, env.n_actions, family.dim)
    differs = (rows != rows[:, :1]).any(axis=(1, 2))
    if differs.any():
        state = env.states[int(np.argmax(differs))]
        raise ValueError(
            f"family: its features depend on the action, as in state {state!r}; imitation's MCE-IRL takes rewards on "
            "states only, such as StateRewards"
        )
    return np.asarray(rows[:, 0])


def state_flow(env: Environment, table: Array, horizon: int) -> Array:
    """Probabilities of the states at each of ``horizon + 1`` times under a policy (S, A), (horizon + 1, S)."""
    flow = np.zeros((horizon + 1, env.n_states))
    flow[0] = env.initial
    for t in range(horizon):
        flow[t + 1] = env.transitions.T @ (flow[t][:, None] * table).ravel()
    return flow


def union(environments: list[Environment], initial: Array, features: Array, horizon: int) -> Any:
    """One ``TabularModelPOMDP`` of all environments side by side, whose observations are the features."""
    from seals.base_envs import TabularModelPOMDP

    size, n_actions = environments[0].n_states, environments[0].n_actions
    total = size * len(environments)
    transitions = np.zeros((total, n_actions, total))
    for place, env in enumerate(environments):
        block = slice(place * size, (place + 1) * size)
        transitions[block, :, block] = env.dense()
    return TabularModelPOMDP(
        transition_matrix=transitions,
        observation_matrix=features,
        reward_matrix=np.zeros(total),
        horizon=horizon,
        initial_state_dist=initial,
    )


def matched(
    settings: MCEIRL, world: Any, visits: Array, random: np.random.Generator
) -> tuple[Array, int, dict[str, float]]:
    """Run the library's optimisation from 0; parameters (d,), number of steps, and what it logged at the last."""
    from imitation.algorithms.mce_irl import MCEIRL as Library

    from irl_ident.solvers.imitation_library.nets import LinearStateReward

    net = LinearStateReward(world)
    with library.recorded() as (log, told):
        trainer = Library(
            visits,
            world,
            net,
            random,
            optimizer_kwargs={"lr": settings.learning_rate},
            discount=settings.discount,
            linf_eps=settings.occupancy_tolerance,
            grad_l2_eps=settings.gradient_tolerance,
            log_interval=1,
            custom_logger=log,
        )
        trainer.train(settings.iterations)
    return net.theta.detach().numpy().copy(), len(told), told[-1]


def plan(world: Any, reward: Array, discount: float) -> Array:
    """The library's soft-optimal policies at each of H steps, (H, S, A)."""
    from imitation.algorithms.mce_irl import mce_partition_fh

    return np.asarray(mce_partition_fh(world, reward=reward, discount=discount)[2])


def occupancies(world: Any, reward: Array, discount: float) -> Array:
    """The library's expected visits, (S,)."""
    from imitation.algorithms.mce_irl import mce_occupancy_measures

    return np.asarray(mce_occupancy_measures(world, reward=reward, discount=discount)[1])


def tabular(world: Any, policies: Array, random: np.random.Generator) -> Any:
    """The library's policy that remembers the time."""
    from imitation.algorithms.mce_irl import TabularPolicy

    return TabularPolicy(world.state_space, world.action_space, policies, random)
