"""Studies: one question each, answered by a table and a figure; ``python -m studies list`` names them.

A study is one module here.  Its docstring says which question it asks, what would refute the expected answer, and which
worlds, agents and measurements it uses; its first paragraph is the question.  It has five plain functions:

``tasks(settings)``
    Independent units of work, a list of dictionaries of plain values.  Whatever is random in a task comes from an
    integer in it that ``studies.study.Settings.seed_for`` made.  A ``Path`` in a task stands for what is in that
    file.
``run(task)``
    Does one of them, in whatever process, and returns rows: a list of dictionaries or a data frame.
``summarise(table)``
    The headline figures: a dictionary of plain values, from the rows of all tasks in the order of the tasks.
``findings(summary)``
    What was found: sentences for somebody who has read the question alone.  They stand under the figure in the
    report of all studies, and every number in them comes from the summary.
``draw(table, summary)``
    A matplotlib figure.

What studies share lives in modules whose names begin with an underscore.  Everything else is ``studies.runner``'s
work: processes, resuming, files, and the manifest; ``studies.report`` puts finished studies together.
"""
