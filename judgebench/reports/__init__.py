"""Estimates to tables: leaderboards and agreement, for people and for programs."""
