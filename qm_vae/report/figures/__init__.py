"""Figures of a report, one file for each kind, by Matplotlib."""
