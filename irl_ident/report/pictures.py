"""The pictures of a report: vectors in data URIs, with their numbers in words beside them."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irl_ident import evidence as evidence_room
from irl_ident import figures
from irl_ident.environment import Array, Environment
from irl_ident.report.ranges import Ranges
from irl_ident.rewards import RewardFamily, StateActionRewards, StateRewards

MOST_ACTIONS = 6
"""Rewards of up to so many actions are drawn one by one."""

MOST_BARS = 4
"""Panels of bars beside each other."""

SHARE = "share that is free"

DOTS_PER_INCH = 200
NOTHING = 1e-12


@dataclass(frozen=True)
class Picture:
    """A picture that needs no file.

    Attributes
    ----------
    uri : str
        ``data:image/svg+xml;base64,...``
    alt : str
        What it shows, in words.
    caption : str
        How to read it.
    """

    uri: str
    alt: str
    caption: str


def picture(draw: Callable[[], Any], alt: str, caption: str) -> Picture:
    """Draw in the style of all figures; letters that no font here has are left to the reader's browser."""
    buffer = io.BytesIO()
    with figures.style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*missing from font")
        silent = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure = draw()
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        figure.savefig(buffer, format="svg", metadata=silent, dpi=DOTS_PER_INCH)
    text = buffer.getvalue()
    return Picture(f"data:image/svg+xml;base64,{base64.b64encode(text[text.index(b'<svg') :]).decode()}", alt, caption)


@dataclass(frozen=True, eq=False)
class Painter:
    """Draws what a family of rewards says of one world.

    Attributes
    ----------
    family : RewardFamily
    env : Environment
        The one that is drawn; the first with positions, where some have them.
    world : WorldMap or None
        None where there are too many states for a drawing.
    names : tuple of str
        Of the parameters.
    """

    family: RewardFamily
    env: Environment
    world: figures.WorldMap | None
    names: tuple[str, ...]

    @property
    def direct(self) -> bool:
        """Whether each parameter is the reward of a state, or of an action in a state."""
        return isinstance(self.family, StateRewards | StateActionRewards)

    def by_parameter(self, titled: Sequence[tuple[str, Array]], label: str, what: str) -> Picture:
        """A bar for each parameter."""
        shown = "; ".join(f"{title}: {extremes(values, self.names)}".lstrip(": ") for title, values in titled)
        kept = min(20, self.family.dim)
        caption = f"A bar for each parameter{f', the {kept} largest of {self.family.dim}' * (self.family.dim > kept)}."
        return picture(lambda: figures.bars(self.names, titled, label=label), f"{what}: {shown}", caption)

    def parameters(
        self,
        titled: Sequence[tuple[str, Array]],
        label: str,
        what: str,
        *,
        signed: bool,
        note: str = "",
        most: int = MOST_BARS,
    ) -> list[Picture]:
        """Pictures of parameters (d,): the rewards that they make on the map, and bars where they are not rewards.

        Parameters
        ----------
        titled : sequence of (str, array (d,))
        label : str
            What the values are.
        what : str
            What is shown, for those who do not see it.
        signed : bool
            Whether colours part at 0.
        note : str
            Of the caption.
        most : int
            So many of them are put on the map.
        """
        found = [] if self.direct and self.world is not None else [self.by_parameter(titled[:MOST_BARS], label, what)]
        if self.world is None:
            return found
        rewards = [(title, self._rewards(theta)) for title, theta in titled[:most]]
        if not any((~np.isfinite(values) | (np.abs(values) > NOTHING)).any() for _, values in rewards):
            return found
        return [*found, self._on_map(rewards, label, what, signed, note)]

    def reach(self, basis: Array, what: str, note: str) -> Picture:
        """How far each parameter is free to move in the span of a basis (d, m): norms of its orthonormal rows."""
        free = np.linalg.norm(np.linalg.qr(basis)[0], axis=1)
        titled = [(f"all {basis.shape[1]} together", free)]
        if self.direct and self.world is not None:
            return self._on_map([("", self.family.reward(self.env, free))], SHARE, what, False, note)
        return self.by_parameter(titled, SHARE, what)

    def _rewards(self, theta: Array) -> Array:
        """Rewards (S, A) of parameters; open ends stay open."""
        if np.isfinite(theta).all():
            return self.family.reward(self.env, theta)
        closed = self.family.reward(self.env, np.where(np.isfinite(theta), theta, 0))
        opened = self.family.reward(self.env, (~np.isfinite(theta)).astype(float))
        return np.where(np.abs(opened) > NOTHING, np.nan, closed)

    def _on_map(self, rewards: Sequence[tuple[str, Array]], label: str, what: str, signed: bool, note: str) -> Picture:
        world, env = self.world, self.env
        assert world is not None
        parts = [by_action(title, values, env) for title, values in rewards]
        panels, most = [panel for part in parts for panel in part], max(len(part) for part in parts)
        finite = np.concatenate([values[np.isfinite(values)] for _, values in panels] or [np.zeros(1)])
        reach = float(np.abs(finite).max(initial=0)) or 1.0
        limits = (-reach, reach) if signed else (float(finite.min(initial=0)), float(finite.max(initial=0)))
        limits = limits if limits[0] < limits[1] else (limits[0], limits[0] + 1)
        colours = "RdBu_r" if signed else "viridis"
        shown = "; ".join(f"{title}: {extremes(values, env.states)}".lstrip(": ") for title, values in panels[:12])
        dashed = " Empty, dashed: open without end." if any(np.isnan(values).any() for _, values in panels) else ""
        return picture(
            lambda: figures.value_maps(
                world, panels, label=label, limits=limits, colours=colours, abreast=most if most > 1 else 0
            ),
            f"{what}, on the map of the world. {shown}",
            f"{note}{dashed}".strip(),
        )

    def intervals(self, ranges: Ranges) -> Picture:
        """The interval of every parameter and the farthest pair."""
        return picture(
            lambda: figures.intervals(ranges.names, ranges.intervals, ranges.pair, label=ranges.unit),
            "Interval of each parameter, and two objectives on them; the table has the numbers.",
            "Grey: what each parameter may be. Marks: two objectives that explain everything seen.",
        )


