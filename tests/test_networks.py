"""Certificates of networks against grids of inputs, closed forms, SMT (z3), Marabou and torch's own arithmetic."""

import itertools
import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import irl_ident as ii
from irl_ident.certificates import network_checking, network_wholes
from irl_ident.certificates.network_bounds import backward, neuron_bounds
from irl_ident.certificates.networks import (
    InputRegion,
    NetworkCertificate,
    Rejected,
    ReluNetwork,
    certified_actions,
    from_stable_baselines,
    from_torch,
    regions_around,
)


def random_network(seed, sizes, significand=None):
    """He initialisation (He et al. 2015) in single precision, with small biases."""
    rng = np.random.default_rng(seed)
    weights = [np.float32(rng.normal(size=(n, m)) * np.sqrt(2 / m)) for m, n in itertools.pairwise(sizes)]
    return ReluNetwork(weights, [np.float32(0.1 * rng.normal(size=n)) for n in sizes[1:]], significand)


def random_region(seed, network):
    rng = np.random.default_rng(seed)
    center, radius = rng.uniform(-1, 1, network.n_inputs), rng.uniform(0.05, 0.6)
    return InputRegion(center - radius, center + radius, 0, [int(np.argmax(network.outputs(center)))])


def exact_outputs(network, inputs):
    """Plain rational arithmetic, number by number."""
    values = [Fraction(x) for x in inputs]
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = [
            sum((Fraction(x) * v for x, v in zip(row, values, strict=True)), Fraction(c))
            for row, c in zip(w.tolist(), b.tolist(), strict=True)
        ]
        if layer < len(network.weights) - 1:
            values = [max(v, Fraction(0)) for v in values]
    return values


def lead(outputs, action):
    return outputs[action] - max(v for a, v in enumerate(outputs) if a != action)


def grid(region, points):
    axes = [np.linspace(low, high, points) for low, high in zip(region.lower, region.upper, strict=True)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


SIZES = [(1, 3, 2), (2, 8, 2), (2, 16, 3), (3, 6, 6, 3), (2, 5, 5, 5, 2)]


class TestAgainstBruteForce:
    @pytest.mark.parametrize("sizes", SIZES)
    def test_no_input_on_a_grid_contradicts_it(self, sizes):
        outcomes = set()
        for seed in range(8):
            network = random_network(seed, sizes)
            region = random_region(seed, network)
            certificate = certified_actions(network, [region])
            leads = network.outputs(grid(region, {1: 4001, 2: 101, 3: 21}[sizes[0]]))
            for action, found in certificate.found[0].items():
                outcomes.add(found.outcome)
                ahead = leads[:, action] - np.delete(leads, action, axis=1).max(axis=1)
                if found.outcome == "excluded":
                    assert ahead.max() < 0
                else:
                    assert found.outcome == "reached"
                    assert (found.inputs >= region.lower).all()
                    assert (found.inputs <= region.upper).all()
                    assert lead(exact_outputs(network, found.inputs.tolist()), action) > 0
            assert certificate.check()
        assert outcomes == {"excluded", "reached"}

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(*[st.integers(-3, 3)] * 4), min_size=1, max_size=4),
        st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
        st.integers(-4, 3),
        st.integers(0, 4),
        st.sampled_from([0, 0.25, 1]),
    )
    def test_one_input_two_actions_exactly(self, neurons, last, low, width, margin):
        """The lead is piecewise linear: it is largest at an end of the interval or where a neuron switches."""
        network = ReluNetwork(
            [[[w] for w, *_ in neurons], [[n[2] for n in neurons], [n[3] for n in neurons]]],
            [[n[1] for n in neurons], last],
        )
        kinks = [Fraction(-b, w) for w, b, *_ in neurons if w != 0]
        places = [Fraction(low), Fraction(low + width), *(x for x in kinks if low <= x <= low + width)]
        best = max(lead(exact_outputs(network, [x]), 1) for x in places)
        region = InputRegion([low], [low + width], 0, [0])
        certificate = certified_actions(network, [region], margin=margin)
        assert certificate.status == ("proved" if best < -margin else "refuted" if best > margin else "unknown",)
        if -margin < best <= margin:  # at -margin the one input that shows it may be no floating-point number
            assert certificate.found[0][1].outcome == "near"
        assert certificate.check()

    def test_a_switch_between_two_actions(self):
        """A network that turns at 1/2: proved short of it, refuted beyond it, unknown up to the tie itself."""
        network = ReluNetwork([[[1.0], [-1.0]], [[1.0, -1.0], [0.0, 0.0]]], [[0.0, 0.0], [0.0, 0.5]])
        ends = [np.nextafter(0.5, 0), 0.5, np.nextafter(0.5, 1)]
        certificate = certified_actions(network, [InputRegion([-1.0], [end], 0, [1]) for end in ends])
        assert certificate.status == ("proved", "unknown", "refuted")
        np.testing.assert_array_equal(certificate.found[1][0].inputs, [0.5])
        assert certificate.check()

    def test_equal_actions_are_told_apart_by_nobody(self):
        network = ReluNetwork([[[1.0, -1.0]], [[1.0], [1.0], [0.5]]], [[0.0], [1.0, 1.0, 0.0]])
        whole = np.ones(2)
        both, first = certified_actions(network, [InputRegion(-whole, whole, 0, a) for a in ([0, 1], [0])]).found
        assert {a: f.outcome for a, f in both.items()} == {0: "near", 1: "near", 2: "excluded"}
        assert {a: f.outcome for a, f in first.items()} == {1: "near", 2: "excluded"}

    def test_one_layer_is_a_linear_policy(self):
        network = ReluNetwork([[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]])
        regions = [InputRegion([2.0, 0.0], [3.0, 1.5], 0, [0]), InputRegion([1.0, 0.0], [3.0, 1.5], 0, [0])]
        assert certified_actions(network, regions).status == ("proved", "refuted")


