"""Does a solver of inverse RL do what it should?  One suite for every solver: ours, ``imitation``'s, anyone's.

A solver is any callable ``fit(evidence, family)`` that returns parameters (d,) or something that has them as ``theta``.
It is given the behaviour of agents whose objectives are known, in worlds that are small enough to judge its answers
exactly, and :func:`check` asks

==================  ===================================================================================================
member              is the answer in the identified set: would an agent with that reward behave as was seen?
several             the same, with evidence from three environments that share the objective, and from
                    two that do not share the discount: the first fits any, and the second its own alone
discount            the same, in a world in which behaviour pins down a ratio of rewards that depends on the discount,
                    at three discounts: a solver that drops the discount, or uses its own, fails
shaping             the same for rewards on states and actions, of which behaviour leaves all potential shapings open;
                    for soft agents, answer and truth should differ by a shaping alone (Cao, Cohen & Szpruch 2021)
unvisited, ...      states never visited, one action only, features that are 0 or collinear, evidence that no reward
                    explains: a finite answer or a ``ValueError``, never a NaN and never a crash
==================  ===================================================================================================

Membership is measured by planning, in units that no positive affine map of the reward changes.  For optimal agents:
the largest ``V*(s) - V_shown(s)`` under the answer as a share of the range of ``Q*``; 1 for a reward that makes all
actions optimal, which explains any behaviour.  For soft and Boltzmann agents: the largest difference between the
probability of an action shown and expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy import linalg

from irl_ident import agents, builders, planning
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Counts, Evidence, Policy
from irl_ident.rewards import LinearRewards, RewardFamily, StateActionRewards, StateRewards

Fit = Callable[[Evidence, RewardFamily], Any]
Rationality = Literal["optimal", "soft", "boltzmann"]
Outcome = Literal["passed", "failed", "refused"]
Behaviour = list[tuple[Environment, Array]]

DISCOUNTS = (0.6, 0.8, 0.9)
"""Under which a reward that is due in up to eight steps is worth taking for 1, 3 and 6 of them."""

TRIVIAL = 1e-9
"""Advantages below this share of the largest ``|Q|`` are none: the reward makes all actions optimal."""


@dataclass(frozen=True)
class Check:
    """One question put to a solver.

    Attributes
    ----------
    name, world : str
    outcome : {"passed", "failed", "refused"}
        ``"refused"``: the solver said with a ``ValueError`` that it has no answer to such evidence or such a family.
    measured : float
        Distance from the identified set, as the module says; nan where nothing is measured.
    words : str
        What went wrong, or the refusal.
    """

    name: str
    world: str
    outcome: Outcome
    measured: float
    words: str


@dataclass(frozen=True)
class Conformance:
    """All answers of one solver.

    Attributes
    ----------
    rationality : {"optimal", "soft", "boltzmann"}
    allowed : float
        The largest distance that passes.
    checks : tuple of Check
    """

    rationality: Rationality
    allowed: float
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and an answer was found in the identified set."""
        measured = {each.outcome for each in self.checks if not np.isnan(each.measured)}
        return "passed" in measured and not any(each.outcome == "failed" for each in self.checks)

    def outcome(self, name: str) -> Outcome:
        """The worst outcome of the checks of one name: failed, else refused, else passed."""
        outcomes = {each.outcome for each in self.checks if each.name == name}
        if not outcomes:
            raise ValueError(f"name: was {name!r}, should be one of {sorted({each.name for each in self.checks})}")
        order: tuple[Outcome, ...] = ("failed", "refused", "passed")
        return next(each for each in order if each in outcomes)

    def __str__(self) -> str:
        lines = [f"{self.rationality} agents, allowed distance {self.allowed:g}"]
        for each in self.checks:
            measured = "" if np.isnan(each.measured) else f" {each.measured:.1e}"
            lines.append(f"  {each.outcome:8} {each.name:10} {each.world}{measured} {each.words}".rstrip())
        return "\n".join(lines)


def check(
    solver: Any,
    rationality: Rationality = "optimal",
    *,
    temperature: float = 1.0,
    allowed: float = 1e-6,
    choices: int | None = None,
    seed: int = 0,
) -> Conformance:
    """Put a solver through the suite.

    Parameters
    ----------
    solver : Solver or callable
        ``fit(evidence, family)``, or an object with such a method.
    rationality : {"optimal", "soft", "boltzmann"}
        The agents that it is made for.
    temperature : float
        Of soft and Boltzmann agents.
    allowed : float
        Largest distance from the identified set that passes; methods that sample or stop early need more than the
        default.
    choices : int, optional
        Show about so many choices in each state, in proportion to the agent's probabilities, instead of policies: for
        methods that weigh evidence against a prior.
    seed : int
        Of the worlds and objectives.

    Returns
    -------
    Conformance

    Raises
    ------
    ValueError
        For a solver that is no callable and has no ``fit``, or another rationality.

    Examples
    --------
    A solver that always says "the last state is best" is found out.

    >>> import numpy as np
    >>> found = check(lambda evidence, family: np.eye(family.dim)[-1])
    >>> found.passed, found.outcome("discount")
    (False, 'failed')
    """
    fit = getattr(solver, "fit", solver)
    if not callable(fit):
        raise ValueError(f"solver: should be callable or have a method fit, was {type(solver).__name__}")
    if rationality not in get_args(Rationality):
        raise ValueError(f"rationality: was {rationality!r}, should be one of {get_args(Rationality)}")
    if choices is not None and choices < 1:
        raise ValueError(f"choices: was {choices!r}, should be at least 1")
    judge = _Judge(fit, rationality, temperature, allowed, choices)
    return Conformance(rationality, allowed, tuple(_checks(judge, seed)))


