r"""De-identifies millions of pictures and videos on many cores and hosts, with Ray Data.

  pip install -r requirements-bulk.txt
  python -m launch.bulk photos/ safe/                                          # a folder and everything below it
  python -m launch.bulk list.txt safe/ --workers=8 -- --method=mosaic          # one path per line
  python -m launch.bulk people.csv safe/ --column=file --address=auto -- --detector=centerface

Options after `--` are those of python -m qm_vae.deidentify, which does the work. IN is a folder, or a manifest of
paths relative to --root: .txt (one per line), .csv or .jsonl (one per row, in --column). A file is written to
OUT/ab/cd/NAME-DIGEST.SUFFIX, and its record to the same name with .json appended. ab, cd and DIGEST depend only on its
name in IN, so no folder grows large and no two files collide.

Rerun the command to resume an interrupted run: finished files are recorded in OUT/.bulk, and skipped if they and the
settings have not changed. Failures are listed at the end and in OUT/failures.jsonl, and are tried again by the next
run.

Exit status: 0 every detected face is hidden; 1 some files failed; 2 the command is wrong. On one machine with few cores
Ray gains nothing: use python -m qm_vae.deidentify, which can be resumed too.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import logging
import os
import pathlib
import shlex
import socket
import sys
import warnings
from collections.abc import Callable, Iterator

from qm_vae.arguments import Parser
from qm_vae.deidentify import options
from qm_vae.errors import InputError
from qm_vae.io import progress, records, run_folder

OK, FAILED, USAGE = range(3)
_OWN = ".bulk"  # in OUT: what is finished, who works there and on what
_LOST = "its worker died at it, for want of memory or for what is in the file"
_BLOCK = 16  # files that a worker is handed at once
_LISTED = 50
_NOT_HERE = ("preview", "sidecar", "review")


class Worker:
  """Protects files by one job's tools, one after the other; what Ray starts on every core."""

  def __init__(self, arguments: list[str], command: str, root: str, out: str, settings: str):
    """Opens the method; `arguments` are those of python -m qm_vae.deidentify, `settings` as of folder.settings_of."""
    self._root, self._out = pathlib.Path(root), pathlib.Path(out)
    from qm_vae.deidentify import job, journal  # here and below: --help does not wait for them

    given = options.parse(arguments)
    given.root = root
    self._work = job.open_job(given, command)
    own = self._out / _OWN
    self._alive = (own / "workers").open("a")
    _lock(self._alive, "LOCK_SH")  # until the process ends, however it does
    notes = own / f"{socket.gethostname()}-{os.getpid()}.jsonl"
    self._journal = journal.Journal(notes, settings, self._root).__enter__()

  def __call__(self, batch: dict) -> dict:
    """{"path": names as bytes} -> the same with "hidden" faces and "failures", a text, '' for none."""
    done = [self._one(os.fsdecode(name)) for name in batch["path"]]
    failures = ["; ".join(outcome.failures).encode("utf-8", "replace").decode() for outcome in done]
    return {"path": batch["path"], "hidden": [outcome.hidden for outcome in done], "failures": failures}

  def _one(self, name):
    from qm_vae.deidentify import folder, job, manifest, one

    target = self._out / manifest.place(name)
    begun = self._out / _OWN / "begun" / target.name
    try:
      begun.open("x").close()
    except FileExistsError:  # Ray hands out again what a dead worker had
      return job.Outcome(name, 0, (), (_LOST,), {})
    except OSError as error:
      return job.Outcome(name, 0, (), (one.message_of(error),), {})
    try:
      outcome = folder.protect_one(self._work, self._root / name, target, name, self._journal, bulk=True)
    except Exception as error:  # of the journal; else the block's other files were lost
      outcome = job.Outcome(name, 0, (), (one.message_of(error),), {})
    with contextlib.suppress(OSError):
      begun.unlink()
    return outcome


