"""Reads the questions: upstream's two JSON files of a set, or tables with the same fields."""

from judgebench.benchmarks import mixeval_files

read = mixeval_files.read
