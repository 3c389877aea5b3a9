"""Observations, what they are read as, and the faults that they refuse."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from irl_ident import Environment
from irl_ident.evidence import Counts, Policy, Trajectories, checked, counts, empirical_policy, shown


@pytest.fixture
def corridor() -> Environment:
    """Three states in a row, the last absorbing; action 0 stays, action 1 goes on."""
    moves = np.zeros((3, 2, 3))
    moves[[0, 1, 2], 0, [0, 1, 2]] = 1
    moves[[0, 1, 2], 1, [1, 2, 2]] = 1
    return Environment(moves, 0.9, states=["left", "middle", "right"], actions=["stay", "go"])


class TestPolicy:
    def test_support_is_what_is_shown(self, corridor: Environment) -> None:
        policy = np.array([[0.0, 1.0], [1e-300, 1.0], [0.0, 0.0]])
        seen = shown(corridor, policy)
        np.testing.assert_array_equal(seen.shown, [[False, True], [True, True], [False, False]])
        np.testing.assert_array_equal(seen.observed, [True, True, False])
        assert seen.complete
        assert not shown(corridor, Policy(policy, shows="some")).complete

    @pytest.mark.parametrize(
        ("probabilities", "fault"),
        [
            ([[0.5, 0.5]], r"probabilities: should have shape \(3, 2\) in this environment, was \(1, 2\)"),
            ([0.5, 0.5], r"probabilities: should have shape \(S, A\), was \(2,\)"),
            ([[1, 0], [np.nan, 1], [1, 0]], r"probabilities\[1, 0\] is nan"),
            ([[1, 0], [1, 0], [1.5, -0.5]], r"probabilities\[2, 1\] is -0.5"),
            ([[1, 0], [0.5, 0.4], [1, 0]], r"probabilities\[1\] sums to 0.9: should sum to 1, or to 0"),
        ],
    )
    def test_faults_are_named(self, corridor: Environment, probabilities: list[list[float]], fault: str) -> None:
        with pytest.raises(ValueError, match=fault):
            shown(corridor, np.array(probabilities, dtype=float))

    def test_shows_is_all_or_some(self) -> None:
        with pytest.raises(ValueError, match="shows: was 'most'"):
            Policy(np.eye(2), shows="most")  # type: ignore[arg-type]

    def test_has_no_counts(self, corridor: Environment) -> None:
        with pytest.raises(ValueError, match="a policy has probabilities and no counts"):
            counts(corridor, np.full((3, 2), 0.5))

    def test_is_its_own_and_cannot_be_changed(self) -> None:
        given = np.eye(2)
        policy = Policy(given)
        given[0] = 7
        np.testing.assert_array_equal(policy.probabilities, np.eye(2))
        with pytest.raises(ValueError, match="read-only"):
            policy.probabilities[0, 0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            policy.shows = "some"  # type: ignore[misc]


class TestCounts:
    def test_seen_actions_are_shown_but_never_all(self, corridor: Environment) -> None:
        seen = shown(corridor, Counts([[0, 4], [1, 1], [0, 0]]))
        np.testing.assert_array_equal(seen.shown, [[False, True], [True, True], [False, False]])
        np.testing.assert_array_equal(seen.observed, [True, True, False])
        assert not seen.complete

    def test_frequencies(self, corridor: Environment) -> None:
        policy = empirical_policy(corridor, Counts([[1, 3], [0, 2], [0, 0]]))
        np.testing.assert_array_equal(policy, [[0.25, 0.75], [0, 1], [0, 0]])

    @pytest.mark.parametrize(
        ("given", "fault"),
        [
            ([[1, -1]], r"counts\[0, 1\] is -1: should be a whole number >= 0"),
            ([[1.5, 1]], r"counts\[0, 0\] is 1.5"),
            ([[1, np.inf]], r"counts\[0, 1\] is inf"),
            ([[1e300, 1]], r"counts\[0, 0\] is 1e\+300"),
            ([1, 2], r"counts: should have shape \(S, A\), was \(2,\)"),
            ([["1", "2"]], "counts: should be whole numbers, was an array of <U1"),
        ],
    )
    def test_faults_are_named(self, given: list[list[float]], fault: str) -> None:
        with pytest.raises(ValueError, match=fault):
            Counts(given)

    def test_whole_floats_are_whole_numbers(self) -> None:
        np.testing.assert_array_equal(Counts(np.array([[2.0, 0.0]])).counts, [[2, 0]])


class TestTrajectories:
    def test_padded_and_ragged_and_cut_are_the_same(self) -> None:
        ragged = Trajectories([[0, 1, 2], [0, 0], [2]], [[1, 1], [0], []])
        padded = Trajectories(np.array([[0, 1, 2], [0, 0, -1], [2, -1, -1]]), np.array([[1, 1], [0, -1], [-1, -1]]))
        cut = Trajectories(np.array([[0, 1, 2], [0, 0, 9], [2, 9, 9]]), np.array([[1, 1], [0, 9], [9, 9]]), [2, 1, 0])
        for other in (padded, cut):
            for name in ("states", "actions", "lengths"):
                np.testing.assert_array_equal(getattr(ragged, name), getattr(other, name))

    def test_counts_by_hand(self, corridor: Environment) -> None:
        seen = Trajectories([[0, 0, 1, 2], [1, 2], [2]], [[0, 1, 1], [1], []])
        np.testing.assert_array_equal(counts(corridor, seen).counts, [[1, 1], [0, 2], [0, 0]])
        np.testing.assert_array_equal(empirical_policy(corridor, seen), [[0.5, 0.5], [0, 1], [0, 0]])
        reading = shown(corridor, seen)
        np.testing.assert_array_equal(reading.observed, [True, True, False])
        assert not reading.complete

    def test_episodes_come_without_padding(self) -> None:
        given = [([0, 1, 2], [1, 1]), ([0, 0], [0]), ([2], [])]
        seen = Trajectories([states for states, _ in given], [actions for _, actions in given])
        for (states, actions), (kept_states, kept_actions) in zip(given, seen, strict=True):
            np.testing.assert_array_equal(kept_states, states)
            np.testing.assert_array_equal(kept_actions, actions)
        states, actions, arrivals = seen.steps()
        np.testing.assert_array_equal(np.stack([states, actions, arrivals]), [[0, 1, 0], [1, 1, 0], [1, 2, 0]])

    @pytest.mark.parametrize(
        ("states", "actions", "lengths", "fault"),
        [
            ([], [], None, "states: should hold one sequence for each episode"),
            ([[0, 1]], [[1], [1]], None, "states: should hold one sequence for each episode"),
            ([[0, 1], [0, 1]], [[1], [1, 1]], None, "states: episode 1 has 2 states and 2 actions"),
            ([[0, -3]], [[1]], None, "states: episode 0, step 1: is -3, should be an index >= 0"),
            ([[0, 1, 2]], [[-1, 1]], None, "actions: episode 0, step 0: is -1"),
            (
                [[0.0, 1.0]],
                [[1]],
                None,
                "states: episode 0 should be a sequence of whole numbers, was an array of float64",
            ),
            ("ab", [[1]], None, "states: should be an array or a sequence of sequences, was str"),
            (7, [[1]], None, "states: should be an array or a sequence of sequences, was int"),
            ([[0, 1]], [[1]], [2], r"lengths\[0\] is 2: should be between 0 and 1"),
            ([[0, 1]], [[1]], [-1], r"lengths\[0\] is -1: should be between 0 and 1"),
            ([[0, 1]], [[1]], [1, 1], "lengths: should be 1 whole numbers"),
        ],
    )
    def test_faults_are_named(self, states: object, actions: object, lengths: object, fault: str) -> None:
        with pytest.raises(ValueError, match=fault):
            Trajectories(states, actions, lengths)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("states", "actions", "fault"),
        [
            ([[0, 1], [0, 3]], [[1], [1]], "states: episode 1, step 1: is 3, should be below 3"),
            ([[0, 1, 2]], [[1, 2]], "actions: episode 0, step 1: is 2, should be below 2"),
            (
                [[0, 1], [0, 1, 0]],
                [[1], [1, 1]],
                "states: episode 1, step 1: in this environment action 'go' never leads from state 'middle' to 'left'",
            ),
            ([[2, 1]], [[0]], "episode 0, step 0: .* action 'stay' never leads from state 'right' to 'middle'"),
        ],
    )
    def test_impossible_steps_are_named(
        self, corridor: Environment, states: list[list[int]], actions: list[list[int]], fault: str
    ) -> None:
        for read in (shown, counts, empirical_policy):
            with pytest.raises(ValueError, match=fault):
                read(corridor, Trajectories(states, actions))

    @given(st.integers(0, 2**32 - 1))
    def test_possible_steps_are_those_of_the_transitions(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        rows = random.random((12, 4)) * (random.random((12, 4)) < 0.5)
        rows[:, 0] += 0.1
        env = Environment(sparse.csr_array(rows / rows.sum(axis=1, keepdims=True)), 0.5)
        for state, action, arrival in random.integers([4, 3, 4], size=(20, 3)):
            step = Trajectories([[state, arrival]], [[action]])
            if env.dense()[state, action, arrival] > 0:
                step.check(env)
            else:
                with pytest.raises(ValueError, match="never leads"):
                    step.check(env)

    def test_steps_after_the_end_of_the_world_are_possible(self, corridor: Environment) -> None:
        np.testing.assert_array_equal(counts(corridor, Trajectories([[2, 2, 2]], [[0, 1]])).counts[2], [1, 1])

    def test_survives_pickling(self) -> None:
        seen = pickle.loads(pickle.dumps(Trajectories([[0, 1], [2]], [[1], []])))
        np.testing.assert_array_equal(seen.states, [[0, 1], [2, -1]])
        assert len(seen) == 2


class TestChecked:
    def test_arrays_become_policies(self, corridor: Environment) -> None:
        ((_, policy), (_, seen)) = checked([(corridor, np.full((3, 2), 0.5)), (corridor, Counts(np.ones((3, 2))))])
        assert isinstance(policy, Policy)
        assert policy.shows == "all"
        assert isinstance(seen, Counts)

    def test_faults_are_named(self, corridor: Environment) -> None:
        policy = np.full((3, 2), 0.5)
        two_states = Environment(np.full((2, 2, 2), 0.5), 0.9)
        for evidence, fault in [
            ([], "evidence: is empty"),
            (policy, r"evidence: should be a list of .* was ndarray"),
            ((corridor, policy), r"evidence\[0\]: should be an \(environment, observation\) pair, was Environment"),
            ([(policy, corridor)], r"evidence\[0\]: should be .* was tuple of \(ndarray, Environment\)"),
            ([(corridor, "policy")], r"evidence\[0\]: observation: should be an array .* was str"),
            ([(corridor, policy), (corridor, policy[:2])], r"evidence\[1\]: probabilities: should have shape \(3, 2\)"),
            (
                [(corridor, policy), (two_states, np.full((2, 2), 0.5))],
                r"evidence\[1\]: its environment has 2 states, that of evidence\[0\] 3",
            ),
        ]:
            with pytest.raises(ValueError, match=fault):
                checked(evidence)  # type: ignore[arg-type]
