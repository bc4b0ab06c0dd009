"""What is said at the end: people and frames, every file without a found face, and where everything lies."""

import pathlib
from collections.abc import Sequence

from qm_vae.deidentify import job

_LISTED = 50  # notes; failures and files without a found face are listed all


def lines(outcomes: Sequence[job.Outcome], places: Sequence[tuple[str, pathlib.Path | None]]) -> list[str]:
  """The lines to print, the most important last.

  Args:
    outcomes: what became of each file.
    places: (what, path) of what was written; None, and what does not exist, is left out.
  """
  said = [f"note: {outcome.name}: {note}" for outcome in outcomes for note in outcome.notes if note != "done before"]
  if len(outcomes) > 1:
    said = [line for line in said if not _is_listed(line)]
  more = len(said) - _LISTED
  said = said[:_LISTED] + ([f"and {more} notes more, in the sidecar"] if more > 0 else [])
  failures = [f"failed: {outcome.name}: {failure}" for outcome in outcomes for failure in outcome.failures]
  unchanged = [outcome for outcome in outcomes if _unchanged(outcome)]
  said += failures + [f"no face found, UNCHANGED: {outcome.name}" for outcome in unchanged]
  said += [f"{what}: {path}" for what, path in places if path is not None and path.exists()]
  if outcomes:
    said.append(_totals(outcomes, len(failures)))
  if unchanged:
    videos = sum("summary" in outcome.record for outcome in unchanged)
    kinds = [_count(len(unchanged) - videos, "picture"), _count(videos, "video")]
    said.append(f"{' and '.join(filter(None, kinds))} {_verb(len(unchanged))} UNCHANGED")
  return said


def _is_listed(line):
  """Whether a note only says that no face was found, which has a list of its own."""
  return ": no face was found" in line


def _unchanged(outcome):
  """Whether a file was written as it is, since nobody was found in it."""
  if "summary" in outcome.record:
    return not outcome.record["summary"].get("tracks", 1) and not outcome.record["summary"].get("blanked")
  return bool(outcome.record.get("unchanged"))


def _totals(outcomes, failures):
  videos = [outcome.record["summary"] for outcome in outcomes if "summary" in outcome.record]
  pictures = [outcome.record["faces"] for outcome in outcomes if "faces" in outcome.record]
  parts = []
  if pictures:
    hidden = sum(face["hidden"] for faces in pictures for face in faces)
    parts.append(f"{_count(hidden, 'face') or 'no faces'} hidden in {_count(len(pictures), 'picture')}")
  if videos:
    people, frames, of = (sum(one.get(key, 0) for one in videos) for key in ("people", "frames_hidden", "frames"))
    where = f" of {_count(len(videos), 'video')}" if len(videos) > 1 else ""
    who = "person (track)" if people == 1 else "people (tracks)"
    parts.append(f"{people} {who} hidden in {frames} of {of} frames{where}")
  skipped = sum("done before" in outcome.notes for outcome in outcomes)
  more = f", {skipped} of them done before" if skipped else ""
  return f"{', '.join(parts)}{more}; {failures} failures. Look at the result yourself."


def _count(number, what):
  return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def _verb(number):
  return "shows no found face and is" if number == 1 else "show no found face and are"
