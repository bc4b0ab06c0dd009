"""One file with all that a finished run's generator needs to hide faces elsewhere.

A zip archive: export.json (format, versions, SHA-256 of every other file), config.json, provenance.json, generator.npz,
gallery.npz where faces are averaged, and the networks under networks/. What only the training needed is left out: data,
judges, attackers, the optimiser's state.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import ml_collections
import numpy as np

import qm_vae
from qm_vae.errors import InputError, InvalidFile
from qm_vae.experiments import config_file, settings
from qm_vae.experiments import gallery as run_gallery
from qm_vae.io import networks, reading, records, run_folder
from qm_vae.io.checkpoints import Checkpoints

FORMAT = 1
_INDEX, _ARRAYS = "export.json", "generator.npz"
_MEMBER = re.compile(
  r"(config|provenance)\.json|(generator|gallery)\.npz|networks/[a-z0-9_]+(\.[a-z0-9_]+)?/(network\.json|arrays\.npz)"
)
_MEMBERS, _BYTES, _INDEX_BYTES = 64, 4 * 2**30, 2**20
_REMEDY = "give a file that python -m qm_vae.export wrote, or copy it again"


class Exported(NamedTuple):
  """What an exported file holds."""

  folder: pathlib.Path  # provenance.json, gallery.npz and the networks
  config: ml_collections.ConfigDict  # its networks' paths lead into `folder`
  arrays: dict[str, np.ndarray]  # of the generator, by their path in the training state
  step: int


def finished(folder: pathlib.Path) -> tuple[dict[str, np.ndarray], int]:
  """(arrays of the newest checkpoint by their path in the state, its step) of a finished run of task 'qm_vae'.

  Raises:
    ValueError: for a run of another task, that is not finished, or damaged.
  """
  config = config_file.load(folder)
  if config.task != "qm_vae":
    raise InputError(f"{folder} holds a run of task {config.task!r}; give one of task 'qm_vae'")
  rows = records.read_rows(folder)
  epoch = max((row["epoch"] for row in rows if row["split"] == "test"), default=0)
  if epoch != config.epochs:
    raise InputError(f"{folder} is not finished: epoch {epoch} of {config.epochs}; let python -m qm_vae.main go on")
  checkpoints = Checkpoints(folder / "checkpoints")
  try:
    return checkpoints.read(), checkpoints.steps()[-1]
  finally:
    checkpoints.close()


Notes = Callable[[ml_collections.ConfigDict, dict, dict[str, dict]], str]
"""(config, export.json, {name: network.json}) of an export, the config without paths of this machine -> a text."""


def write(folder: pathlib.Path, target: pathlib.Path, notes: Notes | None = None) -> dict:
  """Writes the export of the run in `folder` to `target`, aside and renamed; returns its export.json.

  Args:
    folder: of a finished run whose networks are where its config says.
    target: the file; one that exists is replaced.
    notes: makes a text for people, such as a model card; it becomes README.md in the archive.

  Raises:
    ValueError: for a run that is not finished or damaged, or whose networks changed.
    OSError: where `target` cannot be written.
  """
  arrays, step = finished(folder)
  config = config_file.load(folder)
  sources = _networks(config)
  known = run_folder.read_provenance(folder)["networks"]
  for name, source in sources.items():
    if networks.load(source)[0]["sha256"] != known.get(name):
      raise InputError(f"the network {name} in {source} is not the one that {folder} was trained with; bring it back")
  aside = target.with_name(f".{target.name}.{os.getpid()}.part")
  with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
    stack.callback(aside.unlink, missing_ok=True)
    made = pathlib.Path(scratch)
    members = {"config.json": made / "config.json", _ARRAYS: made / _ARRAYS}
    members["provenance.json"] = folder / "provenance.json"
    _relocate(config, {name: f"networks/{name}" for name in sources})
    records.write_text(members["config.json"], json.dumps(config.to_dict()))
    kept = {name: array for name, array in arrays.items() if name.startswith((".params", ".carried"))}
    records.write_arrays(members[_ARRAYS], kept)
    if run_gallery.is_needed(config):
      run_gallery.load(folder)
      members[run_gallery.FILE] = folder / run_gallery.FILE
    for name, source in sources.items():
      for file in (networks.META, networks.ARRAYS):
        members[f"networks/{name}/{file}"] = pathlib.Path(source) / file
    index = {
      "format": FORMAT,
      "qm_vae": qm_vae.__version__,
      "step": int(step),
      "files": {name: _digest(path.read_bytes()) for name, path in members.items()},
    }
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:  # arrays are compressed already
      archive.writestr(_INDEX, json.dumps(index, indent=1) + "\n")
      if notes:
        described = {name: networks.read_meta(source) for name, source in sources.items()}
        archive.writestr("README.md", notes(config, index, described))
      for name, path in members.items():
        archive.write(path, name)
    os.replace(aside, target)
  return index


@contextlib.contextmanager
def unpacked(path: pathlib.Path) -> Iterator[Exported]:
  """What the file at `path` holds, in a folder that lasts as long as the context.

  Raises:
    InvalidFile: for what is no export, or is damaged; nothing in it is unpickled or executed.
  """
  with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    try:
      with zipfile.ZipFile(path) as archive:
        index = _unpack(path, archive, folder)
    except InvalidFile:
      raise
    # Damaged archives surface as BadZipFile, zlib.error, EOFError, NotImplementedError, ...
    except Exception as error:
      raise InvalidFile(path, f"is no exported run ({str(error)[:100]})", remedy=_REMEDY) from error
    try:
      config = config_file.load(folder)
    except InvalidFile as error:
      raise InvalidFile(path, f"holds a config.json that {error.wrong}", remedy=_REMEDY) from error
    _relocate(config, {name: str(folder / "networks" / name) for name in _networks(config)})
    try:
      arrays = reading.read_arrays(folder / _ARRAYS, most=_BYTES, remedy=_REMEDY)
    except InvalidFile as error:
      raise InvalidFile(path, f"holds a {_ARRAYS} that {error.wrong}", error.allowed, _REMEDY) from error
    yield Exported(folder, config, arrays, index["step"])


def _unpack(path, archive, folder):
  entries = {info.filename: info for info in archive.infolist() if info.filename != "README.md"}
  if len(entries) > _MEMBERS or sum(info.file_size for info in entries.values()) > _BYTES:
    raise InvalidFile(path, "is too large for an exported run", f"at most {_MEMBERS} files of {_BYTES} bytes", _REMEDY)
  if _INDEX not in entries or entries[_INDEX].file_size > _INDEX_BYTES:
    raise InvalidFile(path, f"is no exported run: {_INDEX} is missing or too long", remedy=_REMEDY)
  index = reading.parse_json(f"{path}/{_INDEX}", archive.read(_INDEX), remedy=_REMEDY)
  if not isinstance(index, dict) or index.get("format") != FORMAT:
    raise InvalidFile(path, "is an export of another format", f"format {FORMAT}", "export the run anew")
  files, step = index.get("files"), index.get("step")
  if not isinstance(files, dict) or not isinstance(step, int) or set(files) != set(entries) - {_INDEX}:
    raise InvalidFile(path, f"holds other files than its {_INDEX} says", remedy=_REMEDY)
  for name, digest in files.items():
    if not _MEMBER.fullmatch(name):
      raise InvalidFile(path, f"holds {name[:100]!r}, which no export has", remedy=_REMEDY)
    content = archive.read(name)
    if _digest(content) != digest:
      raise InvalidFile(path, f"is damaged: {name} is not what was exported", remedy=_REMEDY)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
  return index


def _networks(config):
  """Folders of the networks that the generator needs, by their name in provenance.json."""
  found = {"service": config.service.checkpoint} if settings.asks_service(config) else {}
  for name in config.views:
    if path := config.deid.get(name, {}).get("checkpoint", ""):
      found[f"deid.{name}"] = path
  return found | ({"landmarks": config.landmarks} if settings.landmarks_shape(config) else {})


def _relocate(config, folders):
  """Sets the paths of the networks, and forgets all others."""
  config.data.root = config.service_data.root = config.target_data.root = config.cache_dir = ""
  for one in settings.networks_of(config).values():
    one.checkpoint = ""
  config.service.checkpoint = folders.get("service", "")
  config.landmarks = folders.get("landmarks", "")
  config.privacy.embedders, config.recognisers = (), ()
  for name in config.views:
    if "checkpoint" in config.deid.get(name, {}):
      config.deid[name].checkpoint = folders.get(f"deid.{name}", "")


def _digest(content):
  return hashlib.sha256(content).hexdigest()
