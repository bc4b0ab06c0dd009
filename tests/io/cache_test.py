"""Where compiled programs are kept: in a folder of the user's alone, or nowhere."""

import os
import stat
import warnings

import jax
import pytest

from qm_vae.io import cache

KEYS = ("jax_compilation_cache_dir", "jax_enable_compilation_cache", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(autouse=True)
def config():
  before = {key: getattr(jax.config, key) for key in KEYS}
  jax.config.update("jax_enable_compilation_cache", True)
  yield
  for key, value in before.items():
    jax.config.update(key, value)


def test_cache_folder_users_alone_one_processor(tmp_path):
  """The folder is the users alone and of one processor."""
  path = cache.use(tmp_path / "new" / "xla")
  assert jax.config.jax_compilation_cache_dir == str(path)
  for folder in (path, path.parent):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
  assert path.parent == tmp_path / "new" / "xla"


def test_cache_folder_others_read_closed(tmp_path):
  """A folder that others may read is closed."""
  (tmp_path / "xla").mkdir(mode=0o755)
  cache.use(tmp_path / "xla")
  assert stat.S_IMODE((tmp_path / "xla").stat().st_mode) == 0o700


def test_cache_another_processor_another_folder(tmp_path, monkeypatch):
  """Another processor has another folder."""
  here = cache.use(tmp_path)
  monkeypatch.setattr(cache.platform, "machine", lambda: "another")
  jax.config.update("jax_compilation_cache_dir", None)
  assert cache.use(tmp_path) != here


def of_somebody_else(path, monkeypatch):
  path.mkdir()
  monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)


def open_to_all(path, monkeypatch):
  path.mkdir()
  path.chmod(0o777)


def a_link(path, monkeypatch):
  (path.parent / "elsewhere").mkdir()
  path.symlink_to(path.parent / "elsewhere")


def a_file(path, monkeypatch):
  path.write_text("")


@pytest.mark.parametrize(
  ("made", "message"),
  [
    (of_somebody_else, "belongs to user"),
    (open_to_all, "others may have written"),
    (a_link, "a link"),
    (a_file, "File exists"),
  ],
)
def test_cache_others_could_write_not_used(made, message, tmp_path, monkeypatch):
  """What others could write to is not used."""
  made(tmp_path / "xla", monkeypatch)
  with pytest.warns(UserWarning, match=message):
    assert cache.use(tmp_path / "xla") is None
  assert jax.config.jax_compilation_cache_dir is None


def test_cache_users_own_choice_stands(tmp_path):
  """The users own choice stands."""
  jax.config.update("jax_compilation_cache_dir", "chosen")  # what JAX_COMPILATION_CACHE_DIR=chosen does
  assert cache.use(tmp_path / "xla") is None
  assert jax.config.jax_compilation_cache_dir == "chosen" and not (tmp_path / "xla").exists()


def test_cache_switched_off(tmp_path):
  """It can be switched off."""
  jax.config.update("jax_enable_compilation_cache", False)  # what JAX_ENABLE_COMPILATION_CACHE=false does
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    assert cache.use(tmp_path / "xla") is None
  assert not (tmp_path / "xla").exists()
