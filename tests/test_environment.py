import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from irl_ident import Environment, builders
from irl_ident.names import Numbered
from irl_ident.transitions import endless


def table(seed=0, n_states=4, n_actions=3):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(n_states), size=(n_states, n_actions))
    rows[rng.random(rows.shape) < 0.3] = 0
    rows[rows.sum(axis=2) == 0, 0] = 1
    return rows / rows.sum(axis=2, keepdims=True)


def broken(change):
    rows = np.full((3, 2, 3), 1 / 3)
    change(rows)
    return rows


def put(place, value):
    def change(rows):
        rows[place] = value

    return broken(change)


FORMS = {
    "dense": lambda rows: rows,
    "fortran order": np.asfortranarray,
    "csr": lambda rows: sparse.csr_array(rows.reshape(-1, rows.shape[2])),
    "csc matrix": lambda rows: sparse.csc_matrix(rows.reshape(-1, rows.shape[2])),
    "coo": lambda rows: sparse.coo_array(rows.reshape(-1, rows.shape[2])),
    "arrays by action": lambda rows: [rows[:, a] for a in range(rows.shape[1])],
    "sparse by action": lambda rows: tuple(sparse.csc_array(rows[:, a]) for a in range(rows.shape[1])),
    "mixed by action": lambda rows: [rows[:, 0], *(sparse.coo_matrix(rows[:, a]) for a in range(1, rows.shape[1]))],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_transitions_is_the_same_environment(form):
    rows = table()
    env = Environment(FORMS[form](rows), 0.9)
    assert env.digest == Environment(rows, 0.9).digest
    np.testing.assert_array_equal(env.dense(), rows)
    assert (env.n_states, env.n_actions) == (4, 3)


def test_duplicates_unsorted_entries_and_stored_zeros_of_a_sparse_matrix_do_not_matter():
    data, indices = [0.25, 0.5, 0.25, 0.0, 1.0], [1, 0, 1, 0, 1]
    untidy = sparse.csr_array((data, indices, [0, 3, 5]), shape=(2, 2))
    assert Environment(untidy, 0.9).digest == Environment(np.array([[[0.5, 0.5]], [[0.0, 1.0]]]), 0.9).digest
    assert untidy.nnz == 5


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.uint8, bool])
def test_other_numbers_are_taken_exactly(dtype):
    rows = np.eye(3)[[[0, 1], [1, 2], [2, 2]]]
    given_rows = rows.astype(dtype)
    assert Environment(given_rows, 0.5).digest == Environment(rows, 0.5).digest
    assert Environment(sparse.csr_array(given_rows.reshape(6, 3)), 0.5).digest == Environment(rows, 0.5).digest


DIGESTS = {
    "as it is": lambda rows: Environment(rows, 0.9),
    "discount": lambda rows: Environment(rows, 0.8),
    "initial": lambda rows: Environment(rows, 0.9, np.eye(4)[0]),
    "states": lambda rows: Environment(rows, 0.9, states=["a", "b", "c", "d"]),
    "split": lambda rows: Environment(rows, 0.9, states=["a", "b", "c", "d\0e"]),
    "split elsewhere": lambda rows: Environment(rows, 0.9, states=["a\0b", "c", "d", "e"]),
    "actions": lambda rows: Environment(rows, 0.9, actions=["a", "b", "c"]),
    "transitions": lambda rows: Environment(rows[:, ::-1], 0.9),
}


def test_different_environments_have_different_digests():
    digests = {made(table()).digest for made in DIGESTS.values()}
    assert len(digests) == len(DIGESTS)


def test_numbered_names_are_the_same_given_or_not():
    one = Environment(table(), 0.9)
    other = Environment(table(), 0.9, states=[f"s{i}" for i in range(4)], actions=["a0", "a1", "a2"])
    assert one.digest == other.digest
    assert one.states == other.states == ("s0", "s1", "s2", "s3")
    assert one.states != ("s0", "s1", "s2", "x")
    assert one.states != ("s0", "s1", "s2")
    assert hash(one.states) == hash(("s0", "s1", "s2", "s3"))
    assert list(one.states) == ["s0", "s1", "s2", "s3"]
    assert one.states[np.int64(2)] == one.states[-2] == "s2"
    assert one.states[1:3] == ("s1", "s2")
    assert one.states.index("s3") == 3
    assert Numbered("s", 3) != Numbered("a", 3)
    with pytest.raises(IndexError):
        _ = one.states[4]


