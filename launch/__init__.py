"""Launchers: they start runs and define nothing."""