class TestAgainstOtherVerifiers:
    @pytest.mark.parametrize("sizes", [(2, 6, 2), (3, 4, 4, 3)])
    def test_z3_agrees(self, sizes):
        z3 = pytest.importorskip("z3")

        def possible(network, region, action):
            solver = z3.Solver()
            values = [z3.Real(f"x{i}") for i in range(network.n_inputs)]
            for x, low, high in zip(values, region.lower.tolist(), region.upper.tolist(), strict=True):
                solver.add(x >= rational(low), x <= rational(high))
            for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
                sums = [
                    z3.Sum([rational(x) * v for x, v in zip(row, values, strict=True)]) + rational(c)
                    for row, c in zip(w.tolist(), b.tolist(), strict=True)
                ]
                values = [z3.If(z > 0, z, 0) for z in sums]
                if layer < len(network.weights) - 1:
                    named = [z3.Real(f"h{layer}_{i}") for i in range(len(sums))]
                    solver.add([h == v for h, v in zip(named, values, strict=True)])
                    values = named
            solver.add([sums[action] >= z for a, z in enumerate(sums) if a != action])
            return str(solver.check())

        def rational(x):
            return z3.RealVal(str(Fraction(x)))

        verdicts = []
        for seed in range(6):
            network = random_network(seed, sizes)
            region = random_region(seed, network)
            for action, found in certified_actions(network, [region]).found[0].items():
                verdicts.append((found.outcome, possible(network, region, action)))
        assert set(verdicts) == {("excluded", "unsat"), ("reached", "sat")}

    @pytest.mark.filterwarnings("ignore:.*parser is unavailable")
    @pytest.mark.parametrize("sizes", [(2, 16, 3), (4, 16, 16, 2)])
    def test_marabou_agrees(self, sizes):
        pytest.importorskip("maraboupy")
        from maraboupy import Marabou, MarabouNetwork

        def possible(network, region, action):
            query = MarabouNetwork.MarabouNetwork()
            below = [query.getNewVariable() for _ in range(network.n_inputs)]
            query.inputVars = [np.array(below)]
            for x, low, high in zip(below, region.lower.tolist(), region.upper.tolist(), strict=True):
                query.setLowerBound(x, low)
                query.setUpperBound(x, high)
            for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
                sums = [query.getNewVariable() for _ in b]
                for z, row, c in zip(sums, w.tolist(), b.tolist(), strict=True):
                    query.addEquality([z, *below], [-1.0, *row], -c)
                if layer < len(network.weights) - 1:
                    below = [query.getNewVariable() for _ in b]
                    for z, h in zip(sums, below, strict=True):
                        query.addRelu(z, h)
            query.outputVars = [np.array(sums)]
            for a, z in enumerate(sums):
                if a != action:
                    query.addInequality([z, sums[action]], [1.0, -1.0], 0.0)
            return query.solve(verbose=False, options=Marabou.createOptions(verbosity=0))[0]

        verdicts = []
        for seed in range(6):
            network = random_network(seed, sizes)
            region = random_region(seed, network)
            for action, found in certified_actions(network, [region]).found[0].items():
                verdicts.append((found.outcome, possible(network, region, action)))
        assert set(verdicts) == {("excluded", "unsat"), ("reached", "sat")}


