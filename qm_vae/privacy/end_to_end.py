"""Recognition in a whole collection: pictures in which the detector found no face were published as they are."""

from collections.abc import Sequence

from qm_vae.faces import source_crops
from qm_vae.metrics import intervals
from qm_vae.types import Missed


def shown_in_clear(missed: Sequence[Missed], found: int) -> dict:
  """Share of readable pictures in which no face was found, with n and interval.

  A picture that truly shows nobody counts too, so that the share is an upper bound on the faces shown.

  Args:
    missed: records that gave no face; those that could not be read do not count, for nobody publishes them.
    found: records that gave one.
  """
  shown = sum(one.reason.startswith(source_crops.NO_FACE) for one in missed)
  return intervals.wilson(shown, shown + found).as_dict()


def rank_1(protected: dict, shown: dict) -> dict:
  """Rank-1 rate where every picture shown in clear counts as recognised, and the others at the rate measured.

  Args:
    protected: rank-1 rate of protected pictures, with "value", "low", "high", "n".
    shown: of `shown_in_clear`.

  Returns:
    The same keys; the interval joins the two lower and the two upper ends, so that it is wider than 95 %.
  """
  whole = {key: shown[key] + (1 - shown[key]) * protected[key] for key in ("value", "low", "high")}
  return whole | {"n": protected["n"], "method": "ends_of_both"}


def add(report: dict, missed: Sequence[Missed], found: int) -> None:
  """Writes `shown_in_clear`, and `end_to_end` of every method but the controls, into a `privacy` section.

  Args:
    report: of measure.measure.
    missed: as for `shown_in_clear`.
    found: as there; with none at all nothing is written.
  """
  if not found:
    return
  report["shown_in_clear"] = shown = shown_in_clear(missed, found)
  for row in report["methods"]:
    if row["kind"] not in ("control", "union") and row["headline"]:
      row["end_to_end"] = rank_1(row["headline"]["rank_1"], shown)
