"""Property-based tests are not timed: how fast a machine is says nothing about the code.

In continuous integration they draw the same examples every time, so that its verdict depends on the commit alone;
elsewhere every run looks for new counterexamples.
"""

import os

from hypothesis import settings

settings.register_profile("untimed", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
settings.load_profile("untimed")
