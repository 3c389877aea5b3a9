"""Irreducible contradictions, beside a feasibility program for every subset of observations."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import irl_ident as ii
from benchmarks.support import layout
from environments import courier_floor
from irl_ident.agents.services import Commissioned
from irl_ident.highs import SolverFailed
from irl_ident.identified.cone import hull
from irl_ident.identified.cone.proofs import Program
from irl_ident.rewards import StateRewards
from studies import _services as services
from studies import _services_recovered as recovered


def explained(family, evidence, chosen):
    """Whether some (theta, V) has slack 0 on shown actions, at least 1 on worse and 0 on other ones; by SciPy.

    Where all actions are the same they are optimal, seen or not.
    """
    worlds = list({env.digest: env for env, _ in evidence}.values())
    starts = dict(zip([env.digest for env in worlds], np.cumsum([0, *(e.n_states for e in worlds)]), strict=False))
    width = sum(env.n_states for env in worlds)
    equal, below, least = [], [], []
    rows = {}
    for env in worlds:
        phi = family.matrix(env).toarray().reshape(env.n_states, env.n_actions, -1)
        for s in range(env.n_states):
            for a in range(env.n_actions):
                values = np.zeros(width)
                values[starts[env.digest] + s] += 1
                values[starts[env.digest] : starts[env.digest] + env.n_states] -= env.discount * env.dense()[s, a]
                rows[env.digest, s, a] = np.concatenate([-phi[s, a], values])
                below.append(-rows[env.digest, s, a])
                least.append(0.0)
        tables = [[rows[env.digest, s, a] for a in range(env.n_actions)] for s in range(env.n_states)]
        equal += [table[0] for table in tables if all(np.array_equal(row, table[0]) for row in table)]
    for source, s in chosen:
        env, policy = evidence[source]
        table = [rows[env.digest, s, a] for a in range(env.n_actions)]
        marked = policy.probabilities[s] > 0
        shown = [row for row, mark in zip(table, marked, strict=True) if mark]
        equal += shown
        for row in table:
            if not any(np.array_equal(row, other) for other in shown) and policy.shows == "all":
                below.append(-row)
                least.append(-1.0)
    fixed = {"A_eq": np.array(equal), "b_eq": np.zeros(len(equal))} if equal else {}
    answer = linprog(np.zeros(width + family.dim), np.array(below), least, **fixed, bounds=(None, None))
    assert answer.status in (0, 2)
    return answer.status == 0


def observed(evidence):
    return [(i, int(s)) for i, (_, policy) in enumerate(evidence) for s in np.flatnonzero(policy.observed)]


def held(family, evidence, conflict):
    """A contradiction, of which every part with one observation less has an explanation, and so every part."""
    assert conflict.irreducible
    named = conflict.observations
    assert set(named) <= set(observed(evidence))
    assert not explained(family, evidence, named)
    for left in range(len(named)):
        assert explained(family, evidence, named[:left] + named[left + 1 :]), named[left]


@st.composite
def seen(draw):
    """Two or three policies with ties and gaps, of two environments or of the same one; all numbers are of few bits."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    states, actions = 3, draw(st.integers(2, 3))
    worlds = [ii.Environment(rng.multinomial(4, np.ones(states) / states, (states, actions)) / 4, 0.5) for _ in "ab"]
    evidence = []
    for _ in range(draw(st.integers(2, 3))):
        marks = rng.random((states, actions)) < 0.4
        marks[rng.random(states) < 0.3] = False
        if not marks.any():
            marks[0, 0] = True
        policy = marks / np.maximum(marks.sum(axis=1, keepdims=True), 1)
        shows = draw(st.sampled_from(["all", "all", "some"]))
        evidence.append((worlds[rng.integers(2)], ii.evidence.Policy(policy, shows=shows)))
    return StateRewards(states), evidence


@settings(max_examples=40, deadline=None)
@given(seen())
def test_beside_all_subsets(drawn):
    family, evidence = drawn
    conflict = ii.identify(evidence, family).conflict
    everything = observed(evidence)
    if conflict is None:
        assert explained(family, evidence, everything)
        return
    held(family, evidence, conflict)
    smaller = [part for n in range(len(conflict.observations)) for part in combinations(conflict.observations, n)]
    assert all(explained(family, evidence, part) for part in smaller)


def test_a_tie_of_all_actions_is_an_observation():
    """What is the same to the animal in one world it prefers in another: neither says so alone."""
    family = StateRewards(3)
    ahead = np.eye(3)[[[1, 2], [1, 1], [2, 2]]]
    evidence = [
        (ii.Environment(ahead, 0.9), ii.evidence.Policy([[0.5, 0.5], [0, 0], [0, 0]])),
        (ii.Environment(ahead, 0.8), ii.evidence.Policy([[1.0, 0.0], [0, 0], [0, 0]])),
    ]
    conflict = ii.identify(evidence, family).conflict
    assert conflict.observations == ((0, 0), (1, 0))
    assert "evidence 0" in conflict.explanation
    held(family, evidence, conflict)


