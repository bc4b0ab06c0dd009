"""The networks of the drawn faces that come with the package."""

import numpy as np
import pytest

from configs import alpha04, default
from qm_vae.experiments import resolve, run
from qm_vae.io import networks
from qm_vae.metrics import intervals
from qm_vae.services import expression

MOST = 5_500_000  # bytes of all of them


def readme(cache):
  """The README's run as a CPU sees it."""
  config = alpha04.get_config()
  config.image_size = 64
  config.cache_dir = str(cache)
  return config


def test_shipped_networks_are_those_of_the_default_config(tmp_path):
  """What a default run needs is there under the digest of its keys; if this fails, run docs/networks/make.py."""
  wanted = resolve.trainings(readme(tmp_path))
  assert set(wanted) == {"service", "judges.second", resolve.RECOGNISER}
  folders = {name: resolve._shipped(config) for name, config in wanted.items()}
  assert None not in folders.values(), f"missing: {[name for name, found in folders.items() if not found]}"
  there = {path.parent for path in resolve.SHIPPED.rglob(networks.META)}
  assert there == set(folders.values()), "a network that no default run takes"


def test_shipped_networks_are_whole_small_and_say_where_from():
  """Each loads, matches its digest and names the command that made it; all together are small."""
  found = [networks.load(path.parent) for path in resolve.SHIPPED.rglob(networks.META)]
  assert len(found) == 3
  for meta, _ in found:
    assert meta["made_by"] == "python docs/networks/make.py" and meta["source"].startswith("trained by qm_vae")
  assert sum(path.stat().st_size for path in resolve.SHIPPED.rglob("*.*")) < MOST


def test_resolve_takes_shipped_networks_and_trains_none(tmp_path, monkeypatch):
  """The README's command trains no network first, and draws no faces for one."""
  monkeypatch.setattr(run, "run", lambda *_: pytest.fail("a network was trained first"))
  resolved = resolve.resolve(readme(tmp_path))
  for path in (resolved.service.checkpoint, resolved.judges.second.checkpoint, *resolved.privacy.embedders):
    assert path.startswith(str(resolve.SHIPPED))
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
  "change",
  [
    {"service.seed": 5},
    {"service.epochs": 1},
    {"service.architecture": "resnet"},
    {"service_data.options.synthetic.seed": 1},
    {"image_size": 32},
  ],
)
def test_shipped_networks_are_not_taken_for_other_keys(change, tmp_path):
  """A service of other people, size, seed or length is trained, as before."""
  config = readme(tmp_path)
  config.update_from_flattened_dict(change)
  assert resolve._shipped(resolve.trainings(config)["service"]) is None


def test_shipped_networks_are_not_taken_for_other_drawings(tmp_path, monkeypatch):
  """A change of what is drawn leaves the networks aside."""
  monkeypatch.setattr("qm_vae.data.synthetic.VERSION", 999)
  assert not any(map(resolve._shipped, resolve.trainings(readme(tmp_path)).values()))


@pytest.mark.slow
def test_shipped_service_trained_again_is_as_good(tmp_path):
  """The service, drawn and trained from scratch, is right as often as the one that comes along, and answers alike."""
  config = resolve.trainings(readme(tmp_path))["service"]
  experiment = run.run(config, tmp_path / "again")
  test = experiment.data.test
  right, verdicts = [], []
  for folder in (resolve._shipped(config), tmp_path / "again" / "network"):
    service = expression.load(folder)
    verdicts.append(np.asarray(service.apply(service.params, test.image.astype(np.float32) / 255)).argmax(-1))
    right.append(intervals.wilson(int((verdicts[-1] == test.label).sum()), len(test)))
  assert right[1].low <= right[0].high and right[0].low <= right[1].high, right
  assert (verdicts[0] == verdicts[1]).mean() > 0.8
  assert default.get_config().image_size == 0  # a GPU takes larger crops, and trains its own
