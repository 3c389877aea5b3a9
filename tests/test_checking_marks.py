"""The marks that the checker of certificates takes from evidence, by hand, by fractions and as in identified sets."""

import json
from fractions import Fraction

import numpy as np
import pytest
from test_checking import fork

from irl_ident import Environment, identify, rewards
from irl_ident.certificates.checking.evalues import reaches
from irl_ident.certificates.checking.evidence import marks
from irl_ident.certificates.checking.reading import Place, parse
from irl_ident.certificates.checking.statement import read_statement
from irl_ident.evidence import Counts, Policy


def marked(statement):
    """Shown and worse rows of each observed environment."""
    found = marks(read_statement(Place(parse(json.dumps(statement)), "statement")))
    return {number: (sorted(kept.shown), sorted(kept.worse)) for number, kept in found.items()}


def statement(environments, seen, assumed=None):
    return {
        "assumed": assumed or {"rationality": "optimal"},
        "tolerances": {"ties": 0, "strictness": 0},
        "parameters": environments[0]["states"],
        "environments": environments,
        "evidence": seen,
        "deployment": None,
        "property": {"kind": "linear", "weights": [0] * environments[0]["states"], "at_most": 0},
    }


def test_marks_of_an_optimal_agent_by_hand():
    # states 1 and 2 have actions that are the same; what a policy that may not show all leaves out is not worse
    some = {"environment": 1, "kind": "policy", "probabilities": [[1, 0], [1, 0], [0, 0]], "shows": "some"}
    every = some | {"environment": 0, "shows": "all"}
    counts = {"environment": 0, "kind": "counts", "counts": [[0, 3], [0, 0], [0, 0]]}
    assert marked(statement([fork(), fork()], [some])) == {1: ([0, 2, 3, 4, 5], [])}
    assert marked(statement([fork(), fork()], [every])) == {0: ([0, 2, 3, 4, 5], [1])}
    # observations of one environment add up, and an action can be marked both ways
    assert marked(statement([fork(), fork()], [every, counts])) == {0: ([0, 1, 2, 3, 4, 5], [1])}
    # an action that is not shown, but the same as one that is, is no worse
    twins = fork() | {"transitions": [[0, 1, 1], [1, 1, 1], *fork()["transitions"][2:]]}
    assert marked(statement([twins], [every])) == {0: ([0, 1, 2, 3, 4, 5], [])}


def test_marks_of_an_agent_that_errs_by_hand():
    """With A = 2 and error 1/2: q_1 = 3/4, q_2 = 1/2, p0 = 1/4, so E = (3^m (1/3)^(n-m) + 2^m (2/3)^(n-m)) / 2.

    1 / alpha = k (k + 1) S A / level = 24 for the first environment with level 1/2, and E' = (1/2)^m (3/2)^(n-m).
    """
    noisy = {"rationality": "noisy", "error": 0.5, "level": 0.5, "ties": "even"}

    def shows(*taken, environment=0, **assumed):
        seen = [{"environment": environment, "kind": "counts", "counts": [list(n), [0, 0], [0, 0]]} for n in taken]
        return marked(statement([fork(), fork()], seen, noisy | assumed))[environment]

    always = [2, 3, 4, 5]
    assert shows([3, 0]) == (always, [])  # E = (27 + 8) / 2 = 17.5
    assert shows([4, 0]) == ([0, *always], [])  # E = (81 + 16) / 2 = 48.5
    assert shows([7, 0]) == ([0, *always], [])  # E' = 1.5^7 = 17.1
    assert shows([8, 0]) == ([0, *always], [1])  # E' = 25.6
    assert shows([8, 0], ties="any") == ([0, *always], [])
    assert shows([4, 1]) == (always, [])  # E = (27 + 32 / 3) / 2 = 18.8
    assert shows([4, 0], [0, 1]) == ([0, *always], [])  # what was marked stays
    assert shows([0, 1], [4, 0]) == (always, [])
    assert shows([3, 0], level=0.6857) == (always, [])  # 12 / 17.5 = 0.68571..
    assert shows([3, 0], level=0.6858) == ([0, *always], [])
    assert shows([1, 0], error=0) == ([0, *always], [])
    # the second environment to appear has three times the threshold
    first = {"environment": 0, "kind": "policy", "probabilities": [[0, 0]] * 3, "shows": "some"}
    later = {"environment": 1, "kind": "counts", "counts": [[4, 0], [0, 0], [0, 0]]}
    assert marked(statement([fork(), fork()], [first, later], noisy))[1] == (always, [])
    assert marked(statement([fork(), fork()], [later, first], noisy))[1] == ([0, *always], [])
    # an environment keeps the place at which it appeared first
    again = [first, first | {"environment": 1}, later | {"environment": 0}]
    assert marked(statement([fork(), fork()], again, noisy))[0] == ([0, *always], [])
    # a probability of errors shows nothing; what is the same as a shown action is not worse
    errs = first | {"probabilities": [[0.7, 0.3], [0.25, 0.75], [0, 0]], "shows": "all"}
    assert marked(statement([fork(), fork()], [errs], noisy))[0] == ([0, 1, *always], [])
    errs["probabilities"][0] = [0.75, 0.25]
    assert marked(statement([fork(), fork()], [errs], noisy))[0] == ([0, *always], [1])


def plain(env, family):
    """An environment as the format has it."""
    return {
        "states": env.n_states,
        "actions": env.n_actions,
        "discount": env.discount,
        "initial": env.initial.tolist(),
        "transitions": triples(env.transitions),
        "features": triples(family.matrix(env)),
    }


