"""Planning: optimal and soft plans, occupancies and derivatives, as plain functions on arrays.

Throughout ``C = env.continuation`` holds the discounted transitions, ``r`` a reward (S, A), ``pi`` a policy (S, A),
and ``C_pi`` (S, S) the average of ``C`` by ``pi``.  Plans carry a proved bound on their error.
"""

from __future__ import annotations

from irl_ident.planning.batch import optimal_batch
from irl_ident.planning.derivatives import soft_gradient, soft_jacobian
from irl_ident.planning.evaluation import bounded_horizon, evaluate, occupancy
from irl_ident.planning.line import LinePlan, Lines, optimal_line
from irl_ident.planning.optimal import OptimalPlan, optimal
from irl_ident.planning.soft import SoftPlan, soft
from irl_ident.planning.systems import PolicySystem, policy_system
from irl_ident.planning.ties import greedy_policy, optimal_actions, uniform_over

__all__ = [
    "LinePlan",
    "Lines",
    "OptimalPlan",
    "PolicySystem",
    "SoftPlan",
    "bounded_horizon",
    "evaluate",
    "greedy_policy",
    "occupancy",
    "optimal",
    "optimal_actions",
    "optimal_batch",
    "optimal_line",
    "policy_system",
    "soft",
    "soft_gradient",
    "soft_jacobian",
    "uniform_over",
]
