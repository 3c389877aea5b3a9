"""The cone of an optimal agent's possible rewards: rows, span, contradictions, and support functions at every size."""
