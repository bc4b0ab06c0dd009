"""Bulk de-identification: what is to be done, where it lands, and that a killed job goes on."""

import collections
import contextlib
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from launch import bulk
from qm_vae.data import synthetic
from qm_vae.deidentify import folder, job, journal, manifest, one, options

ROOT = pathlib.Path(__file__).parents[2]


def test_bulk_manifests_name_every_file_once(tmp_path):
  """Manifests name every file once."""
  (tmp_path / "list.txt").write_text("b/two.png\n\n a.jpg \nb/two.png\n")
  (tmp_path / "list.csv").write_text('\ufefffile,who\n"b/two, three.png",1\na.jpg,2\n')
  (tmp_path / "list.jsonl").write_text('{"path": "a.jpg"}\n\n{"path": "/b.mp4"}\n')
  assert manifest.read(tmp_path / "list.txt") == ["b/two.png", "a.jpg"]
  assert manifest.read(tmp_path / "list.csv", "file") == ["b/two, three.png", "a.jpg"]
  assert manifest.read(tmp_path / "list.jsonl") == ["a.jpg", "/b.mp4"]
  (tmp_path / "below").mkdir()
  for name in ("one.png", "below/two.mp4", "notes.doc"):
    (tmp_path / name).touch()
  (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
  assert manifest.read(tmp_path) == ["one.png", os.fsdecode(b"\xff.jpg"), "below/two.mp4"]


@pytest.mark.parametrize(
  ("name", "text", "message"),
  [
    ("list.csv", "file\na.jpg\n", "column 'path'"),
    ("list.jsonl", '{"path": "a.jpg"}\n{"pa', "column 'path'"),
    ("list.jsonl", '{"path": 3}\n', "column 'path'"),
    ("list.txt", "\n", "names no picture"),
    ("list.xml", "<a/>", r"\.txt, \.csv, \.jsonl"),
  ],
)
def test_bulk_manifests_cannot_read_named(tmp_path, name, text, message):
  """Manifests that cannot be read are named."""
  (tmp_path / name).write_text(text)
  with pytest.raises(ValueError, match=message) as raised:
    manifest.read(tmp_path / name)
  assert name in str(raised.value)


def test_bulk_places_spread_never_meet():
  """Places are spread and never meet."""
  names = [f"{i // 1000}/{i % 1000}.jpg" for i in range(5000)]
  places = [manifest.place(name) for name in names]
  assert len(set(places)) == 5000 and places == [manifest.place(name) for name in names]
  assert all(
    p.parts[2].startswith(pathlib.Path(n).stem + "-") and p.suffix == ".jpg" for p, n in zip(places, names, strict=True)
  )
  folders = collections.Counter(place.parts[0] for place in places)
  assert len(folders) == 256 and max(folders.values()) < 50  # 5000 / 256 is 20
  long = manifest.place("ü" * 120 + ".jpg")
  assert len(os.fsencode(long.name)) < 200
  assert manifest.place(os.fsdecode(b"\xff.jpg")).suffix == ".jpg"


def pictures(folder, num):
  source = synthetic.make(num_people=num, images_per_person=1, frame_size=96, seed=0)
  folder.mkdir()
  for i in range(num):
    Image.fromarray(source[i].image).save(folder / f"{i}.png")


def finished(out):
  lines = [line for path in (out / ".bulk").glob("*.jsonl") for line in path.read_text().splitlines()]
  return collections.Counter(json.loads(line)["file"] for line in lines)


def settings_of(arguments, root):
  return folder.settings_of(job.open_job(options.parse(arguments), ""), root)


def test_bulk_worker_left_notes(tmp_path):
  """A worker does what is left and notes it."""
  pictures(tmp_path / "in", 2)
  (tmp_path / "in" / "torn.png").write_bytes(b"no picture")
  out = tmp_path / "out"
  bulk.make_ready(out / ".bulk")
  arguments = ["in", "out"]
  settings = settings_of(arguments, tmp_path / "in")
  worker = bulk.Worker(arguments, "a command", str(tmp_path / "in"), str(out), settings)
  names = ["0.png", "1.png", "torn.png", "absent.png"]
  message = worker({"path": [os.fsencode(name) for name in names]})
  assert [bool(failure) for failure in message["failures"]] == [False, False, True, True]
  assert "No such file" in message["failures"][3] and sum(message["hidden"]) >= 1
  for name in names[:2]:
    record = json.loads((out / f"{manifest.place(name)}.json").read_text())
    assert record["command"] == "a command" and record["method"]["name"] == "solid"
    before, after = (np.asarray(Image.open(path)) for path in (tmp_path / "in" / name, out / manifest.place(name)))
    assert before.shape == after.shape and ((before != after).any() == bool(record["faces"]))
  root = tmp_path / "in"
  assert bulk.remaining(names, root, out, settings) == names[2:]
  assert bulk.remaining(names, root, out, "others") == names
  os.utime(root / "0.png", (0, 0))
  (out / manifest.place("1.png")).unlink()
  assert bulk.remaining(names, root, out, settings) == names
  assert finished(out) == {"0.png": 1, "1.png": 1} and not list((out / ".bulk" / "begun").iterdir())


def decided(path, file, face):
  rows = [
    {"action": "drop", "track": 1, "box": face["box"]},
    {"action": "add", "frames": [0, 0], "boxes": [[0, 2, 3, 9, 8]]},
  ]
  path.write_text(json.dumps({"version": 1, "record": "", "files": [{"file": file, "decisions": rows}]}))


def test_bulk_takes_the_review_file_of_other_jobs(tmp_path):
  """A review file names files by their path below IN; the one that was decided about alone is made again."""
  (tmp_path / "in").mkdir()
  pictures(tmp_path / "in" / "below", 2)
  root, out, names = tmp_path / "in", tmp_path / "out", ["below/0.png", "below/1.png"]
  bulk.make_ready(out / ".bulk")

  def run(*more):
    arguments = ["in", "out", *more]
    chosen = options.parse(arguments)
    chosen.root = str(root)
    key = settings_of(arguments, root)
    left = bulk.remaining(names, root, out, key, functools.partial(folder.decided_state_of, chosen))
    message = bulk.Worker(arguments, "", str(root), str(out), key)({"path": [name.encode() for name in left]})
    assert not any(message["failures"]), message
    return left

  assert run() == names
  record = lambda: json.loads((out / f"{manifest.place(names[0])}.json").read_text())
  face = record()["faces"][0]
  decided(tmp_path / "r.json", names[0], face)
  assert run(f"--review-file={tmp_path / 'r.json'}") == names[:1]
  faces = record()["faces"]
  assert faces[0] == face | {"hidden": False} and faces[-1]["how"] == "added" and faces[-1]["hidden"]
  before, after = (np.asarray(Image.open(path)) for path in (root / names[0], out / manifest.place(names[0])))
  x, y, width, height = (int(value) for value in face["box"])
  inside = slice(y + height // 2, y + height), slice(x + width // 2, x + width)  # away from what was drawn
  assert (before[inside] == after[inside]).all() and not after[3:11, 2:11].any()
  assert run(f"--review-file={tmp_path / 'r.json'}") == []


def test_bulk_review_file_of_another_file_is_refused(tmp_path, capsys, monkeypatch):
  """A decision about a file that is not in IN is an error, not left out."""
  pictures(tmp_path / "in", 1)
  decided(tmp_path / "r.json", "o.png", {"box": [1, 2, 3, 4]})
  monkeypatch.chdir(tmp_path)
  assert bulk.main(["in", "out", "--", "--review-file=r.json"]) == bulk.USAGE
  assert "has decisions about o.png, which is not in IN" in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_bulk_another_method_wrote_since_done(tmp_path, monkeypatch):
  """What another method wrote since is to be done again."""
  pictures(tmp_path / "in", 1)
  root, out = tmp_path / "in", tmp_path / "out"
  bulk.make_ready(out / ".bulk")
  keys = {}
  for host, method in (("b", "solid"), ("a", "blur")):  # their journals in neither order
    monkeypatch.setattr(bulk.socket, "gethostname", lambda host=host: host)
    arguments = ["in", "out", f"--method={method}"]
    keys[method] = settings_of(arguments, root)
    assert bulk.remaining(["0.png"], root, out, keys[method]) == ["0.png"]
    message = bulk.Worker(arguments, "", str(root), str(out), keys[method])({"path": [b"0.png"]})
    assert message["failures"] == [""]
  assert bulk.remaining(["0.png"], root, out, keys["blur"]) == []
  assert bulk.remaining(["0.png"], root, out, keys["solid"]) == ["0.png"]
  assert settings_of(arguments, tmp_path) != keys["blur"]  # the same name in another folder
  (out / manifest.place("0.png")).write_bytes(b"something else")
  assert bulk.remaining(["0.png"], root, out, keys["blur"]) == ["0.png"]


def test_bulk_file_worker_died_not_tried(tmp_path):
  """A file at which a worker died is not tried for ever."""
  pictures(tmp_path / "in", 1)
  bulk.make_ready(tmp_path / "out" / ".bulk")
  (tmp_path / "out" / ".bulk" / "begun" / manifest.place("0.png").name).touch()
  worker = bulk.Worker(["in", "out"], "", str(tmp_path / "in"), str(tmp_path / "out"), "settings")
  assert "its worker died" in worker({"path": [b"0.png"]})["failures"][0]
  assert not (tmp_path / "out" / manifest.place("0.png")).exists()


@pytest.mark.parametrize("where", ["of the file", "of the journal", "of the mark"])
def test_bulk_error_one_file_loses_no(where, tmp_path, monkeypatch):
  """An error at one file loses no other of its block."""
  pictures(tmp_path / "in", 2)
  bulk.make_ready(tmp_path / "out" / ".bulk")
  worker = bulk.Worker(["in", "out"], "", str(tmp_path / "in"), str(tmp_path / "out"), "settings")
  owner, name, error = {
    "of the file": (one, "protect", AttributeError("no codec")),
    "of the journal": (journal.Journal, "made", OSError("the disk is full")),
    "of the mark": (pathlib.Path, "open", PermissionError("read-only")),
  }[where]
  real, left = getattr(owner, name), [error]

  def once(*arguments, **options):
    if left:
      raise left.pop()
    return real(*arguments, **options)

  monkeypatch.setattr(owner, name, once)
  first, second = worker({"path": [b"0.png", b"1.png"]})["failures"]
  assert str(error) in first and second == ""
  assert not isinstance(error, AttributeError) or first.startswith("AttributeError: ")
  assert not list((tmp_path / "out" / ".bulk" / "begun").iterdir())


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["absent", "out"], "does not exist"),
    (["in", "in/out"], "lie in each other"),
    (["in", "out", "--workers=0"], "at least 1 worker"),
    (["in", "out", "--", "--preview"], "--preview is not for many files"),
    (["in", "out", "--", "--method=blurr"], "blurr"),
  ],
)
def test_bulk_wrong_commands_status_2_write(arguments, message, tmp_path, monkeypatch, capsys):
  """Wrong commands have status 2 and write nothing."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "in").mkdir()
  (tmp_path / "in" / "0.png").touch()
  assert bulk.main(arguments) == bulk.USAGE and message in capsys.readouterr().err
  assert sorted(p.name for p in tmp_path.rglob("*")) == ["0.png", "in"]


def test_bulk_folder_called_digits_no_camera(tmp_path, monkeypatch):
  """A folder called by digits is no camera wherever a worker runs."""
  pictures(tmp_path / "2024", 1)
  (tmp_path / "elsewhere").mkdir()
  monkeypatch.chdir(tmp_path)
  seen = []

  def run_all(names, arguments, given):
    with contextlib.chdir(tmp_path / "elsewhere"):
      seen.append(options.parse(arguments[0]).live)
      rows = [bulk.Worker(*arguments)({"path": [os.fsencode(name)]}) for name in names]
    yield from ({key: value[0] for key, value in row.items()} for row in rows)

  monkeypatch.setattr(bulk, "run_all", run_all)
  real = bulk.importlib.util.find_spec
  monkeypatch.setattr(bulk.importlib.util, "find_spec", lambda name: real(name) or name)
  assert bulk.main(["2024", "out"]) == bulk.OK and seen == [False]
  assert (tmp_path / "out" / manifest.place("0.png")).exists()


@pytest.mark.slow
def test_bulk_killed_job_goes_each_file(tmp_path):
  """A killed job goes on and does each file once."""
  pytest.importorskip("ray", reason="needs requirements-bulk.txt")
  pictures(tmp_path / "in", 48)
  (tmp_path / "in" / "torn.jpg").write_bytes(b"no picture")
  out = tmp_path / "out"
  line = [sys.executable, "-m", "launch.bulk", str(tmp_path / "in"), str(out), "--workers=2"]
  options = {"env": os.environ | {"JAX_PLATFORMS": "cpu"}, "cwd": ROOT, "stderr": subprocess.PIPE, "text": True}
  process = subprocess.Popen(line, **options)
  deadline = time.monotonic() + 500
  while not sum(finished(out).values()) and process.poll() is None and time.monotonic() < deadline:
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)  # its workers may finish the file they are at
  _, message = process.communicate()
  assert process.returncode == -signal.SIGKILL and finished(out), message[-3000:]
  done = subprocess.run(line, check=False, timeout=500, **options)
  assert done.returncode == bulk.FAILED, done.stderr[-3000:]
  before = int(done.stderr.split(" of them done before")[0].split()[-1])
  assert 0 < before < 48, done.stderr
  assert "failed: torn.jpg" in done.stderr and "1 failures" in done.stderr
  assert json.loads((out / "failures.jsonl").read_text())["path"] == "torn.jpg"
  assert finished(out) == {f"{i}.png": 1 for i in range(48)}
  written = {path.relative_to(out) for path in out.glob("*/*/*") if not path.parent.parent.name.startswith(".")}
  places = {manifest.place(f"{i}.png") for i in range(48)}
  assert written == places | {place.with_name(place.name + ".json") for place in places}
