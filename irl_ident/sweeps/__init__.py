"""Sweeps: many independent tasks, such as campaigns, on all cores or on a cluster.

===================  ===============================================================================================
:func:`.sweep`       does tasks, keeps the rows of each in a folder, and goes on there after whatever interrupted it
:class:`Swept`       the rows of all tasks in order, as a data frame or streamed into one file
what goes wrong      :class:`TaskFailed`, :class:`OtherCode`, :class:`ClusterLost`; what was finished is always kept
:func:`code_digest`  what rows hang on; rows of other code are never mixed
===================  ===============================================================================================
"""

from irl_ident.sweeps.cluster import ClusterLost
from irl_ident.sweeps.digests import code_digest, digest, file_digest, plain
from irl_ident.sweeps.sweeping import Swept, TaskFailed, sweep
from irl_ident.sweeps.work import OtherCode, Raised

__all__ = [
    "ClusterLost",
    "OtherCode",
    "Raised",
    "Swept",
    "TaskFailed",
    "code_digest",
    "digest",
    "file_digest",
    "plain",
    "sweep",
]
