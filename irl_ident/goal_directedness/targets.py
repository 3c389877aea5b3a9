"""Utilities on target variables: MEG with respect to some aspect of the state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from irl_ident.rewards import LinearRewards


def target_rewards(values: npt.ArrayLike, n_actions: int) -> LinearRewards:
    """All utilities that depend on a target variable alone (MacDermott et al. 2024, MEG of target variables).

    Parameters
    ----------
    values : array (S,) of int
        The value of the variable in each state.
    n_actions : int

    Returns
    -------
    LinearRewards
        One parameter for each value that occurs, in increasing order: what a step in such a state pays.

    Examples
    --------
    >>> target_rewards([0, 1, 1, 0], n_actions=2).parameters
    ('target = 0', 'target = 1')
    """
    given = np.asarray(values)
    if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
        raise ValueError(f"values: should be one whole number for each state, was {given.dtype} of shape {given.shape}")
    if n_actions < 1:
        raise ValueError(f"n_actions: was {n_actions!r}, should be at least 1")
    different, place = np.unique(given, return_inverse=True)
    features = np.repeat(np.eye(different.size)[place][:, None], n_actions, axis=1)
    return LinearRewards(features, names=[f"target = {value}" for value in different])
