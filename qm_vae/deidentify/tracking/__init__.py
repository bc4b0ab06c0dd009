"""Faces of successive frames linked into tracks, and the gaps of a track filled."""