@pytest.mark.parametrize(
    ("transitions", "message"),
    [
        (put((1, 0, 2), np.nan), r"transitions\[1, 0, 2\] is nan: should be a finite probability >= 0"),
        (put((2, 1, 0), np.inf), r"transitions\[2, 1, 0\] is inf: should"),
        (put((0, 1, 1), -0.25), r"transitions\[0, 1, 1\] is -0.25: should"),
        (put((2, 0, 0), 0.5), r"transitions\[2, 0\] sums to 1.166666666666666\d: should sum to 1"),
        (put((0, 1), 0.0), r"transitions\[0, 1\] sums to 0.0: should sum to 1"),
        (np.full((3, 3), 1 / 3), r"transitions: an array should have shape \(S, A, S\), this one has \(3, 3\)"),
        (np.full((3, 2, 4), 1 / 4), r"transitions: an array .* this one has \(3, 2, 4\)"),
        (np.zeros((0, 2, 0)), r"transitions: an array .* \(0, 2, 0\)"),
        (np.zeros((2, 0, 2)), r"transitions: an array .* \(2, 0, 2\)"),
        (np.ones((1, 1, 1), dtype=complex), "transitions: should hold real numbers, holds complex128"),
        (np.array([[["x"]]]), "transitions: should hold real numbers, holds <U1"),
        (
            sparse.csr_array(np.full((5, 3), 1 / 3)),
            r"transitions: a sparse matrix .* \(S \* A, S\), this one has \(5, 3\)",
        ),
        (sparse.csr_array((0, 3)), r"transitions: a sparse matrix .* \(0, 3\)"),
        (sparse.csr_array(np.ones((1, 1), dtype=complex)), "transitions: should be a sparse matrix of real numbers"),
        (sparse.csr_array([[np.nan, 1.0], [0.0, 1.0]]), r"transitions\[0, 0, 0\] is nan"),
        ([np.eye(3), np.eye(2)], r"action 1 has shape \(2, 2\), action 0 has \(3, 3\)"),
        ([np.ones((3, 2))], r"action 0 has shape \(3, 2\)"),
        ([np.eye(2), sparse.csr_array([[0.5, 0.5], [0.5, 0.4]])], r"transitions\[1, 1\] sums to 0.9"),
        ([np.eye(2), np.array([["x"]])], r"transitions\[action 1\]: should hold real numbers"),
        ([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]], r"nested lists could be indexed \[s, a, s'\] or"),
        ([], "transitions: should be an array .* not list without elements"),
        ("table", "transitions: should be an array .* not str"),
        (None, "transitions: should be an array .* not NoneType"),
    ],
)
def test_faulty_transitions_are_refused(transitions, message):
    with pytest.raises(ValueError, match=message):
        Environment(transitions, 0.9)


@pytest.mark.parametrize("off", [2e-8, -2e-8])
def test_rows_are_not_normalised(off):
    with pytest.raises(ValueError, match=r"transitions\[1, 0\] sums to .*: should sum to 1 within 1e-08"):
        Environment(np.array([[[1.0, 0.0]], [[0.5, 0.5 + off]]]), 0.9)
    rows = np.array([[[1.0, 0.0]], [[0.5, 0.5 + off / 4]]])
    np.testing.assert_array_equal(Environment(rows, 0.9).dense(), rows)


@pytest.mark.parametrize("discount", [-0.1, 1.1, np.nan, np.inf, -np.inf, None, "high", 1j])
def test_faulty_discounts_are_refused(discount):
    with pytest.raises(
        ValueError, match=r"discount: was .*, should be in \[0, 1\), or 1 where every policy terminates"
    ):
        Environment(table(), discount)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (np.full(3, 1 / 3), r"initial: should have shape \(4,\), was \(3,\)"),
        (np.full((4, 1), 1 / 4), r"initial: should have shape \(4,\), was \(4, 1\)"),
        (1.0, r"initial: should have shape \(4,\), was \(\)"),
        ([0.5, np.nan, 0.5, 0.0], r"initial\[1\] is nan: should be a finite probability >= 0"),
        ([1.5, 0.0, 0.0, -0.5], r"initial\[3\] is -0.5: should be"),
        ([np.inf, 0.0, 0.0, 0.0], r"initial\[0\] is inf: should be"),
        ([0.5, 0.25, 0.0, 0.0], r"initial: sums to 0.75, should sum to 1"),
        ([[0.5], [0.25, 0.0]], "initial: should be an array of real numbers"),
        ("first", "initial: should hold real numbers"),
    ],
)
def test_faulty_initial_distributions_are_refused(initial, message):
    with pytest.raises(ValueError, match=message):
        Environment(table(), 0.9, initial)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"states": ["a", "b", "a", "c"]}, "states: the name 'a' is given more than once"),
        ({"states": ["a", "b", "c"]}, "states: 3 names were given for 4 states"),
        ({"states": Numbered("s", 5)}, "states: 5 names were given for 4 states"),
        ({"states": "abcd"}, "states: should be a sequence of names, was the one string 'abcd'"),
        ({"actions": ["up", "down", "up"]}, "actions: the name 'up' is given more than once"),
        ({"actions": ["up"]}, "actions: 1 names were given for 3 actions"),
    ],
)
def test_faulty_names_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        Environment(table(), 0.9, **names)


