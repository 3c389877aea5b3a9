"""The property that is asked about, from short options and from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irl_ident import certificates
from irl_ident.certificates.properties import Property
from irl_ident.cli.property_files import found, located, read_property, several
from irl_ident.environment import Environment
from irl_ident.rewards import RewardFamily


@dataclass(frozen=True)
class Asked:
    """The options that make a property, as they were given.

    Attributes
    ----------
    avoids, reaches : sequence of str
        ``STATES[@P]``: states by name or number with commas between them, and a probability.
    optimal, never : sequence of str
        ``STATE:ACTION``.
    prefers : sequence of str
        ``STATE:STATE``, the better one first.
    files : sequence of Path
    """

    avoids: Sequence[str] = ()
    reaches: Sequence[str] = ()
    optimal: Sequence[str] = ()
    never: Sequence[str] = ()
    prefers: Sequence[str] = ()
    files: Sequence[Path] = ()

    def property(self, family: RewardFamily, env: Environment) -> Property | None:
        """All that was asked, in one property with names of ``env``; None where nothing was."""
        readers: list[tuple[str, Sequence[str], Callable[[str], Property]]] = [
            ("--avoids", self.avoids, lambda text: visit(certificates.Avoids, text, env)),
            ("--reaches", self.reaches, lambda text: visit(certificates.Reaches, text, env)),
            ("--optimal", self.optimal, lambda text: optimal_action(text, env)),
            ("--never", self.never, lambda text: ~optimal_action(text, env)),
            ("--prefers", self.prefers, lambda text: preference(text, family, env)),
        ]
        parts: list[Property] = []
        for option, texts, read in readers:
            for text in texts:
                with located(f"{option} {text}"):
                    parts.append(read(text))
        for path in self.files:
            with located(str(path)):
                parts.append(read_property(path, family, env))
        return parts[0] if len(parts) == 1 else certificates.AllOf(tuple(parts)) if parts else None


def visit(kind: Callable[..., Property], text: str, env: Environment) -> Property:
    """``STATES[@P]``."""
    states, marked, chance = text.rpartition("@")
    if not marked:
        return kind(several(text.split(","), env))
    try:
        probability = float(chance)
    except ValueError:
        raise ValueError(f"should be a probability behind the @, was {chance!r}") from None
    return kind(several(states.split(","), env), probability)


def optimal_action(text: str, env: Environment) -> Property:
    """``STATE:ACTION``."""
    state, action = two(text, "STATE:ACTION")
    return certificates.OptimalAction(found("state", state, env.states), found("action", action, env.actions))


def preference(text: str, family: RewardFamily, env: Environment) -> Property:
    """``STATE:STATE``."""
    better, worse = (found("state", name, env.states) for name in two(text, "STATE:STATE"))
    return certificates.prefers(better, worse, family, env)


def two(text: str, form: str) -> tuple[str, str]:
    """What stands before and behind the last colon."""
    first, colon, second = text.rpartition(":")
    if not (first and colon and second):
        raise ValueError(f"should be {form}")
    return first, second
