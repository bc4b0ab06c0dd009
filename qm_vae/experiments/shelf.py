"""Where configs/ and launch/ are: beside the package in a clone, inside it where the package was installed.

In a clone they are folders at its top. A wheel holds them as qm_vae/configs and qm_vae/launch, so that an installation
adds no further names to site-packages.
"""

import importlib.util
import pathlib
import sys

_PACKAGE = pathlib.Path(__file__).parents[1]


def folder(name: str) -> pathlib.Path:
  """The folder 'configs' or 'launch': of the current folder, of the clone, or of the installation.

  A relative path where it is below the current folder, since commands that people copy name it so.
  """
  here, clone = pathlib.Path(name), _PACKAGE.parent / name
  return next((one for one in (here, clone) if (one / "__init__.py").is_file()), _PACKAGE / name)


def experiments() -> list[pathlib.Path]:
  """The files of experiments."""
  return sorted(path for path in folder("configs").glob("*.py") if not path.stem.startswith("_"))


def experiment(name: str) -> pathlib.Path:
  """The file of an experiment: a path, or the name of a file in configs/, such as 'alpha04' or 'configs/alpha04.py'.

  A name that is neither comes back as it is.
  """
  path = pathlib.Path(name)
  if path.is_file():
    return path
  below = path.parts[1:] if path.parts[:1] == ("configs",) else path.parts
  known = folder("configs").joinpath(*below).with_suffix(".py") if below else path
  return known if known.is_file() else path


def make_importable(name: str) -> None:
  """Lets `import configs` or `import launch` find the folder, also where it is part of the installation."""
  if name in sys.modules or importlib.util.find_spec(name) is not None:
    return
  place = folder(name).absolute()
  start = place / "__init__.py"
  spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(place)])
  if spec is None or spec.loader is None or not start.is_file():
    raise ImportError(f"{place} is missing; install the package anew, or start in a clone of the repository")
  module = importlib.util.module_from_spec(spec)
  sys.modules[name] = module
  spec.loader.exec_module(module)
