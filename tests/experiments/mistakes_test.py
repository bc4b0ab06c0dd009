"""The commonest mistakes on the command line, as docs/limits.md lists them: one line, no file but a lock."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
(LISTED,) = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / "limits.md").read_text(encoding="utf-8"), re.DOTALL)
MISTAKES = re.findall(r"\$ python (.*)\n(.*)\n", LISTED)


def test_mistakes_list_has_one_line_for_each():
  """Nothing in the list is skipped by how it is read here."""
  assert len(MISTAKES) >= 20 and len(LISTED.splitlines()) == 2 * len(MISTAKES)


@pytest.mark.slow  # a process each
@pytest.mark.parametrize(("command", "printed"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_mistakes_are_answered_as_the_docs_say(command, printed, tmp_path):
  """What is printed is the line in docs/limits.md and no other; the exit status is no success."""
  (tmp_path / "photos").mkdir()
  env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path / "cache")}
  done = subprocess.run(
    [sys.executable, *shlex.split(command)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
  )
  said = (done.stdout + done.stderr).strip()
  assert said.replace(f"{tmp_path}/", "") == printed
  assert done.returncode in (1, 2)
  made = [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts]
  assert [path for path in made if path.name != "lock" or path.stat().st_size] == []
