"""Agents that are known by what they do: a table of action probabilities for each environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from irl_ident.agents.base import Agent
from irl_ident.environment import Array, Environment
from irl_ident.evidence.observations import Policy


@dataclass(frozen=True, eq=False)
class TableAgent(Agent):
    """One policy for each environment that it knows; it has no objective and plans nowhere.

    Parameters
    ----------
    environments : sequence of Environment
        At least one, all with the same numbers of states and actions.
    tables : sequence of array (S, A)
        What it does in each of them; all rows sum to 1.

    Raises
    ------
    ValueError
        When a table is no policy of its environment, or says nothing of a state.
    """

    environments: Sequence[Environment]
    tables: Sequence[Array]

    def __post_init__(self) -> None:
        if len(self.environments) == 0 or len(self.environments) != len(self.tables):
            raise ValueError(
                f"tables: {len(self.tables)} were given for {len(self.environments)} environments, should be one for "
                "each, at least one"
            )
        kept = []
        for place, (env, table) in enumerate(zip(self.environments, self.tables, strict=True)):
            policy = Policy(table)
            policy.check(env)
            if not policy.observed.all():
                state = int(np.argmin(policy.observed))
                raise ValueError(f"tables[{place}][{state}] is 0 throughout: should say what to do in every state")
            kept.append(policy.probabilities)
        if len({table.shape for table in kept}) > 1:
            raise ValueError("tables: should all have one shape (S, A)")
        object.__setattr__(self, "environments", tuple(self.environments))
        object.__setattr__(self, "tables", tuple(kept))

    def policy(self, env: Environment) -> Array:
        """Its table in an environment that it knows; in any other with as many states and actions, their mean.

        Raises
        ------
        ValueError
            In an environment with other numbers of states or actions.
        """
        for known, table in zip(self.environments, self.tables, strict=True):
            if known.digest == env.digest:
                return table
        if self.tables[0].shape != (env.n_states, env.n_actions):
            raise ValueError(
                f"env: has {env.n_states} states and {env.n_actions} actions; this agent knows tables of shape "
                f"{self.tables[0].shape} and cannot act here"
            )
        mean: Array = np.mean(self.tables, axis=0)
        return mean
