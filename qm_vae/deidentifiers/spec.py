"""De-identifiers named in one line of text, with their options."""

import ast
import types
from collections.abc import Mapping

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.types import Deidentifier


def parse(text: str) -> tuple[str, dict] | None:
  """('mosaic', {'block': 4}) of 'mosaic:block=4'; several options are divided by commas. None for anything else.

  >>> parse("cartoon:levels=4,ink=0.5")
  ('cartoon', {'levels': 4, 'ink': 0.5})
  >>> parse("mosaic:block"), parse("nothing")
  (None, None)
  """
  if not isinstance(text, str):
    return None
  name, _, given = text.partition(":")
  pairs = [pair.partition("=") for pair in given.split(",") if pair]
  if name not in DEIDENTIFIERS.names() or not all(key and value for key, _, value in pairs):
    return None
  return name, {key: _value(value) for key, _, value in pairs}


def _value(text):
  """A number, True, False, a quoted text; anything else is a text as it is, such as a path."""
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def make(text: str, defaults: Mapping = types.MappingProxyType({})) -> Deidentifier:
  """The de-identifier that `text` names.

  Args:
    text: see `parse`.
    defaults: options that `text` may override.

  Raises:
    ValueError: where there is none of that name, or it does not take these options.
  """
  found = parse(text)
  if found is None:
    raise InputError(f"{text!r} names no de-identifier; write NAME:OPTION=VALUE, as mosaic:block=4")
  name, options = found
  return DEIDENTIFIERS[name](**dict(defaults) | options)
