"""Property-based tests are not timed: how fast a machine is says nothing about the code."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")
