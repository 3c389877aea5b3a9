"""Training recurrent learners by policy gradient on a distribution of tasks (RL^2, Duan et al. 2016).

Each iteration draws new tasks, lets the learner play a trial of each, and improves it by proximal policy optimisation
(Schulman et al. 2017) on whole trials, so that credit goes back through the recurrent state.  Advantages are
generalised (Schulman et al. 2016) over the trial, across the ends of inner episodes: the return of a trial is what is
maximised.  Rewards are taken less their mean, in units of the standard deviation of a trial's return, both at the first
iteration, so that the baseline has to say numbers of the order of 1.  Learning rate and entropy bonus fall linearly to
0; steps are Adam's (Kingma & Ba 2015).

Duan et al. used trust-region optimisation, a network of 256 units and a baseline network of its own; here the baseline
is a second head of the same network.

All random numbers come from generators of the seed.  Sums of single precision depend on the linear algebra library: the
same seed gives the same learner on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from irl_ident.agents.learners import Tasks, play
from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Single, Weights, shapes
from irl_ident.agents.recurrent_gradients import Batch, Gradients, gradients, heads, unroll
from irl_ident.environment import Array
from irl_ident.evidence.observations import Integers

Draw = Callable[[int, np.random.Generator], Tasks]
"""Draws so many tasks."""


@dataclass(frozen=True)
class PolicyGradient:
    """Settings of training.

    Attributes
    ----------
    units : int
        G, units of the network.
    iterations : int
    trials : int
        Tasks drawn at each iteration, one trial each.
    epochs, batches : int
        Passes over the trials of an iteration, and the number of parts of a pass.
    learning_rate : float
        Of Adam, at the beginning.
    entropy : float
        Weight of the entropy bonus, at the beginning.
    value : float
        Weight of the squared error of the baseline.
    discount, decay : float
        gamma and lambda of the generalised advantages, in [0, 1].
    clip : float
        How far the ratio of probabilities may go from 1.
    largest_gradient : float
        Gradients longer than that are shortened.
    memory : float
        Units begin with memories that fade over 1 to that many steps: biases of the update gate are raised by log(u),
        u uniform on [1, memory] (Tallec & Ollivier 2018); 1 leaves them as they are.
    """

    units: int = 48
    iterations: int = 100
    trials: int = 500
    epochs: int = 4
    batches: int = 10
    learning_rate: float = 1e-2
    entropy: float = 0.0
    value: float = 0.5
    discount: float = 1.0
    decay: float = 0.9
    clip: float = 0.2
    largest_gradient: float = 1.0
    memory: float = 1.0

    def __post_init__(self) -> None:
        for name in ("units", "iterations", "trials", "epochs", "batches"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least 1")
        for name in ("discount", "decay", "clip"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: was {value!r}, should be in [0, 1]")
        if not self.memory >= 1:
            raise ValueError(f"memory: was {self.memory!r}, should be at least 1")
        if self.batches > self.trials:
            raise ValueError(f"batches: was {self.batches}, should be at most the number of trials, {self.trials}")


def train_recurrent(
    draw: Draw,
    horizon: int,
    settings: PolicyGradient,
    *,
    seed: int,
    n_tokens: int = 0,
    payoff: Array | None = None,
    progress: Callable[[int, float], None] = lambda iteration, mean: None,
) -> RecurrentLearner:
    """Train a recurrent learner.

    Parameters
    ----------
    draw : callable
        Draws tasks: ``draw(count, rng)``.
    horizon : int
        Steps of a trial.
    settings : PolicyGradient
    seed : int
        The same seed, the same learner (on one machine).
    n_tokens : int
        T if outcomes are tokens, 0 if they are rewards.
    payoff : array (T,), optional
        What a token is worth: the objective; with tokens alone.
    progress : callable
        Told the iteration and the mean return of its trials.

    Returns
    -------
    RecurrentLearner
        Its ``curve`` is the mean return at each iteration.

    Raises
    ------
    ValueError
        When payoff and tokens do not go together.
    """
    if (payoff is None) != (n_tokens == 0) or (payoff is not None and np.shape(payoff) != (n_tokens,)):
        raise ValueError(f"payoff: should have one number for each of the {n_tokens} tokens, or be left out for none")
    for_weights, for_tasks, for_batches = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    example = draw(1, np.random.default_rng(0))
    encoding = Encoding(example.n_actions, example.n_observations, n_tokens)
    network = _Network(encoding, settings, for_weights)
    curve = np.zeros(settings.iterations)
    for iteration in range(settings.iterations):
        tasks = draw(settings.trials, for_tasks)
        played = play(
            RecurrentLearner(encoding, network.weights()),
            tasks,
            horizon,
            np.random.SeedSequence(int(for_tasks.integers(2**63))),
        )
        rewards = played.outcomes if payoff is None else np.asarray(payoff, dtype=float)[played.outcomes]
        if iteration == 0:
            usual, spread = float(rewards.mean()), float(rewards.sum(axis=1).std()) or 1.0
        curve[iteration] = rewards.sum(axis=1).mean()
        progress(iteration, float(curve[iteration]))
        inputs = encoding.trial(played, tasks.episode)
        left = 1 - iteration / settings.iterations
        _improve(network, inputs, played.actions.T, (rewards.T - usual) / spread, settings, left, for_batches)
    training = {"seed": int(seed), "horizon": int(horizon), **asdict(settings)}
    if payoff is not None:
        training["payoff"] = [float(value) for value in payoff]
    return RecurrentLearner(encoding, network.weights(), training, curve)


def advantages(rewards: Array, values: Array, discount: float, decay: float) -> Array:
    """Generalised advantages (Schulman et al. 2016, equation 16), (H, N); a trial ends after its last step.

    Parameters
    ----------
    rewards, values : arrays (H, N)
        What was paid at each step, and what was expected from there on before it.
    discount, decay : float
        gamma and lambda.
    """
    found = np.zeros_like(values)
    following, later = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for step in reversed(range(len(values))):
        surprise = rewards[step] + discount * following - values[step]
        later = surprise + discount * decay * later
        found[step], following = later, values[step]
    return found


class _Network:
    """All arrays by name, the baseline's among them, and Adam's moments."""

    def __init__(self, encoding: Encoding, settings: PolicyGradient, rng: np.random.Generator) -> None:
        units = settings.units
        bound = 1 / np.sqrt(units)
        self.arrays: dict[str, Single] = {
            name: rng.uniform(-bound, bound, shape).astype(np.float32)
            for name, shape in shapes(encoding, units).items()
        }
        self.arrays["policy"] *= np.float32(0.1)
        self.arrays["policy_bias"] *= np.float32(0)
        self.arrays["inputs_bias"][units : 2 * units] += np.log(rng.uniform(1, settings.memory, units))
        self.arrays["baseline"] = np.zeros(units, dtype=np.float32)
        self.arrays["baseline_bias"] = np.zeros((), dtype=np.float32)
        self.first = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        self.second = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        self.steps = 0

    def weights(self) -> Weights:
        """The arrays of the learner."""
        return Weights(**{name: array for name, array in self.arrays.items() if not name.startswith("baseline")})

    def step(self, slopes: Gradients, rate: float, largest: float) -> None:
        """One step of Adam, after shortening the gradient to the length ``largest``; arrays are replaced."""
        length = float(np.sqrt(sum(float((slope.astype(float) ** 2).sum()) for slope in slopes.values())))
        shorter = min(1.0, largest / (length + 1e-12))
        self.steps += 1
        rate *= np.sqrt(1 - SECOND**self.steps) / (1 - FIRST**self.steps)
        for name, slope in slopes.items():
            given = np.float32(shorter) * slope
            self.first[name] = np.float32(FIRST) * self.first[name] + np.float32(1 - FIRST) * given
            self.second[name] = np.float32(SECOND) * self.second[name] + np.float32(1 - SECOND) * given**2
            change = np.float32(rate) * self.first[name] / (np.sqrt(self.second[name]) + np.float32(SMALL))
            self.arrays[name] = np.asarray(self.arrays[name] - change, dtype=np.float32)


FIRST, SECOND, SMALL = 0.9, 0.999, 1e-6
"""Adam's decay of the first and second moment, and what keeps it from dividing by 0."""


