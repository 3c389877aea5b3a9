"""Speed beside that of peers, as a suite: ``python -m benchmarks --help``.

pytest-benchmark times, collects and stores.  What it lacks is the pairing: its comparisons are of whole runs made at
different times, while a ratio is only worth its two sides being timed in turns.  :mod:`benchmarks.race` adds that by
running the peers in pytest-benchmark's own pause between two rounds; :mod:`benchmarks.records` reads the stored JSON,
:mod:`benchmarks.tables` and :mod:`benchmarks.plots` make of it what ``docs/performance.md`` shows.  asv was the other
choice: it follows one code base through its commits, each benchmark in a process of its own, and times no pairs either.
"""
