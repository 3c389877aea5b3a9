"""Nothing that concludes sees the truth: evidence does not lead back to the agent that it was seen of.

Three ways to see it.  Evidence is followed through every object that it holds, and neither the agent nor its objective
is among them.  What asks an agent itself (campaigns, searches, watching) gets one of which everything but its behaviour
raises, and comes to the same.  And in the studies, everything that is handed to what concludes is followed likewise.
"""

import gc
import sys
import types

import numpy as np
import pytest

import irl_ident as ii
from environments import branching_star
from studies import ambiguity, amin_singh, verification
from studies.study import Settings

SKIPPED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType, types.CodeType)
FAMILY = ii.rewards.StateRewards(4)
TRUTH = np.array([0.1, 0.7, 0.2, 1.0])

AGENTS = {
    "optimal": lambda: ii.agents.Optimal(FAMILY, TRUTH),
    "soft": lambda: ii.agents.SoftOptimal(FAMILY, TRUTH, 0.5),
    "Boltzmann": lambda: ii.agents.Boltzmann(FAMILY, TRUTH, 0.5),
    "noisy": lambda: ii.agents.Noisy(FAMILY, TRUTH, 0.1),
    "short-sighted": lambda: ii.agents.ShortSighted(FAMILY, TRUTH, 2),
    "hyperbolic": lambda: ii.agents.Hyperbolic(FAMILY, TRUTH, 1.0, 10),
}


@pytest.fixture
def env():
    return ii.builders.random_environment(4, 3, 0.9, np.random.default_rng(0))


def held_by(*roots):
    """Every object that can be come to from ``roots``, but not through classes, modules and functions."""
    seen, ahead = {}, list(roots)
    while ahead:
        here = ahead.pop()
        if id(here) in seen or isinstance(here, SKIPPED):
            continue
        seen[id(here)] = here
        ahead += gc.get_referents(here)
        if isinstance(here, np.ndarray) and here.base is not None:
            ahead.append(here.base)
    return seen.values()


def knows(roots, agents):
    """Whether ``roots`` lead to one of the agents, or to an array that is its objective."""
    objectives = [agent.theta for agent in agents]
    for held in held_by(*roots):
        if any(held is agent for agent in agents):
            return True
        if isinstance(held, np.ndarray) and held.dtype == float:
            if any(np.shares_memory(held, theta) for theta in objectives):
                return True
            if any(held.shape == theta.shape and np.array_equal(held, theta) for theta in objectives):
                return True
    return False


@pytest.mark.parametrize("name", AGENTS)
def test_evidence_does_not_lead_back_to_the_agent(name, env):
    agent = AGENTS[name]()
    shown = agent.policy(env), agent.demonstrate(env, episodes=5, horizon=6, seed=1)
    assert not knows([[(env, seen) for seen in shown], env], [agent])
    assert knows([[(env, shown[0]), agent]], [agent])
    assert not knows([{"a": [TRUTH[:2] + 0.0]}], [agent])
    assert knows([{"a": [agent.theta[1:]]}], [agent])


def test_what_is_concluded_does_not_lead_back_to_the_agent(env):
    agent = ii.agents.Optimal(FAMILY, TRUTH)
    ident = ii.identify([(env, agent.policy(env))], FAMILY)
    estimate = ii.solvers.ChebyshevCenter().fit([(env, agent.policy(env))], FAMILY)
    proof = ii.certify(ident, ii.certificates.OptimalAction(0, 0), env)
    assert not knows([ident, estimate, proof, ident.report()], [agent])


class Behaviour:
    """What an agent shows; asking anything else of it is an error."""

    def __init__(self, agent):
        self.__agent = agent

    def policy(self, env):
        return self.__agent.policy(env)

    def demonstrate(self, env, **settings):
        return self.__agent.demonstrate(env, **settings)

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")


STRATEGIES = {
    "greedy": lambda: ii.design.Greedy(samples=100),
    "binary search": lambda: ii.design.BinarySearch(samples=100),
    "information": lambda: ii.design.InformationGain(samples=100),
    "minimax": ii.design.MinimaxWidth,
    "regret": lambda: ii.design.MaximinRegret(samples=100),
    "random": lambda: ii.design.Random(seed=3),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_campaign_asks_for_behaviour_alone(name):
    agent = ii.agents.Optimal(FAMILY, TRUTH)
    rng = np.random.default_rng(5)
    candidates = [ii.builders.random_environment(4, 3, 0.9, rng) for _ in range(5)]
    tables = []
    for shown in (agent, Behaviour(agent)):
        campaign = ii.design.Campaign(candidates, STRATEGIES[name](), FAMILY, until=ii.design.budget(3))
        campaign.run(shown)
        tables.append(campaign.table)
        assert not knows([campaign], [agent])
    assert tables[0].equals(tables[1])


def test_the_omnipotent_experimenter_asks_for_behaviour_alone():
    agent = ii.agents.Optimal(FAMILY, TRUTH)
    search = ii.design.ThresholdSearch(n_states=4, n_actions=3, discount=0.9, epsilon=0.01)
    found = [ii.design.locate(shown, search) for shown in (agent, Behaviour(agent))]
    np.testing.assert_array_equal(found[0].estimate, found[1].estimate)


@pytest.fixture
def followed(monkeypatch):
    """Agents that were made outside the library, and whether what concludes was handed one of them."""
    made, handed = [], []
    original = ii.agents.KnownAgent.__post_init__

    def remember(self):
        original(self)
        frame = next(f for f in callers() if f.startswith(("studies", "environments", "irl_ident.")))
        if frame.startswith(("studies", "environments")):
            made.append(self)

    def watched(verb):
        def call(*given, **settings):
            handed.append(knows([given, settings], made))
            return verb(*given, **settings)

        return call

    monkeypatch.setattr(ii.agents.KnownAgent, "__post_init__", remember)
    for name in ("identify", "certify", "assess"):
        monkeypatch.setattr(ii, name, watched(getattr(ii, name)), raising=False)
    monkeypatch.setattr(ii.design.Campaign, "tell", watched(ii.design.Campaign.tell))
    for solver in (getattr(ii.solvers, name) for name in ii.solvers.__all__):
        if isinstance(solver, type) and issubclass(solver, ii.solvers.Solver) and "fit" in vars(solver):
            monkeypatch.setattr(solver, "fit", watched(solver.fit))
    return made, handed


def callers():
    """Modules of the frames that led here, innermost first, but for those of agents and of dataclasses."""
    frame = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("irl_ident.agents"):
            yield module
        frame = frame.f_back


@pytest.mark.parametrize(("study", "part"), [(amin_singh, "animal"), (ambiguity, "tree"), (verification, "properties")])
def test_studies_hand_over_evidence_alone(study, part, followed):
    made, handed = followed
    study.run(next(task for task in study.tasks(Settings(quick=True)) if task["part"] == part))
    assert len(made) > 0
    assert len(handed) > 0
    assert not any(handed)


def test_a_study_that_cheats_is_found_out(followed):
    made, handed = followed
    env = branching_star.build([1, 2, 3])
    there = {
        "__name__": "studies.cheating",
        "ii": ii,
        "family": branching_star.family(),
        "theta": np.array([1, 0.5, 0.2]),
    }
    exec("agent = ii.agents.Optimal(family, theta)", there)
    agent = there["agent"]
    assert made == [agent]
    ii.identify([(env, agent.policy(env))], agent.family)
    assert handed == [False]
    with pytest.raises(ValueError, match="evidence"):
        ii.identify([(env, agent)], agent.family)
    assert handed == [False, True]
