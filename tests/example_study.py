"""How far does a random walk get?

Nothing would refute it: this study is there to be run by the tests of the runner.
"""

import os
import time

import numpy as np

STEPS = 25


def tasks(settings):
    """One walk for each replicate and drift; the last of them looks at a file, if there is one, for what to do."""
    count = 3 if settings.quick else 6
    walks = [{"replicate": i, "drift": d, "seed": settings.seed_for(i)} for i in range(count) for d in (0.0, 0.5)]
    if settings.data:
        walks[-1]["order"] = str(settings.data / "order")
    return walks


def run(task):
    """Rows of one walk; some are slow so that tasks finish out of order."""
    if "order" in task:
        obey(task["order"])
    time.sleep(0.02 * (task["replicate"] % 3 == 0))
    rng = np.random.default_rng(task["seed"])
    walk = np.cumsum(rng.normal(task["drift"], size=STEPS))
    spectrum = np.linalg.svd(rng.normal(size=(60, 60)))[1]
    return [
        {"drift": task["drift"], "replicate": task["replicate"], "step": i, "place": walk[i], "spectrum": spectrum[i]}
        for i in range(STEPS)
    ]


def obey(file):
    """Fail or wait, as the file says; then say there which process did so."""
    with open(file) as order:
        what = order.read()
    if what == "fail":
        raise ArithmeticError("the walk fell off")
    if what == "wait":
        with open(file, "w") as order:
            order.write(f"waiting {os.getpid()}")
        time.sleep(60)


def summarise(table):
    """Where the walks end."""
    last = table[table["step"] == STEPS - 1]
    return {"final_place": {str(drift): np.float64(group["place"].mean()) for drift, group in last.groupby("drift")}}


def findings(summary):
    """Where the walks end, in words."""
    return [f"Walks that drift by {drift} end at {place:.2f}." for drift, place in summary["final_place"].items()]


def draw(table, summary):
    """Mean place against steps."""
    from irl_ident import figures

    figure, axes = figures.panels()
    for colour, (drift, group) in zip(figures.PALETTE, table.groupby("drift"), strict=False):
        walks = group.pivot_table(index="replicate", columns="step", values="place").to_numpy()
        figures.curve_with_band(axes[0, 0], np.arange(STEPS), walks, label=f"drift {drift}", colour=colour)
    axes[0, 0].set(xlabel="step", ylabel="place")
    figures.label_ends(axes[0, 0])
    return figure
