"""ONNX files of detectors opened by onnxruntime, on a GPU where there is one."""

import os
import pathlib
from typing import NamedTuple

import onnxruntime

from qm_vae.errors import InputError
from qm_vae.faces.detectors import onnx_shapes

AUTO, CPU = "auto", "CPU"

_CPU = "CPUExecutionProvider"
_SUFFIX = "ExecutionProvider"
_PREFERRED = ("CUDA", "ROCM", "MIGraphX", "DML", "CoreML")
"""Those taken by themselves, best first. TensorRT builds an engine for minutes: on request alone."""


class Opened(NamedTuple):
  """One file opened twice: an unused session costs its weights' memory, and nothing else."""

  fixed: onnxruntime.InferenceSession  # as the file is
  free: onnxruntime.InferenceSession  # for images of any size
  provider: str  # what the second one runs on, such as 'CPU'


def providers() -> tuple[str, ...]:
  """Short names of what this onnxruntime can run on: 'CUDA', 'CPU', ..."""
  return tuple(name.removesuffix(_SUFFIX) for name in onnxruntime.get_available_providers())


def read(path: str | os.PathLike) -> tuple[pathlib.Path, bytes]:
  """(path with `~` expanded, bytes) of an ONNX file.

  Raises:
    ValueError: where it cannot be read.
  """
  path = pathlib.Path(path).expanduser()
  try:
    return path, path.read_bytes()
  except OSError as error:
    raise InputError(f"{path} cannot be read: {error.strerror}; give the path of an ONNX file") from None


def open_file(path: pathlib.Path, model: bytes, provider: str = AUTO, threads: int | None = None) -> Opened:
  """The network in an ONNX file's bytes.

  Args:
    path: of the file, for messages.
    model: its bytes.
    provider: 'auto', or a short or full name of an onnxruntime provider, in any case.
    threads: that share one search on the CPU; None: all cores. Who searches several pictures at the same time takes 1.

  Raises:
    ValueError: for a provider that is not there or does not start, and for what is no ONNX file.
  """
  wanted = _wanted(provider)
  options = onnxruntime.SessionOptions()
  options.log_severity_level = 4
  options.intra_op_num_threads = threads or 0
  # Threads that wait by spinning take the cores from decoding, encoding and the other searches.
  options.add_session_config_entry("session.intra_op.allow_spinning", "0")
  try:
    free = onnxruntime.InferenceSession(onnx_shapes.free(model), options, providers=wanted)
    fixed = onnxruntime.InferenceSession(model, options, providers=wanted)
  except Exception as error:  # onnxruntime's own exceptions share no narrower base
    raise InputError(f"{path} cannot be opened by onnxruntime ({error}); expected an ONNX file") from error
  taken = free.get_providers()[0]
  # onnxruntime goes on with the CPU where a GPU's library is missing.
  if provider.lower() != AUTO and taken != wanted[0]:
    raise InputError(
      f"the provider {provider} does not start; onnxruntime would take {taken}. Install its libraries, or leave "
      "--provider out"
    )
  return Opened(fixed, free, taken.removesuffix(_SUFFIX))


def _wanted(provider):
  available = onnxruntime.get_available_providers()
  if provider.lower() == AUTO:
    return [name + _SUFFIX for name in _PREFERRED if name + _SUFFIX in available] + [_CPU]
  short = provider.lower().removesuffix(_SUFFIX.lower())
  found = [name for name in available if name.removesuffix(_SUFFIX).lower() == short]
  if not found:
    raise InputError(
      f"the provider is {provider!r}; this onnxruntime has {', '.join(providers())} (package onnxruntime-gpu brings "
      "CUDA), or auto"
    )
  return list(dict.fromkeys([found[0], _CPU]))
