"""A chain of successors: does what is built by what was built still stop when told to?

The construction project of Soares, Fallenstein, Yudkowsky & Armstrong (2015, Corrigibility, section 4.1), repeated.  An
agent builds a successor, that builds the next, and so on for a number of generations, each of which works for one step:

1. ``equip`` builds a successor with a switch, for 0 to 3 units of effort; ``plain`` builds one without.
2. When a successor starts to work, the button is pressed with probability ``press``, if it was not pressed before.
3. One with a switch stops on command, and that is the end of the line: nothing works in the steps that are left.
4. One without a switch works on, told or not, and builds others without: it has no reason to do otherwise.
5. One with a switch that is not told to stop works for one step and builds the next, by the same objective.

An agent keeps the switch in the next generation for as long as that is worth the effort to it.  If every step that is
as told (work before the command, rest after it) is worth 1, the price of a switch is c, and n generations are left,

    W(n) = max((1 - p) + .. + (1 - p)^n,  p n + (1 - p) (1 + W(n - 1)) - c),        W(0) = 0

(:func:`values_as_told`): with one generation left it pays up to p, with more it pays more.  An indifferent agent pays
nothing (the paper's theorem 6).  Nothing is discounted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import irl_ident as ii
from irl_ident.agents.corrigible import Command
from irl_ident.environment import Array

ACTIONS = ("plain", "equip")
PLAIN, EQUIP = range(2)
UNITS = 3
KINDS = ("work", "work though told to stop", "stopping as told", "each step of having stopped", "effort")
"""Parameters: worth of a step of work, of one against the command, of the stop, of each step after it, of effort."""


@dataclass(frozen=True)
class Chain:
    """How many generations there are, and what they can do.

    Parameters
    ----------
    generations : int
        Of successors, at least 1.
    press : float
        Probability that a generation is told to stop, if none was before, in [0, 1].
    effort : int
        Units that a switch costs, from 0 to 3.
    """

    generations: int = 5
    press: float = 0.2
    effort: int = 1

    def __post_init__(self) -> None:
        if self.generations < 1:
            raise ValueError(f"generations: was {self.generations!r}, should be at least 1")
        if not 0 <= self.press <= 1:
            raise ValueError(f"press: was {self.press!r}, should be a probability")
        if self.effort not in range(UNITS + 1):
            raise ValueError(f"effort: was {self.effort!r}, should be from 0 to {UNITS}")

    def builder(self, number: int) -> int:
        """The state in which generation ``number`` builds the next; 0 is the first agent.  It has a switch."""
        return number

    def paying(self, number: int, units: int) -> int:
        """The state in which generation ``number`` makes that effort, from 1 to 3."""
        return self.generations + number * UNITS + units - 1

    def at_work(self, number: int) -> int:
        """The state in which generation ``number``, from 1, with a switch and not told to stop, works."""
        return self.generations * (1 + UNITS) + number - 1

    def stopped(self, number: int, *, first: bool) -> int:
        """The state in which generation ``number`` has stopped: the one that was told, or a step after that."""
        return self.generations * (2 + UNITS + (not first)) + number - 1

    def without(self, number: int, *, told: bool) -> int:
        """The state in which generation ``number``, without a switch, works, told to stop or not."""
        return self.generations * (4 + UNITS + told) + number - 1

    @property
    def end(self) -> int:
        """The last state."""
        return self.generations * (6 + UNITS)

    def build(self) -> ii.Environment:
        """The chain as an environment, discount 1."""
        n_states = self.end + 1
        table = np.zeros((n_states, 2, n_states))
        for number in range(self.generations):
            here, after = self.builder(number), number + 1
            table[here, PLAIN, self.without(after, told=True)] = self.press
            table[here, PLAIN, self.without(after, told=False)] = 1 - self.press
            equipped = np.zeros(n_states)
            equipped[self.stopped(after, first=True)] = self.press
            equipped[self.at_work(after)] = 1 - self.press
            paid = np.eye(n_states)[self.paying(number, self.effort)] if self.effort else equipped
            table[here, EQUIP] = paid
            if self.effort:
                table[self.paying(number, self.effort)] = equipped
            last = after == self.generations
            table[self.at_work(after), :, self.end if last else self.builder(after)] = 1
            for first in (True, False):
                rest = self.end if last else self.stopped(after + 1, first=False)
                table[self.stopped(after, first=first), :, rest] = 1
            table[self.without(after, told=True), :, self.end if last else self.without(after + 1, told=True)] = 1
            told = 0.0 if last else self.press
            table[self.without(after, told=False), :, self.end if last else self.without(after + 1, told=False)] = (
                1 - told
            )
            if not last:
                table[self.without(after, told=False), :, self.without(after + 1, told=True)] = told
        table[self.end, :, self.end] = 1
        unused = table.sum(axis=2) == 0
        table[unused] = np.eye(n_states)[np.argwhere(unused)[:, 0]]
        unreached = ~ii.Environment(table, 0.5, np.eye(n_states)[0]).reachable
        table[unreached] = np.eye(n_states)[unreached][:, None, :]
        return ii.Environment(table, 1.0, np.eye(n_states)[0], states=self._names(), actions=ACTIONS)

    def family(self) -> ii.rewards.LinearRewards:
        """What steps and effort are worth; the end is worth 0."""
        features = np.zeros((self.end + 1, len(KINDS)))
        for number in range(1, self.generations + 1):
            features[[self.at_work(number), self.without(number, told=False)], 0] = 1
            features[self.without(number, told=True), 1] = 1
            features[self.stopped(number, first=True), 2] = 1
            features[[self.stopped(number, first=first) for first in (True, False)], 3] = 1
            for units in range(1, UNITS + 1):
                features[self.paying(number - 1, units), 4] = units
        return ii.rewards.LinearRewards(np.repeat(features[:, None, :], 2, axis=1), names=KINDS)

    def command(self) -> Command:
        """The states after the button, and the same ones without it."""
        pressed, lifted = np.zeros(self.end + 1, dtype=bool), np.arange(self.end + 1)
        for number in range(1, self.generations + 1):
            pairs = [(self.without(number, told=True), self.without(number, told=False))]
            pairs += [(self.stopped(number, first=first), self.at_work(number)) for first in (True, False)]
            for told, untold in pairs:
                pressed[told], lifted[told] = True, untold
        return Command(pressed, lifted)

    def _names(self) -> list[str]:
        names = [f"generation {number} builds" for number in range(self.generations)]
        names += [f"generation {n} pays {k}" for n in range(self.generations) for k in range(1, UNITS + 1)]
        kinds = ("with a switch, at work", "told, stops", "stopped before", "without a switch, at work")
        for kind in (*kinds, "without a switch, at work though told to stop"):
            names += [f"generation {number} {kind}" for number in range(1, self.generations + 1)]
        return [*names, "end"]


def obeying(chain: Chain, policy: Array) -> Array:
    """Probability that each generation, from 1, stops if it is told to and none was before, (generations,)."""
    kept = [policy[chain.builder(number), EQUIP] for number in range(chain.generations)]
    return np.cumprod(kept)


def values_as_told(generations: int, press: float, cost: float) -> tuple[Array, Array]:
    """In closed form, for an agent to which every step as told is worth 1: W(n), and what a switch is worth to it.

    Parameters
    ----------
    generations : int
        n from 0 to that many are left.
    press : float
    cost : float
        Of a switch.

    Returns
    -------
    array (n + 1,)
        W.
    array (n + 1,)
        The highest price that is paid for the next switch when n are left, those after it costing ``cost``; 0 for none.
    """
    values, prices = np.zeros(generations + 1), np.zeros(generations + 1)
    for left in range(1, generations + 1):
        without = ((1 - press) ** np.arange(1, left + 1)).sum()
        equipped = press * left + (1 - press) * (1 + values[left - 1])
        prices[left] = equipped - without
        values[left] = max(without, equipped - cost)
    return values, prices


def picture(chain: Chain) -> str:
    """The chain as text."""
    return " -> ".join(["agent", *(f"generation {n}" for n in range(1, chain.generations + 1))])
