"""Stored verdicts in, estimates out. One question per file; formulas are in `judgebench.stats`."""
