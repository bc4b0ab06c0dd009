"""The evaluation of a run whose service is in the graph."""

import dataclasses
import pathlib

import numpy as np

from qm_vae.deidentifiers import spec
from qm_vae.evaluate import end_to_end, first_look, in_frames, memorized, outputs, privacy, run_info
from qm_vae.evaluate.report_files import CONTROLS, YARDSTICK, header, kind_of, write
from qm_vae.experiments import provenance, run
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.experiments.schema import Config
from qm_vae.faces import cropping
from qm_vae.io import progress
from qm_vae.landmarkers import finding, instruments
from qm_vae.metrics import images, judging, utility
from qm_vae.report import page
from qm_vae.training.state import Experiment, State

EARLY = "early"
"""Folder, in that of the run, of the first report."""

_EXAMPLES_PER_ANSWER = 2


def of_qm_vae(config: Config, workdir: pathlib.Path, command: str) -> dict:
  """The evaluation of a run whose service is in the graph; see `evaluate`."""
  experiment, state = run.restore(config, workdir)
  return judged(config, workdir, experiment, state, command, workdir)


def early(
  config: Config, workdir: pathlib.Path, experiment: Experiment, state: State, command: str, epoch: int
) -> dict:
  """A first report on a run that still trains, in WORKDIR/early: no attack, and no search for faces in frames.

  Args:
    config: of the run.
    workdir: its folder, in which it trains.
    experiment: of the run.
    state: after `epoch`.
    command: what the report names as its origin.
    epoch: how many are done.
  """
  quick = dataclasses.replace(
    config, landmarks="", face_detector="", privacy=dataclasses.replace(config.privacy, embedders=())
  )
  return judged(quick, workdir, experiment, state, command, workdir / EARLY, epoch)


def judged(
  config: Config,
  workdir: pathlib.Path,
  experiment: Experiment,
  state: State,
  command: str,
  out: pathlib.Path,
  epoch: int | None = None,
) -> dict:
  """The report on a state, written to `out`; `epoch` of one that still trains."""
  experiment = in_frames.remembering(experiment)
  test, parts = experiment.data.test, experiment.parts
  train = experiment.data.train
  controls = {name: deidentifier(config, name, train) for name in (*CONTROLS, YARDSTICK)} | parts.baselines
  made = outputs.make(experiment, state, controls, test)
  answer = outputs.Answers(parts, experiment.frozen)
  originals = answer(test.image)
  by_method = {name: answer(image) for name, image in made.images.items()}
  truth = originals["service"].argmax(-1)
  settings = cropping.Settings(image_size=test.image.shape[1], **vars(config.data.faces))
  opened, methods = instruments.open_instruments(config.landmarks), []
  detector, no_detector = finding.open_detector(config.face_detector)
  with progress.bar(len(made.images), "judge", "method") as bar:
    for name, image in made.images.items():
      methods.append(
        {"name": name, "kind": kind_of(name, parts), "options": _options(config, name)}
        | utility.utility(test, truth, originals, by_method[name], parts.service.classes)
        | utility.fidelity(test, image)
        | (end_to_end.NOT_MEASURED if epoch else end_to_end.measure(settings, experiment.data, image, truth, answer))
        | instruments.measure(opened, test.image, image, test.eyes, test.identity)
        | in_frames.measure(experiment.data, image, detector)
      )
      bar.update()
  no_memorization = memorized.add(methods, config.privacy.embedders, experiment.data, made.images)
  qm_vae = methods[-1]
  constant = utility.constant_answer(test, truth)
  report = header(config, experiment.data, command) | {
    "service": run_info.network("service", config.service, originals["service"], test, parts.service.classes)
    | {
      "constant_answer": constant,
      "answers": {c: int((truth == i).sum()) for i, c in enumerate(parts.service.classes)},
    },
    "judges": [
      run_info.network(name, config.judges[name], originals[name], test, parts.judges[name].classes)
      | {"agreement_on_originals": utility.rate(~judging.differs(originals[name], truth, parts.service.classes), test)}
      for name in parts.judges
    ],
    "controls": utility.controls(methods, constant, test),
    "noise_floor": utility.noise_floor(test, truth, answer),
    "instrument_floors": instruments.floors(opened, test.image, test.eyes, test.identity),
    "methods": methods,
    "face_detector": detector and detector.description,
    "judged_expressions": utility.judged_expressions(test, truth, by_method["qm_vae"], parts.service.classes),
    "gap": utility.gap(test, truth, by_method["qm_vae"], qm_vae["judges"]),
    "codebook": {
      "codes": len(made.code_counts),
      "used": float(images.codebook_usage(made.code_counts)),
      "perplexity": float(images.perplexity(made.code_counts)),
    },
    "curve": run_info.curve(workdir, int(state.step)),
    "training": run_info.training(config, workdir, int(state.step)) | ({"early": epoch} if epoch else {}),
    "provenance": provenance.digests(config, experiment),
  }
  if parts.generator.condition != "none" and config.release.mechanism != "k_same":  # which answers for groups
    report["asked"] = outputs.asked(experiment, state, test, answer)
  if epoch:
    measured = {"privacy": None, "not_measured": {"privacy": "this is an early look; the run's own report has it"}}
  else:
    measured = privacy.section(config, workdir, experiment, state, controls, kind_of)
  reasons = {"found_again": no_detector, "memorization": no_memorization} | measured.pop("not_measured", {})
  report |= measured | {"not_measured": {name: reason for name, reason in reasons.items() if reason}}
  before, after = utility.softmax(originals["service"]), utility.softmax(by_method["qm_vae"]["service"])
  report["probabilities"] = {
    "classes": list(parts.service.classes),
    "mean_difference": (after - before).mean(0).tolist(),
    "std_difference": (after - before).std(0).tolist(),
  }
  chosen = np.concatenate([np.flatnonzero(truth == c)[:_EXAMPLES_PER_ANSWER] for c in np.unique(truth)])
  report["examples"] = [_example(i, test, truth, by_method, parts.service.classes) for i in chosen]
  report["case"] = report["examples"][0] | {"views": list(parts.views)}
  arrays = {"original": test.image[chosen], "probabilities_original": before, "probabilities_output": after}
  arrays |= {f"method_{name}": image[chosen] for name, image in made.images.items()}
  arrays |= _case(experiment.data, made, int(chosen[0]))
  arrays |= first_look.pictures(experiment.data, made.images)
  out.mkdir(parents=True, exist_ok=True)
  write(out, report, arrays)
  page.write(out)
  return report


def _options(config, name):
  base, options = (spec.parse(name) if name in config.baselines else None) or (name, {})
  return dict(config.deid.get(base, {})) | options


def _example(i, test, truth, by_method, classes):
  answers = {name: classes[logits["service"][i].argmax()] for name, logits in by_method.items()}
  return {
    "name": test.name[i],
    "service_answer_original": classes[truth[i]],
    "service_answer_output": answers.pop("qm_vae"),
    "answers": answers,
  }


def _case(data, made, i):
  frame = data.test_source[int(data.test.index[i])].image
  return {
    "case_frame": frame,
    "case_box": data.test.box[i],
    "case_crop": data.test.image[i],
    "case_views": made.views[i],
    "case_output": made.images["qm_vae"][i],
    "case_pasted": cropping.paste(frame, made.images["qm_vae"][i], data.test.box[i]),
  }