def remaining(
  names: list[str],
  root: pathlib.Path,
  out: pathlib.Path,
  settings: str,
  state_of: Callable[[pathlib.Path], list] | None = None,
) -> list[str]:
  """Those of the files that no earlier job finished as it is now.

  Args:
    names: of the files, relative to `root`.
    root: where the originals are.
    out: the folder of the job.
    settings: as of folder.settings_of.
    state_of: what of an original, and of what was decided about it, asks for making it again; None: journal.state_of.
  """
  from qm_vae.deidentify import journal, manifest

  state_of = state_of or journal.state_of
  newest = {}  # of what was made under a name, by any job: (time, size, of what, whether it is finished)
  for path in (out / _OWN).glob("*.jsonl"):
    for row in journal.rows(path):
      if isinstance(row["made"], list):
        size, time = row["made"]
        made = (time, size, (row["settings"], row["state"]), row["record"] is not None)
        newest[row["file"]] = max(made, newest.get(row["file"], made), key=lambda known: known[0])

  def is_done(name):
    try:
      size, time = journal.state_of(out / manifest.place(name))
      return newest.get(name) == (time, size, (settings, state_of(root / name)), True)
    except OSError:
      return False  # the worker tells why

  return [name for name in names if not is_done(name)]


def run_all(names: list[str], arguments: tuple, given: argparse.Namespace) -> Iterator[dict]:
  """What becomes of the files, as Worker tells it, in any order.

  Args:
    names: of the files.
    arguments: of Worker.
    given: the command line's, see parser.
  """
  os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports its use over the network
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # workers share a GPU
  import pyarrow
  import ray
  import ray.data

  class Bound(Worker):
    def __init__(self):
      super().__init__(*arguments)

  # Ray starts programs, and the forks behind that never go on in this one.
  warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
  start = {"address": given.address} if given.address else {"num_cpus": given.workers, "include_dashboard": False}
  ray.init(**start, log_to_driver=False, logging_level="ERROR")
  context = ray.data.DataContext.get_current()
  context.enable_progress_bars = False
  for name in ("ray", "ray.data"):
    logging.getLogger(name).setLevel(logging.ERROR)
  context.max_errored_blocks = -1  # the others go on
  blocks = [names[i : i + _BLOCK] for i in range(0, len(names), _BLOCK)]
  tables = [pyarrow.table({"path": pyarrow.array([os.fsencode(name) for name in block])}) for block in blocks]
  made = ray.data.from_arrow(tables).map_batches(
    Bound,
    batch_size=None,  # a block as it is
    compute=ray.data.ActorPoolStrategy(size=min(given.workers, len(blocks))),
    num_cpus=1,
    num_gpus=given.gpus,
  )
  try:
    yield from made.iter_rows()
  finally:
    ray.shutdown()