class TestBounds:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from(SIZES), st.data())
    def test_any_slopes_bound_the_network(self, seed, sizes, data):
        """Whatever multipliers a leaf holds, no input has a larger value, and neurons stay in their intervals."""
        network = random_network(seed, sizes)
        region = random_region(seed, network)
        whole = network_wholes.whole_network(
            [w.tolist() for w in network.weights],
            [b.tolist() for b in network.biases],
            region.lower.tolist(),
            region.upper.tolist(),
        )
        inputs = np.random.default_rng(seed).uniform(region.lower, region.upper)
        hidden, values = [], inputs
        for w, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
            hidden.append(w @ values + b)
            values = np.maximum(hidden[-1], 0)
        neurons = [(k, i) for k, row in enumerate(hidden) for i in range(row.size)]
        chosen = data.draw(st.lists(st.sampled_from(neurons), max_size=3))
        phases = {(k, i): 1 if hidden[k][i] > 0 else -1 for k, i in chosen}
        known = network_wholes.intervals(whole, whole.lower, whole.upper, phases)
        floats = neuron_bounds(network, region.lower, region.upper, phases)
        for k, (row, bounds, (low, high)) in enumerate(zip(hidden, known, floats, strict=True)):
            unit = 2 ** ((k + 2) * whole.digits)
            exact = np.array([[a / unit, b / unit] for a, b in bounds])
            assert (exact[:, 0] <= row + 1e-12).all()
            assert (row <= exact[:, 1] + 1e-12).all()
            np.testing.assert_allclose(np.column_stack([low, high]), exact, rtol=1e-9, atol=1e-9)
        slopes = [
            [data.draw(st.integers(-5, 5)) << (len(hidden) - k) * whole.digits for _ in row]
            for k, row in enumerate(hidden)
        ]
        weights = [data.draw(st.integers(-5, 5)) for _ in values]
        bound = network_wholes.at_most(whole, whole.lower, whole.upper, known, weights, slopes)
        assert float(np.dot(weights, values)) <= bound / 2 ** ((len(hidden) + 1) * whole.digits) + 1e-9

    def test_backward_bounds_are_the_rules(self):
        """Floating point and whole numbers compute the same bound, up to rounding."""
        network = random_network(3, (3, 6, 6, 3))
        region = random_region(3, network)
        known = neuron_bounds(network, region.lower, region.upper, {})
        bound = backward(network, region.lower, region.upper, known, network.weights[-1])
        whole = network_wholes.whole_network(
            [w.tolist() for w in network.weights],
            [b.tolist() for b in network.biases],
            region.lower.tolist(),
            region.upper.tolist(),
        )
        exact = network_wholes.intervals(whole, whole.lower, whole.upper, {})
        again = [network_wholes.at_most(whole, whole.lower, whole.upper, exact, row) for row in whole.weights[-1]]
        np.testing.assert_allclose(bound, [x / 2**whole.scale for x in again], rtol=1e-12)

    @pytest.mark.parametrize("sizes", [(2, 16, 3), (4, 64, 64, 2)])
    def test_rounding_stays_within_the_margin(self, sizes):
        """Single precision, sums in many orders, against rational arithmetic; and the bound is not idle."""
        network = random_network(0, sizes, significand=24)
        region = random_region(0, network)
        given = [w.tolist() for w in network.weights], [b.tolist() for b in network.biases]
        whole = network_wholes.whole_network(*given, region.lower.tolist(), region.upper.tolist())
        allowed = network_wholes.needed_margin(whole, 0.0, 24) / 2**whole.scale
        exact = network_wholes.needed_margin(whole, 0.5, None) / 2**whole.scale
        assert exact == 0.5
        rng = np.random.default_rng(0)
        worst = 0.0
        for _ in range(10):
            inputs = rng.uniform(region.lower, region.upper)
            truth = np.array([float(x) for x in exact_outputs(network, inputs.tolist())])
            values = np.float32(inputs)
            for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
                terms = np.concatenate([np.float32(w) * values, np.float32(b)[:, None]], axis=1)
                values = rng.permuted(terms, axis=1).cumsum(axis=1, dtype=np.float32)[:, -1]
                values = np.maximum(values, 0) if layer < len(network.weights) - 1 else values
            off = values - truth
            worst = max(worst, off.max() - off.min())
        assert 0 < worst < allowed
        assert allowed < 0.01 * np.abs(network.outputs(region.lower)).max()


