"""The core alone, as ``pip install irl-ident`` gives it: light to import, and assessing, identifying and designing.

Run as a script by ``make minimal``, in an environment without any extra and with the newest Gymnasium.
"""

import importlib.util
import subprocess
import sys
import time

LIMIT = 0.5
"""Seconds that ``import irl_ident`` may take."""

EXTRAS = (
    *("matplotlib", "pyarrow", "joblib", "torch", "imitation", "stable_baselines3", "distributed", "numba"),
    "pytest",
)
HEAVY = ("pandas", "gymnasium", "rich", "typer", "highspy", *EXTRAS)


def check_lightness():
    """Import in fresh processes; the fastest of five is what the import takes when files are at hand."""
    timed = (
        "import sys, time; started = time.perf_counter(); import irl_ident;"
        f"print(time.perf_counter() - started, *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-I", "-c", timed], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    loaded = set(" ".join(run.stdout for run in runs).split()[1:]) & set(HEAVY)
    seconds = min(float(run.stdout.split()[0]) for run in runs)
    print(f"import irl_ident: {seconds:.3f} s")
    if loaded:
        raise SystemExit(f"import irl_ident loads {', '.join(sorted(loaded))}")
    if seconds > LIMIT:
        raise SystemExit(f"import irl_ident takes {seconds:.2f} s, should take at most {LIMIT} s")


def check_core():
    """From an environment of Gymnasium to the next environment to try."""
    import gymnasium
    import numpy as np

    import irl_ident as ii

    env = ii.Environment.from_gymnasium("FrozenLake-v1", discount=0.95)
    still = ii.Environment.from_gymnasium(gymnasium.make("FrozenLake-v1", is_slippery=False), discount=0.95)
    family = ii.rewards.StateRewards(env.n_states)
    print(ii.assess([env], family))
    agent = ii.agents.Optimal(family, np.eye(env.n_states)[-1])
    ident = ii.identify([(env, agent.policy(env))], family)
    print(ident.report())
    if not ident.contains(agent.theta):
        raise SystemExit("the true objective is not in the identified set")
    campaign = ii.design.Campaign([env, still], ii.design.Greedy(samples=200), family, until=ii.design.budget(2))
    campaign.run(agent)
    print(campaign.table.to_string())
    before, after = ident.diameter()[1], campaign.ident.diameter()[0]
    if not (campaign.ident.contains(agent.theta) and after <= before):
        raise SystemExit("more evidence enlarged the identified set, or lost the truth")


def main():
    """Check that no extra is there, then the two promises."""
    present = [name for name in EXTRAS if importlib.util.find_spec(name)]
    if present:
        raise SystemExit(f"not a minimal installation: {', '.join(present)} can be imported")
    started = time.perf_counter()
    check_lightness()
    check_core()
    print(f"minimal installation: assesses, identifies and designs ({time.perf_counter() - started:.1f} s)")


if __name__ == "__main__":
    main()
