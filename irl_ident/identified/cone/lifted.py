"""The cone of an optimal agent's possible rewards in lifted form, and the adjoint of its Bellman rows.

With one value function ``V_e`` an environment beside ``theta``, the rows

    slack_e = B_e V_e - Phi_e theta        = 0 on shown actions,   >= 0 on all others

are as sparse as the transitions (Metelli et al. 2021; with the values eliminated they are those of Ng & Russell 2000).
States without observation have ``slack >= 0`` on every action: their values are at least optimal, an outer relaxation.

Choosing one shown action in every known state gives ``V_e = L_e^-1 (Phi theta - B_hidden V_hidden)`` on these rows,
with ``L_e = B_e`` on chosen rows and known columns: one sparse factorisation an environment serves values and,
transposed, the balance ``B_e^T y_e = 0`` of multipliers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from irl_ident.environment import Array, Mask

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of one environment.

    Attributes
    ----------
    shaping : sparse (S * A, S)
        B, with ``(B V)[s * A + a] = V(s) - g P_a(s) . V``.
    features : sparse (S * A, d)
        Phi.
    shown : bool (S, A)
        Actions with slack 0; at least one in every known state, none elsewhere.
    known : bool (S,)
        States with a shown action.
    discount : float
        In [0, 1]; with 1, B is that of a process that every policy ends.
    """

    shaping: sparse.csr_array
    features: sparse.csr_array
    shown: Mask
    known: Mask
    discount: float

    @property
    def n_actions(self) -> int:
        """Number of actions, A."""
        return int(self.shown.shape[1])

    @cached_property
    def chosen(self) -> Indices:
        """Row of the first shown action of every known state."""
        states = np.flatnonzero(self.known)
        return np.asarray(states * self.n_actions + self.shown[states].argmax(axis=1), dtype=np.int64)

    @cached_property
    def tied(self) -> Indices:
        """Rows of the other shown actions."""
        marked = self.shown.ravel().copy()
        marked[self.chosen] = False
        return np.flatnonzero(marked).astype(np.int64)

    @cached_property
    def others(self) -> Indices:
        """Rows of actions that are at most as good, those of states without observation included."""
        return np.flatnonzero(~self.shown.ravel()).astype(np.int64)

    @cached_property
    def hidden(self) -> Indices:
        """States without observation."""
        return np.flatnonzero(~self.known).astype(np.int64)

    @cached_property
    def _factor(self) -> Any:
        rows = sparse.csr_array(self.shaping[self.chosen])
        return splu(sparse.csc_array(rows[:, np.flatnonzero(self.known)]))

    @cached_property
    def value_bound(self) -> float:
        """No value of any policy is above this, nor below its negative, for ``|theta|_inf <= 1``."""
        largest = float(abs(self.features).sum(axis=1).max()) if self.features.nnz else 0.0
        return largest * (1 / (1 - self.discount) if self.discount < 1 else _longest_episode(self.shaping))

    def rounding(self, multipliers: Array) -> float:
        """How much rounding may hide of ``|Phi^T y|_1 + |B^T y|_1 value_bound``.

        Entries of B are differences ``1 - g p``: they are off by the rounding of 1, however small they are.
        """
        sizes = np.abs(multipliers)
        longest = int(np.bincount(self.shaping.indices).max(initial=0)) + self.features.shape[1]
        paid, moved = abs(self.features).sum(axis=1) @ sizes, 2 * sizes.sum()
        return float((longest + 8) * np.finfo(float).eps * (paid + moved * self.value_bound))

    def evaluate(self, theta: Array, hidden: Array) -> Array:
        """Values (S,) or (S, m) that make the slack of chosen rows 0, given those of hidden states (h,) or (h, m)."""
        values = np.zeros((self.known.size, *theta.shape[1:]))
        values[self.hidden] = hidden
        if self.chosen.size:
            known = self.features[self.chosen] @ theta - self.shaping[self.chosen] @ values
            values[self.known] = self._factor.solve(known)
        return values

    @cached_property
    def value_map(self) -> Array:
        """Values as a linear map of ``theta``, (S, d), where every state is known: d sparse solves."""
        identity = np.eye(self.features.shape[1])
        return self.evaluate(identity, np.zeros((0, identity.shape[1])))

    def __reduce__(self) -> tuple[Any, ...]:
        """Factorisations cannot be pickled; they are made again where they are needed."""
        return Block, (self.shaping, self.features, self.shown, self.known, self.discount)

    def chosen_balance(self, excess: Array) -> Array:
        """What multipliers of chosen rows add to ``B^T y`` in known states, undone: ``L^-T excess``, (c,) or (c, m)."""
        return np.asarray(self._factor.solve(excess[self.known], trans="T")) if self.chosen.size else excess[self.known]

    def balance(self, multipliers: Array) -> Array:
        """Change the multipliers (S * A,) of chosen rows so that ``B^T y = 0`` in known states."""
        balanced = multipliers.copy()
        balanced[self.chosen] = 0
        for _ in range(2 if self.chosen.size else 0):
            excess = (self.shaping.T @ balanced)[self.known]
            balanced[self.chosen] -= self._factor.solve(excess, trans="T")
        return balanced


