"""The attacker who asks whether two protected pictures show one person, with a frozen recogniser."""

from qm_vae.privacy import contract


def make(tools) -> contract.Attacker:
  """Compares protected faces with protected ones by the cosine of their embeddings."""

  def scores(gallery, probe):
    return tools.embed(probe.protected, probe.protected_eyes) @ tools.embed(gallery.protected, gallery.protected_eyes).T

  return contract.Attacker(
    lambda train: contract.Attack(scores, ()), gallery="protected", unmet_requirements=lambda train: ""
  )
