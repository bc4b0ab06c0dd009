"""Which protected picture belongs to which original."""

import os
import pathlib
import posixpath
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from qm_vae.data import file_source
from qm_vae.errors import InputError
from qm_vae.io import images

_SHOWN = 20  # files of one kind that a message names before it counts the others


class Pair(NamedTuple):
  """A picture before and after a tool."""

  name: str  # of the original, with '/': its path relative to the directory, or as the list has it
  original: pathlib.Path
  protected: pathlib.Path


class Mismatch(InputError):
  """Two sides that do not fit together; the message names the files concerned."""


def match(originals: str | os.PathLike, protected: str | os.PathLike) -> tuple[Pair, ...]:
  """The pictures of two sides, one pair each.

  Files of two directories belong together when their relative paths are equal but for their endings; a tool may write
  another format. Hidden files and folders, links to folders, and what does not end like an image (images.SUFFIXES) are
  left out. Lines of two lists belong together by their order; empty lines and those that begin with '#' do not count.

  Args:
    originals: a directory, searched with all below it, or a UTF-8 text file with one path per line; relative ones start
      at the file's folder.
    protected: the same of what the tool wrote; of the same kind.

  Returns:
    Pairs sorted by name.

  Raises:
    Mismatch: for a picture without a partner, two pictures that one could be the partner of, listed files that are
      missing or listed twice, lists of different lengths, one side inside the other, or no pictures at all.
  """
  sides = {"originals": pathlib.Path(originals).expanduser(), "protected": pathlib.Path(protected).expanduser()}
  for role, path in sides.items():
    if not path.is_dir() and not path.is_file():
      raise Mismatch(f"{role} is {str(path)!r}, which is neither a directory nor a text file that lists pictures")
  before, after = sides.values()
  if before.samefile(after):
    raise Mismatch(f"originals and protected are both {str(before)!r}; name what the tool read and what it wrote")
  if before.is_dir() != after.is_dir():
    raise Mismatch(f"{str(before)!r} and {str(after)!r} are a directory and a list; give two directories or two lists")
  pairs, problems = _directories(before, after) if before.is_dir() else _lists(before, after)
  if not pairs and not any(problems.values()):
    raise Mismatch(f"no picture in {before}; pictures end in {' '.join(images.SUFFIXES)}")
  if not pairs:
    problems = {"nothing on one side belongs to anything on the other; compare the relative paths": None} | problems
  message = refusal(f"{before} and {after} do not fit together", problems)
  if message:
    raise Mismatch(message)
  return tuple(sorted(pairs))


def stem(name: str) -> str:
  """A path without the ending of an image, in the one form of its accents by which paths are compared."""
  # Systems differ in whether they store an accent as a character of its own.
  name = unicodedata.normalize("NFC", name)
  root, ending = posixpath.splitext(name)
  return root if ending.lower() in images.SUFFIXES else name


def refusal(head: str, problems: dict[str, Sequence[str] | None]) -> str:
  """A message with a line for each problem and the first files that have it; '' where there is none.

  Args:
    head: its first line.
    problems: what is wrong -> the names of the files; None where no file is concerned.
  """
  lines = [f"- {what}{_listing(names)}" for what, names in problems.items() if names is None or names]
  return f"{head}:\n" + "\n".join(lines) if lines else ""


def _directories(before, after):
  inner = [(a, b) for a, b in ((before, after), (after, before)) if a.resolve().is_relative_to(b.resolve())]
  if inner:
    raise Mismatch(f"{inner[0][0]} lies inside {inner[0][1]}; move it out, so that each picture is on one side only")
  originals, protected = _by_stem(before), _by_stem(after)
  pairs = [
    Pair(originals[key][0], before / originals[key][0], after / protected[key][0])
    for key in originals.keys() & protected.keys()
  ]
  return pairs, {
    "originals without a protected picture": _names(originals, originals.keys() - protected.keys()),
    "protected pictures without an original": _names(protected, protected.keys() - originals.keys()),
    "originals that differ in nothing but their endings": _names(originals, _ambiguous(originals)),
    "protected pictures that differ in nothing but their endings": _names(protected, _ambiguous(protected)),
  }


def _by_stem(directory):
  """Stem -> names of the files below a directory that have it."""
  found = {}
  for name in file_source.find_images(directory):
    # isfile: a dangling link holds no picture, and a pipe would block its reader.
    if not any(part.startswith(".") for part in name.split("/")) and os.path.isfile(directory / name):
      found.setdefault(stem(name), []).append(name)
  return found


def _ambiguous(by_stem):
  return [key for key, names in by_stem.items() if len(names) > 1]


def _names(by_stem, keys):
  return sorted(name for key in keys for name in by_stem[key])


def _lists(before, after):
  originals, protected = _listed(before), _listed(after)
  pairs = [Pair(name, path, other) for (name, path), (_, other) in zip(originals, protected, strict=False)]
  problems = {}
  if len(originals) != len(protected):
    lengths = f"{before} lists {len(originals)} pictures, {after} {len(protected)}"
    problems[f"{lengths}; the lines of one belong to those of the other"] = None
  for path, listed in ((before, originals), (after, protected)):
    files = [os.path.normpath(file) for _, file in listed]
    problems[f"files listed in {path} that are not there"] = [file for file in files if not os.path.isfile(file)]
    seen = set()
    problems[f"files listed in {path} more than once"] = [file for file in files if file in seen or seen.add(file)]
  return pairs, problems


def _listed(path):
  try:
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
  except UnicodeDecodeError as error:
    raise Mismatch(f"{path} is no UTF-8 text that lists pictures ({error}); or name a directory") from error
  lines = [os.path.expanduser(line) for line in lines if line and not line.startswith("#")]
  return [(pathlib.Path(os.path.normpath(line)).as_posix(), path.parent / line) for line in lines]


def _listing(names):
  if names is None:
    return ""
  more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
  return f" ({len(names)}): {', '.join(map(repr, names[:_SHOWN]))}{more}"
