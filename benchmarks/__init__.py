"""Timings against peers; each module prints ratios of one run."""
