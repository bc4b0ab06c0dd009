"""Judges a QM-VAE that was trained against black boxes: the services are asked, as far as their budgets go."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.data.batches import batches, to_face
from qm_vae.errors import InputError
from qm_vae.evaluate import black_box_judges, first_look, in_frames, memorized, outputs, run_info
from qm_vae.evaluate.report_files import CONTROLS, YARDSTICK, header, kind_of, write
from qm_vae.experiments import black_box_services, provenance, run
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.io import images as image_files
from qm_vae.io import progress, records
from qm_vae.landmarkers import finding, instruments
from qm_vae.metrics import utility
from qm_vae.models.generator import make_views
from qm_vae.report import page
from qm_vae.services import answers as qualities
from qm_vae.services import distil
from qm_vae.services.black_box import BudgetSpent

_LAST = ("qm_vae", "identity", "blank")  # methods in the order in which a budget is spent on them; then the views


def of_run(config, workdir: pathlib.Path, command: str) -> dict:
  """Evaluates the black-box run in `workdir` and writes its report; as evaluate.evaluate, of which it is a part.

  Raises:
    ValueError: when the run is not finished.
    ServiceFailed: when a service cannot be asked; rerun the command to resume with the answers so far.
  """
  experiment, state = run.restore(config, workdir)
  experiment = in_frames.remembering(experiment)
  test, parts = experiment.data.test, experiment.parts
  train, student = experiment.data.train, (state.params["student"], state.model_state["student"])
  stand_in = distil.as_service(parts.student, parts.qualities, *student)
  controls = {name: deidentifier(config, name, train, stand_in) for name in (*CONTROLS, YARDSTICK)}
  images = _images(experiment, state, controls, test)
  boxes = parts.open(workdir)
  order = [*_LAST, *(name for name in images if name not in _LAST)]
  services, unaffordable = [], []
  try:
    with progress.bar(len(boxes) * (len(order) + 1), "ask", "method") as bar:
      for name, box in boxes.items():
        services.append(_service(config, name, box, test, {m: images[m] for m in order}, bar, unaffordable))
      judges, by_judge = black_box_judges.ask(config, test, images, boxes)
  finally:
    for box in boxes.values():
      box.close()
  opened = instruments.open_instruments(config.landmarks)
  detector, no_detector = finding.open_detector(config.face_detector)
  methods = [
    _method(name, image, services, by_judge, config, parts, test)
    | instruments.measure(opened, test.image, image, test.eyes, test.identity)
    | in_frames.measure(experiment.data, image, detector)
    for name, image in images.items()
  ]
  no_memorization = memorized.add(methods, config.privacy.embedders, experiment.data, images)
  controls_told = [
    utility.controls(s["methods"], s["constant_answer"], test, varied=s["kind"] != "values") | {"service": s["name"]}
    for s in services
  ]
  rows = records.read_rows(workdir)
  trained = [row for row in rows if row["split"] == "train"][-1]
  for one in services:
    one["fidelity"] = trained[f"fidelity/{one['name']}"]
    one["queries_curve"] = [_point(row, one["name"]) for row in rows if row["split"] == "test"]
  report = header(config, experiment.data, command) | {
    "service": _first(services[0]),
    "services": services,
    "judges": judges,
    "controls": {
      "identity": controls_told[0]["identity"],
      "blank": controls_told[0]["blank"],
      "void": any(one["void"] for one in controls_told),
      "reasons": [f"{one['service']}: {reason}" for one in controls_told for reason in one["reasons"]],
    },
    "noise_floor": services[0]["noise_floor"],
    "instrument_floors": instruments.floors(opened, test.image, test.eyes, test.identity),
    "methods": methods,
    "face_detector": detector and detector.description,
    "curve": [],
    "training": run_info.training(config, workdir, int(state.step)),
    "provenance": provenance.digests(config, experiment),
    "examples": [],
    "privacy": None,
    "not_measured": {
      "privacy": "a run against black boxes does not measure it; python -m qm_vae.audit does, on its pictures",
      "judges": "no service tells classes that a judge knows, or config.judges is empty",
      "service_accuracy": "a black box is taken for what it says",
    },
  }
  report["not_measured"] |= {"found_again": no_detector} if no_detector else {}
  report["not_measured"] |= {"memorization": no_memorization} if no_memorization else {}
  if unaffordable:
    report["not_measured"]["methods"] = f"the budget did not suffice for {', '.join(unaffordable)}"
  shown = np.linspace(0, len(test) - 1, min(8, len(test))).astype(int)
  arrays = {"original": test.image[shown]} | {f"method_{name}": image[shown] for name, image in images.items()}
  arrays |= first_look.pictures(experiment.data, images)
  report["examples"] = [_example(i, test, services) for i in shown]
  for one in services:
    del one["answers"]
  write(workdir, report, arrays)
  page.write(workdir)
  return report


def _images(experiment, state, controls, test):
  """{method: uint8 [N, S, S, 3]} of the controls, the views and QM-VAE."""
  generator, views = experiment.parts.generator, experiment.parts.views
  others = controls | views

  @jax.jit
  def methods(state, frozen, others_params, batch, key):
    face = to_face(batch)
    params, model_state = state.params["generator"], state.model_state["generator"]
    made = generator.apply(params, model_state, frozen["views"], face, key, train=False, mask=batch["_mask"])
    rest = make_views(tuple(others.values()), others_params, face, key)
    return outputs.as_file(jnp.concatenate([rest, made.image[:, None]], 1))

  key, rows = jax.random.key(experiment.seed), []
  others_params = jax.device_put([one.params for one in others.values()])
  for number, batch in enumerate(batches(test, np.arange(len(test)), experiment.batch_size, pad=True)):
    rows.append(
      jax.device_get(methods(state, experiment.frozen, others_params, batch, jax.random.fold_in(key, number)))
    )
  found = np.concatenate(rows)[: len(test)]
  return {name: found[:, i] for i, name in enumerate([*others, "qm_vae"])}


def _point(row, name):
  return {"epoch": row["epoch"], "queries": row[f"queries/{name}"], "loss_rate": row.get(f"loss_rate/{name}")}


def _service(config, name, box, test, images, bar, unaffordable):
  """What one service says of every method, by rates; `answers` holds them in words, for the examples."""
  rates, quality = config.quality[name], box.quality
  bar.set_postfix_str(f"{name}: originals")
  originals = qualities.to_target(quality, box.ask(test.image))
  bar.update()
  best = _best_constant(quality, originals)
  floor, methods, answers = {}, [], {}
  for method, image in (images | _disturbed(test)).items():
    if method in images:
      bar.set_postfix_str(f"{name}: {method}")
    try:
      found = qualities.to_target(quality, box.ask(image))
    except BudgetSpent as error:
      if method in _LAST:
        raise InputError(
          f"{error}. A report needs its answers on {', '.join(_LAST)}; those so far are kept: raise "
          f"config.quality.{name}.budget and give the same command again"
        ) from error
      unaffordable.append(f"{method} ({name})")
      continue
    lost = np.asarray(qualities.lost(quality, originals, found), np.float64)
    if method not in images:
      floor[method] = utility.rate(lost, test)
      continue
    row = {"name": method, "loss_rate": utility.rate(lost, test)}
    if quality.kind == "attributes":
      changed = (originals > 0.5) != (found > 0.5)
      row["per_name"] = {one: utility.rate(changed[:, i], test) for i, one in enumerate(quality.names)}
    if quality.kind == "values":
      both = (originals[:, -1] > 0) & (found[:, -1] > 0)
      row["told"] = utility.rate(found[:, -1] > 0, test)
      moved = np.abs(originals - found)[both][:, :-1]
      row["median_change"] = {
        one: float(np.median(moved[:, i])) if len(moved) else None for i, one in enumerate(quality.names)
      }
    methods.append(row)
    answers[method] = [_words(quality, one) for one in found]
    bar.update()
  return {
    "name": name,
    "kind": quality.kind,
    "names": list(quality.names),
    "client": rates.client,
    "source": rates.source,
    "weight": rates.weight,
    "queries": box.sent,
    "budget": rates.budget,
    "sha256": black_box_services.digests(config).get(name),
    "constant_answer": utility.rate(np.asarray(qualities.lost(quality, originals, best), np.float64), test),
    "answers_on_originals": _counts(quality, originals),
    "noise_floor": floor,
    "methods": methods,
    "answers": answers | {"original": [_words(quality, one) for one in originals]},
  }


def _disturbed(test):
  """The originals, each a little changed, by the kind of change: what a service makes of them is its noise floor."""
  shifted = np.concatenate([test.image[:, :, :1], test.image[:, :, :-1]], axis=2)
  return {"jpeg95": np.stack([image_files.through_jpeg(image, quality=95) for image in test.image]), "shift1": shifted}


def _best_constant(quality, originals):
  """The answer, of those that were given, that agrees with most of the others."""
  if quality.kind == "attributes":
    return np.broadcast_to((originals > 0.5).mean(0) > 0.5, originals.shape).astype(np.float32)
  lost = lambda one: float(np.mean(qualities.lost(quality, originals, np.broadcast_to(one, originals.shape))))
  return np.broadcast_to(min(np.unique(originals, axis=0), key=lost), originals.shape)


def _counts(quality, originals):
  if quality.kind == "classes":
    chosen = originals.argmax(1)
    return {name: int((chosen == i).sum()) for i, name in enumerate(quality.names)}
  if quality.kind == "attributes":
    return {name: int((originals[:, i] > 0.5).sum()) for i, name in enumerate(quality.names)}
  return {"told": int(originals[:, -1].sum()), "not told": int((1 - originals[:, -1]).sum())}


def _words(quality, target):
  if quality.kind == "classes":
    return quality.names[int(target.argmax())]
  if quality.kind == "attributes":
    return ", ".join(name for name, p in zip(quality.names, target, strict=True) if p > 0.5) or "none"
  if not target[-1]:
    return "nothing"
  return ", ".join(f"{name} {value:.2f}" for name, value in zip(quality.names, target, strict=False))


def _method(name, image, services, by_judge, config, parts, test):
  own = next((one for one in services[0]["methods"] if one["name"] == name), {})
  return {
    "name": name,
    "kind": kind_of(name, parts),
    "options": dict(config.deid.get(name, {})),
    "loss_rate": own.get("loss_rate"),
    "judges": by_judge.get(name, []),
    "per_expression": [],
    "pipeline_loss_rate": None,
    "pipeline_no_face": None,
  } | utility.fidelity(test, image)


def _first(one):
  return {
    "name": one["name"],
    "checkpoint": one["source"],
    "sha256": one["sha256"],
    "architecture": one["client"],
    "classes": one["names"],
    "accuracy": None,
    "constant_answer": one["constant_answer"],
    "answers": one["answers_on_originals"],
  }


def _example(i, test, services):
  first = services[0]["answers"]
  return {
    "name": test.name[i],
    "service_answer_original": first["original"][i],
    "service_answer_output": first["qm_vae"][i],
    "answers": {method: words[i] for method, words in first.items() if method not in ("original", "qm_vae")},
  }