def _improve(
    network: _Network,
    inputs: Single,
    actions: Integers,
    rewards: Array,
    settings: PolicyGradient,
    left: float,
    rng: np.random.Generator,
) -> None:
    """One iteration of proximal policy optimisation on trials, each kept whole; ``left`` falls from 1 to 0."""
    said = heads(
        network.weights(),
        network.arrays["baseline"],
        network.arrays["baseline_bias"],
        unroll(network.weights(), inputs).hidden[1:],
    )
    values = said.values.astype(float)
    gained = advantages(rewards, values, settings.discount, settings.decay)
    scaled = ((gained - gained.mean()) / (gained.std() + 1e-8)).astype(np.float32)
    before = np.take_along_axis(said.logs, actions[..., None], axis=2)[..., 0]
    returns = (gained + values).astype(np.float32)
    for _ in range(settings.epochs):
        for part in np.array_split(rng.permutation(inputs.shape[1]), settings.batches):
            slopes = gradients(
                network.weights(),
                network.arrays["baseline"],
                network.arrays["baseline_bias"],
                inputs[:, part],
                Batch(actions[:, part], before[:, part], scaled[:, part], returns[:, part]),
                clip=settings.clip,
                entropy=settings.entropy * left,
                value=settings.value,
            )
            network.step(slopes, settings.learning_rate * left, settings.largest_gradient)
