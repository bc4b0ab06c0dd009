"""The attacker who knows nothing of the method: a frozen recogniser, clear pictures in the gallery."""

from qm_vae.privacy import contract


def make(tools) -> contract.Attacker:
  """Compares protected faces with clear ones by the cosine of their embeddings."""

  def scores(gallery, probe):
    return tools.embed(probe.protected, probe.protected_eyes) @ tools.embed(gallery.original, gallery.eyes).T

  return contract.Attacker(
    lambda train: contract.Attack(scores, ()), gallery="clear", unmet_requirements=lambda train: ""
  )