def test_pieces_of_evidence_about_one_environment_are_told_apart():
    family, env = StateRewards(3), ii.Environment(np.eye(3)[[[1, 2], [1, 1], [2, 2]]], 0.9)
    rows = ([1.0, 0.0], [0.0, 0.0], [0.0, 1.0])
    evidence = [(env, ii.evidence.Policy([row, [0.5, 0.5], [0.5, 0.5]])) for row in rows[:1] * 2 + rows[1:]]
    conflict = ii.identify(evidence, family).conflict
    assert conflict.observations == ((0, 0), (3, 0))
    held(family, evidence, conflict)


def test_a_leaf_that_looks_three_steps_ahead():
    """Eight floors of the study of services; plain deletion met a program that HiGHS left at status 15."""
    drawn = services.market(0, 3)
    rng = np.random.default_rng([0, 1])
    courier_floor.services(rng, 80)
    agent = Commissioned(drawn.chain(64), drawn.candidates[int(rng.integers(services.CANDIDATES))])
    evidence = [(env, ii.evidence.Policy(policy)) for env, policy in recovered.watch(agent, drawn.training)]
    conflict = ii.identify(evidence, services.FAMILY).conflict
    assert len(conflict.observations) > 1
    held(services.FAMILY, evidence, conflict)


def test_two_objectives_on_forty_states():
    family, rng = StateRewards(40), np.random.default_rng(0)
    worlds = [ii.builders.random_environment(40, 4, 0.9, seed=seed, successors=3) for seed in range(2)]
    agents = [ii.agents.Optimal(family, rng.standard_normal(40)) for _ in worlds]
    evidence = [(env, ii.evidence.Policy(agent.policy(env))) for env, agent in zip(worlds, agents, strict=True)]
    conflict = ii.identify(evidence, family).conflict
    assert len(conflict.observations) > 1
    held(family, evidence, conflict)


def test_contradictions_are_found_where_the_program_of_the_hull_fails(monkeypatch):
    def fails(_):
        raise SolverFailed("status 4")

    monkeypatch.setattr(hull, "hull", fails)
    family, rng = StateRewards(25), np.random.default_rng(0)
    worlds = [layout(5, seed) for seed in range(3)]
    agents = [ii.agents.Optimal(family, rng.standard_normal(25)) for _ in worlds]
    evidence = [(env, ii.evidence.Policy(agent.policy(env))) for env, agent in zip(worlds, agents, strict=True)]
    held(family, evidence, ii.identify(evidence, family).conflict)
    assert ii.identify(evidence[:1], family).conflict is None


def test_rounding_is_no_proof():
    """What was seen in either world has an explanation, and only both together have none."""
    family = StateRewards(3)
    worlds = [
        ii.Environment(np.array([[[0, 0.5, 0.5], [0, 0.5 + e, 0.5 - e]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2]), 0.9)
        for e in (3e-10, -3e-10)
    ]
    evidence = [(env, ii.evidence.Policy([[1.0, 0], [0, 0], [0, 0]])) for env in worlds]
    conflict = ii.identify(evidence, family).conflict
    assert conflict is None or conflict.observations == ((0, 0), (1, 0))
    assert all(ii.identify([each], family).conflict is None for each in evidence)


def test_only_those_who_saw_a_state_are_named():
    family, env = StateRewards(3), ii.Environment(np.eye(3)[[[1, 2], [1, 1], [2, 2]]], 0.9)
    shown = [[0.95, 0.05], [0.95, 0.05], [0.05, 0.95]]
    evidence = [(env, ii.evidence.Policy([row, [0, 0], [0, 0]])) for row in shown]
    evidence.append((env, ii.evidence.Policy([[0, 0], [0.5, 0.5], [0, 0]])))
    conflict = ii.identify(evidence, family, "noisy", error=0.2, level=0.05, ties="even").conflict
    assert conflict.observations == ((0, 0), (1, 0), (2, 0))
    assert not conflict.irreducible


def test_what_the_solver_leaves_open_is_said(monkeypatch):
    family, env = StateRewards(3), ii.Environment(np.eye(3)[[[1, 2], [1, 1], [2, 2]]], 0.9)
    evidence = [(env, ii.evidence.Policy([row, [0, 0], [0, 0]])) for row in ([1.0, 0.0], [0.0, 1.0])]
    asked = Program.uses

    def fewer_fail(self, kept):
        if not kept.all():
            raise SolverFailed("status 15")
        return asked(self, kept)

    def always_fail(self, kept):
        raise SolverFailed("status 15")

    for fails in (fewer_fail, always_fail):
        monkeypatch.setattr(Program, "uses", fails)
        conflict = ii.identify(evidence, family).conflict
        assert conflict.observations == ((0, 0), (1, 0))
        assert not conflict.irreducible
        assert "left it open" in conflict.explanation
