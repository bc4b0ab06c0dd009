"""From frames to face crops and back: detectors, cropping, alignment, pasting, cache."""
