"""Families of environments that an experimenter could build, and how the best of one is searched for."""
