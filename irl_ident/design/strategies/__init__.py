"""Strategies: which environment should come next?  :mod:`~irl_ident.design.strategies.base` has what they share."""
