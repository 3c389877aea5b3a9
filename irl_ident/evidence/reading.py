"""Reading evidence: which actions were shown, how often, and whether a list of observations goes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from irl_ident.environment import Array, Environment, Mask
from irl_ident.evidence.observations import Counts, Policy, Trajectories

Observation: TypeAlias = Array | Policy | Trajectories | Counts
"""What was seen in one environment; an array (S, A) stands for ``Policy(array, shows="all")``."""

Evidence: TypeAlias = Sequence[tuple[Environment, Observation]]
"""All that was seen."""

Pairs: TypeAlias = list[tuple[Environment, Policy | Trajectories | Counts]]
"""Evidence that :func:`checked` has passed."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The actions that an observation shows.

    Parameters
    ----------
    shown : array (S, A) of bool
        Actions that were seen.
    observed : array (S,) of bool
        States in which some action was seen.
    complete : bool
        Whether the actions shown in an observed state are all that are optimal there.
    """

    shown: Mask
    observed: Mask
    complete: bool


def shown(env: Environment, observation: Observation) -> Shown:
    """Say which actions an observation shows.

    Parameters
    ----------
    env : Environment
        Where it was made.
    observation : array (S, A), Policy, Trajectories or Counts
        Of a policy, the actions with positive probability count as shown, however small it is.

    Returns
    -------
    Shown
        ``complete`` for policies that show all optimal actions only: a finite number of choices never does.

    Raises
    ------
    ValueError
        When the observation is not one of ``env``.
    """
    seen = _checked_observation(env, observation)
    mask = np.asarray(seen.probabilities > 0 if isinstance(seen, Policy) else counts(env, seen).counts > 0)
    return Shown(mask, np.asarray(mask.any(axis=1)), isinstance(seen, Policy) and seen.shows == "all")


def counts(env: Environment, observation: Observation) -> Counts:
    """Count how often each action was taken in each state.

    Parameters
    ----------
    env : Environment
        Where the observation was made.
    observation : Trajectories or Counts
        The state in which an episode ends has no action and is not counted.

    Raises
    ------
    ValueError
        When the observation is not one of ``env``, or is a policy: probabilities are not counts.
    """
    seen = _checked_observation(env, observation)
    if isinstance(seen, Policy):
        raise ValueError("observation: a policy has probabilities and no counts; give trajectories or counts")
    if isinstance(seen, Counts):
        return seen
    states, actions, _ = seen.steps()
    total = np.bincount(states * env.n_actions + actions, minlength=env.n_states * env.n_actions)
    return Counts(total.reshape(env.n_states, env.n_actions))


def empirical_policy(env: Environment, observation: Observation) -> Array:
    """Return the policy that was seen, (S, A): frequencies of the actions in each state, rows of 0 where nothing was.

    Parameters
    ----------
    env : Environment
        Where the observation was made.
    observation : array (S, A), Policy, Trajectories or Counts
        Policies are returned as they are.
    """
    seen = _checked_observation(env, observation)
    if isinstance(seen, Policy):
        return seen.probabilities
    total = counts(env, seen).counts
    frequencies: Array = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    return frequencies


def checked(evidence: Evidence) -> Pairs:
    """Check that evidence goes together.

    Parameters
    ----------
    evidence : sequence of (Environment, observation)
        At least one.

    Returns
    -------
    list of (Environment, Policy or Trajectories or Counts)
        The same, arrays made policies.

    Raises
    ------
    ValueError
        Naming the place in ``evidence`` and the fault: no pairs, another type, an observation that is impossible in its
        environment, or environments with different numbers of states.
    """
    given: object = evidence
    if not isinstance(given, (list, tuple)):
        raise ValueError(
            f"evidence: should be a list of (environment, observation) pairs, as [(env, policy)], was {_kind(given)}"
        )
    if len(given) == 0:
        raise ValueError("evidence: is empty, should hold at least one (environment, observation) pair")
    pairs: Pairs = []
    for place, pair in enumerate(given):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], Environment):
            raise ValueError(f"evidence[{place}]: should be an (environment, observation) pair, was {_kind(pair)}")
        env, observation = pair
        if pairs and env.n_states != pairs[0][0].n_states:
            first = pairs[0][0].n_states
            raise ValueError(
                f"evidence[{place}]: its environment has {env.n_states} states, that of evidence[0] {first}"
            )
        try:
            pairs.append((env, _checked_observation(env, observation)))
        except ValueError as error:
            raise ValueError(f"evidence[{place}]: {error}") from error
    return pairs


def _checked_observation(env: Environment, observation: Any) -> Policy | Trajectories | Counts:
    seen = Policy(observation) if isinstance(observation, np.ndarray) else observation
    if not isinstance(seen, (Policy, Trajectories, Counts)):
        raise ValueError(
            f"observation: should be an array (S, A), Policy, Trajectories or Counts, was {type(observation).__name__}"
        )
    seen.check(env)
    return seen


def _kind(given: object) -> str:
    if isinstance(given, (tuple, list)):
        return f"{type(given).__name__} of ({', '.join(type(part).__name__ for part in given)})"
    return type(given).__name__
