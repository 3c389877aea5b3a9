"""Evidence as demonstrations that the ``imitation`` library reads.

Its methods take trajectories, and most of them episodes of one length H.  Here

*trajectories* are the demonstrations.  Where a method needs episodes of H steps, longer ones are cut to their first H
steps, those that end in an absorbing state stay there (under actions drawn evenly, for what an agent does there is
nobody's choice), and shorter ones that were cut off elsewhere are refused;

*policies* are followed for ``episodes`` episodes from ``env.initial``, or, where a method takes occupancies, replaced
by the occupancies that they have;

*counts* have no order in time and are refused, except by behavioural cloning.

Environments that share an objective become one world, their disjoint union: its state ``place * S + s`` says where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident import planning
from irl_ident.agents.rollouts import rollout
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts, Pairs, Policy, Trajectories, to_imitation
from irl_ident.evidence.observations import Integers
from irl_ident.solvers.reading import completed

if TYPE_CHECKING:
    from imitation.data.types import Trajectory

Member = tuple[Environment, list[Policy | Trajectories | Counts]]


def members(pairs: Pairs, *, solver: str) -> list[Member]:
    """Observations by environment, in the order in which the environments first come.

    Raises
    ------
    ValueError
        When the environments have different numbers of actions: the library's policies have one action space.
    """
    found: dict[str, Member] = {}
    n_actions = pairs[0][0].n_actions
    for place, (env, seen) in enumerate(pairs):
        if env.n_actions != n_actions:
            raise ValueError(
                f"evidence[{place}]: its environment has {env.n_actions} actions, that of evidence[0] {n_actions}; "
                f"{solver} needs one action space"
            )
        found.setdefault(env.digest, (env, []))[1].append(seen)
    return list(found.values())


def horizon_of(pairs: Pairs, given: int | None) -> int:
    """``given``, or when None the number of steps in the longest episode of the evidence."""
    if given is not None:
        return given
    longest = max((int(seen.lengths.max()) for _, seen in pairs if isinstance(seen, Trajectories)), default=0)
    if longest == 0:
        raise ValueError("horizon: should be given, the evidence has no trajectories to take it from")
    return longest


def reachable(env: Environment, policy: Policy) -> Array:
    """``policy`` as a table with rows that sum to 1, (S, A); ``ValueError`` where it says nothing of a reached state.

    In absorbing states, and where episodes that follow it never come, rows that it leaves empty become uniform.
    """
    table = completed(policy.probabilities)
    visits = planning.occupancy(env, table).sum(axis=1)
    lost = (visits > 0) & ~policy.observed & ~env.absorbing
    if lost.any():
        state = env.states[int(np.argmax(lost))]
        raise ValueError(f"observation: the policy comes to state {state!r}, where it was not observed")
    return table


def followed(
    env: Environment, seen: Policy | Trajectories | Counts, episodes: int, horizon: int, seed: int
) -> Trajectories:
    """Trajectories as they are, a policy followed; ``ValueError`` for counts."""
    if isinstance(seen, Counts):
        raise ValueError("observation: counts have no order in time, give trajectories or a policy")
    if isinstance(seen, Trajectories):
        return seen
    return rollout(env, reachable(env, seen), episodes=episodes, horizon=horizon, seed=seed)


def of_length(env: Environment, seen: Trajectories, horizon: int, random: np.random.Generator) -> Trajectories:
    """Episodes of ``horizon`` steps each, by the rules above."""
    states = np.zeros((len(seen), horizon + 1), dtype=np.int64)
    actions = random.integers(env.n_actions, size=(len(seen), horizon))
    for episode, (visited, chosen) in enumerate(seen):
        steps = min(chosen.size, horizon)
        last = visited[steps]
        if steps < horizon and not env.absorbing[last]:
            raise ValueError(
                f"observation: episode {episode} is cut off after {steps} steps in state {env.states[last]!r}, "
                f"should have the horizon's {horizon} or end in an absorbing state"
            )
        states[episode, : steps + 1], states[episode, steps + 1 :] = visited[: steps + 1], last
        actions[episode, :steps] = chosen[:steps]
    return Trajectories(states, actions)


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of one length in one environment of the union.

    Attributes
    ----------
    env : Environment
        Episodes start in it as the demonstrations did.
    place : int
        Which one of the union.
    episodes : Trajectories
        All of one length.
    """

    env: Environment
    place: int
    episodes: Trajectories

    def trajectories(self) -> list[Trajectory]:
        """As the library reads them; finished by the time limit, which it calls terminal."""
        from dataclasses import replace

        shift = self.place * self.env.n_states
        made = to_imitation(self.env, self.episodes)
        return [replace(t, obs=np.asarray(t.obs) + shift, terminal=True) for t in made]


def demonstrations(pairs: Pairs, *, solver: str, episodes: int, horizon: int, seed: int) -> list[Demonstrations]:
    """Read evidence for a method that needs episodes of one length."""
    random = np.random.default_rng(seed)
    found = []
    for place, (env, observations) in enumerate(members(pairs, solver=solver)):
        drawn = [
            of_length(env, followed(env, seen, episodes, horizon, int(random.integers(2**31))), horizon, random)
            for seen in observations
        ]
        states, actions = np.vstack([t.states for t in drawn]), np.vstack([t.actions for t in drawn])
        found.append(Demonstrations(started(env, states[:, 0]), place, Trajectories(states, actions)))
    return found


def started(env: Environment, first: Integers) -> Environment:
    """``env`` with episodes that start as often in each state as ``first`` (N,) lists it."""
    initial = np.bincount(first, minlength=env.n_states) / first.size
    return Environment(env.transitions, env.discount, initial, states=env.states, actions=env.actions)


def balanced(trajectories: Sequence[Sequence[Any]]) -> Any:
    """Transitions of several environments in one, those of each repeated to be as many as those of the largest."""
    from imitation.data.rollout import flatten_trajectories
    from imitation.data.types import Transitions

    each = [flatten_trajectories(list(t)) for t in trajectories]
    most = max(len(t) for t in each)
    rows = [np.resize(np.arange(len(t)), most) for t in each]
    joined = {
        name: np.concatenate([getattr(t, name)[row] for t, row in zip(each, rows, strict=True)])
        for name in ("obs", "acts", "infos", "next_obs", "dones")
    }
    return Transitions(**joined)
