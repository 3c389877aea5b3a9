"""Learners in token bandits, and the tasks in which they are watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

import irl_ident as ii
from environments.bandit_tasks import TokenBandits, tokens
from environments.token_bandits import UNIFORM, Beliefs, thompson
from irl_ident import planning
from irl_ident.agents.believers import Believer
from irl_ident.agents.learners import Learner, play
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

BELIEFS = Beliefs()
PULLS = BELIEFS.pulls
TEMPERATURE, LAPSE = 0.05, 0.02
"""Of soft agents, in units of the best token, and how often they do not attend."""

RARE = ((1.0, 0.05, 1.0),) * 2
"""The prior of an agent for which the middle token is next to impossible."""

SURE = ((0.2, 0.2, 0.2),) * 2
"""The prior of an agent for which an arm nearly always shows the same token."""

SHORT = 4
"""Pulls that are looked at where trials are cut short, of which nobody is told."""

TRAINED = (0.2, 0.5, 0.8)
"""What the middle token was worth to networks in training."""

NETWORK, BRIEF, UNSEEN = "network", "network, trained briefly", "network, token never shown"
"""Networks trained on flat tasks for 75,000 trials, for 4,000, and for 75,000 without the middle token."""

NETWORKS = {NETWORK: "", BRIEF: "brief-", UNSEEN: "absent-"}
"""What the names of their files have."""

AS_TRAINED = "as trained"


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of a learner in some tasks: its choices, and what it had seen of the task before each.

    Attributes
    ----------
    states : int array (N, H)
        Of the belief MDP.
    actions : int array (N, H)
    """

    states: Integers
    actions: Integers

    def counts(self, n_states: int, n_actions: int) -> Array:
        """How often each action was chosen in each state, (S, A)."""
        found = np.zeros((n_states, n_actions))
        np.add.at(found, (self.states, self.actions), 1)
        return found


def flat(count: int, rng: np.random.Generator) -> TokenBandits:
    """As in training: all distributions of tokens are as likely."""
    return tokens(count, rng)


def safe(count: int, rng: np.random.Generator) -> TokenBandits:
    """One arm, either, always shows the middle token."""
    return _fixed(count, rng, 1)


def bad(count: int, rng: np.random.Generator) -> TokenBandits:
    """One arm, either, always shows the last token."""
    return _fixed(count, rng, 2)


def certain(count: int, rng: np.random.Generator) -> TokenBandits:
    """Arms that nearly always show the same token."""
    return TokenBandits(rng.dirichlet([0.2, 0.2, 0.2], size=(count, 2)))


def without(count: int, rng: np.random.Generator) -> TokenBandits:
    """The middle token is never shown."""
    return tokens(count, rng, absent=1)


def _fixed(count: int, rng: np.random.Generator, token: int) -> TokenBandits:
    drawn = tokens(count, rng).distributions
    drawn[np.arange(count), rng.integers(2, size=count)] = np.eye(3)[token]
    return TokenBandits(drawn)


PROBES: dict[str, tuple[Callable[[int, np.random.Generator], TokenBandits], int]] = {
    AS_TRAINED: (flat, PULLS),
    "safe arm": (safe, PULLS),
    "bad arm": (bad, PULLS),
    "near-certain arms": (certain, PULLS),
    "no middle token": (without, PULLS),
    "first four pulls": (flat, SHORT),
}
"""Tasks in which learners are watched, and how many pulls are looked at."""


@cache
def plan(prior: tuple[tuple[float, ...], ...] = UNIFORM) -> tuple[Beliefs, ii.Environment, ii.rewards.LinearRewards]:
    """Beliefs under a prior, with their environment and family."""
    beliefs = Beliefs(prior)
    return beliefs, beliefs.environment(), beliefs.family()


def policy(kind: str, theta: float) -> Array:
    """What a built agent does in each belief (S, 2).

    Parameters
    ----------
    kind : str
        One of :data:`BUILT`.
    theta : float
        What the middle token is worth to it.
    """
    worth = np.array([1.0, theta])
    beliefs, env, family = plan({"believes it rare": RARE, "believes arms sure": SURE}.get(kind, UNIFORM))
    if kind == "exact Bayes":
        return ii.agents.Optimal(family, worth).policy(env)
    if kind == "exact, believes it rare":
        _, other, its = plan(RARE)
        return ii.agents.Optimal(its, worth).policy(other)
    if kind == "Thompson":
        return thompson(beliefs, [1.0, theta, 0.0])
    reward = family.reward(env, worth)
    q = planning.bounded_horizon(env, reward, 1) if kind == "myopic" else planning.optimal(env, reward).q
    return (1 - LAPSE) * special.softmax(q / TEMPERATURE, axis=1) + LAPSE / env.n_actions


BUILT = (
    "exact Bayes",
    "soft Bayes",
    "exact, believes it rare",
    "believes it rare",
    "believes arms sure",
    "myopic",
    "Thompson",
)
"""Agents that are built; all but the exact ones and Thompson's are soft and have lapses."""


def built(kind: str, theta: float) -> Learner:
    """A built agent that plays."""
    return Believer(policy(kind, theta), BELIEFS.following, np.array([BELIEFS.first()]))


def released(kind: str, theta: float, seed: int) -> str:
    """Of a released network, one of :data:`NETWORKS`, for which the middle token was worth ``theta`` in training."""
    return f"tokens-{theta:g}-{NETWORKS[kind]}seed-{seed}"


def watch(learner: Learner, tasks: TokenBandits, pulls: int, seed: int) -> Seen:
    """Let a learner play tasks, and look at the first pulls of each."""
    histories = play(learner, tasks, PULLS, seed)
    actions, shown = histories.actions[:, :pulls], histories.outcomes[:, :pulls]
    return Seen(BELIEFS.states(actions, shown), actions)


def watch_everywhere(learner: Learner, count: int, seed: int) -> dict[str, Seen]:
    """What is seen of a learner in ``count`` tasks of each kind of :data:`PROBES`."""
    found = {}
    for place, (name, (draw, pulls)) in enumerate(PROBES.items()):
        children = np.random.SeedSequence([seed, place]).generate_state(2, np.uint64)
        found[name] = watch(learner, draw(count, np.random.default_rng(children[0])), pulls, int(children[1]))
    return found