def test_defaults():
    env = Environment(table(), 0)
    np.testing.assert_array_equal(env.initial, np.full(4, 0.25))
    assert env.actions == ("a0", "a1", "a2")
    assert env.discount == 0.0
    assert isinstance(env.discount, float)
    assert repr(env) == "Environment(4 states, 3 actions, discount 0)"


def sparse_parts(matrix):
    return matrix.data, matrix.indices, matrix.indptr


def test_nothing_can_be_written():
    env = Environment(table(), 0.9, np.eye(4)[0])
    arrays = [env.initial, env.absorbing]
    for matrix in (env.transitions, env.continuation, env.shaping):
        arrays += sparse_parts(matrix)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    with pytest.raises(AttributeError):
        env.discount = 0.5


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_shared_with_what_was_given(form):
    rows, initial = table(), np.full(4, 0.25)
    given_rows = FORMS[form](rows.copy())
    env = Environment(given_rows, 0.9, initial)
    before = env.digest
    initial[:] = 7
    for part in given_rows if isinstance(given_rows, list | tuple) else [given_rows]:
        (part.data if sparse.issparse(part) else part)[:] = 7
    np.testing.assert_array_equal(env.dense(), rows)
    np.testing.assert_array_equal(env.initial, 0.25)
    assert pickle.loads(pickle.dumps(env)).digest == before


@pytest.mark.parametrize("made", DIGESTS.values(), ids=DIGESTS)
def test_copies_are_equal(made):
    env = made(table())
    for twin in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert twin.digest == env.digest
        assert twin.states == env.states
        assert twin.actions == env.actions
        np.testing.assert_array_equal(twin.initial, env.initial)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
def test_continuation_shaping_and_backup_are_the_formulas(discount):
    rows, values = table(3), np.array([1.0, -2.0, 0.5, 4.0])
    env = Environment(rows, discount)
    np.testing.assert_allclose(env.continuation.toarray(), discount * rows.reshape(12, 4), rtol=1e-15)
    expected = values[:, None] - discount * np.einsum("san,n->sa", rows, values)
    np.testing.assert_allclose((env.shaping @ values).reshape(4, 3), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(env.backup(values), values[:, None] - expected, rtol=0, atol=1e-14)


def test_with_discount_one_absorbing_states_end_the_episode():
    rows = np.array([[[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]], [[0.5, 0.0, 0.5]] * 2, [[0.0, 0.0, 1.0]] * 2])
    env = Environment(rows, 1)
    np.testing.assert_array_equal(env.absorbing, [False, False, True])
    expected = rows.copy()
    expected[2] = 0
    np.testing.assert_array_equal(env.continuation.toarray(), expected.reshape(6, 3))
    np.testing.assert_array_equal((env.shaping @ np.array([0.0, 0.0, 1.0])).reshape(3, 2)[2], [1.0, 1.0])
    assert env.transitions.nnz == Environment(rows, 0.9).transitions.nnz


@pytest.mark.parametrize("seed", range(10))
def test_reachable_states_are_those_of_some_power_of_the_moves(seed):
    rng = np.random.default_rng(seed)
    table = np.eye(7)[rng.integers(7, size=(7, 2))]
    initial = np.zeros(7)
    initial[rng.choice(7, size=2, replace=False)] = 0.5
    env = Environment(table, 0.9, initial)
    moves = table.mean(axis=1) + np.eye(7)
    np.testing.assert_array_equal(env.reachable, initial @ np.linalg.matrix_power(moves, 7) > 0)
    assert Environment(table, 0.9).reachable.all()
    with pytest.raises(ValueError, match="read-only"):
        env.reachable[0] = False


def test_absorbing_states_are_kept_by_every_action():
    rows = np.eye(4)[[[0, 0], [1, 0], [2, 2], [2, 3]]]
    np.testing.assert_array_equal(Environment(rows, 0.9).absorbing, [True, False, True, False])
    almost = np.array([[[1.0, 0.0]], [[1e-12, 1 - 1e-12]]])
    np.testing.assert_array_equal(Environment(almost, 0.9).absorbing, [True, False])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        # No absorbing state at all.
        (np.full((2, 2, 2), 0.5), "from state 's0' action 'a0' can be followed"),
        # s0 and s1 hand over to each other for ever with action 1, though action 0 always leaves.
        (np.eye(3)[[[2, 1], [2, 0], [2, 2]]], "from state 's0' action 'a1' can be followed"),
        # s1 can stay; it is only entered by chance.
        (np.array([[[0, 0.1, 0.9]] * 2, [[0, 1, 0], [0, 0, 1]], [[0, 0, 1]] * 2]), "from state 's1' action 'a0'"),
    ],
)
def test_discount_one_needs_a_proof_of_termination(rows, message):
    with pytest.raises(
        ValueError, match=rf"discount: 1 needs every policy to end in an absorbing state, but {message}"
    ):
        Environment(rows, 1.0)
    assert Environment(rows, 0.999).discount == 0.999


