"""Recurrent learners: a gated recurrent network whose activations are the memory (RL^2, Duan et al. 2016).

At each step the network is given what is observed, what it did before and what came of it, and whether an inner episode
has just ended: the embedding phi(s, a, r, d) of the paper, which leaves open what it is (here: :class:`Encoding`).  A
gated recurrent unit (Cho et al. 2014) takes it in,

    r = sigma(W_r x + b_r + U_r h + c_r),     z = sigma(W_z x + b_z + U_z h + c_z),
    n = tanh(W_n x + b_n + r (U_n h + c_n)),  h <- (1 - z) n + z h,

and the probabilities of the actions are softmax(V h + v).  The weights stay as training left them
(:mod:`irl_ident.agents.recurrent_training`); this module needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from irl_ident.agents.learners import Histories, Learner, Outcomes
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

Single = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Step:
    """What was observed at a step of N trials, done, and what came of it, (N,) each."""

    observations: Integers
    actions: Integers
    outcomes: Outcomes


@dataclass(frozen=True)
class Encoding:
    """How a step is put to the network.

    Blocks, in this order: what is observed now, one-hot (left out if there is one observation alone); which of the O A
    pairs of observation and action was the last, one-hot, all 0 before the first step; what came of it; and 1 if an
    inner episode has just ended.  What came of it stands in the place of the pair: as a number in one of O A places, or
    as one of T tokens in one of A T places.

    Attributes
    ----------
    n_actions : int
        A, at least 1.
    n_observations : int
        O, at least 1.
    n_tokens : int
        T; 0 when outcomes are numbers.
    """

    n_actions: int
    n_observations: int = 1
    n_tokens: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_actions", 1), ("n_observations", 1), ("n_tokens", 0)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least {least}")

    @property
    def starts(self) -> tuple[int, int, int]:
        """Columns at which pairs, outcomes and the mark of an end begin."""
        pairs = self.n_observations if self.n_observations > 1 else 0
        outcomes = pairs + self.n_observations * self.n_actions
        return pairs, outcomes, outcomes + self.n_actions * (self.n_tokens or self.n_observations)

    @property
    def width(self) -> int:
        """D, the number of inputs."""
        return self.starts[2] + 1

    def step(self, now: Integers, last: Step | None, *, ended: bool) -> Single:
        """Inputs of one step, (N, D), from what is observed ``now`` (N,) and the ``last`` step, None at the first."""
        rows = np.arange(len(now))
        inputs = np.zeros((len(now), self.width), dtype=np.float32)
        pairs, outcomes, _ = self.starts
        if self.n_observations > 1:
            inputs[rows, now] = 1
        if last is not None:
            pair = last.observations * self.n_actions + last.actions
            inputs[rows, pairs + pair] = 1
            if self.n_tokens:
                inputs[rows, outcomes + last.actions * self.n_tokens + last.outcomes] = 1
            else:
                inputs[rows, outcomes + pair] = last.outcomes
        inputs[:, -1] = ended
        return inputs

    def trial(self, histories: Histories, episode: int | None) -> Single:
        """Inputs of all steps of N trials, (H, N, D); inner episodes have ``episode`` steps."""
        seen, done, got = histories.observations, histories.actions, histories.outcomes
        rows = [self.step(seen[:, 0], None, ended=False)]
        for now in range(1, done.shape[1]):
            last = Step(seen[:, now - 1], done[:, now - 1], got[:, now - 1])
            rows.append(self.step(seen[:, now], last, ended=episode is not None and now % episode == 0))
        return np.stack(rows)


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a gated recurrent unit with G units and of the policy; the three gates r, z, n lie below each other.

    Attributes
    ----------
    inputs : float32 array (3 G, D)
    recurrent : float32 array (3 G, G)
    inputs_bias, recurrent_bias : float32 arrays (3 G,)
    policy : float32 array (A, G)
    policy_bias : float32 array (A,)
    """

    inputs: Single
    recurrent: Single
    inputs_bias: Single
    recurrent_bias: Single
    policy: Single
    policy_bias: Single

    @property
    def units(self) -> int:
        """G."""
        return int(self.recurrent.shape[1])

    def forward(self, hidden: Single, inputs: Single) -> Single:
        """Activations (N, G) after a step."""
        given = inputs @ self.inputs.T + self.inputs_bias
        kept = hidden @ self.recurrent.T + self.recurrent_bias
        reset, update = np.split(logistic(given[:, : 2 * self.units] + kept[:, : 2 * self.units]), 2, axis=1)
        new = np.tanh(given[:, 2 * self.units :] + reset * kept[:, 2 * self.units :])
        return np.asarray(new + update * (hidden - new), dtype=np.float32)

    def choose(self, hidden: Single) -> Array:
        """Probabilities of the actions, (N, A)."""
        return np.asarray(softmax((hidden @ self.policy.T + self.policy_bias).astype(float), axis=1))


def logistic(scores: Single) -> Single:
    """``1 / (1 + exp(-scores))``, by the hyperbolic tangent: no overflow, and as single as ``scores``."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores))


def shapes(encoding: Encoding, units: int) -> dict[str, tuple[int, ...]]:
    """The shape of each array of :class:`Weights`."""
    return {
        "inputs": (3 * units, encoding.width),
        "recurrent": (3 * units, units),
        "inputs_bias": (3 * units,),
        "recurrent_bias": (3 * units,),
        "policy": (encoding.n_actions, units),
        "policy_bias": (encoding.n_actions,),
    }


@dataclass(frozen=True, eq=False)
class _Memory:
    """Activations before the present step, and what goes in with what is observed at it."""

    hidden: Single
    last: Step | None
    ended: bool


@dataclass(frozen=True, eq=False)
class RecurrentLearner(Learner):
    """A learner whose memory is the activations of a gated recurrent network.

    Attributes
    ----------
    encoding : Encoding
    weights : Weights
    training : mapping
        Where the weights come from: seed, settings, tasks; plain values.
    curve : array (iterations,)
        Mean return of a trial at each iteration of training.
    """

    encoding: Encoding
    weights: Weights
    training: Mapping[str, Any] = field(default_factory=dict)
    curve: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        for name, shape in shapes(self.encoding, self.weights.units).items():
            array = getattr(self.weights, name)
            if array.shape != shape:
                raise ValueError(f"weights.{name}: has shape {array.shape}, should be {shape}")

    @property
    def n_actions(self) -> int:  # type: ignore[override]
        """A."""
        return self.encoding.n_actions

    def begin(self, episodes: int, rng: np.random.Generator) -> _Memory:
        """Activations of 0."""
        hidden = np.zeros((episodes, self.weights.units), dtype=np.float32)
        return _Memory(hidden, None, ended=False)

    def probabilities(self, memory: _Memory, observations: Integers) -> Array:
        """Probabilities of the actions, (N, A)."""
        return self.weights.choose(self._activations(memory, observations))

    def updated(
        self, memory: _Memory, observations: Integers, actions: Integers, outcomes: Outcomes, following: Integers
    ) -> _Memory:
        """The memory after a step."""
        return _Memory(self._activations(memory, observations), Step(observations, actions, outcomes), ended=False)

    def restarted(self, memory: _Memory, observations: Integers) -> _Memory:
        """The memory, with the mark that an inner episode has ended."""
        return replace(memory, ended=True)

    def _activations(self, memory: _Memory, observations: Integers) -> Single:
        inputs = self.encoding.step(observations, memory.last, ended=memory.ended)
        return self.weights.forward(memory.hidden, inputs)