@dataclass(frozen=True, eq=False)
class _Judge:
    fit: Fit
    rationality: Rationality
    temperature: float
    allowed: float
    choices: int | None

    def agent(self, family: RewardFamily, theta: Array) -> agents.Agent:
        if self.rationality == "optimal":
            return agents.Optimal(family, theta)
        kind = agents.SoftOptimal if self.rationality == "soft" else agents.Boltzmann
        return kind(family, theta, self.temperature)

    def shown(self, policy: Array) -> Array | Counts:
        """A policy as it is shown to the solver."""
        return policy if self.choices is None else Counts(np.rint(self.choices * policy))

    def answer(self, evidence: Evidence, family: RewardFamily) -> Array:
        """What the solver says, as (d,); ``_Wrong`` when it is no finite vector of that size."""
        given = self.fit(evidence, family)
        try:
            theta = np.asarray(getattr(given, "theta", given), dtype=float)
        except (TypeError, ValueError) as fault:
            raise _Wrong(f"gave an answer that is no array of numbers: {fault}") from fault
        if theta.shape != (family.dim,):
            raise _Wrong(f"gave an answer of shape {theta.shape} for {family.dim} parameters")
        if not np.isfinite(theta).all():
            raise _Wrong("gave an answer that is not finite")
        return theta

    def distance(self, theta: Array, behaviour: Behaviour, family: RewardFamily) -> float:
        """How far ``theta`` is from explaining the policies, at most, over environments."""
        if self.rationality == "optimal":
            return max(_loss(env, policy, family.reward(env, theta)) for env, policy in behaviour)
        expected = self.agent(family, theta)
        return max(float(np.abs(expected.policy(env) - policy).max()) for env, policy in behaviour)

    def asked(
        self, name: str, world: str, evidence: Evidence, family: RewardFamily, measure: Callable[[Array], float]
    ) -> Check:
        try:
            measured = measure(self.answer(evidence, family))
        except _Wrong as wrong:
            return Check(name, world, "failed", np.nan, str(wrong))
        except ValueError as refusal:
            return Check(name, world, "refused", np.nan, str(refusal).partition("\n")[0])
        except Exception as crash:
            return Check(name, world, "failed", np.nan, f"raised {type(crash).__name__}: {crash}")
        good = not measured > self.allowed
        return Check(name, world, "passed" if good else "failed", measured, "")

    def member(
        self, name: str, world: str, environments: list[Environment], family: RewardFamily, theta: Array
    ) -> Check:
        truth = self.agent(family, theta)
        behaviour = [(env, truth.policy(env)) for env in environments]
        evidence = [(env, self.shown(policy)) for env, policy in behaviour]
        return self.asked(name, world, evidence, family, lambda found: self.distance(found, behaviour, family))


class _Wrong(Exception):
    """An answer that is no answer."""


def _checks(judge: _Judge, seed: int) -> Iterator[Check]:
    seeds = np.random.SeedSequence(seed).spawn(8)
    random = np.random.default_rng(seeds[0])
    worlds = [builders.random_environment(6, 3, g, each) for g, each in zip((0.9, 0.7, 0.5), seeds[1:4], strict=True)]
    room = builders.grid("G..\n.#.\n..L", 0.9, slip=0.2, absorbing="G")
    states, goal = StateRewards(6), StateRewards(room.environment.n_states)
    treasure = np.zeros(goal.dim)
    treasure[room.marks["G"]], treasure[room.marks["L"]] = 1.0, -0.5
    theta = random.uniform(-1, 1, 6)
    yield judge.member("member", "random, 6 states", worlds[:1], states, theta)
    yield judge.member("member", "slippery grid", [room.environment], goal, treasure)
    yield judge.member("several", "3 random environments", worlds, states, theta)
    pairs = StateActionRewards(6, 3)
    yield judge.member("several", "3 random, states and actions", worlds, pairs, random.uniform(-1, 1, 18))
    env, family = delays(DISCOUNTS[-1])
    together = [_quick(env, DISCOUNTS[0]), env]
    yield judge.member("several", "delays at two discounts", together, family, np.array([1.0, 2.0]))
    for discount in DISCOUNTS:
        env, family = delays(discount)
        yield judge.member("discount", f"delays at {discount}", [env], family, np.array([1.0, 2.0]))
    yield _shaping(judge, worlds[0], random.uniform(-1, 1, 18))
    yield from _hard(judge, worlds[0], theta)


