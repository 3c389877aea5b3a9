"""Planning: optimal and soft plans, occupancies and derivatives, as plain functions on arrays."""

from __future__ import annotations

from irl_ident.planning.evaluation import bounded_horizon, evaluate, occupancy
from irl_ident.planning.optimal import OptimalPlan, optimal, optimal_batch
from irl_ident.planning.soft import SoftPlan, soft, soft_gradient, soft_jacobian
from irl_ident.planning.ties import optimal_actions, uniform_over

__all__ = [
    "OptimalPlan",
    "SoftPlan",
    "bounded_horizon",
    "evaluate",
    "occupancy",
    "optimal",
    "optimal_actions",
    "optimal_batch",
    "soft",
    "soft_gradient",
    "soft_jacobian",
    "uniform_over",
]