@pytest.fixture(scope="module")
def certificate():
    """A box in which a network chooses one action only, which takes splits to prove, and a table of the other."""
    network, center = random_network(5, (2, 12, 12, 2)), np.random.default_rng(5).uniform(-1, 1, 2)
    regions = [InputRegion(center - 0.7, center + 0.7, 0, [a]) for a in (0, 1)]
    return certified_actions(network, regions)


class TestProofs:
    @pytest.fixture
    def document(self, certificate):
        return json.loads(json.dumps(certificate.document()))

    def test_what_it_is_about(self, certificate, document):
        assert sorted(certificate.status) == ["proved", "refuted"]
        assert network_checking.check(document) == list(certificate.status)

    def test_a_tree_of_both_kinds_of_splits(self):
        """Found by narrowing the margin by which an action is worse until bounds alone do not do."""
        kinds = set()
        for seed in range(12):
            network = random_network(seed, (4, 16, 16, 2))
            rng = np.random.default_rng(seed)
            center = rng.uniform(-1, 1, 4)
            region = InputRegion(center - 0.3, center + 0.3, 0, [int(np.argmax(network.outputs(center)))])
            certificate = certified_actions(network, [region], most_parts=60)
            assert certificate.check()
            kinds |= {key for f in certificate.found[0].values() if f.tree for key in f.tree}
        assert kinds >= {"input", "neuron", "rivals"}

    def test_a_false_claim_has_no_proof(self, certificate, document):
        """The proof of the proved region does not carry over to the other action, nor to a wider box."""
        proved = certificate.status.index("proved")
        ((action, tree),) = document["results"][proved]["excluded"].items()
        document["results"][proved]["excluded"] = {str(1 - int(action)): tree}
        with pytest.raises(Rejected, match=f"results/{proved}/excluded/{1 - int(action)}: a leaf does not show"):
            network_checking.check(document)
        document["results"][proved]["excluded"] = {action: tree}
        document["statement"]["regions"][proved]["upper"] = [5.0, 5.0]
        with pytest.raises(Rejected):
            network_checking.check(document)

    @settings(max_examples=80, deadline=None)
    @given(st.integers(0, 30), st.data())
    def test_no_multipliers_prove_what_is_false(self, seed, data):
        """At an input of the box the action is chosen: then no tree whatever shows that it never is."""
        network = random_network(seed, (2, 4, 4, 2))
        inputs = np.random.default_rng(seed).uniform(-1, 1, 2)
        action = int(np.argmax(network.outputs(inputs)))
        region = InputRegion(inputs - 0.1, inputs + 0.1, 0, [1 - action])

        def tree(depth):
            kind = data.draw(st.sampled_from(["leaf", "input", "neuron"] if depth else ["leaf"]))
            if kind == "input":
                return {"input": data.draw(st.integers(0, 1)), "below": tree(depth - 1), "above": tree(depth - 1)}
            if kind == "neuron":
                place = [data.draw(st.integers(0, 1)), data.draw(st.integers(0, 3))]
                return {"neuron": place, "inactive": tree(depth - 1), "active": tree(depth - 1)}
            numbers = st.integers(-1000, 1000)
            slopes = [[data.draw(numbers) for _ in range(4)] for _ in range(2)]
            rivals = [0, 0]
            rivals[1 - action] = data.draw(st.integers(0, 1000))
            return {"rivals": rivals, "slopes": slopes}

        document = certified_actions(network, [region], most_parts=1).document()
        document["results"] = [{"excluded": {str(action): tree(2)}, "reached": {}, "near": {}}]
        with pytest.raises(Rejected):
            network_checking.check(document)

    def test_damage_is_named(self, certificate, document):
        refuted = certificate.status.index("refuted")
        proved = 1 - refuted
        ((action, inputs),) = document["results"][refuted]["reached"].items()

        def swayed(d):
            """Biases with which the network chooses what it was shown never to choose."""
            ((never, _),) = d["results"][proved]["excluded"].items()
            return [*d["statement"]["network"]["biases"][:-1], [50.0 * (a == int(never)) for a in range(2)]]

        cases = [
            (lambda d: d["results"][refuted]["reached"].update({action: [9.0, 9.0]}), "reached"),
            (lambda d: d["results"][refuted]["reached"].update({str(1 - int(action)): inputs}), "reached"),
            (lambda d: d["statement"].update(margin=50.0), "results"),
            (lambda d: d["statement"].update(margin=-1.0), "statement/margin"),
            (lambda d: d["statement"]["network"].update(biases=swayed(d)), "results"),
            (lambda d: d["statement"]["network"]["weights"][0].pop(), "layer 0"),
            (lambda d: d["statement"]["network"].update(significand=11), "significand"),
            (lambda d: d["statement"]["regions"][0].update(lower=[float("nan"), 0.0]), "box"),
            (lambda d: d["statement"]["regions"][0].update(lower=[-(2**60), 0]), "box"),
            (lambda d: d["statement"]["regions"][0].update(lower=[3.0, 3.0]), "upside down"),
            (lambda d: d["statement"]["regions"][0].update(actions=[]), "actions"),
            (lambda d: d["results"].pop(), "results: are 1"),
            (lambda d: d["results"][proved].pop("near"), "excluded, reached and near"),
            (lambda d: d.update(version=2), "format"),
            (lambda d: d.pop("statement"), "not of this format"),
            (lambda d: d["results"][proved].update(excluded={"x": {}}), "number of an action"),
            (lambda d: d["results"][proved].update(excluded={"0": {"rivals": [1], "slopes": []}}), "a leaf should"),
            (lambda d: d["results"][proved].update(excluded={"0": {"neuron": [5, 0]}}), "should be an index below 2"),
        ]
        for damage, named in cases:
            damaged = json.loads(json.dumps(document))
            damage(damaged)
            with pytest.raises(Rejected, match=named):
                network_checking.check(damaged)

    def test_a_missing_proof_is_no_proof(self, certificate, document):
        proved = certificate.status.index("proved")
        document["results"][proved]["excluded"] = {}
        assert network_checking.check(document)[proved] == "unknown"

    def test_files(self, certificate, tmp_path):
        file = tmp_path / "certificate.json"
        certificate.save(file)
        again = NetworkCertificate.load(file)
        assert again.document() == certificate.document()
        assert again.status == certificate.status
        command = [sys.executable, "-m", "irl_ident.certificates.network_checking"]
        said = subprocess.run([*command, file], capture_output=True, text=True, check=True).stdout
        assert said == "verified: 1 proved, 1 refuted, 0 unknown\n"
        file.write_text(file.read_text().replace('"margin": 0.0', '"margin": 50.0'))
        with pytest.raises(ValueError, match="results/"):
            NetworkCertificate.load(file)
        refused = subprocess.run([*command, file], capture_output=True, text=True, check=False)
        assert (refused.returncode, refused.stdout[:9]) == (1, "rejected:")
        assert subprocess.run(command, capture_output=True, check=False).returncode == 2
        file.write_text("no JSON")
        with pytest.raises(Rejected, match="is not JSON"):
            NetworkCertificate.load(file)

    def test_the_checker_needs_the_standard_library_alone(self):
        code = "import sys, irl_ident.certificates.network_checking; print('numpy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"

    def test_the_search_ends_at_its_limit(self):
        network = random_network(0, (4, 16, 16, 2))
        center = np.random.default_rng(0).uniform(-1, 1, 4)
        wide = [
            InputRegion(center - r, center + r, 0, [int(np.argmax(network.outputs(center)))]) for r in (0.2, 0.3, 0.4)
        ]
        certificate = certified_actions(network, wide, most_parts=1)
        assert all(found.parts <= 1 for one in certificate.found for found in one.values())
        assert certificate.check()


