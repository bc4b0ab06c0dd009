"""Weights & Biases: by default in WORKDIR/wandb alone, from where `wandb sync` sends it."""

import os
import pathlib
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np

from qm_vae.options import FLAG, TEXT, Option, member, one_of

Mode = Literal["offline", "online"]

_STEP = "step"


class Wandb:
  """See `MetricWriter`."""

  def __init__(
    self,
    folder: pathlib.Path,
    hparams: Mapping[str, Any],
    mode: Literal["offline", "online"],
    project: str,
    pictures: bool,
  ):
    os.environ.setdefault(
      "WANDB_ERROR_REPORTING", "false"
    )  # offline, too, wandb would ask its server for a way to report
    import wandb  # pyright: ignore[reportMissingImports]

    (folder / "wandb").mkdir(parents=True, exist_ok=True)
    known = folder / "wandb" / "run_id"  # a resumed run goes on under the same number
    if not known.exists():
      known.write_text(secrets.token_hex(4), encoding="utf-8")
    self._pictures, self._image = pictures, wandb.Image
    self._run = wandb.init(
      project=project,
      name=folder.name,
      id=known.read_text(encoding="utf-8").strip(),
      resume="allow",
      config=dict(hparams),
      dir=str(folder),
      mode=mode,
      reinit="create_new",
      settings=wandb.Settings(save_code=False, disable_git=True, console="off"),
    )
    self._run.define_metric("*", step_metric=_STEP)  # rows of a resumed run may repeat steps, which W&B's own may not

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """See `MetricWriter`."""
    self._run.log({_STEP: step, **scalars})

  def write_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
    """See `MetricWriter`; nothing without the option `pictures`."""
    if self._pictures:
      made = {name: self._image(np.rint(image * 255).astype(np.uint8)) for name, image in images.items()}
      self._run.log({_STEP: step, **made})

  def close(self) -> None:
    """See `MetricWriter`."""
    self._run.finish()


@member(package="wandb", remedy="pip install -r requirements-wandb.txt")
def make(
  workdir: str | os.PathLike,
  hparams: Mapping[str, Any],
  *,
  mode: Annotated[
    Literal["offline", "online"], Option(one_of("offline", "online"), "online sends to W&B's servers as it trains")
  ] = "offline",
  project: Annotated[str, Option(TEXT, "of W&B")] = "qm_vae",
  pictures: Annotated[bool, Option(FLAG, "also faces of the data, which online leave this machine")] = False,
) -> Wandb:
  """Scalars, and the run's config without paths, in WORKDIR/wandb or online."""
  return Wandb(pathlib.Path(workdir).absolute(), hparams, mode, project, pictures)
