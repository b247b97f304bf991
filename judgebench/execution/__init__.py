"""Carrying out: what is missing is planned, asked and stored; nothing is asked twice."""