def delays(discount: float, longest: int = 8) -> tuple[Environment, LinearRewards]:
    """A world of choices between a reward now and a larger one in 1, 2, ..., ``longest`` steps.

    In state ``choose k`` action ``now`` leads to ``near``, action ``wait`` into a corridor that comes to ``far`` in k
    more steps; both ends are for ever.  With rewards n at ``near`` and f at ``far``, waiting is optimal just when
    ``g^k f >= n``, so behaviour tells f / n to within a factor of 1 / g, and which factor depends on g.

    Returns
    -------
    Environment
        States ``choose 1, ..., choose K, corridor 1, ..., corridor K, near, far``.
    LinearRewards
        Two features: near and far.
    """
    n_states = 2 * longest + 2
    near, far = n_states - 2, n_states - 1
    table = np.zeros((n_states, 2, n_states))
    for k in range(longest):
        table[k, 0, near] = 1
        table[k, 1, longest + k] = 1
        table[longest + k, :, far if k == 0 else longest + k - 1] = 1
    table[[near, far], :, [near, far]] = 1
    features = np.zeros((n_states, 2, 2))
    features[near, :, 0] = features[far, :, 1] = 1
    words = [f"{kind} {k + 1}" for kind in ("choose", "corridor") for k in range(longest)]
    env = Environment(table, discount, states=[*words, "near", "far"], actions=["now", "wait"])
    return env, LinearRewards(features, names=("near", "far"))


def _quick(env: Environment, discount: float) -> Environment:
    """:func:`delays` with another discount, where whoever waits waits as in the first state."""
    table = env.dense()
    choices = env.n_states // 2 - 1
    table[:choices, 1] = table[0, 1]
    return Environment(table, discount, states=env.states, actions=env.actions)


def _shaping(judge: _Judge, env: Environment, theta: Array) -> Check:
    family = StateActionRewards(env.n_states, env.n_actions)
    policy = judge.agent(family, theta).policy(env)
    evidence = [(env, judge.shown(policy))]

    def measure(found: Array) -> float:
        apart = judge.distance(found, [(env, policy)], family)
        return max(apart, _beyond_shaping(env, found, theta)) if judge.rationality == "soft" else apart

    return judge.asked("shaping", "random, rewards on states and actions", evidence, family, measure)


def _beyond_shaping(env: Environment, found: Array, truth: Array) -> float:
    """What is left of ``found - truth`` modulo shaping, as a share of what is left of ``truth``."""
    span = linalg.orth(env.shaping.toarray())
    left = [np.linalg.norm(r - span @ (span.T @ r)) for r in (found - truth, truth)]
    return float(left[0] / left[1])


def _hard(judge: _Judge, env: Environment, theta: Array) -> Iterator[Check]:
    states, pairs = StateRewards(6), StateActionRewards(6, 3)
    shown = judge.agent(states, theta).policy(env)
    partial = np.where(np.arange(6)[:, None] < 3, shown, 0.0)
    alone = Environment(env.dense()[:, :1], 0.9)
    flat = pairs.matrix(env).toarray().reshape(6, 3, 18)
    zero = LinearRewards(np.concatenate([flat[..., :4], np.zeros((6, 3, 1))], axis=2))
    twice = LinearRewards(np.concatenate([flat[..., :4], flat[..., :4]], axis=2))
    nothing = LinearRewards(np.zeros((6, 3, 2)))
    few = np.zeros((6, 3), dtype=np.int64)
    few[0, 1] = 1
    against = np.stack([np.eye(3)[np.arange(6) % 3], np.eye(3)[(np.arange(6) + 1) % 3]])
    for name, evidence, family in (
        ("unvisited", [(env, Policy(partial))], states),
        ("one choice", [(env, Counts(few))], states),
        ("one action", [(alone, np.ones((6, 1)))], states),
        ("zero feature", [(env, judge.agent(zero, theta[:5]).policy(env))], zero),
        ("collinear", [(env, judge.agent(twice, np.append(theta, theta[:2])).policy(env))], twice),
        ("no feature", [(env, shown)], nothing),
        ("unexplained", [(env, against[0]), (env, against[1])], states),
    ):
        yield judge.asked(name, "random, 6 states", evidence, family, lambda _: np.nan)


def _loss(env: Environment, shown: Array, reward: Array) -> float:
    """Largest ``V* - V_shown`` over states, as a share of the range of Q*; 1 for rewards that explain everything."""
    plan = planning.optimal(env, reward)
    spread = float(np.ptp(plan.q))
    if not (plan.values[:, None] - plan.q > TRIVIAL * np.abs(plan.q).max(initial=1e-300)).any():
        return 1.0
    return max(float((plan.values - planning.evaluate(env, reward, shown)).max() / spread), 0.0)