def parser() -> argparse.ArgumentParser:
  """The command line before `--`."""
  made = Parser(prog="python -m launch.bulk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  made.add_argument("source", metavar="IN", type=options.path_of, help="folder, or manifest: .txt, .csv, .jsonl")
  made.add_argument("target", metavar="OUT", type=options.path_of, help="folder, the same for all hosts")
  made.add_argument("--root", type=options.path_of, help="folder that paths are relative to (default: the manifest's)")
  made.add_argument("--column", default="path", help="of a .csv or .jsonl (default %(default)s)")
  made.add_argument("--workers", type=int, default=os.cpu_count(), help="processes in all (default: this host's cores)")
  made.add_argument("--gpus", type=float, default=0, help="GPUs a worker, such as 0.25 (default: none)")
  made.add_argument("--address", help="of a running Ray cluster, or auto (default: Ray is started on this host)")
  return made


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  arguments = sys.argv[1:] if arguments is None else arguments
  cut = arguments.index("--") if "--" in arguments else len(arguments)
  made = parser()
  given = made.parse_args(arguments[:cut])
  # A relative 2024 would be a camera where workers have another folder.
  forwarded = [str(given.source.absolute()), str(given.target), *arguments[cut + 1 :]]
  chosen = options.parse(forwarded)
  from qm_vae.deidentify import folder, job, manifest, methods, reviewed

  command = "python -m launch.bulk " + shlex.join(arguments)
  root = given.root or (given.source if given.source.is_dir() else given.source.parent)
  chosen.root = str(root.absolute())
  try:
    wrong = [name for name in _NOT_HERE if getattr(chosen, name) not in (None, False, [])]
    if wrong:
      raise InputError(f"--{wrong[0]} is not for many files; leave it out")
    if given.workers < 1 or given.gpus < 0:
      raise InputError(f"--workers={given.workers} --gpus={given.gpus:g}: at least 1 worker, at least 0 GPUs")
    names = manifest.read(given.source, given.column)
    if given.source.is_dir():
      folder.check_apart(given.source, given.target)
    reviewed.check(chosen, [reviewed.name_of(chosen, str(root / name)) for name in names])
    work = job.open_job(chosen, command)
    if importlib.util.find_spec("ray") is None:  # refused before hours of work
      raise InputError("Ray is not installed; pip install -r requirements-bulk.txt")
  except (InputError, ImportError, OSError) as error:
    _say(f"error: {error}")
    return USAGE
  if warning := methods.warning(work.method["name"]):
    _say(warning)
  try:
    with run_folder.locked(given.target / _OWN):
      make_ready(given.target / _OWN)
      settings = folder.settings_of(work, root)
      state_of = functools.partial(folder.decided_state_of, chosen)
      wanted = names if chosen.overwrite else remaining(names, root, given.target, settings, state_of)
      worker = (forwarded, command, str(root.absolute()), str(given.target.absolute()), settings)
      return _summary(given.target, names, wanted, _told(wanted, worker, given))
  except KeyboardInterrupt:
    _say("interrupted; rerun the command to resume")
  except (InputError, OSError) as error:
    _say(f"error: {error}")
  return FAILED


def _lock(file, kind):
  try:
    import fcntl
  except ImportError:
    raise InputError("a bulk job locks its folder as Linux and macOS do; run it there, or in WSL") from None
  fcntl.flock(file, getattr(fcntl, kind))


def make_ready(own: pathlib.Path) -> None:
  """Makes OUT's own folder; returns when workers of a killed job are gone, and forgets what they were at."""
  own.mkdir(parents=True, exist_ok=True)
  with (own / "workers").open("a") as file:
    _lock(file, "LOCK_EX")
  (own / "begun").mkdir(exist_ok=True)
  for left in (own / "begun").iterdir():
    left.unlink()


def _told(wanted, worker, given):
  """{name: (hidden faces, failures)} of the files that were answered for."""
  outcomes = {}
  with progress.bar(len(wanted), "files", "file") as bar, contextlib.ExitStack() as stack:
    rows = run_all(wanted, worker, given) if wanted else iter(())
    stack.callback(getattr(rows, "close", lambda: None))
    for row in rows:
      outcomes[os.fsdecode(row["path"])] = row["hidden"], row["failures"]
      bar.update()
  return outcomes


def _summary(out, names, wanted, outcomes):
  failures = {name: outcomes[name][1] if name in outcomes else _LOST for name in wanted}
  failures = {name: failure for name, failure in failures.items() if failure}
  rows = [json.dumps({"path": name, "failure": failure}) + "\n" for name, failure in failures.items()]
  records.write_text(out / "failures.jsonl", "".join(rows))
  for name, failure in list(failures.items())[:_LISTED]:
    _say(f"failed: {name}: {failure}")
  if len(failures) > _LISTED:
    _say(f"... and {len(failures) - _LISTED} more: {out / 'failures.jsonl'}")
  hidden = sum(int(count) for count, _ in outcomes.values())
  before = len(names) - len(wanted)
  _say(
    f"{hidden} faces hidden in {len(wanted) - len(failures)} of {len(names)} files, {before} of them done before; "
    f"{len(failures)} failures. Look at the result yourself."
  )
  return FAILED if failures else OK


def _say(text):
  print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)


if __name__ == "__main__":
  sys.exit(main())
