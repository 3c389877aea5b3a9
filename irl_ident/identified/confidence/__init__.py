"""Sets that hold the objective with a stated probability, at every time, from choices that were sampled or err."""
