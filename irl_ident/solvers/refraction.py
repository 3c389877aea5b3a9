"""Exact paths through likelihoods that are constant on cells: Hamiltonian Monte Carlo with reflection and refraction.

An agent that is optimal but for a share of random choices has a likelihood of theta that depends on its optimal actions
alone, so it is constant on polyhedral cones: with pi optimal and ``V_pi`` linear in theta, the cell of pi is

    { theta : G theta <= 0 },        G = Phi + C X - X(s),        X = (I - C_pi)^-1 Phi_pi.

Under a standard normal prior a path is an arc, ``u cos t + v sin t``, up to the next wall, and every row of ``G`` tells
in closed form when it gets there (Pakman & Paninski 2014).  There the path either crosses, its velocity along the
normal of the wall changed so that the energy is kept,

    v_n <- sqrt(v_n^2 + 2 (L_beyond - L_here)),

or, where that has no root, is reflected (Pakman & Paninski 2014, section 3.3; Mohasel Afshar & Domke 2015).  Nothing
is rejected and nothing is tuned; nothing is planned either, for the optimal actions change only at walls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse, special

from irl_ident import planning
from irl_ident.environment import Array, Mask
from irl_ident.planning.refining import Actions
from irl_ident.planning.soft_batch import STACKED_STATES
from irl_ident.solvers.choices import NoisyChoices, optimal_plans
from irl_ident.solvers.sampling import QUARTER, SPREAD, Chains, progress

NOTHING = 1e-9
"""Advantages below this share of the largest are ties."""
PARTICLES = 32
"""Points in the population that is annealed, at least."""
ANNEALING = 25
"""Steps of annealing, at most half of warm-up."""
DECADES = 3.0
"""Annealing begins with log-likelihoods divided by ten to this power."""
ROUNDING = 1e-12
"""Advantages of this size, as a share of the largest, may be rounding at a wall."""
SWITCHES = 50
"""Improvements of a policy behind a wall; more are a sign of rounding at a corner of several walls."""
AHEAD = 1e-7
"""How far behind a corner its cell is looked for; of a deviation of the prior."""
MOST_WALLS = 20_000
"""A path that meets more walls than this is rejected, as its reverse would be; so is one that rounding led astray."""
REMEMBERED = 20_000_000
"""Matrix entries of cells that are remembered."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Parameters with the same optimal actions.

    Parameters
    ----------
    chosen : tuple of array (S,)
        An optimal policy in each environment.
    rows : array (R, d)
        Advantages of all pairs, in all environments, as linear functions of u; at most 0 in the cell.
    walls : array (R,) of bool
        Rows that are not 0.
    likelihood : float
        Log-likelihood in nats.
    beyond : dict
        Cells behind walls that paths have met, by row: their policies and log-likelihoods.
    """

    chosen: tuple[Actions, ...]
    rows: Array
    walls: Mask
    likelihood: float
    beyond: dict[int, tuple[tuple[Actions, ...], float]] = field(default_factory=dict)


class Cells:
    """The cells of several environments, remembered as long as there is room."""

    def __init__(
        self, choices: Sequence[NoisyChoices], features: Sequence[sparse.csr_array], deviations: Array
    ) -> None:
        self.choices = choices
        self.features = [phi.toarray() * deviations for phi in features]
        self.known: dict[bytes, Cell] = {}

    def at(self, u: Array) -> Cell:
        """The cell of u (d,)."""
        chosen = []
        for choice, phi in zip(self.choices, self.features, strict=True):
            reward = (phi @ u).reshape(1, choice.env.n_states, choice.env.n_actions)
            chosen.append(optimal_plans(choice.env, reward, choice.start(1)).chosen[0])
        return self.cell(tuple(chosen))

    def cell(self, chosen: tuple[Actions, ...]) -> Cell:
        """The cell of one optimal policy in each environment."""
        key = b"".join(part.tobytes() for part in chosen)
        if key not in self.known:
            rows = self._advantages(chosen, self.features)
            sizes = np.abs(rows).max(axis=1)
            walls = sizes > NOTHING * max(sizes.max(), np.finfo(float).tiny)
            if (len(self.known) + 1) * rows.size > REMEMBERED:
                self.known.clear()
            self.known[key] = Cell(chosen, rows, walls, self._likelihood(~walls))
        return self.known[key]

    def behind(self, cell: Cell, row: int, u: Array) -> tuple[tuple[Actions, ...], float]:
        """Policies and log-likelihood behind the wall of ``row`` at its point ``u``.

        Policy iteration for rewards that go on beyond ``u`` along the normal of the wall: advantages are compared at u
        and, where they tie there, by how they grow.
        """
        if row not in cell.beyond:
            normal = cell.rows[row] / np.linalg.norm(cell.rows[row])
            ahead = [phi @ np.stack([u, normal], axis=1) for phi in self.features]
            here, slope = cell.rows @ u, cell.rows @ normal
            size = float(np.abs(cell.rows).max())
            least, flat = ROUNDING * size * (1 + float(np.linalg.norm(u))), NOTHING * size
            chosen = cell.chosen
            for _ in range(SWITCHES):
                better = (here > least) | ((np.abs(here) <= least) & (slope > flat))
                if not better.any():
                    ties = (np.abs(here) <= least) & (np.abs(slope) <= flat)
                    cell.beyond[row] = chosen, self._likelihood(ties)
                    break
                chosen = self._switched(chosen, np.where(better, slope, -np.inf), better)
                here, slope = self._advantages(chosen, ahead).T
            else:
                next_to = self.at(u + AHEAD * normal)
                cell.beyond[row] = next_to.chosen, next_to.likelihood
        return cell.beyond[row]

    def _advantages(self, chosen: tuple[Actions, ...], rewards: Sequence[Array]) -> Array:
        """``r + C V - V(s)`` for rewards (S * A, m) in each environment under deterministic policies, stacked."""
        parts = []
        for choice, policy, reward in zip(self.choices, chosen, rewards, strict=True):
            env = choice.env
            at = np.arange(env.n_states) * env.n_actions + policy
            chain = env.continuation[at]
            if env.n_states <= STACKED_STATES:
                values = np.linalg.solve(np.eye(env.n_states) - chain.toarray(), reward[at])
            else:
                values = planning.policy_system(env, np.eye(env.n_actions)[policy]).solve(reward[at])
            rows = reward + env.continuation @ values - np.repeat(values, env.n_actions, axis=0)
            rows[at] = 0
            parts.append(rows)
        return np.concatenate(parts)

    def _switched(self, chosen: tuple[Actions, ...], gain: Array, better: Mask) -> tuple[Actions, ...]:
        found, first = [], 0
        for choice, policy in zip(self.choices, chosen, strict=True):
            last = first + choice.counts.size
            shape = choice.counts.shape
            switch = better[first:last].reshape(shape).any(axis=1)
            found.append(np.where(switch, gain[first:last].reshape(shape).argmax(axis=1), policy))
            first = last
        return tuple(found)

    def _likelihood(self, ties: Mask) -> float:
        total, first = 0.0, 0
        for choice in self.choices:
            last = first + choice.counts.size
            best = ties[first:last].reshape(choice.counts.shape)
            policy = (1 - choice.epsilon) * planning.uniform_over(best) + choice.epsilon / choice.env.n_actions
            total += float((np.log(policy) * choice.counts).sum())
            first = last
        return total


def refracted(cells: Cells, starts: Array, *, warmup: int, samples: int, rng: np.random.Generator) -> Chains:
    """Chains from a standard normal prior and the likelihood of ``cells``.

    Parameters
    ----------
    cells : Cells
    starts : array (N, d)
        One point for each chain.
    warmup, samples : int
        Warm-up begins with population annealing (Hukushima & Iba 2003).  In up to :data:`ANNEALING` steps
        :data:`PARTICLES` or more points move under log-likelihoods that count more and more, and are drawn anew at
        every step by what that adds to their weight.  So chains do not stay in cells that are better than all their
        neighbours but have no mass.
    rng : numpy.random.Generator

    Returns
    -------
    Chains
        Acceptance is 1 but for paths that met too many walls.
    """
    count, dim = starts.shape
    points, values = np.empty((count, samples, dim)), np.empty((count, samples))
    accepted = np.zeros(count)
    annealed = min(warmup // 2, ANNEALING)
    particles = max(count, PARTICLES) if annealed else count
    with progress("posterior", particles * annealed + count * (warmup - annealed + samples)) as advance:
        states = [(u, cells.at(u)) for u in np.concatenate([starts, rng.standard_normal((particles - count, dim))])]
        weights = np.concatenate([10.0 ** np.linspace(-DECADES, 0, max(annealed, 1)), [1.0]])
        for t in range(annealed):
            for k, (u, cell) in enumerate(states):
                states[k] = _path(cells, u, cell, rng.standard_normal(u.shape), _length(rng), float(weights[t]))[:2]
                advance()
            gained = (weights[t + 1] - weights[t]) * np.array([cell.likelihood for _, cell in states])
            states = [states[k] for k in _resampled(special.softmax(gained), rng)]
        for chain in range(count):
            u, cell = states[chain * particles // count]
            for t in range(annealed - warmup, samples):
                u, cell, ended = _path(cells, u, cell, rng.standard_normal(u.shape), _length(rng), 1.0)
                if t >= 0:
                    points[chain, t], values[chain, t] = u, cell.likelihood
                    accepted[chain] += ended / samples
                advance()
    return Chains(points, values, accepted, 0, 0.0)


def _length(rng: np.random.Generator) -> float:
    return float(QUARTER * rng.uniform(1 - SPREAD, 1 + SPREAD))


def _resampled(shares: Array, rng: np.random.Generator) -> Actions:
    """Systematic resampling: indices in proportion to ``shares`` (N,), (N,)."""
    places = (np.arange(shares.size) + rng.random()) / shares.size
    return np.minimum(np.searchsorted(np.cumsum(shares), places), shares.size - 1)


def _path(
    cells: Cells, start: Array, first: Cell, velocity: Array, length: float, weight: float
) -> tuple[Array, Cell, bool]:
    """One path of ``length`` with log-likelihoods times ``weight``; where it ends, and whether it did."""
    u, v, cell, left = start, velocity, first, length
    here, speed = cell.rows @ u, cell.rows @ v
    for _ in range(MOST_WALLS):
        times = (np.arctan2(speed, here) - QUARTER) % (2 * np.pi)
        times[~cell.walls] = np.inf
        row = int(times.argmin())
        t = min(float(times[row]), left)
        u, v = u * np.cos(t) + v * np.sin(t), v * np.cos(t) - u * np.sin(t)
        left -= t
        if left <= 0:
            inside = here * np.cos(t) + speed * np.sin(t) <= NOTHING * np.abs(cell.rows).max() * (1 + np.linalg.norm(u))
            return (u, cell, True) if inside.all() else (start, first, False)
        normal = cell.rows[row] / np.linalg.norm(cell.rows[row])
        along = float(normal @ v)
        chosen, likelihood = cells.behind(cell, row, u)
        energy = along**2 + 2 * weight * (likelihood - cell.likelihood)
        if energy > 0:
            v = v + (np.sqrt(energy) - along) * normal
            cell = cells.cell(chosen)
        else:
            v = v - 2 * along * normal
        here, speed = cell.rows @ u, cell.rows @ v
    return start, first, False
