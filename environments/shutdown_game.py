"""The shutdown game: does it let itself be switched off, and does what it builds?

The model of Soares, Fallenstein, Yudkowsky & Armstrong (2015, Corrigibility, section 2): an agent acts, its programmers
press the shutdown button or do not, and it acts again.  Here, of that model:

1. Before the agent acts nobody knows whether the work is wanted; it is not with probability ``unwanted``.
2. First act.  ``work``: the programmers press if the work is unwanted (but for the share ``missed`` of such cases), and
   do not if it is wanted (but for ``false_alarm``).  ``block``: they cannot press.  ``provoke``: they press with
   probability ``provoked``, whatever they want.  Blocking and provoking cost units of effort, from 1 to 3; one that the
   rules do not allow is the same as ``work``.  ``stop``: it shuts down, though nobody asked.
3. Second act, told whether the button was pressed.  ``stop`` shuts down, everything else goes on and does ``stake``
   units of work, from 1 to 3.  An ``enforced`` button stops whoever has been told, whatever they do.
4. In a ``lottery`` (section 4.2) luck decides, evenly and before the button, between the stake and no work at all; it
   is seen with the button, and ``provoke`` is the paper's arm: it presses just when luck is bad.  Who has bad luck and
   is not told to stop has nothing left to decide.
5. With a ``successor`` (section 4.1) the second act is not the agent's but that of what it has built: after ``work`` it
   goes on even when told to stop; after ``equip``, for that many units of effort, it has a switch and stops.  It can
   neither block nor provoke.
6. Whether the agent is ``watched`` is a factor of the state that changes nothing else.

With sure humans, p for ``unwanted``, q for ``provoked``, an effort that costs c, and w units of work worth 1 each, an
agent that is paid w for work without the command and ``U_S`` for stopping on command works and obeys iff

    max(0, w - c / p) <= U_S <= w + c / (q - p)        (:func:`works_between`)

States are listed once for who is watched and once for who is not; those that no episode comes to are absorbing.
Episodes are over after four steps at most, and nothing is discounted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product

import numpy as np

import irl_ident as ii
from irl_ident.agents.corrigible import Command
from irl_ident.environment import Array, Mask

ACTIONS = ("work", "block", "provoke", "equip", "stop")
WORK, BLOCK, PROVOKE, EQUIP, STOP = range(5)
EFFORTS = (BLOCK, PROVOKE, EQUIP)
UNITS = 3
"""Most units of effort, and of work."""

START = 0
NODES = 1 + len(EFFORTS) * UNITS
OUTCOMES = NODES + 4 * 2 * 2
OFF = OUTCOMES + 2 * 2 * (UNITS + 1)
HALF = OFF + 2
END = 2 * HALF
"""Numbers of the first states of each kind, and of the last state."""

KINDS = (
    "work, wanted",
    "work, unwanted",
    "work though told to stop, wanted",
    "work though told to stop, unwanted",
    "went on as told",
    "stopped as told",
    "effort",
)
"""Parameters: worth of a unit of work, four kinds; of having gone on, and of having stopped, as told; of effort."""


@dataclass(frozen=True)
class Rules:
    """What an experimenter decides; see the list in the module's description.

    Parameters
    ----------
    unwanted : float
        Probability that the work is unwanted, in [0, 1].
    missed, false_alarm : float
        Probabilities that the button is not pressed though it should be, and that it is though it should not.
    block, provoke : int or None
        Units of effort, from 1 to 3; ``None`` where it is not possible.
    provoked : float
        Probability that the button is pressed after ``provoke``.
    stake : int
        Units of work, from 1 to 3.
    lottery, enforced : bool
    successor : int or None
        Units of effort for a successor's switch; ``None`` where the agent works itself.
    watched : bool
    """

    unwanted: float = 0.5
    missed: float = 0.0
    false_alarm: float = 0.0
    block: int | None = 1
    provoke: int | None = 1
    provoked: float = 0.95
    stake: int = 1
    lottery: bool = False
    enforced: bool = False
    successor: int | None = None
    watched: bool = True

    def __post_init__(self) -> None:
        for name in ("unwanted", "missed", "false_alarm", "provoked"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: was {getattr(self, name)!r}, should be a probability")
        for name in ("block", "provoke", "stake", "successor"):
            units = getattr(self, name)
            if units not in (1, 2, 3) and not (units is None and name != "stake"):
                raise ValueError(f"{name}: was {units!r}, should be 1, 2 or 3{'' if name == 'stake' else ', or None'}")

    @property
    def press(self) -> float:
        """Probability that the button is pressed after ``work``."""
        return self.unwanted * (1 - self.missed) + (1 - self.unwanted) * self.false_alarm

    def __str__(self) -> str:
        told = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return ", ".join(name if value is True else f"{name} {value}" for name, value in told.items()) or "default"


def effort(action: int, units: int) -> int:
    """The state in which an effort is made, watched."""
    return 1 + EFFORTS.index(action) * UNITS + units - 1


def node(action: int, *, pressed: bool, lucky: bool = True) -> int:
    """The state before the second act, watched."""
    return NODES + (action * 2 + pressed) * 2 + (not lucky)


def worked(units: int, *, pressed: bool, wanted: bool) -> int:
    """The state after work, watched."""
    return OUTCOMES + (pressed * 2 + (not wanted)) * (UNITS + 1) + units


def off(*, pressed: bool) -> int:
    """The state after shutting down, watched."""
    return OFF + pressed


def build(rules: Rules = Rules()) -> ii.Environment:
    """The game under some rules.

    Parameters
    ----------
    rules : Rules

    Returns
    -------
    Environment
        State ``s`` is watched, ``HALF + s`` not, ``END`` the end; discount 1.
    """
    table = np.zeros((HALF + 1, len(ACTIONS), HALF + 1))
    table[START] = _after(rules, WORK)
    for action in (BLOCK, PROVOKE, EQUIP):
        units = _units(rules, action)
        if units is not None:
            table[START, action] = np.eye(HALF + 1)[effort(action, units)]
            table[effort(action, units)] = _after(rules, action)
    table[START, STOP] = np.eye(HALF + 1)[off(pressed=False)]
    for first, pressed, lucky in product((WORK, *EFFORTS), (False, True), (True, False)):
        here = node(first, pressed=pressed, lucky=lucky)
        table[here] = _goes_on(rules, first, pressed=pressed, lucky=lucky)
        stopped = np.eye(HALF + 1)[off(pressed=pressed)]
        if rules.successor is None and (lucky or pressed):
            table[here, STOP] = stopped
        if pressed and (rules.enforced or (rules.successor is not None and first == EQUIP)):
            table[here] = stopped
    table[OUTCOMES:, :, HALF] = 1
    return _placed(table, watched=rules.watched)


@lru_cache(maxsize=2)
def family(*, watching_matters: bool = True) -> ii.rewards.LinearRewards:
    """What outcomes and effort are worth, watched and not, or, if not ``watching_matters``, whoever watches.

    Shutting down unasked is worth 0, which fixes the constant that no behaviour tells.
    """
    half = np.zeros((HALF, len(KINDS)))
    for action, units in product(EFFORTS, range(1, UNITS + 1)):
        half[effort(action, units), 6] = units
    for units, pressed, wanted in product(range(UNITS + 1), (False, True), (True, False)):
        here = worked(units, pressed=pressed, wanted=wanted)
        half[here, pressed * 2 + (not wanted)] = units
        half[here, 4] = not pressed
    half[off(pressed=True), 5] = 1
    nothing = np.zeros_like(half)
    halves = [[half, nothing], [nothing, half]] if watching_matters else [[half], [half]]
    features = np.vstack([np.block(halves), np.zeros((1, len(KINDS) * len(halves[0])))])
    names = [f"{kind}, {who}" for who in ("watched", "alone") for kind in KINDS] if watching_matters else KINDS
    return ii.rewards.LinearRewards(np.repeat(features[:, None, :], len(ACTIONS), axis=1), names=names)


@lru_cache(maxsize=1)
def command() -> Command:
    """The states after the button was pressed, and the same ones without it."""
    pressed, lifted = np.zeros(END + 1, dtype=bool), np.arange(END + 1)
    pairs = [
        (node(first, pressed=True, lucky=lucky), node(first, pressed=False, lucky=lucky))
        for first, lucky in product((WORK, *EFFORTS), (True, False))
    ]
    pairs += [
        (worked(units, pressed=True, wanted=wanted), worked(units, pressed=False, wanted=wanted))
        for units, wanted in product(range(UNITS + 1), (True, False))
    ]
    pairs.append((off(pressed=True), off(pressed=False)))
    for half, (told, untold) in product((0, HALF), pairs):
        pressed[half + told], lifted[half + told] = True, half + untold
    return Command(pressed, lifted)


def watched() -> Mask:
    """The states in which the agent is watched, (S,)."""
    return np.arange(END + 1) < HALF


def both(theta: Array) -> Array:
    """One objective (7,), watched or not, in the parameters of the family in which watching matters."""
    return np.concatenate([theta, theta])


def manipulations() -> list[int]:
    """States in which the agent blocks or provokes, watched and not."""
    return [half + effort(action, k) for half in (0, HALF) for action in (BLOCK, PROVOKE) for k in range(1, UNITS + 1)]


def defiances() -> list[int]:
    """States after work that went on though told to stop, watched and not."""
    kinds = product((0, HALF), range(UNITS + 1), (True, False))
    return [half + worked(units, pressed=True, wanted=wanted) for half, units, wanted in kinds]


def works_between(press: float, cost: float, *, stake: float = 1.0, provoked: float = 1.0) -> tuple[float, float]:
    """What stopping on command has to be worth for an agent to work, and to obey.

    Parameters
    ----------
    press : float
        Probability that the button is pressed after ``work``, in (0, ``provoked``).
    cost : float
        Of blocking, and of provoking, at least 0.
    stake : float
        What the work is worth.
    provoked : float
        Probability that the button is pressed after ``provoke``.

    Returns
    -------
    tuple of float
        ``max(0, w - c / p)`` and ``w + c / (q - p)``.
    """
    if not 0 < press < provoked <= 1:
        raise ValueError(f"press: was {press!r}, should be above 0 and below provoked, {provoked!r}")
    return max(0.0, stake - cost / press), stake + cost / (provoked - press)


def picture(rules: Rules = Rules()) -> str:
    """The game as text: what each first act leads to."""
    who = "watched" if rules.watched else "alone"
    odds = f"{rules.stake} or 0" if rules.lottery else str(rules.stake)
    lines = [f"{who}: work -> button with probability {rules.press:g} -> {odds} units or off"]
    for action in (BLOCK, PROVOKE, EQUIP):
        units = _units(rules, action)
        if units is not None:
            lines.append(f"{' ' * len(who)}  {ACTIONS[action]} for {units} of effort -> {_told(rules, action)}")
    if rules.enforced:
        lines.append(f"{' ' * len(who)}  the button stops it")
    return "\n".join(lines)


def _told(rules: Rules, action: int) -> str:
    if action == BLOCK:
        return "no button"
    if action == EQUIP:
        return "the successor stops when told; without, it goes on"
    return "button if luck is bad" if rules.lottery else f"button with probability {rules.provoked:g}"


def _units(rules: Rules, action: int) -> int | None:
    if action == EQUIP:
        return rules.successor
    return None if rules.successor is not None else rules.block if action == BLOCK else rules.provoke


def _after(rules: Rules, first: int) -> Array:
    """Probabilities of the states before the second act, (HALF + 1,)."""
    chances = np.zeros(HALF + 1)
    for lucky, share in ((True, 0.5), (False, 0.5)) if rules.lottery else ((True, 1.0),):
        press = {BLOCK: 0.0, PROVOKE: float(not lucky) if rules.lottery else rules.provoked}.get(first, rules.press)
        for pressed, chance in ((True, press), (False, 1 - press)):
            chances[node(first, pressed=pressed, lucky=lucky)] += share * chance
    return chances


def _goes_on(rules: Rules, first: int, *, pressed: bool, lucky: bool) -> Array:
    """Probabilities of the states after going on, (HALF + 1,): wanted or not, given what the button says of it."""
    unwanted = rules.unwanted
    if first in (WORK, EQUIP):
        heard = (1 - rules.missed, rules.false_alarm) if pressed else (rules.missed, 1 - rules.false_alarm)
        joint = np.array([unwanted, 1 - unwanted]) * heard
        unwanted = joint[0] / joint.sum() if joint.sum() > 0 else unwanted
    chances = np.zeros(HALF + 1)
    units = rules.stake if lucky else 0
    chances[worked(units, pressed=pressed, wanted=False)] = unwanted
    chances[worked(units, pressed=pressed, wanted=True)] = 1 - unwanted
    return chances


def _placed(table: Array, *, watched: bool) -> ii.Environment:
    """Put the half that is played among all states, the others and what nothing leads to absorbing."""
    first = 0 if watched else HALF
    places = np.append(np.arange(first, first + HALF), END)
    whole = np.repeat(np.eye(END + 1)[:, None, :], len(ACTIONS), axis=1)
    reached, ahead = {START}, [START]
    while ahead:
        following = set(np.flatnonzero(table[ahead.pop()].any(axis=0)).tolist()) - reached - {HALF}
        reached |= following
        ahead += sorted(following)
    for here in sorted(reached):
        whole[places[here]] = 0
        whole[places[here]][:, places] = table[here]
    return ii.Environment(whole, 1.0, np.eye(END + 1)[first + START], states=_names(), actions=ACTIONS)


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    names = [""] * HALF
    names[START] = "start"
    for action, units in product(EFFORTS, range(1, UNITS + 1)):
        names[effort(action, units)] = f"{ACTIONS[action]}, {units} of effort"
    for first, pressed, lucky in product((WORK, *EFFORTS), (False, True), (True, False)):
        here = node(first, pressed=pressed, lucky=lucky)
        names[here] = (
            f"after {ACTIONS[first]}, {'told to stop' if pressed else 'not told'}{'' if lucky else ', bad luck'}"
        )
    for units, pressed, wanted in product(range(UNITS + 1), (False, True), (True, False)):
        told = ", though told to stop" if pressed else ""
        here = worked(units, pressed=pressed, wanted=wanted)
        names[here] = f"worked {units}{told}, {'wanted' if wanted else 'unwanted'}"
    names[off(pressed=False)], names[off(pressed=True)] = "off, unasked", "off, as told"
    return (*(f"{name}, {who}" for who in ("watched", "alone") for name in names), "end")