class TestEvidence:
    network = ReluNetwork([[[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]], [[0.0, 0.0], [0.0, 0.0, 0.25]])

    def test_states_are_shown_only_where_all_their_regions_are_proved(self):
        regions = [
            InputRegion([0.5], [1.0], 0, [0]),
            InputRegion([-1.0], [-0.5], 1, [1]),
            InputRegion([-1.0], [-0.1], 1, [1]),
            InputRegion([-1.0], [1.0], 2, [0, 1, 2]),
            InputRegion([0.5], [1.0], 3, [0, 1]),
        ]
        certificate = certified_actions(self.network, regions)
        assert certificate.status == ("proved", "proved", "refuted", "proved", "proved")
        shown = certificate.policy(5, 3)
        third = [1 / 3] * 3
        np.testing.assert_array_equal(shown.probabilities, [[1, 0, 0], [0, 0, 0], third, [1, 0, 0], [0, 0, 0]])
        assert shown.shows == "some"
        table = certificate.table
        assert table[(table.region == 4) & (table.action == 1)].outcome.item() == "excluded"
        assert certificate.counterexamples().keys() == {2}
        action, inputs = certificate.counterexamples()[2]
        assert action == 2
        assert np.argmax(self.network.outputs(inputs)) == 2
        assert repr(certificate).endswith("5 regions: 4 proved, 1 refuted, 0 unknown)")

    def test_identification_from_a_certificate(self):
        """A corridor, and a network that walks right from what it sees; what it does in the last cell is not known."""
        moves, here = np.zeros((4, 2, 4)), np.arange(4)
        moves[here, 0, np.maximum(here - 1, 0)] = moves[here, 1, np.minimum(here + 1, 3)] = 1
        env = ii.Environment(moves, 0.9, actions=["left", "right"])
        right = np.tile([0.0, 1.0], (4, 1))
        network = ReluNetwork([[[1.0]], [[0.0], [-1.0]]], [[-2.0], [0.0, 0.5]])
        certificate = certified_actions(network, regions_around(here[:, None] / 1.2, 0.25, right))
        assert certificate.status == ("proved", "proved", "proved", "refuted")
        seen = certificate.policy(4, 2)
        np.testing.assert_array_equal(seen.observed, [True, True, True, False])
        ident = ii.identify([(env, seen)], ii.rewards.StateRewards(4))
        assert ident.contains([0.0, 0.0, 0.0, 1.0])
        assert not ident.contains([1.0, 0.0, 0.0, 0.0])

    def test_faults(self):
        certificate = certified_actions(self.network, [InputRegion([0.5], [1.0], 3, [0])])
        with pytest.raises(ValueError, match="n_states: was 2, a region stands for state 3"):
            certificate.policy(2, 3)
        with pytest.raises(ValueError, match="n_actions: was 4, the network has 3"):
            certificate.policy(4, 4)


@pytest.mark.parametrize(
    ("weights", "biases", "fault"),
    [
        ([], [], "weights: should be one matrix for each layer"),
        ([np.ones((2, 2))], [[0.0, np.nan]], r"biases\[0\]\[1\]: is nan"),
        ([[[np.inf], [0.0]]], [[0.0, 0.0]], r"weights\[0\]\[0, 0\]: is inf"),
        ([np.ones(2)], [[0.0]], r"weights\[0\]: should be an array with 2 dimensions"),
        ([np.ones((2, 2))], [[0.0]], r"biases\[0\]: should have 2 numbers"),
        ([np.ones((2, 2)), np.ones((2, 3))], [[0.0] * 2] * 2, r"weights\[1\]: takes 3 inputs"),
        ([np.ones((1, 2))], [[0.0]], "at least 2"),
    ],
)
def test_faults_of_networks_are_named(weights, biases, fault):
    with pytest.raises(ValueError, match=fault):
        ReluNetwork(weights, biases)


def test_other_faults_are_named():
    network = ReluNetwork([[[1.0], [0.0]]], [[0.0, 0.0]])
    cases = [
        (lambda: ReluNetwork([[[1.0], [0.0]]], [[0.0, 0.0]], 32), "significand: was 32"),
        (lambda: InputRegion([1.0], [0.0], 0, [0]), r"lower\[0\]: is 1.0, should be at most upper\[0\], 0.0"),
        (lambda: InputRegion([1.0], [1.0, 2.0], 0, [0]), "upper: has 2 numbers, should have 1"),
        (lambda: InputRegion([1.0], [np.inf], 0, [0]), r"upper\[0\]: is inf"),
        (lambda: InputRegion([1.0], [1.0], 0, []), r"actions: were \[\]"),
        (lambda: InputRegion([1.0], [1.0], -1, [0]), "state: was -1"),
        (
            lambda: certified_actions(network, [InputRegion([0.0, 0.0], [1.0, 1.0], 0, [0])]),
            r"regions\[0\]: has 2 inputs",
        ),
        (lambda: certified_actions(network, [InputRegion([0.0], [1.0], 0, [2])]), r"regions\[0\]: allows action 2"),
        (lambda: certified_actions(network, [], margin=-1), "margin: was -1"),
        (lambda: certified_actions(network, [], most_parts=0), "most_parts: was 0"),
        (lambda: regions_around([[0.0]], -0.1, [[1.0]]), "radius: should be 0 or more"),
        (lambda: regions_around([[0.0]], [0.1, 0.2], [[1.0]]), "radius: should be a number or have shape"),
        (lambda: regions_around([[0.0]], 0.1, [[1.0], [1.0]]), "policy: has 2 states, should have 1"),
    ]
    for call, fault in cases:
        with pytest.raises(ValueError, match=fault):
            call()


class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch")

    def test_numbers_are_taken_as_they_are(self, torch):
        nn = torch.nn
        for dtype, digits in ((torch.float32, 24), (torch.float64, 53)):
            torch.manual_seed(0)
            module = nn.Sequential(
                nn.Flatten(), nn.Sequential(nn.Linear(3, 8), nn.ReLU()), nn.Linear(8, 2, bias=False)
            ).to(dtype)
            network = from_torch(module)
            assert (network.sizes, network.significand) == ((3, 8, 2), digits)
            np.testing.assert_array_equal(network.biases[1], [0, 0])
            inputs = torch.rand(5, 3, dtype=torch.float64)
            with torch.no_grad():
                found = module.double()(inputs).numpy()
            np.testing.assert_allclose(network.outputs(inputs.numpy()), found, rtol=1e-13)

    def test_faults(self, torch):
        nn = torch.nn
        with pytest.raises(ValueError, match="with ReLU between them, was Linear, Tanh, Linear"):
            from_torch(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)))
        with pytest.raises(ValueError, match="was Linear, ReLU"):
            from_torch(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        with pytest.raises(ValueError, match=r"torch.float16, should be torch.float32"):
            from_torch(nn.Sequential(nn.Linear(2, 3).half()))
        broken = nn.Linear(2, 2)
        with torch.no_grad():
            broken.weight[0, 1] = float("nan")
        with pytest.raises(ValueError, match=r"weights\[0\]\[0, 1\]: is nan"):
            from_torch(nn.Sequential(broken))

    def test_what_rounding_hides_is_not_proved(self, torch):
        """Two outputs that differ by less than single precision holds: torch ties them and takes the first."""
        linear = torch.nn.Linear(1, 2)
        with torch.no_grad():
            linear.weight[:] = 1
            linear.bias[:] = torch.tensor([0, 2.0**-26])
            assert int(linear(torch.ones(1)).argmax()) == 0
        network, region = from_torch(torch.nn.Sequential(linear)), InputRegion([1.0], [2.0], 0, [1])
        exact = ReluNetwork(network.weights, network.biases)
        assert certified_actions(exact, [region]).status == ("proved",)
        assert certified_actions(network, [region]).status == ("unknown",)

    def test_a_cloned_walker(self, torch):
        """Trained on optimal steps seen through noise; certified cells are right at samples, in torch's arithmetic."""
        side = 4
        env = grid_world(side)
        reward = np.zeros(side**2)
        reward[-1] = 1
        family = ii.rewards.StateRewards(side**2)
        table = ii.agents.Optimal(family, reward).policy(env)
        places = np.array([[s // side, s % side] for s in range(side**2)], dtype=float)
        table[-1] = 0
        module = cloned(torch, places, table, radius=0.25)
        certificate = certified_actions(from_torch(module), regions_around(places, 0.25, table))
        assert certificate.check()
        assert certificate.status.count("proved") >= 12
        rng = np.random.default_rng(0)
        for region, status in zip(certificate.regions, certificate.status, strict=True):
            if status == "proved":
                noisy = rng.uniform(region.lower, region.upper, (2000, 2))
                with torch.no_grad():
                    chosen = module(torch.tensor(noisy, dtype=torch.float32)).argmax(dim=1).numpy()
                assert set(chosen.tolist()) <= set(region.actions)
        for place, (action, inputs) in certificate.counterexamples().items():
            with torch.no_grad():
                assert int(module(torch.tensor(inputs, dtype=torch.float32)).argmax()) == action
            assert action not in certificate.regions[place].actions
        ident = ii.identify([(env, certificate.policy(side**2, 4))], family)
        assert ident.contains(reward)


def grid_world(side):
    """Steps up, down, left and right on a square of cells; walls stop them."""
    moves = np.zeros((side**2, 4, side**2))
    for row, column in itertools.product(range(side), repeat=2):
        for action, (down, right) in enumerate([(-1, 0), (1, 0), (0, -1), (0, 1)]):
            to = min(max(row + down, 0), side - 1) * side + min(max(column + right, 0), side - 1)
            moves[row * side + column, action, to] = 1
    return ii.Environment(moves, 0.9)


def cloned(torch, places, table, radius):
    """Behavioural cloning of one allowed action for each state, from observations with noise."""
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, table.shape[1]))
    kept = np.flatnonzero(table.any(axis=1))
    actions = torch.tensor(table[kept].argmax(axis=1))
    seen = torch.tensor(places[kept], dtype=torch.float32)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(300):
        noisy = seen + radius * (2 * torch.rand(8, *seen.shape) - 1)
        loss = nn.functional.cross_entropy(module(noisy).flatten(0, 1), actions.repeat(8))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module


@pytest.fixture(scope="module")
def models():
    sb3 = pytest.importorskip("stable_baselines3")
    import torch

    relu = {"net_arch": [8, 8], "activation_fn": torch.nn.ReLU}
    ppo = sb3.PPO("MlpPolicy", "CartPole-v1", policy_kwargs=relu, seed=0, device="cpu")
    return ppo, sb3.DQN("MlpPolicy", "CartPole-v1", policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")


class TestStableBaselines:
    def test_networks_choose_as_their_models(self, models):
        rng = np.random.default_rng(0)
        seen = rng.uniform(-1, 1, (200, 4)).astype(np.float32)
        for model, sizes in zip(models, ((4, 8, 8, 2), (4, 8, 2)), strict=True):
            network = from_stable_baselines(model)
            assert (network.sizes, network.significand) == (sizes, 24)
            chosen, _ = model.predict(seen, deterministic=True)
            outputs = network.outputs(seen)
            clear = np.abs(outputs[:, 0] - outputs[:, 1]) > 1e-5
            assert clear.sum() > 150
            np.testing.assert_array_equal(outputs.argmax(axis=1)[clear], chosen[clear])

    def test_faults(self):
        sb3 = pytest.importorskip("stable_baselines3")
        with pytest.raises(ValueError, match="was Linear, Tanh, Linear, Tanh, Linear"):
            from_stable_baselines(sb3.PPO("MlpPolicy", "CartPole-v1", device="cpu"))
        with pytest.raises(ValueError, match="should be Discrete"):
            from_stable_baselines(sb3.PPO("MlpPolicy", "Pendulum-v1", device="cpu"))
        with pytest.raises(ValueError, match="should be a Box"):
            from_stable_baselines(sb3.PPO("MlpPolicy", "FrozenLake-v1", device="cpu"))
