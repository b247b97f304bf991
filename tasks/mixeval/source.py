"""Reads the questions as MixEval-Hard's are read: upstream has the same files of both."""

from judgebench.benchmarks.data import load_module
from judgebench.benchmarks.description import find

read = load_module(find("mixeval_hard")[1], "source").read
