"""Markov chains for posteriors in whitened coordinates, many chains in one batch.

*Hamiltonian Monte Carlo with exact rotations.*  Let ``-log density = |z|^2 / 2 + Phi(z)`` in coordinates ``z`` whitened
by the curvature at a mode.  The Gaussian part moves (z, p) on circles, which is integrated exactly; only the rest is
integrated in steps of size h (Shahbaba et al. 2014, split HMC; Beskos et al. 2011, section 3):

    p <- p - h/2 grad Phi,    (z, p) <- (z cos h + p sin h, p cos h - z sin h),    p <- p - h/2 grad Phi.

The step is reversible and keeps volume, so that the Metropolis test on the change of ``|z|^2/2 + Phi + |p|^2/2`` leaves
the density invariant, also where its gradient jumps on a set of measure 0.  A quarter of a circle of a density that is
its Gaussian part gives independent draws; path lengths are drawn around it.  During warm-up h is set by dual averaging
(Hoffman & Gelman 2014, section 3.2) on the mean acceptance of all chains, and the coordinates are whitened anew by the
draws; afterwards both are fixed.

*Elliptical slice sampling* (Murray, Adams & MacKay 2010) for a standard normal prior and any likelihood.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from irl_ident.environment import Array

Starts = tuple[Array, ...]
"""What planning may start from, (N, S) in each environment."""
Smooth = Callable[[Array, Starts], tuple[Array, Array, Starts]]
"""Log-density (N,) and gradient (N, d) at points (N, d)."""
Plain = Callable[[Array, Starts], tuple[Array, Starts]]
"""Log-likelihood (N,) at points (N, d)."""

ACCEPTANCE = 0.8
"""Mean acceptance that warm-up aims at."""
QUARTER = np.pi / 2
"""Mean length of a path."""
SPREAD = 0.4
"""Paths are longer or shorter than the mean by up to this share."""
LONGEST = (1 + SPREAD) * QUARTER
"""The longest step."""
MOST_STEPS = 50
"""Steps in one path at most."""
HOPELESS = 0.05
"""Below this probability of acceptance, a chain halves its own steps for the while, during warm-up."""
DIVERGENT = 1000.0
"""A path whose energy is off by more than this has diverged."""
CLIMBED = 0.01
"""Gain in nats from which a step towards a mode is worth taking; chains start a deviation away from it anyhow."""
ASCENT_STEPS = 50
"""Steps towards a mode at most; where the density has kinks, there may be no end."""


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws of several chains.

    Attributes
    ----------
    points : array (chains, n, d)
    values : array (chains, n)
        Log-densities, or log-likelihoods, there.
    acceptance : array (chains,)
        Mean probability of acceptance; for slice sampling draws kept over points tried.
    divergences : int
        Paths that ran away, after warm-up.
    step : float
        Step size after warm-up; NaN-free: 0 for slice sampling, which has none.
    """

    points: Array
    values: Array
    acceptance: Array
    divergences: int
    step: float


def modes(
    density: Smooth, curvature: Callable[[Array], Array], starts: Array, plans: Starts
) -> tuple[Array, Array, Array]:
    """Climb from each of ``starts`` (N, d) by damped scoring (Levenberg 1944, Marquardt 1963).

    Parameters
    ----------
    density : callable
    curvature : callable
        Positive definite stand-in for minus the Hessian, (N, d, d) at points (N, d).
    starts : array (N, d)
    plans : tuple of array (N, S)

    Returns
    -------
    points : array (N, d)
        Where a step would gain less than :data:`CLIMBED` nats, or the steps ran out.
    values : array (N,)
    curvatures : array (N, d, d)
        The last ones, at or next to the points.
    """
    points, damping, live = starts.copy(), np.full(len(starts), 1e-3), np.arange(len(starts))
    values, slopes, plans = density(points, plans)
    metrics = curvature(points)
    identity = np.eye(points.shape[1])
    for _ in range(ASCENT_STEPS):
        scale = np.trace(metrics[live], axis1=1, axis2=2)[:, None, None] / len(identity)
        damped = metrics[live] + damping[live, None, None] * scale * identity
        steps = np.linalg.solve(damped, slopes[live][..., None])[..., 0]
        gain = (slopes[live] * steps).sum(axis=1) / 2
        go = (gain >= CLIMBED) & (damping[live] < 1e9)
        live, steps, gain = live[go], steps[go], gain[go]
        if not len(live):
            break
        trial = points[live] + steps
        found, its_slopes, later = density(trial, tuple(plan[live] for plan in plans))
        ratio = (found - values[live]) / gain
        rose = ratio > 1e-3
        up = live[rose]
        points[up], values[up], slopes[up] = trial[rose], found[rose], its_slopes[rose]
        for plan, new in zip(plans, later, strict=True):
            plan[up] = new[rose]
        if len(up):
            metrics[up] = curvature(points[up])
        damping[live] = np.where(ratio < 0.25, damping[live] * 10, np.maximum(damping[live] / 10, 1e-9))
    return points, values, metrics


