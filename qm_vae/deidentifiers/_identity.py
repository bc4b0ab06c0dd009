"""No de-identification: the control that must protect nobody."""

from qm_vae import types
from qm_vae.options import member


def identity(params, face, key):
  """Returns the image as it came.

  An attacker must do as well on this view as on clear images; a report in which it does not is void.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1].
    key: unused; every de-identifier is called alike.

  Returns:
    [H, W, 3] float32 in [0, 1], the image bit for bit.
  """
  del params, key
  return face.image


@member(control=True, hides_nothing=True)
def make() -> types.Deidentifier:
  """The control without protection; it has no options."""
  return types.Deidentifier((), identity)
