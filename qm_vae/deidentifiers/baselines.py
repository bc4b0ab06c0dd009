"""De-identifiers named in one line of text, with their options."""

import ast
import types
from collections.abc import Mapping

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.types import Deidentifier


def parsed(text: str) -> tuple[str, dict] | None:
  """('mosaic', {'block': 4}) of 'mosaic:block=4'; several options are divided by commas. None for anything else.

  >>> parsed("cartoon:levels=4,ink=0.5")
  ('cartoon', {'levels': 4, 'ink': 0.5})
  >>> parsed("mosaic:block"), parsed("nothing")
  (None, None)
  """
  if not isinstance(text, str):
    return None
  name, _, told = text.partition(":")
  pairs = [pair.partition("=") for pair in told.split(",") if pair]
  if name not in DEIDENTIFIERS.names() or not all(key and value for key, _, value in pairs):
    return None
  try:
    return name, {key: ast.literal_eval(value) for key, _, value in pairs}
  except (ValueError, SyntaxError):
    return None


def make(text: str, defaults: Mapping = types.MappingProxyType({})) -> Deidentifier:
  """The de-identifier that `text` names.

  Args:
    text: see `parsed`.
    defaults: options that `text` may override.

  Raises:
    ValueError: where there is none of that name, or it does not take these options.
  """
  found = parsed(text)
  if found is None:
    raise ValueError(f"{text!r} names no de-identifier; write NAME:OPTION=VALUE, as mosaic:block=4")
  name, options = found
  try:
    return DEIDENTIFIERS[name](**dict(defaults) | options)
  except TypeError as error:
    raise ValueError(f"{text!r}: {error}") from None
