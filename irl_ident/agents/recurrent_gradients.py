"""Gradients through a gated recurrent unit and its heads, by hand, in NumPy.

For networks of some fifty units and trials of ten to a hundred steps most of what an automatic differentiation costs is
bookkeeping: these few lines are several times as fast, and depend on NumPy alone.  They are held to PyTorch's gradients
and to finite differences in the tests.

With the equations of :mod:`irl_ident.agents.recurrent`, and dots for slopes of the loss, a step goes back as

    n. = h'. (1 - z),  z. = h'. (h - n),  a_n = n. (1 - n^2),  a_r = a_n (U_n h + c_n) r (1 - r),  a_z = z. z (1 - z),
    h. = h'. z + U' (a_r, a_z, r a_n),

where (a_r, a_z, a_n) are the slopes in what comes from the inputs, (a_r, a_z, r a_n) those in what comes from h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from irl_ident.agents.recurrent import Single, Weights, logistic
from irl_ident.evidence.observations import Integers

Gradients = dict[str, Single]
"""By name of the array, of its shape."""


@dataclass(frozen=True, eq=False)
class Unrolled:
    """What a gated recurrent unit did in N trials of H steps.

    Attributes
    ----------
    inputs : float32 array (H, N, D)
    hidden : float32 array (H + 1, N, G)
        Activations, the first of which are 0.
    reset, update, new, kept : float32 arrays (H, N, G)
        r, z, n, and U_n h + c_n.
    """

    inputs: Single
    hidden: Single
    reset: Single
    update: Single
    new: Single
    kept: Single


def unroll(weights: Weights, inputs: Single) -> Unrolled:
    """Run through trials from activations of 0; inputs (H, N, D)."""
    steps, trials, _ = inputs.shape
    units = weights.units
    given = inputs @ weights.inputs.T + weights.inputs_bias
    hidden = np.zeros((steps + 1, trials, units), dtype=np.float32)
    reset, update, new, kept = (np.empty((steps, trials, units), dtype=np.float32) for _ in range(4))
    for step in range(steps):
        before = hidden[step]
        carried = before @ weights.recurrent.T + weights.recurrent_bias
        gates = logistic(given[step, :, : 2 * units] + carried[:, : 2 * units])
        reset[step], update[step] = gates[:, :units], gates[:, units:]
        kept[step] = carried[:, 2 * units :]
        new[step] = np.tanh(given[step, :, 2 * units :] + reset[step] * kept[step])
        hidden[step + 1] = new[step] + update[step] * (before - new[step])
    return Unrolled(inputs, hidden, reset, update, new, kept)


def back(weights: Weights, run: Unrolled, slopes: Single) -> Gradients:
    """Gradients of the recurrent unit's arrays, from the slopes of the loss in the activations after each step.

    Parameters
    ----------
    weights : Weights
    run : Unrolled
    slopes : float32 array (H, N, G)
        Direct slopes only, without what comes through later steps.
    """
    steps, trials, units = run.new.shape
    from_inputs = np.empty((steps, trials, 3 * units), dtype=np.float32)
    from_hidden = np.empty_like(from_inputs)
    flat_new = (1 - run.update) * (1 - run.new**2)
    flat_update = (run.hidden[:-1] - run.new) * run.update * (1 - run.update)
    flat_reset = run.kept * run.reset * (1 - run.reset)
    later = np.zeros((trials, units), dtype=np.float32)
    for step in reversed(range(steps)):
        total = slopes[step] + later
        into_new = total * flat_new[step]
        into, out = from_inputs[step], from_hidden[step]
        into[:, :units] = into_new * flat_reset[step]
        into[:, units : 2 * units] = total * flat_update[step]
        into[:, 2 * units :] = into_new
        out[:, : 2 * units] = into[:, : 2 * units]
        out[:, 2 * units :] = into_new * run.reset[step]
        later = total * run.update[step] + out @ weights.recurrent
    return {
        "inputs": _crossed(from_inputs, run.inputs),
        "recurrent": _crossed(from_hidden, run.hidden[:-1]),
        "inputs_bias": from_inputs.sum(axis=(0, 1)),
        "recurrent_bias": from_hidden.sum(axis=(0, 1)),
    }


@dataclass(frozen=True, eq=False)
class Heads:
    """What the heads say of activations (..., G).

    Attributes
    ----------
    logs : float32 array (..., A)
        Logarithms of the probabilities of the actions.
    values : float32 array (...)
        The baseline.
    """

    logs: Single
    values: Single


def heads(weights: Weights, baseline: Single, baseline_bias: Single, hidden: Single) -> Heads:
    """Policy and baseline, a linear function (G,) of the activations."""
    scores = hidden @ weights.policy.T + weights.policy_bias
    scores = scores - scores.max(axis=-1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return Heads(logs, hidden @ baseline + baseline_bias)


@dataclass(frozen=True, eq=False)
class Batch:
    """What the loss of proximal policy optimisation compares with, (H, N) each.

    Attributes
    ----------
    actions : int array
    before : float32 array
        Logarithms of the probabilities that the actions had when they were taken.
    advantages, returns : float32 arrays
        Scaled advantages, and what the baseline should say.
    """

    actions: Integers
    before: Single
    advantages: Single
    returns: Single


def slopes_of_loss(said: Heads, batch: Batch, *, clip: float, entropy: float, value: float) -> tuple[Single, Single]:
    """Slopes of the loss of proximal policy optimisation (Schulman et al. 2017, equations 7 and 9).

    The loss is the mean over all steps of

        - min(q A, clip(q, 1 - eps, 1 + eps) A) - entropy H(pi) + value (V - R)^2,      q = pi(a) / pi_before(a).

    Returns
    -------
    float32 array (H, N, A), float32 array (H, N)
        In the scores of the actions (logarithms of probabilities but for a constant), and in the baseline.
    """
    steps = batch.actions.size
    probabilities = np.exp(said.logs)
    taken = np.arange(probabilities.shape[-1]) == batch.actions[..., None]
    ratio = np.exp(np.take_along_axis(said.logs, batch.actions[..., None], axis=-1)[..., 0] - batch.before)
    clipped = np.where(batch.advantages > 0, ratio > 1 + clip, ratio < 1 - clip)
    push = np.where(clipped, 0, ratio * batch.advantages)[..., None]
    information = -(probabilities * said.logs).sum(axis=-1, keepdims=True)
    spread = probabilities * (said.logs + information)
    in_scores = (entropy * spread - push * (taken - probabilities)) / steps
    in_values = 2 * value * (said.values - batch.returns) / steps
    return in_scores.astype(np.float32), in_values.astype(np.float32)


def gradients(
    weights: Weights, baseline: Single, baseline_bias: Single, inputs: Single, batch: Batch, **loss: float
) -> Gradients:
    """Gradients of the loss in all arrays, the baseline's among them (``baseline``, ``baseline_bias``)."""
    run = unroll(weights, inputs)
    hidden = run.hidden[1:]
    said = heads(weights, baseline, baseline_bias, hidden)
    in_scores, in_values = slopes_of_loss(said, batch, **loss)
    slopes = in_scores @ weights.policy + in_values[..., None] * baseline
    return {
        **back(weights, run, slopes),
        "policy": _crossed(in_scores, hidden),
        "policy_bias": in_scores.sum(axis=(0, 1)),
        "baseline": np.tensordot(in_values, hidden, axes=2),
        "baseline_bias": in_values.sum(),
    }


def _crossed(slopes: Single, sources: Single) -> Single:
    """Sum over steps and trials of slope times source, (X, Y) from (H, N, X) and (H, N, Y)."""
    return np.asarray(slopes.reshape(-1, slopes.shape[-1]).T @ sources.reshape(-1, sources.shape[-1]))