def hamiltonian(
    density: Smooth,
    starts: Array,
    plans: Starts,
    centre: Array,
    root: Array,
    *,
    warmup: int,
    samples: int,
    rng: np.random.Generator,
) -> Chains:
    """Hamiltonian Monte Carlo of :mod:`irl_ident.solvers.sampling`.

    Parameters
    ----------
    density : callable
    starts : array (N, d)
        One point for each chain.
    plans : tuple of array (N, S)
    centre : array (d,)
    root : array (d, d)
        ``x = centre + root z``.
    warmup, samples : int
    rng : numpy.random.Generator
    """
    path = _Path(density, centre, root, _whitened(starts, centre, root), plans)
    step = _Averaging(0.5)
    kept: list[tuple[Array, Array, Array]] = []
    seen: list[Array] = []
    divergences, size = 0, step.size
    easing = np.ones(len(starts))
    with progress("posterior", warmup + samples) as advance:
        for t in range(warmup + samples):
            chance, diverged = path.moved(size, easing, rng)
            if t < warmup:
                size = step.told(float(chance[easing == 1].mean()), last=t == warmup - 1) if easing.max() == 1 else size
                easing = np.where(chance < HOPELESS, easing / 2, np.minimum(2 * easing, 1.0))
                easing = np.ones_like(easing) if t == warmup - 1 else easing
                seen.append(path.points)
                if t in _stages(warmup):
                    path.whiten(np.concatenate(seen[len(seen) // 3 :]))
                    step, seen = _Averaging(size), []
            else:
                kept.append((path.points, path.values, chance))
                divergences += diverged
            advance()
    points, values, chances = (np.stack(parts, axis=1) for parts in zip(*kept, strict=True))
    return Chains(points, values, chances.mean(axis=1), divergences, size)


def elliptical(
    likelihood: Plain, starts: Array, plans: Starts, *, warmup: int, samples: int, rng: np.random.Generator
) -> Chains:
    """Elliptical slice sampling from ``likelihood(u) N(u; 0, I)``.

    Parameters
    ----------
    likelihood : callable
    starts : array (N, d)
        One point for each chain.
    plans : tuple of array (N, S)
    warmup, samples : int
        Without anything to adapt, warm-up only discards.
    rng : numpy.random.Generator
    """
    points = starts.copy()
    values, plans = likelihood(points, plans)
    plans = tuple(plan.copy() for plan in plans)
    kept, kept_values = [], []
    tried = np.zeros(len(points))
    with progress("posterior", warmup + samples) as advance:
        for t in range(warmup + samples):
            level = values + np.log(1 - rng.random(len(points)))
            other = rng.standard_normal(points.shape)
            angle = rng.uniform(0, 2 * np.pi, len(points))
            low, high = angle - 2 * np.pi, angle.copy()
            here, live = points.copy(), np.arange(len(points))
            while len(live):
                at = angle[live, None]
                trial = here[live] * np.cos(at) + other[live] * np.sin(at)
                found, later = likelihood(trial, tuple(plan[live] for plan in plans))
                tried[live] += t >= warmup
                for plan, new in zip(plans, later, strict=True):
                    plan[live] = new
                inside = found > level[live]
                points[live[inside]], values[live[inside]] = trial[inside], found[inside]
                live = live[~inside]
                low[live] = np.where(angle[live] < 0, angle[live], low[live])
                high[live] = np.where(angle[live] < 0, high[live], angle[live])
                angle[live] = rng.uniform(low[live], high[live])
            if t >= warmup:
                kept.append(points.copy())
                kept_values.append(values.copy())
            advance()
    return Chains(np.stack(kept, axis=1), np.stack(kept_values, axis=1), samples / tried, 0, 0.0)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on the standard error where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


class _Path:
    """The state of all chains, in coordinates ``x = centre + root z``."""

    def __init__(self, density: Smooth, centre: Array, root: Array, z: Array, plans: Starts) -> None:
        self.density, self.centre, self.root = density, centre, root
        self.z = z
        self.values, slope, self.plans = density(self.points, plans)
        self.pull = slope @ root + z

    @property
    def points(self) -> Array:
        return self.centre + self.z @ self.root.T

    def moved(self, size: float, easing: Array, rng: np.random.Generator) -> tuple[Array, int]:
        """One path of every chain, of steps of ``size`` times its ``easing`` (N,).

        Returns probabilities of acceptance (N,), and how many paths diverged.
        """
        length = QUARTER * rng.uniform(1 - SPREAD, 1 + SPREAD)
        count = min(MOST_STEPS, max(1, int(np.ceil(length / size))))
        h = min(length / count, size) * easing[:, None]
        z, pull, plans = self.z, self.pull, self.plans
        p = rng.standard_normal(z.shape)
        before = self.values - (p**2).sum(axis=1) / 2
        for _ in range(count):
            p = p + h / 2 * pull
            z, p = z * np.cos(h) + p * np.sin(h), p * np.cos(h) - z * np.sin(h)
            values, slope, plans = self.density(self.centre + z @ self.root.T, plans)
            pull = slope @ self.root + z
            p = p + h / 2 * pull
        change = values - (p**2).sum(axis=1) / 2 - before
        chance = np.exp(np.minimum(change, 0.0))
        taken = rng.random(len(z)) < chance
        self.z, self.pull = np.where(taken[:, None], z, self.z), np.where(taken[:, None], pull, self.pull)
        self.values = np.where(taken, values, self.values)
        self.plans = tuple(np.where(taken[:, None], new, old) for new, old in zip(plans, self.plans, strict=True))
        return chance, int((change < -DIVERGENT).sum())

    def whiten(self, draws: Array) -> None:
        """Take centre and root from ``draws`` (m, d): their covariance, shrunk towards the present whitening."""
        z = _whitened(draws, self.centre, self.root)
        points = self.points
        factor = linalg.cholesky(shrunk_covariance(z), lower=True)
        self.centre = draws.mean(axis=0)
        self.root = self.root @ factor
        self.z = _whitened(points, self.centre, self.root)
        self.values, slope, self.plans = self.density(self.points, self.plans)
        self.pull = slope @ self.root + self.z


class _Averaging:
    """Dual averaging of the step size (Hoffman & Gelman 2014, algorithm 5), with their constants."""

    def __init__(self, size: float) -> None:
        self.aim = np.log(min(2 * size, LONGEST))
        self.size, self.mean, self.gap, self.told_before = size, 0.0, 0.0, 0

    def told(self, chance: float, *, last: bool) -> float:
        """The next step size after a mean acceptance; the averaged one after the last."""
        self.told_before += 1
        t = self.told_before
        weight = 1 / (t + 10)
        self.gap = (1 - weight) * self.gap + weight * (ACCEPTANCE - chance)
        size = min(self.aim - np.sqrt(t) / 0.05 * self.gap, np.log(LONGEST))
        rate = t**-0.75
        self.mean = rate * size + (1 - rate) * self.mean
        self.size = float(np.exp(self.mean if last else size))
        return self.size


def shrunk_covariance(z: Array) -> Array:
    """Covariance (d, d) of draws (m, d) shrunk towards I as much as their number calls for (Ledoit & Wolf 2004)."""
    count, dim = z.shape
    centred = z - z.mean(axis=0)
    covariance = centred.T @ centred / count
    off = covariance - np.eye(dim)
    distance = float((off**2).sum())
    squares = (centred**2).sum(axis=1)
    noise = (float((squares**2).mean()) - float((covariance**2).sum())) / count
    share = min(1.0, noise / distance) if distance > 0 else 1.0
    shrunk: Array = covariance - share * off
    return shrunk


def _whitened(points: Array, centre: Array, root: Array) -> Array:
    solved: Array = linalg.solve(root, (points - centre).T).T
    return solved


def _stages(warmup: int) -> tuple[int, ...]:
    return (int(0.3 * warmup), int(0.6 * warmup)) if warmup >= 50 else ()
