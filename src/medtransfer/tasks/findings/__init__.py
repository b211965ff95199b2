"""The parts of the task of several findings."""
