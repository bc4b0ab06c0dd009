"""Judges finished runs: one file for each task whose runs have a report."""
