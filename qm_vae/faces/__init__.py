"""From frames to face crops and back: detectors, cropping, alignment, pasting, cache."""

SHAPES = ("box", "ellipse")
"""What of a face's square is hidden (pasting.blend)."""