def test_an_end_component_behind_exits_is_found():
    """Three rings with an exit to the next by every action; then an action in the second ring leaves its exit out."""
    rows = np.zeros((7, 2, 7))
    for ring in range(3):
        first, second = 2 * ring, 2 * ring + 1
        rows[first, :, second] = 1
        rows[second, :, [first, second + 1]] = 0.5
    rows[6, :, 6] = 1
    assert not endless(Environment(rows, 0.9).transitions, Environment(rows, 0.9).absorbing).any()
    rows[3, 1] = np.eye(7)[2]
    env = Environment(rows, 0.9)
    expected = np.zeros((7, 2), dtype=bool)
    expected[:3], expected[3, 1] = True, True
    np.testing.assert_array_equal(endless(env.transitions, env.absorbing), expected)


@st.composite
def small_supports(draw):
    n_states, n_actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    places = st.sets(st.integers(0, n_states - 1), min_size=1, max_size=2)
    rows = np.zeros((n_states, n_actions, n_states))
    for s, a in itertools.product(range(n_states), range(n_actions)):
        arrivals = sorted(draw(places))
        rows[s, a, arrivals] = 1 / len(arrivals)
    ends = draw(st.sets(st.integers(0, n_states - 1)))
    rows[sorted(ends)] = np.eye(n_states)[sorted(ends)][:, None, :]
    return rows


@given(small_supports())
def test_discount_one_is_accepted_exactly_when_every_deterministic_policy_ends(rows):
    """Brute force: an absorbing state can be reached from everywhere under every policy."""
    n_states, n_actions, _ = rows.shape
    absorbing = np.array([(rows[s, :, s] == 1).all() for s in range(n_states)])
    ends = True
    for choice in itertools.product(range(n_actions), repeat=n_states):
        chain = rows[np.arange(n_states), choice] > 0
        reach = np.linalg.matrix_power(np.eye(n_states) + chain, n_states) > 0
        ends &= bool(reach[:, absorbing].any(axis=1).all())
    if ends:
        env = Environment(rows, 1.0)
        np.testing.assert_array_equal(env.absorbing, absorbing)
    else:
        with pytest.raises(ValueError, match="discount: 1 needs"):
            Environment(rows, 1.0)


@given(small_supports())
def test_the_actions_that_never_end_are_the_largest_closed_set(rows):
    """Brute force over all sets of states: the union of those closed under a choice of actions."""
    env = Environment(rows, 0.9)
    n_states, n_actions, _ = rows.shape
    expected = np.zeros((n_states, n_actions), dtype=bool)
    for size in range(1, n_states + 1):
        for chosen in itertools.combinations(np.flatnonzero(~env.absorbing), size):
            inside = np.isin(np.arange(n_states), chosen)
            stays = ~(rows[:, :, ~inside] > 0).any(axis=2)
            if stays[inside].any(axis=1).all():
                expected |= stays & inside[:, None]
    np.testing.assert_array_equal(endless(env.transitions, env.absorbing), expected)


def test_a_long_corridor_terminates_with_discount_one():
    """Termination is proved in one pass: a corridor of 20,000 states takes 20,000 rounds of one state each."""
    n = 20_000
    arrivals = np.minimum(np.arange(n) + 1, n - 1)
    chain = sparse.csr_array((np.ones(n), arrivals, np.arange(n + 1)), shape=(n, n))
    env = Environment(chain, 1)
    assert env.absorbing.sum() == 1
    values = np.zeros(n)
    values[-1] = 3.0
    np.testing.assert_array_equal(env.backup(values)[-3:, 0], [0.0, 3.0, 0.0])


def test_a_hundred_thousand_states_are_light():
    env = builders.random_environment(100_000, 2, 0.9, seed=0, successors=3)
    assert isinstance(env.states, Numbered)
    assert len(pickle.dumps(env.states)) < 200
    assert env.transitions.nnz == 600_000
    assert env.states[99_999] == "s99999"
