"""A package of somebody else adds a member by an entry point, and every program knows it."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[1]

MEMBER = '''
"""Black squares on the landmarks of a face."""

from typing import Annotated

import jax.numpy as jnp

from qm_vae.options import Option, integer, member
from qm_vae.types import Deidentifier


def dots(params, face, key, *, size):
  """The face with a square of `size` pixels on each of its landmarks."""
  del params, key
  rows, columns = jnp.mgrid[: face.image.shape[0], : face.image.shape[1]]
  x, y = face.landmarks[:, 0, None, None], face.landmarks[:, 1, None, None]
  inside = (jnp.maximum(abs(columns - x), abs(rows - y)) <= size / 2).any(0)[..., None]
  return jnp.where(inside & (face.mask > 0), 0.0, face.image)


@member()
def make(*, size: Annotated[int, Option(integer(1), "pixels of the crop")] = 3) -> Deidentifier:
  """Squares of `size` pixels."""
  return Deidentifier((), lambda params, face, key: dots(params, face, key, size=size), needs=("landmarks",))
'''


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
  """A folder on the path of Python that holds an installed package with an entry point."""
  folder = tmp_path_factory.mktemp("outside")
  (folder / "dotted_faces.py").write_text(MEMBER)
  info = folder / "dotted_faces-1.0.dist-info"
  info.mkdir()
  (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dotted-faces\nVersion: 1.0\n")
  (info / "entry_points.txt").write_text("[qm_vae.deidentifiers]\ndots = dotted_faces:make\n")
  return folder


def run(outside, code):
  """What a process with that package prints."""
  environment = os.environ | {"PYTHONPATH": f"{outside}{os.pathsep}{ROOT}"}
  done = subprocess.run(
    [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment, cwd=ROOT
  )
  assert not done.returncode, done.stderr
  return done.stdout.strip()


def test_entry_point_member_in_config(outside):
  """The schema has the member's options with its rule, and a run may have it among its views."""
  printed = run(
    outside,
    """
    from configs import default
    from qm_vae.experiments import schema
    config = default.get_config()
    config.views = ("mosaic", "dots")
    config.deid.dots["size"] = 5
    schema.check(config)
    config.deid.dots["size"] = 0
    try:
      schema.check(config)
    except ValueError as error:
      print(error)
    """,
  )
  assert printed == "config.deid.dots.size = 0; it must be an integer, at least 1"


def test_entry_point_member_hides_faces(outside):
  """Its need of landmarks is met or asked for by name, and its option `size` is its own."""
  printed = run(
    outside,
    """
    import numpy as np
    import qm_vae
    from qm_vae.data import synthetic
    picture = np.asarray(synthetic.make(num_people=1)[0].image)
    try:
      qm_vae.deidentify(picture, "dots")
    except ValueError as error:
      print(error)
    middle = lambda crops: np.full((len(crops), 68, 2), crops.shape[1] / 2, np.float32)
    small, large = (qm_vae.deidentify(picture, f"dots:size={n}", landmarker=middle).images for n in (9, 40))
    print((small != picture).any(-1).sum() < (large != picture).any(-1).sum())
    print(qm_vae.deidentify(picture, "dots:crop=64,size=9", landmarker=middle).images.shape == picture.shape)
    try:
      qm_vae.deidentify(picture, "dots:sise=9", landmarker=middle)
    except ValueError as error:
      print(error)
    """,
  ).splitlines()
  assert printed[0].startswith("dots needs landmarks") and "--landmarks=" in printed[0]
  assert printed[1:3] == ["True", "True"]
  assert printed[3] == "dotted_faces has no option 'sise'; did you mean size? it takes size"


def test_register_for_one_process():
  """`register` adds a member once, and refuses a name that is taken."""
  code = """
    from qm_vae.deidentifiers import DEIDENTIFIERS
    DEIDENTIFIERS.register("dots", "dotted_faces:make")
    print("dots" in DEIDENTIFIERS.names())
    for name, target in (("dots", "a:b"), ("other", "nothing")):
      try:
        DEIDENTIFIERS.register(name, target)
      except ValueError as error:
        print(error)
  """
  first, taken, form = run(ROOT, code).splitlines()
  assert first == "True" and "already called 'dots'" in taken and "'module:attribute'" in form