@dataclass(frozen=True, eq=False)
class Cone:
    """All ``(theta, V_1, ..., V_k)`` with the slacks that the observed behaviour asks for.

    Parameters
    ----------
    shaping : sequence of sparse (S * A, S)
        B for each environment, row ``s * A + a``.
    features : sequence of sparse (S * A, d)
    shown : sequence of bool (S, A)
        Actions known to be optimal.
    observed : sequence of bool (S,)
        States in which ``shown`` says something: each needs a shown action there.
    discounts : sequence of float
    dim : int
        Number of parameters, d.

    Raises
    ------
    ValueError
        Lists of different lengths, shapes that do not match, entries that are not finite, a discount outside [0, 1], or
        an observed state with no action shown.
    """

    blocks: tuple[Block, ...]
    dim: int

    def __init__(
        self,
        shaping: Sequence[Any],
        features: Sequence[Any],
        shown: Sequence[Any],
        observed: Sequence[Any],
        discounts: Sequence[float],
        dim: int,
    ) -> None:
        if dim != int(dim) or dim < 1:
            raise ValueError(f"dim: was {dim!r}, should be a whole number of at least 1")
        lengths = [len(x) for x in (shaping, features, shown, observed, discounts)]
        if len(set(lengths)) != 1:
            raise ValueError(
                "shaping, features, shown, observed, discounts: should have the same length, one entry an environment, "
                f"had {lengths}"
            )
        parts = zip(shaping, features, shown, observed, discounts, strict=True)
        blocks = tuple(_block(place, *part, int(dim)) for place, part in enumerate(parts))
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "dim", int(dim))

    @classmethod
    def of(cls, blocks: Sequence[Block], dim: int) -> Cone:
        """The cone of blocks that exist already, with what they have factorised and solved."""
        cone = object.__new__(cls)
        object.__setattr__(cone, "blocks", tuple(blocks))
        object.__setattr__(cone, "dim", dim)
        return cone

    def __reduce__(self) -> tuple[Any, ...]:
        parts = [(b.shaping, b.features, b.shown, b.known, b.discount) for b in self.blocks]
        return Cone, (*(list(column) for column in (zip(*parts, strict=True) if parts else [[]] * 5)), self.dim)

    @cached_property
    def starts(self) -> Indices:
        """First column of every ``V_e`` among the lifted unknowns ``(theta, V_1, ..., V_k)``, and their number."""
        return np.cumsum([self.dim, *(block.known.size for block in self.blocks)]).astype(np.int64)

    @cached_property
    def rows(self) -> sparse.csr_array:
        """All lifted rows, ``[-Phi_e, 0, B_e, 0]``, environment by environment."""
        return lifted_rows([(block.features, block.shaping) for block in self.blocks], self.dim)


def lifted_rows(systems: Iterable[tuple[sparse.csr_array, sparse.csr_array]], dim: int) -> sparse.csr_array:
    """Stack ``[-Phi_e, 0, B_e, 0]``."""
    pairs = list(systems)
    if not pairs:
        return sparse.csr_array((0, dim))
    values = sparse.block_diag([shaping for _, shaping in pairs], format="csr")
    rewards = sparse.vstack([-features for features, _ in pairs], format="csr")
    return sparse.csr_array(sparse.hstack([rewards, values], format="csr"))


def _block(place: int, shaping: Any, features: Any, shown: Any, observed: Any, discount: float, dim: int) -> Block:
    bellman, phi = sparse.csr_array(shaping, dtype=float), sparse.csr_array(features, dtype=float)
    marked, known = np.array(shown, dtype=bool), np.array(observed, dtype=bool)
    if marked.ndim != 2:
        raise ValueError(f"shown[{place}]: should have shape (S, A), was {marked.shape}")
    expected = {
        "shaping": (bellman.shape, (marked.size, marked.shape[0])),
        "features": (phi.shape, (marked.size, dim)),
        "observed": (known.shape, (marked.shape[0],)),
    }
    for argument, (was, should) in expected.items():
        if was != should:
            raise ValueError(f"{argument}[{place}]: should have shape {should}, was {was}")
    for argument, matrix in (("shaping", bellman), ("features", phi)):
        if not np.isfinite(matrix.data).all():
            raise ValueError(f"{argument}[{place}]: holds an entry that is not finite")
    if not 0 <= discount <= 1:
        raise ValueError(f"discounts[{place}]: was {discount!r}, should be in [0, 1]")
    marked &= known[:, None]
    silent = known & ~marked.any(axis=1)
    if silent.any():
        raise ValueError(f"shown[{place}]: state {int(np.argmax(silent))} is observed, but no action is shown there")
    return Block(bellman, phi, marked, known, float(discount))


def _longest_episode(shaping: sparse.csr_array) -> float:
    """An upper bound on any policy's expected steps: every ``N`` with ``B N >= 1`` is one.  By policy iteration."""
    n_states = shaping.shape[1]
    choice = np.zeros(n_states, dtype=np.int64)
    starts = np.arange(n_states) * (shaping.shape[0] // n_states)
    while True:
        steps = splu(sparse.csc_array(shaping[starts + choice])).solve(np.ones(n_states))
        slack = (shaping @ steps - 1).reshape(n_states, -1)
        worst = slack.argmin(axis=1)
        if slack.min() > -1e-6:
            return float(steps.max() / (1 + min(slack.min(), 0)))
        choice = np.where(slack[np.arange(n_states), worst] < -1e-9, worst, choice)
