"""Landmarks that do not tremble from frame to frame, and still follow what moves."""

import numpy as np

_CALM = 0.06  # cycles a frame up to which slow movement is followed
_FOLLOW = 8.0  # cycles a frame more for a speed of one eye distance a frame
_SPEED = 0.3  # share that the newest difference has in the speed
_ANOTHER = 0.5  # eye distances, mean of all landmarks: a face that is further away begins anew


class Smoother:
  """One filter for each track's landmarks: a low-pass whose cut-off grows with the speed of each coordinate.

  Source: Casiez et al. 2012, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
  Systems", with speeds in eye distances, so that near and far faces are treated alike.
  """

  def __init__(self):
    """Knows no track yet."""
    self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

  def __call__(self, track: int, landmarks: np.ndarray) -> np.ndarray:
    """The landmarks of a track's next frame, smoothed.

    Args:
      track: its number; frames of one track come in their order.
      landmarks: [68, 2], pixels of the frame.

    Returns:
      [68, 2], pixels of the frame.
    """
    landmarks = np.asarray(landmarks, np.float64)
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    unit = max(float(np.linalg.norm(right - left)), 1.0)
    place, speed = self._known.get(track, (landmarks, np.zeros_like(landmarks)))
    step = (landmarks - place) / unit
    if np.linalg.norm(step, axis=-1).mean() > _ANOTHER:
      place, speed, step = landmarks, np.zeros_like(landmarks), np.zeros_like(landmarks)
    speed = speed + _SPEED * (step - speed)
    cycles = 2 * np.pi * (_CALM + _FOLLOW * np.abs(speed))
    place = place + cycles / (cycles + 1) * (landmarks - place)
    self._known[track] = place, speed
    return place

  def forget(self, track: int) -> None:
    """Begins anew with the track's next frame: its face was not seen."""
    self._known.pop(track, None)
