"""A black box that is a Python function."""

import importlib
from typing import Any

import numpy as np

from qm_vae.errors import InputError
from qm_vae.services.black_box import Client, Unavailable


def make(source: str, **arguments: Any) -> Client:
  """The function that `source` names, as a client.

  Args:
    source: 'module:function'; called as function(images, **arguments) with uint8 [n, H, W, 3] RGB, it returns what a
      Client may. An OSError of its (a connection refused, a time-out) counts as a service that is unavailable.
    **arguments: given to every call.

  Raises:
    ValueError: when there is no such function.
  """
  module, _, name = source.partition(":")
  if not module or not name:
    raise InputError(f"source is {source!r}; a callable is given as module:function, such as my_service:answer")
  try:
    function = getattr(importlib.import_module(module), name)
  except (ImportError, AttributeError) as error:
    raise InputError(f"source {source!r} cannot be imported ({error}); start where Python finds the module") from error
  if not callable(function):
    raise InputError(f"source {source!r} is a {type(function).__name__}; it must be a function of images")

  def ask(images: np.ndarray):
    try:
      return function(images, **arguments)
    except OSError as error:
      raise Unavailable(f"{type(error).__name__}: {error}") from error

  return ask