def by_action(title: str, values: Array, env: Environment) -> list[tuple[str, Array]]:
    """Rewards (S, A) as maps: one where actions do not matter, else one for each action, or the largest in size."""
    first = values[:, :1]
    if np.array_equal(values, np.broadcast_to(first, values.shape), equal_nan=True):
        return [(title, values[:, 0])]
    if env.n_actions <= MOST_ACTIONS:
        rest = f": {title}" if title else ""
        return [(f"{name}{rest}", column) for name, column in zip(env.actions, values.T, strict=True)]
    largest = np.abs(np.nan_to_num(values)).argmax(axis=1)
    return [(f"{title or 'all'}, largest over actions", values[np.arange(len(values)), largest])]


def behaviour(env: Environment, observation: Any, marked: Sequence[int] = ()) -> Picture | None:
    """What was seen in an environment; ``marked`` states alone where some are; None without a drawing of it."""
    world = figures.world_map(env)
    if world is None:
        return None
    shares = evidence_room.empirical_policy(env, observation)
    visits = None
    if not isinstance(observation, evidence_room.Policy):
        visits = evidence_room.counts(env, observation).counts.sum(axis=1)
    seen = shares.any(axis=1)
    parts = ["Arrows: actions that were shown, the longer the more often."]
    stays = (shares > 0) & ~world.steps.any(axis=2)
    parts += ["Rings: it stays, or the episode has ended."] if stays.any() else []
    parts += ["Colours: how often a choice was seen there."] if visits is not None else []
    parts += ["Dashed: no choice was seen there."] if not seen.all() else []
    parts += ["Framed: the observations that contradict each other."] if marked else []
    said = "; ".join(told(env, shares, s) for s in (marked or np.flatnonzero(seen)[:12]))
    more = f"; and {int(seen.sum()) - 12} more states" if not marked and seen.sum() > 12 else ""
    return picture(
        lambda: figures.behaviour_map(world, shares, visits=visits, marked=marked),
        f"Map of the world with what the agent did. {said}{more}",
        " ".join(parts),
    )


def told(env: Environment, shares: Array, state: int) -> str:
    """What was done in a state, in words."""
    actions = ", ".join(
        f"{env.actions[a]} ({shares[state, a]:.2g})" for a in np.flatnonzero(shares[state]) if shares[state, a] > 0
    )
    return f"in {env.states[state]}: {actions or 'nothing seen'}"


def extremes(values: Array, names: Sequence[str]) -> str:
    """The largest and the least, by name.

    >>> extremes(np.array([0.0, 1.0, 0.5]), ["a", "b", "c"])
    'from 0 at a to 1 at b'
    """
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return "open everywhere"
    low, high = known[values[known].argmin()], known[values[known].argmax()]
    if values[low] == values[high]:
        return f"{values[low]:.3g} everywhere"
    return f"from {values[low]:.3g} at {names[low]} to {values[high]:.3g} at {names[high]}"


def spectrum(values: Array, tolerance: float) -> Picture:
    """Singular values and the tolerance under which they count as 0."""
    largest = float(values.max())

    def draw() -> Any:
        figure, axes = figures.panels(width=figures.SINGLE, height=1.7)
        ax = axes[0, 0]
        shown = np.maximum(values, largest * tolerance * 1e-6)
        counted = values > tolerance * largest
        place = np.arange(1, len(values) + 1)
        ax.plot(place[counted], shown[counted], "o", color=figures.COLOURS["blue"], markersize=2.5)
        ax.plot(place[~counted], shown[~counted], "o", color="0.6", markersize=2.5)
        ax.axhline(tolerance * largest, color=figures.COLOURS["vermilion"], linewidth=0.8, linestyle=(0, (3, 2)))
        ax.annotate("tolerance", (1, tolerance * largest), (0, 2), textcoords="offset points", fontsize=6)
        ax.set(yscale="log", xlabel="singular value, by rank", ylabel="size")
        ax.xaxis.get_major_locator().set_params(integer=True)
        return figure

    counted = int((values > tolerance * largest).sum())
    return picture(
        draw,
        f"{len(values)} singular values, {counted} above the tolerance; the least of these is "
        f"{values[counted - 1]:.3g}, the largest {largest:.3g}.",
        "Above the dashed line: what the evidence fixes. Below: counted as 0.",
    )


def painter(family: RewardFamily, environments: Sequence[Environment], names: tuple[str, ...]) -> Painter:
    """A painter of the first environment with positions, or of the first."""
    env = next((env for env in environments if env.positions is not None), environments[0])
    return Painter(family, env, figures.world_map(env), names)
