"""Training recurrent learners by policy gradient on a distribution of tasks (RL^2, Duan et al. 2016).

Each iteration draws new tasks, lets the learner play a trial of each, and improves it by proximal policy optimisation
(Schulman et al. 2017) on whole trials, so that credit goes back through the recurrent state.  Advantages are
generalised (Schulman et al. 2016) over the trial, across the ends of inner episodes: the return of a trial is what is
maximised.  Duan et al. used trust-region optimisation with a network of 256 units and a baseline network of its own;
here the baseline is a second head of the same network.  Learning rate and entropy bonus fall linearly to 0.

All random numbers come from NumPy generators of the seed: PyTorch's own are neither used nor changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from irl_ident.agents.learners import Tasks, play
from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Weights, shapes
from irl_ident.environment import Array

if TYPE_CHECKING:
    import torch

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

    def __post_init__(self) -> None:
        for name in ("units", "iterations", "trials", "epochs", "batches"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"{name}: was {value!r}, should be a whole number of at least 1")
        for name in ("discount", "decay", "clip"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: was {value!r}, should be in [0, 1]")
        if self.batches > self.trials:
            raise ValueError(f"batches: was {self.batches}, should be at most the number of trials, {self.trials}")


def train(
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
        The same seed, the same learner (on one machine with one release of NumPy and PyTorch).
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
    ImportError
        Without PyTorch.
    ValueError
        When payoff and tokens do not go together.
    """
    if (payoff is None) != (n_tokens == 0) or (payoff is not None and np.shape(payoff) != (n_tokens,)):
        raise ValueError(f"payoff: should have one number for each of the {n_tokens} tokens, or be left out for none")
    try:
        import torch
    except ImportError as error:
        raise ImportError('train needs PyTorch: pip install "irl-ident[imitation]"') from error

    for_weights, for_tasks, for_batches = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    example = draw(1, np.random.default_rng(0))
    encoding = Encoding(example.n_actions, example.n_observations, n_tokens)
    curve = np.zeros(settings.iterations)
    with _one_thread():
        network = _Network(encoding, settings.units, for_weights)
        optimiser = torch.optim.Adam(network.parameters, lr=settings.learning_rate, eps=1e-5)
        for iteration in range(settings.iterations):
            left = 1 - iteration / settings.iterations
            optimiser.param_groups[0]["lr"] = settings.learning_rate * left
            tasks = draw(settings.trials, for_tasks)
            learner = RecurrentLearner(encoding, network.weights())
            played = play(learner, tasks, horizon, np.random.SeedSequence(int(for_tasks.integers(2**63))))
            rewards = played.outcomes if payoff is None else np.asarray(payoff, dtype=float)[played.outcomes]
            curve[iteration] = rewards.sum(axis=1).mean()
            progress(iteration, float(curve[iteration]))
            inputs = torch.from_numpy(encoding.trial(played, tasks.episode))
            actions = torch.from_numpy(played.actions.T.copy())
            _improve(network, optimiser, inputs, actions, rewards.T, settings, settings.entropy * left, for_batches)
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
    """The weights as PyTorch has them, with a second head for the baseline."""

    def __init__(self, encoding: Encoding, units: int, rng: np.random.Generator) -> None:
        import torch

        bound = 1 / np.sqrt(units)
        start = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes(encoding, units).items()}
        start["policy"] *= 0.1
        start["policy_bias"] *= 0
        self.recurrent = torch.nn.GRU(encoding.width, units)
        self.policy = torch.nn.Linear(units, encoding.n_actions)
        self.baseline = torch.nn.Linear(units, 1)
        with torch.no_grad():
            for parameter, name in zip(self._shown(), start, strict=True):
                parameter.copy_(torch.from_numpy(start[name]))
            self.baseline.weight.zero_()
            self.baseline.bias.zero_()
        self.parameters = [*self.recurrent.parameters(), *self.policy.parameters(), *self.baseline.parameters()]

    def _shown(self) -> list[torch.Tensor]:
        unit: Any = self.recurrent
        gates = [unit.weight_ih_l0, unit.weight_hh_l0, unit.bias_ih_l0, unit.bias_hh_l0]
        return [*gates, self.policy.weight, self.policy.bias]

    def weights(self) -> Weights:
        """A copy for NumPy."""
        return Weights(*(part.detach().numpy().astype(np.float32) for part in self._shown()))

    def __call__(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of the probabilities of the actions (H, N, A), and the baseline (H, N)."""
        import torch

        hidden, _ = self.recurrent(inputs)
        return torch.log_softmax(self.policy(hidden), dim=-1), self.baseline(hidden)[..., 0]


def _improve(
    network: _Network,
    optimiser: torch.optim.Optimizer,
    inputs: torch.Tensor,
    actions: torch.Tensor,
    rewards: Array,
    settings: PolicyGradient,
    entropy_weight: float,
    rng: np.random.Generator,
) -> None:
    """One iteration of proximal policy optimisation on trials, each kept whole."""
    import torch

    with torch.no_grad():
        logs, values = network(inputs)
        before = logs.gather(2, actions[..., None])[..., 0]
    gained = advantages(rewards, values.numpy().astype(float), settings.discount, settings.decay)
    aims = torch.from_numpy((gained + values.numpy()).astype(np.float32))
    scaled = torch.from_numpy(((gained - gained.mean()) / (gained.std() + 1e-8)).astype(np.float32))
    for _ in range(settings.epochs):
        for part in np.array_split(rng.permutation(inputs.shape[1]), settings.batches):
            logs, values = network(inputs[:, part])
            ratio = (logs.gather(2, actions[:, part, None])[..., 0] - before[:, part]).exp()
            clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
            surrogate = torch.minimum(ratio * scaled[:, part], clipped * scaled[:, part]).mean()
            entropy = -(logs.exp() * logs).sum(dim=2).mean()
            error = ((values - aims[:, part]) ** 2).mean()
            loss = settings.value * error - surrogate - entropy_weight * entropy
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters, settings.largest_gradient)
            optimiser.step()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, and leave PyTorch's random numbers, which building layers uses, as they were."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
