"""Certificates of networks: what a network chooses anywhere in regions of inputs, not only at samples.

A table of actions stands for a network when, whatever input of a state's region it is shown, the network chooses an
action that the table allows in that state.  :func:`.certified_actions` proves that, or finds an input at which the
network chooses otherwise; :meth:`.NetworkCertificate.policy` is then evidence whose premise covers the network.

Proofs are found in floating point and checked in whole numbers by
:mod:`irl_ident.certificates.network_checking`, which trusts no solver.  Neither says anything about inputs outside of
the regions, nor about a policy that samples from its softmax: of that, the certificate says which action is the most
probable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from irl_ident.certificates import network_checking
from irl_ident.certificates.network_checking import FORMAT, VERSION, Status
from irl_ident.certificates.network_model import InputRegion, ReluNetwork, regions_around
from irl_ident.certificates.network_search import Found, Question, decide
from irl_ident.certificates.network_torch import from_stable_baselines, from_torch
from irl_ident.certificates.network_wholes import Rejected
from irl_ident.evidence.observations import Policy
from irl_ident.writing import write_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "InputRegion",
    "NetworkCertificate",
    "Rejected",
    "ReluNetwork",
    "certified_actions",
    "from_stable_baselines",
    "from_torch",
    "regions_around",
]

MOST_PARTS = 2000
"""Up to so many parts of a region are looked at for each action."""


@dataclass(frozen=True, eq=False)
class NetworkCertificate:
    """What was proved of a network, region by region.  Made by :func:`certified_actions` or :meth:`load`.

    Attributes
    ----------
    network : ReluNetwork
    regions : tuple of InputRegion
    margin : float
        Outputs nearer than this, and than rounding can tell, count as equal.
    found : tuple of dict
        For each region, what is known of each action that was asked about.
    """

    network: ReluNetwork
    regions: tuple[InputRegion, ...]
    margin: float
    found: tuple[Mapping[int, Found], ...]

    @cached_property
    def status(self) -> tuple[Status, ...]:
        """Of each region: "proved" (no action is chosen but those of its table), "refuted" or "unknown"."""
        return tuple(
            _status(region, found, self.network) for region, found in zip(self.regions, self.found, strict=True)
        )

    def counterexamples(self) -> dict[int, tuple[int, npt.NDArray[np.float64]]]:
        """For each refuted region, an action that its table does not allow and an input at which it is chosen."""
        return {
            place: next((a, f.inputs) for a, f in found.items() if _against(region, a, f) and f.inputs is not None)
            for place, (region, found) in enumerate(zip(self.regions, self.found, strict=True))
            if self.status[place] == "refuted"
        }

    @property
    def table(self) -> pd.DataFrame:
        """One row for each region and action that was asked about: state, action, allowed, outcome, parts."""
        import pandas as pd

        rows = [
            (place, region.state, action, action in region.actions, one.outcome, one.parts)
            for place, (region, found) in enumerate(zip(self.regions, self.found, strict=True))
            for action, one in found.items()
        ]
        return pd.DataFrame(rows, columns=["region", "state", "action", "allowed", "outcome", "parts"])

    def policy(self, n_states: int, n_actions: int) -> Policy:
        """The certified table as evidence: what the network chooses in the states that are proved.

        A state is observed where all its regions are proved.  It shows the actions that the network chooses somewhere
        in them: where the table allows one, that one; where it allows several, those for which such an input is known.
        Whoever takes this as evidence takes the network to choose its largest output.

        Returns
        -------
        Policy
            With ``shows="some"``: the network need not choose every action that is as good.

        Raises
        ------
        ValueError
            When a region's state is no state, or the network has another number of actions.
        """
        if n_actions != self.network.n_actions:
            raise ValueError(f"n_actions: was {n_actions}, the network has {self.network.n_actions}")
        beyond = [region.state for region in self.regions if region.state >= n_states]
        if beyond:
            raise ValueError(f"n_states: was {n_states}, a region stands for state {beyond[0]}")
        chosen = np.zeros((n_states, n_actions))
        sure = np.ones(n_states, dtype=bool)
        for region, found, status in zip(self.regions, self.found, self.status, strict=True):
            sure[region.state] &= status == "proved"
            shown = [a for a in region.actions if len(region.actions) == 1 or found[a].outcome == "reached"]
            chosen[region.state, shown] = 1
        chosen[~sure] = 0
        return Policy(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1), shows="some")

    def document(self) -> dict[str, Any]:
        """The certificate as :mod:`irl_ident.certificates.network_checking` reads it."""
        network, kept = self.network, {"excluded": "tree", "reached": "inputs", "near": "inputs"}
        results = [
            {
                kind: {str(a): _plain(getattr(one, part)) for a, one in found.items() if one.outcome == kind}
                for kind, part in kept.items()
            }
            for found in self.found
        ]
        return {
            "format": FORMAT,
            "version": VERSION,
            "statement": {
                "network": {
                    "weights": [w.tolist() for w in network.weights],
                    "biases": [b.tolist() for b in network.biases],
                    "significand": network.significand,
                },
                "margin": self.margin,
                "regions": [
                    {"lower": r.lower.tolist(), "upper": r.upper.tolist(), "state": r.state, "actions": list(r.actions)}
                    for r in self.regions
                ],
            },
            "results": results,
        }

    def check(self) -> bool:
        """Whether every proof and every input shows what it is said to show, by the independent checker."""
        try:
            return tuple(network_checking.check(self.document())) == self.status
        except Rejected:
            return False

    def save(self, path: str | Path) -> None:
        """Write the certificate as JSON, in the format of :mod:`irl_ident.certificates.network_checking`."""
        text = json.dumps(self.document(), allow_nan=False).encode()
        write_whole(path, lambda file: file.write_bytes(text))

    @classmethod
    def load(cls, path: str | Path) -> NetworkCertificate:
        """Read a certificate and check all of it.

        Raises
        ------
        Rejected
            A ``ValueError``: when the file is no certificate, or does not prove what it claims.
        OSError
            When the file cannot be opened.
        """
        document = network_checking.read(path)
        network_checking.check(document)
        statement = document["statement"]
        network = ReluNetwork(**statement["network"])
        regions = tuple(InputRegion(**region) for region in statement["regions"])
        found = []
        for result in document["results"]:
            one = {int(a): Found("excluded", _nodes(tree), tree=tree) for a, tree in result["excluded"].items()}
            for kind in ("reached", "near"):
                one |= {int(a): Found(kind, 0, inputs=np.array(x, dtype=float)) for a, x in result[kind].items()}
            found.append(one)
        return cls(network, regions, float(statement["margin"]), tuple(found))

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.status.count(one)} {one}" for one in ("proved", "refuted", "unknown"))
        return f"NetworkCertificate({self.network!r}, {len(self.regions)} regions: {counts})"


def certified_actions(
    network: ReluNetwork, regions: Sequence[InputRegion], *, margin: float = 0.0, most_parts: int = MOST_PARTS
) -> NetworkCertificate:
    """Prove, region by region, which actions a network can choose.

    Parameters
    ----------
    network : ReluNetwork
        See also :func:`from_torch` and :func:`from_stable_baselines`.
    regions : sequence of InputRegion
        See also :func:`regions_around`.
    margin : float
        Outputs nearer than this are not told apart, in units of outputs, at least 0.  What rounding can do in the
        network's own arithmetic is added to it.
    most_parts : int
        Limit of the search for each region and action, at least 1; nothing depends on the speed of the machine.

    Returns
    -------
    NetworkCertificate
        A region is *proved* when nowhere in its box an action that its table does not allow comes within the margin of
        the largest output: ties count against the table.  It is *refuted* when somewhere in the box such an action is
        ahead of all others by more than the margin.  Else it is *unknown*: the outcome "near" tells of an input at
        which the action is as good as the best, as far as the margin can tell, "open" of a search that came to its
        limit.

    Raises
    ------
    ValueError
        When a region does not fit the network, or a number is out of range.

    Examples
    --------
    A network that turns back at 0, and two states, one of which it could see on either side:

    >>> net = ReluNetwork([[[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0], [0.0, 0.0]])
    >>> certificate = certified_actions(net, regions_around([[1.0], [0.25]], 0.5, [[1.0, 0.0], [1.0, 0.0]]))
    >>> certificate.status
    ('proved', 'refuted')
    >>> certificate.counterexamples()
    {1: (1, array([-0.25]))}
    >>> certificate.check()
    True
    >>> certificate.policy(2, 2).probabilities
    array([[1., 0.],
           [0., 0.]])
    """
    if not (np.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin: was {margin!r}, should be a number >= 0")
    if most_parts < 1:
        raise ValueError(f"most_parts: was {most_parts!r}, should be at least 1")
    for place, region in enumerate(regions):
        if region.lower.size != network.n_inputs:
            raise ValueError(f"regions[{place}]: has {region.lower.size} inputs, the network takes {network.n_inputs}")
        if region.actions[-1] >= network.n_actions:
            raise ValueError(
                f"regions[{place}]: allows action {region.actions[-1]}, the network has {network.n_actions} actions"
            )
    found = tuple(_asked(Question(network, region, float(margin)), most_parts) for region in regions)
    return NetworkCertificate(network, tuple(regions), float(margin), found)


def _asked(question: Question, most: int) -> dict[int, Found]:
    """All actions that the table does not allow, and those that it allows where it allows several."""
    allowed = question.region.actions
    asked = [a for a in range(question.network.n_actions) if a not in allowed or len(allowed) > 1]
    return {action: decide(question, action, most) for action in asked}


def _against(region: InputRegion, action: int, found: Found) -> bool:
    return found.outcome == "reached" and action not in region.actions


def _status(region: InputRegion, found: Mapping[int, Found], network: ReluNetwork) -> Status:
    others = set(range(network.n_actions)) - set(region.actions)
    if all(a in found and found[a].outcome == "excluded" for a in others):
        return "proved"
    return "refuted" if any(_against(region, a, one) for a, one in found.items()) else "unknown"


def _plain(part: Any) -> Any:
    return part.tolist() if isinstance(part, np.ndarray) else part


def _nodes(tree: Mapping[str, Any]) -> int:
    """Number of nodes of a tree."""
    count, todo = 0, [tree]
    while todo:
        node = todo.pop()
        count += 1
        todo += [node[side] for side in ("below", "above", "inactive", "active") if side in node]
    return count
