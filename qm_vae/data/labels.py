"""Names of expressions, as datasets write them."""

from qm_vae import types
from qm_vae.errors import InputError

ALIASES = {
  "anger": "angry",
  "disgusted": "disgust",
  "afraid": "fear",
  "fearful": "fear",
  "scared": "fear",
  "happiness": "happy",
  "joy": "happy",
  "sadness": "sad",
  "surprised": "surprise",
}
"""Other names of the seven classes. Contempt is an eighth expression, for which there is no class."""


def expression(name: str) -> int:
  """The index in types.EXPRESSIONS of an expression's name, in any case and with spaces around it.

  Raises:
    ValueError: for a name that is neither one of the seven nor an alias of one.
  """
  plain = name.strip().lower()
  plain = ALIASES.get(plain, plain)
  if plain not in types.EXPRESSIONS:
    allowed = ", ".join([*types.EXPRESSIONS, *ALIASES])
    raise InputError(f"no expression is called {name[:200]!r}; allowed are {allowed}")
  return types.EXPRESSIONS.index(plain)
