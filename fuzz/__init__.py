"""Fuzzing of everything that reads what users give: files, folders and tables.

::

    python -m fuzz [--seconds N] [--seed N] [LOADER...]     random mutations, counts and findings
    python -m fuzz.guided LOADER [libFuzzer's options]      the same mutations, steered by coverage (needs ``atheris``)

Every run starts from valid files (:mod:`fuzz.loaders`), mutates their structure (:mod:`fuzz.trees`,
:mod:`fuzz.archives`) or their bytes (:mod:`fuzz.mutations`), recomputes checksums in half of all cases, and holds the
loader to three rules (:mod:`fuzz.rules`): it raises nothing but ``ValueError`` and ``OSError`` with the file's name in
the message; it is done within a limit of time and memory; and what it accepts is a valid object that, saved and
loaded, is the same.  The tests run a few hundred cases of each.
"""
