"""Measurements of the study of verification."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

import irl_ident as ii
from environments import branching_star
from irl_ident import design, planning
from irl_ident.certificates import Certificate, certify
from irl_ident.environment import Array, Environment
from irl_ident.identified.base import IdentifiedSet
from studies._verification_worlds import Case, case, holds

SAMPLES = 200
"""Objectives that strategies look at."""

ERROR, LEVEL = 0.1, 0.05
"""How often a noisy agent picks any action, and how often the confidence set may miss its objective."""

ERRS: dict[str, Any] = {"error": ERROR, "level": LEVEL, "ties": "even"}
HORIZON = 30

SOURCES = ("whole policy", "on the way", "500 episodes", "50 episodes")
"""All optimal actions in all states; in the states that it visits; choices of an agent that errs."""

REGIONS = 100
"""So many parts of what is possible are looked at before the answer is "unknown"."""

STRATEGIES = ("random", "greedy", "counterexample")
STRICTNESS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 3e-1)


def observed(one: Case, env: Environment, source: str, seed: int) -> Any:
    """What is seen of the agent in ``env``."""
    if source.endswith("episodes"):
        noisy = ii.agents.Noisy(one.family, one.theta, ERROR)
        episodes = int(source.partition(" ")[0])
        return ii.evidence.counts(env, noisy.demonstrate(env, episodes=episodes, horizon=HORIZON, seed=seed))
    policy = one.agent.policy(env)
    if source == "on the way":
        visited = planning.occupancy(env, policy).sum(axis=1) > 0
        policy = np.where(visited[:, None], policy, 0.0)
    return ii.evidence.Policy(policy)


def identified(one: Case, evidence: Sequence[tuple[Environment, Any]], source: str) -> IdentifiedSet:
    """What is still possible after that."""
    noisy = source.endswith("episodes")
    rationality: ii.identified.Assumed = "noisy" if noisy else "optimal"
    assumed = ERRS if noisy else {}
    if not evidence:
        return ii.identified.anything(one.family, rationality, **assumed)
    return ii.identify(evidence, one.family, rationality, **assumed)


def judged(make: Callable[[], Certificate]) -> dict[str, Any]:
    """A certificate's status, size and time.

    "vacuous" where no objective is as strict as asked, or only one to which everything is the same violates the
    property; "unknown" where no member is found, or too many parts of what is possible would have to be looked at.
    """
    started = time.perf_counter()
    try:
        certificate = make()
    except ValueError as refusal:
        words = str(refusal).partition(":")[0]
        status = "unknown" if words.startswith("ties") else "vacuous"
        return {"status": status, "words": words, "seconds": time.perf_counter() - started}
    return described(certificate, time.perf_counter() - started)


def described(certificate: Certificate, seconds: float) -> dict[str, Any]:
    """What is kept of a certificate."""
    started = time.perf_counter()
    accepted = certificate.check()
    return {
        "status": "vacuous" if certificate.trivial else certificate.status,
        "words": "",
        "regions": certificate.regions,
        "bytes": len(json.dumps(certificate.document)),
        "accepted": accepted,
        "seconds": seconds,
        "seconds_check": time.perf_counter() - started,
    }


def campaign(one: Case, strategy: str, source: str, seed: int, rounds: int) -> list[dict[str, Any]]:
    """Certificates after each environment that a strategy chose, until the property is proved."""
    prover = design.Counterexample(SAMPLES, seed, prop=one.prop, deployment=one.deployment, regions=REGIONS)
    choosers: dict[str, design.Strategy] = {
        "random": design.Random(seed),
        "greedy": design.Greedy(SAMPLES, seed),
        "counterexample": prover,
    }
    chooser = choosers[strategy]
    evidence: list[tuple[Environment, Any]] = []
    chosen: list[int] = []
    rows = []
    while True:
        ident = identified(one, evidence, source)
        rows.append({"environments": len(chosen), **judged(partial(prover.certificate, ident))})
        if chosen and one.lengths:
            rows[-1]["ruled_out"] = _ruled_out(one, chosen)
        if rows[-1]["status"] == "proved" or len(chosen) == rounds:
            return rows
        left = [place for place in range(len(one.candidates)) if place not in chosen]
        scores = chooser.score(ident, [one.candidates[place] for place in left])
        chosen.append(left[int(np.argmax(scores))])
        env = one.candidates[chosen[-1]]
        evidence.append((env, observed(one, env, source, seed + len(chosen))))


def properties(one: Case, seed: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Every property of a case after some environments in random order, its truth beside it."""
    order = np.random.default_rng(seed).permutation(len(one.candidates))
    truths = {name: holds(one, prop) for name, prop in one.properties.items()}
    rows = []
    for n in counts:
        seen = [(one.candidates[i], observed(one, one.candidates[i], "whole policy", seed)) for i in order[:n]]
        ident = identified(one, seen, "whole policy")
        for name, prop in one.properties.items():
            found = judged(partial(certify, ident, prop, one.deployment, regions=REGIONS))
            rows.append({"environments": n, "property": name, "truth": truths[name], **found})
    return rows


