"""Counts how many damaged inputs of each kind are held.

python tests/support/count_hostile.py --seeds 0 1 2 --count 60
python tests/support/count_hostile.py --seeds 0 --count 500 --kinds "Keras HDF5" --show
"""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import sys
import tempfile

_HERE = pathlib.Path(__file__).parent


def counted(name: str, seed: int, count: int, scratch: pathlib.Path, worker=None) -> collections.Counter:
  """{what went wrong, '' for held: how often} of `count` damaged inputs."""
  from hostile import KINDS, verdict

  rng, found = random.Random(f"{seed} {name}"), collections.Counter()
  for _ in range(count):
    found[verdict(KINDS[name], rng, scratch, worker)] += 1
  return found


def main() -> None:
  """Prints a table: kind, tried, held, by seed."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
  parser.add_argument("--count", type=int, default=60, help="inputs of each kind and seed (default %(default)s)")
  parser.add_argument("--kinds", nargs="+", help="(default: all)")
  parser.add_argument("--show", action="store_true", help="also what went wrong")
  given = parser.parse_args()
  sys.path.insert(0, os.environ.get("HOSTILE_ROOT", str(_HERE.parents[1])))
  from hostile import KINDS
  from hostile.apart import Worker

  tried = held = 0
  print("| kind | tried | held |", "| --- | --- | --- |", sep="\n", flush=True)
  for name in given.kinds or KINDS:
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
      whole = pathlib.Path(scratch) / "whole"
      whole.mkdir()
      KINDS[name].write(whole)
      worker = None
      if KINDS[name].apart:
        worker = Worker(name)
        stack.callback(worker.close)
      else:
        KINDS[name].read(whole)  # imports and compilation are no part of what is timed
      each = [counted(name, seed, given.count, pathlib.Path(scratch), worker) for seed in given.seeds]
    good = [one[""] for one in each]
    tried, held = tried + given.count * len(each), held + sum(good)
    words = "" if len(each) == 1 else f" ({', '.join(map(str, good))})"
    print(f"| {name} | {given.count * len(each)} | {sum(good)}{words} |", flush=True)
    if given.show:
      wrong = sum(each, collections.Counter())
      del wrong[""]
      for one, times in wrong.most_common(12):
        print(f"    {times:4} {one[:230]!r}", flush=True)
  print(f"| all | {tried} | {held} |")


if __name__ == "__main__":
  main()
