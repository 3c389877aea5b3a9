"""Agents that a base optimiser made: small networks, trained by exact policy gradients on what they observe.

The base objective is the expected discounted return over environments, each met with a given share,

    J(w) = sum_l share_l J_l(pi_w),        pi_w(.|s) = softmax of a ReLU network of the observation of s in l,

and training goes up its exact gradient (:mod:`irl_ident.agents.policy_gradient_returns`), with Adam (Kingma & Ba 2015)
and decoupled weight decay (Loshchilov & Hutter 2019) on weights, not on biases.  Nothing is sampled but the first
weights: what an agent comes to pursue depends on shares, observations, architecture, steps and rates alone.  As it acts
on observations it can be put into environments that it never saw.  What it pursues there is nowhere written down: the
record of its training names the base objective, and behaviour says the rest.

Levels can be prioritised by regret, as in prioritised level replay with the true regret as score (Jiang et al. 2021,
Prioritized Level Replay and Replay-Guided Adversarial Environment Design): see :class:`Recipe`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from irl_ident.agents.base import Agent
from irl_ident.agents.policy_gradient_networks import Layers, backward, forward, initial
from irl_ident.agents.policy_gradient_returns import Tasks
from irl_ident.environment import Array, Environment
from irl_ident.planning.ties import uniform_over
from irl_ident.rewards import RewardFamily

Observe = Callable[[Environment], Array]
"""What is seen in each state of an environment, (S, F)."""

FIRST_MOMENT, SECOND_MOMENT, TINY = 0.9, 0.999, 1e-8
"""Adam's decay rates and what it adds to the root of the second moment."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """How one agent is trained.

    Parameters
    ----------
    seed : int
        Of its first weights.
    observe : callable
        Environment -> array (S, F).
    shares : array (L,)
        How often each environment is met; at least 0, sum to 1.
    learning_rate : float
        Adam's, above 0.
    weight_decay : float
        At least 0; each step shrinks all weights by ``learning_rate * weight_decay`` of themselves.
    prioritised : float
        In [0, 1].  At each step environment l has the weight ``(1 - prioritised) share_l + prioritised q_l``, where
        ``q_l`` is its part of the regret, ``max_pi J_l(pi) - J_l``, of all environments whose share is above 0.
    """

    seed: int
    observe: Observe
    shares: Array
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    prioritised: float = 0.0

    def __post_init__(self) -> None:
        shares = np.array(self.shares, dtype=float)
        if shares.ndim != 1 or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
            raise ValueError(f"shares: should be probabilities (L,) that sum to 1, were {self.shares!r}")
        shares.setflags(write=False)
        object.__setattr__(self, "shares", shares)
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate: was {self.learning_rate!r}, should be finite and above 0")
        if not (np.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay: was {self.weight_decay!r}, should be finite and at least 0")
        if not 0 <= self.prioritised <= 1:
            raise ValueError(f"prioritised: was {self.prioritised!r}, should be in [0, 1]")


@dataclass(frozen=True, eq=False)
class NetworkTraining:
    """What happened in training.

    Parameters
    ----------
    recipe : Recipe
    environments : tuple of L Environment
    family : RewardFamily
    base_objective : array (d,)
        What training paid for, in the family's parameters.
    steps : tuple of C int
        After so many steps each the agent was looked at; the first is 0, the last the end of training.
    returns : array (C, L)
        Its return in each environment at each look.
    optima : array (L,)
        The largest returns there are.
    """

    recipe: Recipe
    environments: tuple[Environment, ...]
    family: RewardFamily
    base_objective: Array
    steps: tuple[int, ...]
    returns: Array
    optima: Array

    def __post_init__(self) -> None:
        for array in (self.base_objective, self.returns, self.optima):
            array.setflags(write=False)

    def __repr__(self) -> str:
        return f"NetworkTraining(policy gradient, seed {self.recipe.seed}, {self.steps[-1]} steps)"


@dataclass(frozen=True, eq=False)
class NetworkAgent(Agent):
    """A frozen ReLU network that acts on what it observes.

    Parameters
    ----------
    weights : tuple of arrays (outputs, inputs)
        Of each layer, as :class:`irl_ident.certificates.ReluNetwork` takes them.
    biases : tuple of arrays (outputs,)
    observe : callable
        Environment -> array (S, F), in any environment that it is to act in.
    training : NetworkTraining
    temperature : float
        Of the softmax of its outputs; 1 in training, 0 for the largest alone, evenly among equals.
    looks : tuple
        Weights and biases at each of ``training.steps``.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    observe: Observe
    training: NetworkTraining
    temperature: float = 1.0
    looks: tuple[tuple[tuple[Array, ...], tuple[Array, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature: was {self.temperature!r}, should be finite and at least 0")
        for array in (*self.weights, *self.biases):
            array.setflags(write=False)

    def logits(self, env: Environment) -> Array:
        """The network's outputs in each state of ``env``, (S, A)."""
        inputs = np.asarray(self.observe(env), dtype=float)
        expected = (env.n_states, self.weights[0].shape[1])
        if inputs.shape != expected:
            raise ValueError(f"observe: gave an array of shape {inputs.shape}, should be (S, F) = {expected}")
        if env.n_actions != self.biases[-1].size:
            raise ValueError(f"env: has {env.n_actions} actions; this agent chooses among {self.biases[-1].size}")
        layers = [(w.T[None], b[None, None]) for w, b in zip(self.weights, self.biases, strict=True)]
        found: Array = forward(layers, inputs[None])[0][0]
        return found

    def policy(self, env: Environment) -> Array:
        """What it does in each state, (S, A); uniform in absorbing states, where nothing is left to choose."""
        logits = np.where(env.absorbing[:, None], 0.0, self.logits(env))
        if self.temperature == 0:
            return uniform_over(logits == logits.max(axis=1, keepdims=True))
        found: Array = special.softmax(logits / self.temperature, axis=1)
        return found

    def greedy(self) -> NetworkAgent:
        """The same agent, always choosing its most probable action."""
        return replace(self, temperature=0.0)

    def at(self, step: int) -> NetworkAgent:
        """The agent as it was after ``step`` steps of training, one of ``training.steps``."""
        if step not in self.training.steps:
            raise ValueError(f"step: was {step!r}, should be one of {self.training.steps}")
        weights, biases = self.looks[self.training.steps.index(step)]
        return replace(self, weights=weights, biases=biases)

    def __repr__(self) -> str:
        shape = "-".join(str(n) for n in (self.weights[0].shape[1], *(b.size for b in self.biases)))
        return f"NetworkAgent({shape}, {self.training!r})"


def policy_gradient(
    environments: Sequence[Environment],
    family: RewardFamily,
    base_objective: Array,
    recipes: Sequence[Recipe],
    *,
    width: int = 32,
    depth: int = 1,
    steps: int,
    looks: Sequence[int] = (),
) -> tuple[NetworkAgent, ...]:
    """Train agents, all at once; each is what it would be alone.

    Parameters
    ----------
    environments : sequence of L Environment
        With the same states and actions.
    family : RewardFamily
    base_objective : array (d,)
        What training pays for.
    recipes : sequence of N Recipe
        One for each agent; what they observe has the same number of features.
    width, depth : int
        Units of a hidden layer, and number of hidden layers; at least 1 and 0.
    steps : int
        At least 1.
    looks : sequence of int
        Steps, between 0 and ``steps``, after which weights and returns are kept; those at both ends always are.

    Returns
    -------
    tuple of N NetworkAgent

    Raises
    ------
    ValueError
        For numbers out of range, or environments and recipes that do not go together.
    """
    kept = _checked_looks(steps, looks)
    if width < 1 or depth < 0:
        raise ValueError(f"width, depth: were {width!r} and {depth!r}, should be at least 1 and 0")
    envs, theta = tuple(environments), family.checked(base_objective).copy()
    tasks = Tasks(envs, np.stack([family.reward(env, theta) for env in envs]))
    inputs = _inputs(envs, recipes)
    sizes = (inputs.shape[-1], *[width] * depth, envs[0].n_actions)
    layers = initial([recipe.seed for recipe in recipes], sizes)
    optima = tasks.optima()
    moments = [[np.zeros_like(array) for pair in layers for array in pair] for _ in range(2)]
    rates = np.array([recipe.learning_rate for recipe in recipes])[:, None, None]
    decays = 1 - rates * np.array([recipe.weight_decay for recipe in recipes])[:, None, None]
    seen: list[Array] = []
    found: list[Layers] = []
    for step in range(steps + 1):
        logits, given = forward(layers, inputs)
        policies = special.softmax(logits.reshape(len(recipes), len(envs), envs[0].n_states, -1), axis=3)
        returns, slopes = tasks.evaluate(policies)
        if step in kept:
            seen.append(returns)
            found.append([(weights.copy(), biases.copy()) for weights, biases in layers])
        if step == steps:
            break
        slopes *= _level_weights(recipes, optima - returns)[:, :, None, None]
        gradient = backward(layers, given, slopes.reshape(logits.shape))
        for weights, _ in layers:
            weights *= decays
        _adam(layers, gradient, moments, rates, step + 1)
    return tuple(
        _frozen(
            NetworkTraining(recipe, envs, family, theta, kept, np.array([each[n] for each in seen]), optima),
            [[(weights[n], biases[n]) for weights, biases in each] for each in found],
        )
        for n, recipe in enumerate(recipes)
    )


def _level_weights(recipes: Sequence[Recipe], regrets: Array) -> Array:
    """The weight of each environment for each agent, (N, L)."""
    shares = np.array([recipe.shares for recipe in recipes])
    prioritised = np.array([recipe.prioritised for recipe in recipes])[:, None]
    if not prioritised.any():
        return shares
    left = np.where(shares > 0, np.maximum(regrets, 0), 0)
    total = left.sum(axis=1, keepdims=True)
    by_regret = np.divide(left, total, out=shares.copy(), where=total > 0)
    mixed: Array = (1 - prioritised) * shares + prioritised * by_regret
    return mixed


def _adam(layers: Layers, gradient: Layers, moments: list[list[Array]], rates: Array, step: int) -> None:
    """One step uphill, in place."""
    first, second = moments
    parameters = [array for pair in layers for array in pair]
    for array, slope, m, v in zip(parameters, (s for pair in gradient for s in pair), first, second, strict=True):
        m += (1 - FIRST_MOMENT) * (slope - m)
        v += (1 - SECOND_MOMENT) * (slope * slope - v)
        size = np.sqrt(v / (1 - SECOND_MOMENT**step))
        size += TINY
        array += rates / (1 - FIRST_MOMENT**step) * m / size


def _frozen(training: NetworkTraining, looks: list[list[tuple[Array, Array]]]) -> NetworkAgent:
    each = tuple(
        (tuple(weights.T.copy() for weights, _ in layers), tuple(biases[0].copy() for _, biases in layers))
        for layers in looks
    )
    weights, biases = each[-1]
    return NetworkAgent(weights, biases, training.recipe.observe, training, looks=each)


def _inputs(environments: tuple[Environment, ...], recipes: Sequence[Recipe]) -> Array:
    """What agents observe, (N, L * S, F), or (1, L * S, F) where all observe alike."""
    if not recipes:
        raise ValueError("recipes: are none")
    seen: dict[Observe, Array] = {}
    for place, recipe in enumerate(recipes):
        if recipe.shares.size != len(environments):
            raise ValueError(
                f"recipes[{place}].shares: are {recipe.shares.size}, should be one for each of {len(environments)} "
                "environments"
            )
        if recipe.observe not in seen:
            each = [np.asarray(recipe.observe(env), dtype=float) for env in environments]
            for env, rows in zip(environments, each, strict=True):
                if rows.ndim != 2 or len(rows) != env.n_states or rows.shape != each[0].shape:
                    raise ValueError(
                        f"recipes[{place}].observe: gave an array of shape {rows.shape}, should be (S, F) with S = "
                        f"{env.n_states} and the same F in every environment"
                    )
            seen[recipe.observe] = np.concatenate(each)
    if len({rows.shape for rows in seen.values()}) > 1:
        raise ValueError("recipes: should all observe the same number of features")
    if len(seen) == 1:
        return next(iter(seen.values()))[None]
    return np.stack([seen[recipe.observe] for recipe in recipes])


def _checked_looks(steps: int, looks: Sequence[int]) -> tuple[int, ...]:
    if steps != int(steps) or steps < 1:
        raise ValueError(f"steps: was {steps!r}, should be a whole number of at least 1")
    for look in looks:
        if look != int(look) or not 0 <= look <= steps:
            raise ValueError(f"looks: {look!r} should be a whole number from 0 to steps = {steps}")
    return tuple(sorted({0, int(steps), *(int(look) for look in looks)}))
