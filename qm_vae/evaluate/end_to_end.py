"""The paper's whole pipeline on protected faces: detector and service on the frame (Qiu et al. 2022, Sec. 4.3)."""

from collections.abc import Callable

import numpy as np

from qm_vae.faces import cropping, source_crops
from qm_vae.metrics import utility
from qm_vae.training.state import Split
from qm_vae.types import Record

NOT_MEASURED = {"pipeline_loss_rate": None, "pipeline_no_face": None}
"""What `measure` returns where nobody looks for faces."""


class _Pasted:
  """The test frames with the faces of one method pasted in, as a source."""

  classes = identities = ()
  fingerprint = ""

  def __init__(self, data: Split, image: np.ndarray):
    self._data, self._image = data, image

  def __len__(self):
    return len(self._image)

  def __getitem__(self, i):
    test = self._data.test
    frame = self._data.test_source[int(test.index[i])].image
    return Record(cropping.paste(frame, self._image[i], test.box[i]), test.name[i])


def _same_place(found, expected):
  """bool [N]: the found square's centre lies in the expected one; another person's face keeps nobody's answer."""
  centre = found[:, :2] + found[:, 2:] / 2
  inside = (centre >= expected[:, :2]) & (centre < expected[:, :2] + expected[:, 2:])
  return inside.all(axis=1)


def measure(settings: cropping.Settings, data: Split, image: np.ndarray, truth: np.ndarray, answer: Callable) -> dict:
  """Pastes the outputs into their frames, looks for the faces again, and classifies what was found.

  Args:
    settings: how the faces were found.
    data: whose test faces these are.
    image: uint8 [N, S, S, 3], one method's outputs of them.
    truth: int [N], the service's answers on the originals.
    answer: an outputs.Answers.

  Returns:
    {"pipeline_loss_rate", "pipeline_no_face"}: rates, a face that is not found counting as lost; None each where the
    data are not searched for faces.
  """
  if settings.detector == "none":
    return dict(NOT_MEASURED)
  again = source_crops.crop_source(_Pasted(data, image), settings._replace(eyes="average"), show=False)
  there = _same_place(again.box, data.test.box[again.index])
  positions = again.index[there]
  lost = np.ones(len(image), bool)
  lost[positions] = answer(again.image[there])["service"].argmax(-1) != truth[positions]
  no_face = np.ones(len(image), bool)
  no_face[positions] = False
  return {"pipeline_loss_rate": utility.rate(lost, data.test), "pipeline_no_face": utility.rate(no_face, data.test)}