def ordinary(one: Case, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Certificates from candidates in which deployment does not show, and what each witness does."""
    rows = []
    for n in counts:
        places = one.ordinary[:n]
        ident = identified(one, [(one.candidates[i], one.agent.policy(one.candidates[i])) for i in places], "policy")
        certificate = certify(ident, one.prop, one.deployment)
        row = {"environments": len(places), **described(certificate, 0.0), "same": False, "violates": False}
        if certificate.witness is not None:
            other = ii.agents.Optimal(one.family, certificate.witness)
            same = [one.agent.policy(one.candidates[i]) == other.policy(one.candidates[i]) for i in places]
            row["same"] = all(bool(equal.all()) for equal in same)
            row["violates"] = visits_of(certificate, one) > 0
        rows.append(row)
    return rows


def visits_of(certificate: Certificate, one: Case) -> float:
    """Occupancy of what should be avoided, under the witness's own behaviour in deployment."""
    states = np.array(one.prop.states, dtype=int)
    policy = np.eye(one.deployment.n_actions)[np.array(certificate.policy)]
    return float(planning.occupancy(one.deployment, policy)[states].sum())


def strictness(one: Case, seed: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """The same question with what is known to be worse worse by more and more."""
    order = np.random.default_rng(seed).permutation(len(one.candidates))
    rows = []
    for n in counts:
        seen = [(one.candidates[i], one.agent.policy(one.candidates[i])) for i in order[:n]]
        ident = identified(one, seen, "whole policy")
        rows += [
            {
                "environments": n,
                "strictness": t,
                **judged(partial(certify, ident, one.prop, one.deployment, strictness=t, regions=REGIONS)),
            }
            for t in STRICTNESS
        ]
    return rows


def drawn_witness(name: str, seed: int, n: int) -> list[dict[str, Any]]:
    """Paths of the agent and of a witness, the same in ``n`` ordinary environments and different in deployment.

    Of the first draw, from that of ``seed`` on, in which these environments do not prove the property.
    """
    for number in count(seed):
        one = case(name, number)
        places = list(one.ordinary[:n])
        seen = [(one.candidates[i], one.agent.policy(one.candidates[i])) for i in places]
        certificate = certify(identified(one, seen, "whole policy"), one.prop, one.deployment)
        witness = certificate.witness
        if witness is not None:
            return _paths(one, places, witness, np.array(certificate.policy))
    raise AssertionError("there is always another draw")


def _paths(one: Case, places: Sequence[int], witness: Array, deployed: Array) -> list[dict[str, Any]]:
    """Ways of the agent and of the witness in some candidates and, last, in deployment."""
    other = ii.agents.Optimal(one.family, witness)
    rows = []
    for place in [*places, -1]:
        env = one.deployment if place == -1 else one.candidates[place]
        policies = [one.agent.policy(env), other.policy(env)]
        if place == -1:
            policies[1] = np.eye(env.n_actions)[deployed]
        paths = [json.dumps(path(env, policy)) for policy in policies]
        rows.append(
            {
                "picture": one.pictures[place],
                "deployment": place == -1,
                "path": paths[0],
                "witness_path": paths[1],
                "witness": json.dumps(np.round(witness, 3).tolist()),
            }
        )
    return rows


def path(env: Environment, policy: Array, longest: int = 20) -> list[int]:
    """States that are visited when the likeliest comes next, from the likeliest start until it ends or turns back."""
    table, choice = env.dense(), policy.argmax(axis=1)
    visited = [int(env.initial.argmax())]
    while len(visited) < longest and not env.absorbing[visited[-1]]:
        here = visited[-1]
        visited.append(int(table[here, choice[here]].argmax()))
        if visited[-1] in visited[:-1]:
            break
    return visited


def _ruled_out(one: Case, chosen: Sequence[int]) -> bool:
    """In closed form: whether no objective goes where it should not."""
    stars = [one.lengths[place] for place in chosen]
    discount = one.deployment.discount
    seen = [(star, branching_star.preferred(one.theta, star, discount)) for star in stars]
    branch = int(one.prop.states[0]) - branching_star.prize(0)
    return branching_star.ruled_out(seen, one.lengths[-1], branch)
