"""Priors on the parameters of a reward, independent between parameters, as maps of standard normal variables.

``theta_i = F_i^-1(N(u_i))`` with N the standard normal distribution function has the prior distribution F when the
``u_i`` are independent and standard normal.  In ``u`` every posterior is a likelihood times a standard normal
density, whatever the prior: the form that elliptical slice sampling asks for (Murray, Adams & MacKay 2010, section 2)
and one without bounds for Hamiltonian Monte Carlo.

==================  ==========================================  ====================================
:class:`Gaussian`   ``theta = deviation u``
:class:`Uniform`    ``theta = bound (2 N(u) - 1)``              Ramachandran & Amir's (2007) uniform
:class:`Laplace`    ``theta = - sign(u) scale log(2 N(-|u|))``  Ramachandran & Amir's Laplacian
==================  ==========================================  ====================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from irl_ident.environment import Array

_LOG_ROOT = float(np.log(2 * np.pi) / 2)


@dataclass(frozen=True, eq=False)
class Prior(ABC):
    """Independent parameters, symmetric about 0."""

    @property
    @abstractmethod
    def deviations(self) -> Array:
        """Standard deviations, () or (d,)."""

    @abstractmethod
    def parameters(self, u: Array) -> Array:
        """``theta`` (..., d) of standard normal ``u`` (..., d)."""

    @abstractmethod
    def slopes(self, u: Array) -> Array:
        """``d theta / d u`` (..., d), above 0."""

    def log_density(self, u: Array) -> Array:
        """Log-density of ``theta`` at ``parameters(u)``, (...,)."""
        density: Array = (-(u**2) / 2 - _LOG_ROOT - np.log(self.slopes(u))).sum(axis=-1)
        return density

    def check(self, dim: int) -> None:
        """``ValueError`` unless the prior goes with ``dim`` parameters."""
        shape = self.deviations.shape
        if shape not in ((), (dim,)):
            raise ValueError(f"prior: is for {shape[0]} parameters, the family has {dim}")


@dataclass(frozen=True, eq=False)
class Gaussian(Prior):
    """Normal with mean 0.

    Parameters
    ----------
    deviation : float or array (d,)
        Standard deviation, above 0; in units of reward.
    """

    deviation: npt.ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "deviation", _scales("deviation", self.deviation))

    @property
    def deviations(self) -> Array:  # noqa: D102
        return np.asarray(self.deviation, dtype=float)

    def parameters(self, u: Array) -> Array:  # noqa: D102
        return self.deviations * u

    def slopes(self, u: Array) -> Array:  # noqa: D102
        return np.broadcast_to(self.deviations, u.shape)

    def __repr__(self) -> str:
        return f"Gaussian(deviation={_told(self.deviations)})"


@dataclass(frozen=True, eq=False)
class Uniform(Prior):
    """Uniform on a box.

    Parameters
    ----------
    bound : float or array (d,)
        ``|theta_i| <= bound_i``; above 0.
    """

    bound: npt.ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", _scales("bound", self.bound))

    @property
    def deviations(self) -> Array:  # noqa: D102
        deviations: Array = np.asarray(self.bound, dtype=float) / np.sqrt(3)
        return deviations

    def parameters(self, u: Array) -> Array:  # noqa: D102
        return np.asarray(np.asarray(self.bound) * special.erf(u / np.sqrt(2)), dtype=float)

    def slopes(self, u: Array) -> Array:  # noqa: D102
        slopes: Array = np.asarray(self.bound) * 2 * np.exp(-np.minimum(u**2, 1400.0) / 2 - _LOG_ROOT)
        return slopes

    def __repr__(self) -> str:
        return f"Uniform(bound={_told(np.asarray(self.bound))})"


@dataclass(frozen=True, eq=False)
class Laplace(Prior):
    """Density in proportion to ``exp(-|theta_i| / scale_i)``: few large rewards, many small ones.

    Parameters
    ----------
    scale : float or array (d,)
        Above 0.
    """

    scale: npt.ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _scales("scale", self.scale))

    @property
    def deviations(self) -> Array:  # noqa: D102
        deviations: Array = np.asarray(self.scale, dtype=float) * np.sqrt(2)
        return deviations

    def parameters(self, u: Array) -> Array:  # noqa: D102
        log_tails: Array = np.log(2) + special.log_ndtr(-np.abs(u))
        return np.asarray(-np.asarray(self.scale) * np.sign(u) * log_tails)

    def slopes(self, u: Array) -> Array:  # noqa: D102
        hazard: Array = np.exp(-(u**2) / 2 - _LOG_ROOT - special.log_ndtr(-np.abs(u)))
        slopes: Array = np.asarray(self.scale) * hazard
        return slopes

    def __repr__(self) -> str:
        return f"Laplace(scale={_told(np.asarray(self.scale))})"


def _scales(argument: str, given: npt.ArrayLike) -> float | Array:
    scales = np.array(given, dtype=float)
    if scales.ndim > 1 or scales.size == 0 or not (np.isfinite(scales) & (scales > 0)).all():
        raise ValueError(f"{argument}: should be a number above 0, or one for each parameter, was {given!r}")
    if scales.ndim == 0:
        return float(scales)
    scales.setflags(write=False)
    return scales


def _told(scales: Array) -> str:
    return f"{float(scales):g}" if scales.ndim == 0 else f"<{scales.size} values>"
