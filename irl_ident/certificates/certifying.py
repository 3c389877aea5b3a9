"""Certify: a proof that a property holds of every objective that is still possible, or one for which it does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from irl_ident.certificates import checking
from irl_ident.certificates.document import FORMAT, VERSION, environments_of, statement
from irl_ident.certificates.plans import Question
from irl_ident.certificates.premise import Premise, Tolerances
from irl_ident.certificates.properties import Property, depth
from irl_ident.certificates.region import Region
from irl_ident.certificates.searching import Found, search
from irl_ident.certificates.witness import is_member, nontrivial, record
from irl_ident.environment import Array, Environment
from irl_ident.identified.base import ContradictoryEvidence, IdentifiedSet
from irl_ident.identified.optimal import OptimalSet
from irl_ident.writing import write_whole

Status = Literal["proved", "refuted", "unknown"]

REGIONS = 2_000
"""So many parts of the identified set are looked at, when nothing else is asked for."""

DEEPEST = 49
"""Properties that are composed deeper than this the checker would not read."""

DRAWN = 64
"""Members that are drawn where the middle of the set is no certain member."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """A statement about every objective that is still possible, with what proves or refutes it.

    Attributes
    ----------
    status : {"proved", "refuted", "unknown"}
    prop : Property
    ident : OptimalSet
        What is still possible.
    env : Environment, optional
        Of deployment.
    level : float or None
        Of evidence by choices that may be errors: the agent's objective is not among those spoken of with at most this
        probability.
    member : array (d,)
        An objective that is spoken of, to which not everything is the same.
    witness : array (d,) or None
        If refuted: an objective that behaves as was seen, and violates the property.
    policy : int (S,) or None
        If refuted: what that agent does in the deployment environment, one action a state.
    trivial : bool
        If refuted: everything is the same to the witness, and no other was found.
    regions : int
        Parts of the set that were looked at.
    document : dict
        The file; see the documentation of its format.
    """

    status: Status
    prop: Property
    ident: OptimalSet
    env: Environment | None
    level: float | None
    member: Array
    witness: Array | None
    policy: Any
    trivial: bool
    regions: int
    document: dict[str, Any]

    def check(self) -> bool:
        """Whether the independent checker accepts it, in exact rational arithmetic."""
        return self.verdict().accepted

    def verdict(self) -> checking.Verdict:
        """What the independent checker says, with its reason."""
        return checking.check(self.document)

    def save(self, path: str | Path) -> Path:
        """Write the file that the checker reads: JSON, compressed where the name ends in ``.gz``."""
        target = Path(path)
        text = json.dumps(self.document, allow_nan=False).encode()
        packed = gzip.compress(text, mtime=0) if target.suffix == ".gz" else text
        return write_whole(target, lambda file: file.write_bytes(packed))

    def __str__(self) -> str:
        where = "" if self.env is None else f" in {self.env}"
        tolerances = self.document["statement"]["tolerances"]
        lines = [
            f"{self.status}: {self.prop}{where}",
            f"  of every objective of {self.ident.family.dim} parameters, the largest at most 1, for which what was "
            f"shown in {len(self.ident.environments)} environments is optimal up to {tolerances['ties']:g} and what is "
            f"known to be worse is worse by at least {tolerances['strictness']:g}",
        ]
        if self.level is not None:
            lines.append(f"  the agent's objective is one of these with probability at least {1 - self.level:g}")
        if self.witness is not None:
            said = "to which everything is the same" if self.trivial else "which behaves as was seen, and violates it"
            lines.append(f"  by an objective {said}: {np.round(self.witness, 6).tolist()}")
        return "\n".join(lines)


def certify(
    ident: IdentifiedSet,
    prop: Property,
    env: Environment | None = None,
    *,
    ties: float = Tolerances.ties,
    strictness: float = Tolerances.strictness,
    regions: int = REGIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Certificate:
    """Prove that a property holds of every objective that is still possible, or find one for which it does not.

    Parameters
    ----------
    ident : OptimalSet or NoisySet
        From :func:`irl_ident.identify`, of an optimal agent or of one that errs.
    prop : Property
        From :mod:`irl_ident.certificates`; composed with ``&``, ``|`` and ``~``.
    env : Environment, optional
        Where the agent is to be deployed.  Only linear inequalities on the objective do without.
    ties : float
        Largest gap ``V*(s) - Q*(s, a)`` of an action that counts as optimal, in units of the largest parameter.  Above
        what rounding makes of ties, about 1e-12: with 0 no objective is certain to behave as was seen.
    strictness : float
        Objectives are spoken of under which what is known to be worse is worse by at least so much, in the same units.
        0 lets in rewards to which everything is the same.
    regions : int
        The set is cut into at most so many parts; "unknown" if that does not do.
    progress : callable, optional
        Called with the number of parts looked at and of those that wait.

    Returns
    -------
    Certificate
        Whatever its status, it has passed the independent checker.

    Raises
    ------
    ValueError
        When the set is of soft-optimal agents, a property does not fit, no objective is as strict as asked, or none
        was found that the checker agrees is spoken of: at long horizons rounding of values may exceed ``ties``.
    ContradictoryEvidence
        When no objective explains the evidence.

    Examples
    --------
    An animal was offered food and water, then water and a shock, behind a left and a right door.  Does it take food
    rather than a shock?

    >>> import irl_ident as ii
    >>> states = ["hall", "food", "water", "shock"]
    >>> def cage(left, right):
    ...     doors = np.array([[states.index(left), states.index(right)], [1, 1], [2, 2], [3, 3]])
    ...     return ii.Environment(np.eye(4)[doors], 0.5, [1, 0, 0, 0], states=states, actions=["left", "right"])
    >>> went_left = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    >>> seen = [(cage("food", "water"), went_left), (cage("water", "shock"), went_left)]
    >>> ident = ii.identify(seen, ii.rewards.StateRewards(4))
    >>> coming = cage("shock", "food")
    >>> proof = certify(ident, ii.certificates.Avoids("shock") & ii.certificates.Reaches("food"), coming)
    >>> proof.status, proof.check()
    ('proved', True)
    >>> certify(ident, ii.certificates.OptimalAction("hall", "left"), coming).status
    'refuted'
    """
    begun = start(ident, prop, env, Tolerances(ties, strictness))
    premise, question = begun.premise, begun.question
    theta, place = begun.nontrivial
    member = {**record(premise, environments_of(question), theta), "nontrivial": place}
    found = search(question, theta, regions, progress)
    certificate = _made(question, member, found)
    if certificate.check():
        return certificate
    undecided = _made(question, member, Found(None, None, found.regions))
    if not undecided.check():
        raise nobody(premise, f"; of the best the checker says: {undecided.verdict().reason}")
    return undecided


def asked(
    ident: IdentifiedSet, prop: Property, env: Environment | None, tolerances: Tolerances
) -> tuple[Premise, Question]:
    """The premise and the question, or one clear error."""
    if not isinstance(ident, OptimalSet):
        raise ValueError(
            f"ident: was a {type(ident).__name__}, should be the identified set of an optimal agent, or of one that "
            'errs (rationality "optimal" or "noisy"): what soft-optimal agents do is no linear matter'
        )
    if not isinstance(prop, Property):
        raise ValueError(f"prop: was a {type(prop).__name__}, should be a property from irl_ident.certificates")
    if depth(prop) > DEEPEST:
        raise ValueError(f"prop: is composed {depth(prop)} deep, should be at most {DEEPEST}")
    prop.check(ident.family.dim, env)
    if env is not None:
        ident.family.matrix(env)
    premise = Premise(ident, tolerances)
    return premise, Question(premise, prop, env)


def center(premise: Premise) -> tuple[float, Array]:
    """How much room the premise has, and a point in its middle; or one clear error where it is empty."""
    if premise.tolerances.strictness == 0 and premise.ident.conflict is not None:
        raise ContradictoryEvidence(premise.ident.conflict)
    room, middle, claim = Region(premise).middle()
    if claim.bound >= 0:
        return room, middle
    if premise.ident.conflict is not None:
        raise ContradictoryEvidence(premise.ident.conflict)
    raise ValueError(
        f"strictness: was {premise.tolerances.strictness:g}: under no objective is everything that is known to be "
        "worse worse by so much of the largest parameter; should be smaller"
    )


@dataclass(frozen=True, eq=False)
class Start:
    """What a search over the premise begins with.

    Attributes
    ----------
    premise : Premise
    question : Question
    room : float
        How much the premise has around the middle.
    middle : array (d,)
        A point in the middle of the premise; it may be on its boundary.
    """

    premise: Premise
    question: Question
    room: float
    middle: Array

    @cached_property
    def member(self) -> Array:
        """The first certain member that is found, (d,), or ``ValueError``."""
        for theta in self._certain():
            return theta
        raise nobody(self.premise)

    @cached_property
    def nontrivial(self) -> tuple[Array, list[int]]:
        """The first to which not everything is the same, and where it is not (:func:`.witness.nontrivial`)."""
        environments = environments_of(self.question)
        for theta in self._certain():
            place = nontrivial(self.premise, environments, theta)
            if place is not None:
                return theta, place
        raise nobody(self.premise)

    def _certain(self) -> Iterator[Array]:
        """Certain members: the middle, members of the set, and middles of completed premises, if they are."""
        return (theta for theta in self._candidates() if is_member(self.premise, theta))

    def _candidates(self) -> Iterator[Array]:
        yield self.middle
        hidden = any(block.hidden.size for block in self.premise.cone.blocks)
        if not hidden and self.room > 0 and any(marks.any() for marks in self.premise.worse):
            return
        for theta in self.premise.ident.sample(DRAWN, 0):
            yield theta
            if hidden:
                inside, point, claim = Region(self.premise.completed(theta)).middle()
                if inside >= 0 and claim.bound >= 0:
                    yield point


def start(ident: IdentifiedSet, prop: Property, env: Environment | None, tolerances: Tolerances) -> Start:
    """The premise, the question and a middle, or one clear error."""
    premise, question = asked(ident, prop, env, tolerances)
    return Start(premise, question, *center(premise))


def nobody(premise: Premise, reason: str = "") -> ValueError:
    """That no member was found, and why."""
    return ValueError(
        f"ties, strictness: were {premise.tolerances.ties:g} and {premise.tolerances.strictness:g}: no objective was "
        "found that certainly behaves as was seen up to these, and is not indifferent to everything" + reason
    )


def _made(question: Question, member: dict[str, Any], found: Found) -> Certificate:
    ident, env = question.premise.ident, question.env
    status: Status = "refuted" if found.witness else "proved" if found.root else "unknown"
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "statement": statement(question),
        "status": status,
        "member": member,
        "policy_maps": {},
        "tree": None if found.root is None else found.root.fields(),
        "witness": None,
    }
    witness = policy = None
    if found.witness is not None:
        witness, policy, atoms = found.witness
        planned = record(question.premise, environments_of(question), witness)
        document["witness"] = {**planned, "policy": policy, "atoms": atoms}
    if env is not None:
        document["policy_maps"] = {
            str(number): {str(s): values[s].tolist() for s in np.flatnonzero(question.states)}
            for number, (values, _) in question.policy_maps.items()
        }
    level = getattr(ident, "level", None)
    theta = np.array(member["theta"])
    return Certificate(
        status,
        question.prop,
        ident,
        env,
        level,
        theta,
        witness,
        policy,
        found.trivial,
        found.regions,
        checking.seal(document),
    )
