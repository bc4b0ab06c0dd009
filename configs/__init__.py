"""Experiments, one short file each; `default.py` holds every key."""