def triples(matrix):
    """Entries of a sparse matrix."""
    found = matrix.tocoo()
    return [list(entry) for entry in zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True)]


def random_environment(random, n_states=4, n_actions=3):
    """Probabilities in eighths, so that actions are the same now and then."""
    rows = random.multinomial(random.choice([1, 2, 8]), np.full(n_states, 1 / n_states), (n_states, n_actions))
    moves = rows / rows.sum(axis=2, keepdims=True)
    copies = random.integers(n_actions, size=(n_states, n_actions))
    return Environment(np.take_along_axis(moves, copies[:, :, None], axis=1), float(random.choice([0.5, 0.9])))


def random_evidence(random, worlds, observations=5):
    """Observations, as the library and as the format have them."""
    pairs, listed = [], []
    for _ in range(observations):
        number = int(random.integers(len(worlds)))
        shape = worlds[number].n_states, worlds[number].n_actions
        if random.random() < 0.5:
            counts = random.integers(0, 9, shape) * (random.random((shape[0], 1)) < 0.7)
            counts = counts * random.choice([1, 1, 100], (shape[0], 1)) * (random.random(shape) < 0.5)
            pairs.append((worlds[number], Counts(counts)))
            listed.append({"environment": number, "kind": "counts", "counts": counts.tolist()})
        else:
            policy = random.integers(0, 3, shape) * 1.0 * (random.random((shape[0], 1)) < 0.7)
            policy /= np.maximum(policy.sum(axis=1, keepdims=True), 1)
            shows = str(random.choice(["all", "some"]))
            pairs.append((worlds[number], Policy(policy, shows=shows)))
            seen = {"environment": number, "kind": "policy", "probabilities": policy.tolist(), "shows": shows}
            listed.append(seen)
    return pairs, listed


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("ties", [None, "any", "even"])
def test_marks_are_those_of_identified_sets(seed, ties):
    random = np.random.default_rng(seed)
    worlds = [random_environment(random) for _ in range(3)]
    family = rewards.StateRewards(4) if seed % 2 else rewards.StateActionRewards(4, 3)
    pairs, listed = random_evidence(random, worlds)
    assumed, chosen = {"rationality": "optimal"}, {}
    if ties:
        assumed = {"rationality": "noisy", "error": float(random.choice([0, 0.1, 0.3])), "level": 0.05, "ties": ties}
        chosen = assumed
    ident = identify(pairs, family, **chosen)
    assert type(ident).__name__ == ("NoisySet" if ties else "OptimalSet")
    said = statement([plain(env, family) for env in worlds], listed, assumed) | {"parameters": family.dim}
    said["property"] = said["property"] | {"weights": [0] * family.dim}
    found = marked(said)
    expected = {}
    for system in ident.systems:
        number = next(place for place, env in enumerate(worlds) if env.digest == system.env.digest)
        rows = (np.flatnonzero(mask).tolist() for mask in (system.shown, system.strict))
        expected[number] = tuple(rows)
    assert found == expected


def powers(counts, error):
    """E times A, as products of powers, of the first of these counts."""
    n_actions, m, n = len(counts), counts[0], sum(counts)
    slip = error / n_actions
    chances = [(1 - error) / k + slip for k in range(1, n_actions + 1)]
    return [[(q / slip, m), ((1 - q) / (1 - slip), n - m)] for q in chances]


def test_thresholds_that_are_met_exactly_are_reached():
    """Equality of numbers with thousands of digits, which no rounding decides; and one part in 10^9000 less or more."""
    third, counts = Fraction(1, 3), [4000, 1000]
    exact = sum(a**m * b**n for (a, m), (b, n) in powers(counts, third))
    assert reaches(powers(counts, third), exact)
    assert not reaches(powers(counts, third), exact * (1 + Fraction(1, 10**9000)))
    assert reaches(powers(counts, third), exact * (1 - Fraction(1, 10**9000)))
    assert reaches([[(Fraction(0), 2)]], Fraction(1)) is False
    assert reaches([[(Fraction(0), 0)]], Fraction(1)) is True


@pytest.mark.parametrize("seed", range(40))
def test_evidence_of_choices_is_compared_as_fractions_are(seed):
    random = np.random.default_rng(seed)
    counts = [int(n) for n in random.integers(0, 60, 3)]
    error = Fraction(int(random.integers(1, 100)), 100)
    exact = sum(a**m * b**n for (a, m), (b, n) in powers(counts, error))
    for change in (1, Fraction(10**40 + 1, 10**40), Fraction(10**40 - 1, 10**40), Fraction(1, 2), 2):
        goal = exact * change
        assert reaches(powers(counts, error), goal) == (exact >= goal)


def test_counts_of_any_size_are_decided_or_refused_but_never_awaited():
    noisy = {"rationality": "noisy", "error": 0.123456789012345, "level": 0.05, "ties": "even"}
    seen = {"environment": 0, "kind": "counts", "counts": [[10**15, 10**14], [10**300, 1], [3, 10**350]]}
    assert marked(statement([fork()], [seen], noisy)) == {0: ([0, 2, 3, 4, 5], [1, 3, 4])}
    close = [[(Fraction(10**90 + 1, 10**90), 10**90)]]
    assert reaches(close, Fraction(271828182845904, 10**14)) is True
    huge = Fraction(10**9 + 1, 10**9)
    assert reaches([[(huge, 10**12), (1 / huge, 10**12)]], Fraction(1)) is None
