"""Behavioural cloning (Pomerleau 1991): imitation by supervised learning, the baseline without a reward.

A network ``pi(a | place, s)`` is fitted to the choices that were seen, by cross-entropy.  It knows nothing of dynamics
and nothing of objectives; what it does where nothing was seen came of its initial weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident.agents.table import TableAgent
from irl_ident.environment import Array
from irl_ident.evidence import Counts, Evidence, Pairs
from irl_ident.evidence.observations import Integers
from irl_ident.rewards import RewardFamily
from irl_ident.solvers import reading
from irl_ident.solvers.base import Convergence, Solver
from irl_ident.solvers.imitation_library import demonstrations as demos
from irl_ident.solvers.imitation_library import library, worlds
from irl_ident.solvers.imitation_library.library import ImitationEstimate
from irl_ident.solvers.imitation_library.worlds import World, WorldEstimate


@dataclass(frozen=True)
class BehavioralCloning(Solver):
    """``imitation.algorithms.bc.BC``.  Its estimate has a policy and no reward.

    Parameters
    ----------
    epochs : int
        Passes through the choices.
    learning_rate : float
        Of Adam.
    batch_size : int
        Choices in a step; all of them where there are fewer.
    episodes, horizon : int
        Policies in the evidence are followed for so many episodes of so many steps; ``horizon`` None stands for the
        longest episode in the evidence.
    seed : int
        The same seed, the same estimate (on one machine with one release of PyTorch).

    Notes
    -----
    In absorbing states the policy is uniform: nobody chooses there.  In environments that are not in the evidence it is
    the mean of the policies in those that are.  The library's weight on entropy, 1e-3, is kept.
    """

    epochs: int = 50
    learning_rate: float = 1e-3
    batch_size: int = 32
    episodes: int = 100
    horizon: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "episodes"):
            library.checked_count(name, getattr(self, name))
        if self.horizon is not None:
            library.checked_count("horizon", self.horizon)
        library.checked_positive("learning_rate", self.learning_rate)
        library.checked_seed(self.seed)

    def fit(self, evidence: Evidence, family: RewardFamily) -> ImitationEstimate:
        """Fit a policy to the choices; see :meth:`.Solver.fit`.

        Counts are choices as good as trajectories.  ``family`` only has to go with the environments.
        """
        library.require("BehavioralCloning")
        pairs = reading.checked(evidence, family)
        seen = demos.members(pairs, solver="BehavioralCloning")
        n_states, n_actions = seen[0][0].n_states, seen[0][0].n_actions
        observations, actions = self._choices(pairs, seen)
        spaces = worlds.spaces(len(seen) * n_states, n_actions)
        with library.reproducible(self.seed) as random:
            learner = cloned(self, observations, actions, spaces, random)
            tables = worlds.table(learner, len(seen) * n_states).reshape(len(seen), n_states, n_actions)
        chosen = np.zeros((len(seen) * n_states, n_actions))
        np.add.at(chosen, (observations, actions), 1)
        loss, least = mean_surprise(chosen, tables.reshape(-1, n_actions)), mean_surprise(chosen, chosen)
        for (env, _), table in zip(seen, tables, strict=True):
            table[env.absorbing] = 1 / n_actions
        return ImitationEstimate(
            solver=self,
            agent=TableAgent([env for env, _ in seen], list(tables)),
            minimised="mean negative log-likelihood of the choices, nats",
            value=loss,
            convergence=Convergence("iterations", self.epochs, "nats above the empirical frequencies", loss - least),
            gauge="no reward: a policy alone, arbitrary where nothing was seen",
            learner=learner,
        )

    def fit_world(self, world: World, trajectories: Sequence[Any]) -> WorldEstimate:
        """Fit a policy to demonstrations in any Gymnasium world.

        Parameters
        ----------
        world : str or callable
            A Gymnasium id, or a function that makes a fresh environment; only its spaces are used.
        trajectories : sequence of imitation.data.types.Trajectory
            Demonstrations, as :func:`~irl_ident.solvers.imitation_library.rollouts` makes them.

        Returns
        -------
        WorldEstimate
            Without a reward.
        """
        library.require("BehavioralCloning")
        from imitation.data.rollout import flatten_trajectories

        venv = worlds.vector(world, 1)
        choices = flatten_trajectories(worlds.checked_trajectories(trajectories, venv))
        with library.reproducible(self.seed) as random:
            learner = cloned(self, choices.obs, choices.acts, (venv.observation_space, venv.action_space), random)
            loss = surprise(learner, choices.obs, choices.acts)
        venv.close()
        ended = Convergence("iterations", self.epochs, "mean negative log-likelihood of the choices, nats", loss)
        return WorldEstimate(self, learner, None, None, ended)

    def _choices(self, pairs: Pairs, seen: Sequence[demos.Member]) -> tuple[Integers, Integers]:
        """All choices: observations in the union, and actions."""
        random = np.random.default_rng(self.seed)
        observations, actions = [], []
        for place, (env, given) in enumerate(seen):
            for each in given:
                if isinstance(each, Counts):
                    states, chosen = np.nonzero(each.counts)
                    times = each.counts[states, chosen]
                    states, chosen = np.repeat(states, times), np.repeat(chosen, times)
                else:
                    horizon = demos.horizon_of(pairs, self.horizon)
                    draw = int(random.integers(2**31))
                    states, chosen, _ = demos.followed(env, each, self.episodes, horizon, draw).steps()
                observations.append(place * env.n_states + states)
                actions.append(chosen)
        if not any(chosen.size for chosen in actions):
            raise ValueError("evidence: no choice of an action was observed, all episodes start where they end")
        return np.concatenate(observations), np.concatenate(actions)


def cloned(
    settings: BehavioralCloning, observations: Any, actions: Any, spaces: tuple[Any, Any], random: np.random.Generator
) -> Any:
    """Train the library's network on choices, and give its policy.

    Next observations are dummies: its loader stacks them, and cloning does not look at them.
    """
    from imitation.algorithms.bc import BC
    from imitation.data.types import Transitions

    unused = {"infos": np.array([{}] * len(actions)), "dones": np.zeros(len(actions), dtype=bool)}
    choices = Transitions(obs=observations, acts=actions, next_obs=observations, **unused)
    with library.recorded() as (log, _):
        trainer = BC(
            observation_space=spaces[0],
            action_space=spaces[1],
            rng=random,
            demonstrations=choices,
            batch_size=min(settings.batch_size, len(actions)),
            optimizer_kwargs={"lr": settings.learning_rate},
            device="cpu",
            custom_logger=log,
        )
        trainer.train(n_epochs=settings.epochs, progress_bar=False)
    return trainer.policy


def surprise(policy: Any, observations: Any, actions: Any) -> float:
    """Mean of ``-log pi(a | o)`` of a policy of Stable-Baselines3."""
    import torch

    with torch.no_grad():
        _, log_likelihood, _ = policy.evaluate_actions(torch.tensor(observations), torch.tensor(actions))
    return float(-log_likelihood.mean())


def mean_surprise(chosen: Array, table: Array) -> float:
    """Mean of ``-log pi(a | s)`` over choices (S, A) that were counted; ``table`` (S, A) is scaled to sum to 1."""
    rows, columns = np.nonzero(chosen)
    probabilities = table[rows, columns] / table.sum(axis=1)[rows]
    return float(-(chosen[rows, columns] * np.log(probabilities)).sum() / chosen.sum())
