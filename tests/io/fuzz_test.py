"""Every reader holds against damaged and hostile files: one error with the file's name, in bounded time and memory.

Second tier: python -m pytest -m slow tests/io/fuzz_test.py. QM_VAE_FUZZ_SEED and QM_VAE_FUZZ_EXAMPLES change what is
tried; `python tests/support/count_hostile.py` counts per kind.
"""

import os
import pathlib

import hypothesis
import pytest
from hostile import KINDS, verdict
from hostile.apart import Worker
from hypothesis import strategies

SEED = int(os.environ.get("QM_VAE_FUZZ_SEED", "0"))
EXAMPLES = int(os.environ.get("QM_VAE_FUZZ_EXAMPLES", "25"))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_readers_hold(name, tmp_path_factory):
  """No traceback, no hang over 5 s, no memory over 1 GiB, nothing written outside, and the file is named."""
  scratch = pathlib.Path(tmp_path_factory.mktemp("fuzz"))
  worker = Worker(name) if KINDS[name].apart else None
  if worker is None:
    whole = tmp_path_factory.mktemp("whole")
    KINDS[name].write(whole)
    KINDS[name].read(whole)  # imports and compilation are no part of what is timed

  @hypothesis.seed(SEED)
  @hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
  )
  @hypothesis.given(rng=strategies.randoms(use_true_random=False))
  def holds(rng):
    assert not verdict(KINDS[name], rng, scratch, worker)

  try:
    holds()
  finally:
    if worker:
      worker.close()


@pytest.mark.parametrize("name", KINDS)
def test_readers_take_what_is_whole(name, tmp_path):
  """The files that are spoilt in these tests are read before they are."""
  KINDS[name].write(tmp_path)
  refused = ""
  try:
    KINDS[name].read(tmp_path)
  except ValueError as error:
    refused = str(error)
  assert not refused
