"""Tracks of boxes that move, vanish and cross."""

import numpy as np

from qm_vae.deidentify.tracking.link import Linker
from qm_vae.deidentify.tracking.places import places
from qm_vae.types import Detections

SIZE = (640, 360)


def found(*boxes, scores=None):
  boxes = np.array(boxes, np.float32).reshape(-1, 4)
  return Detections(boxes, np.array(scores if scores is not None else [0.9] * len(boxes), np.float32))


def linked(frames, max_gap=48, strong=0.5, weak=0.25):
  """A linker that has seen {frame: Detections}."""
  linker = Linker(strong, weak, max_gap)
  for frame, detections in frames.items():
    linker.add(frame, detections)
  return linker


def box(frame, speed=4.0, x=100.0, y=150.0, side=40.0):
  return [x + speed * frame, y, side, side]


def test_tracking_moving_face_one_track_gap():
  """A moving face is one track and its gap lies on the line between."""
  frames = {n: found(box(n)) for n in (*range(10), *range(20, 25))}
  linker = linked(frames)
  assert [track.number for track in linker.tracks] == [1]
  for n in range(25):
    (place,) = places(linker.tracks, n, set(range(25)), 48, SIZE)
    assert place.how == ("found" if n in frames else "filled") and not place.lost
    np.testing.assert_allclose(place.box[:2] + place.box[2:] / 2, [120 + 4 * n, 170], atol=1e-3)
    assert place.box[2] >= 40  # a filled box is never smaller than what it stands between


def test_tracking_two_faces_pass_each_other():
  """Two faces that pass each other keep their numbers."""
  frames = {n: found(box(n, 6, 100, 100), box(n, -6, 340, 190)) for n in range(40)}
  linker = linked(frames)
  assert [track.number for track in linker.tracks] == [1, 2]
  assert linker.tracks[0].boxes[-1][1] == 100 and linker.tracks[1].boxes[-1][1] == 190


def test_tracking_weak_finding_prolongs_track_begins():
  """A weak finding prolongs a track and begins none."""
  frames = {0: found(box(0)), 1: found(box(1), scores=[0.3]), 2: found([400, 20, 40, 40], scores=[0.3])}
  (track,) = linked(frames).tracks
  assert track.frames == [0, 1]


def test_tracking_far_much_larger_finding_somebody():
  """A far or much larger finding is somebody else."""
  assert len(linked({0: found(box(0)), 1: found([400, 150, 40, 40])}).tracks) == 2
  assert len(linked({0: found(box(0)), 1: found([80, 130, 90, 90])}).tracks) == 2


def test_tracking_ends_held_movement_inside_only():
  """The ends are held with the movement inside and only for a while."""
  linker = linked({n: found(box(n)) for n in range(20, 30)})
  looked = set(range(100))
  for n, there in ((7, False), (8, True), (19, True), (30, True), (41, True), (42, False)):
    now = places(linker.tracks, n, looked, 12, SIZE)
    assert bool(now) == there, n
    if there:
      assert now[0].how == "held" and now[0].lost
      true = np.array(box(n))
      moved = min(abs(n - (20 if n < 20 else 29)) * 4, 40)
      last = np.array(box(20 if n < 20 else 29))
      inside = last[0] - (moved if n < 20 else 0), last[0] + (0 if n < 20 else moved)
      assert now[0].box[0] <= inside[0] and now[0].box[0] + now[0].box[2] >= inside[1] + 40
      assert now[0].box[1] <= true[1]


def test_tracking_face_leaves_border_not_lost():
  """A face that leaves at the border is not lost and held shorter."""
  linker = linked({n: found([600 - 30 + 4 * n, 150, 40, 40]) for n in range(6)})
  looked = set(range(50))
  (now,) = places(linker.tracks, 7, looked, 12, SIZE)
  assert now.how == "held" and not now.lost
  assert not places(linker.tracks, 9, looked, 12, SIZE)


def test_tracking_nobody_looked_nobody_lost():
  """Where nobody looked nobody is lost."""
  linker = linked({0: found(box(0))})
  assert not places(linker.tracks, 3, {0}, 12, SIZE)[0].lost
  assert places(linker.tracks, 3, {0, 3}, 12, SIZE)[0].lost


def test_tracking_face_border_held_until_somebody():
  """A face at the border is held until somebody looks again."""
  linker = linked({n: found([600, 150, 40, 40]) for n in (50, 75)})
  looked = {0, 25, 50, 75}
  held = [n for n in range(100) if places(linker.tracks, n, looked, 48, SIZE)]
  assert held == list(range(25, 100))
  looked.add(100)
  assert places(linker.tracks, 100, looked, 48, SIZE) and not places(linker.tracks, 101, looked, 48, SIZE)


def test_tracking_gap_longer_window_no_link():
  """A gap longer than the window is no link and memory stays flat."""
  linker = linked({0: found(box(0, 0)), 60: found(box(0, 0))}, max_gap=48)
  assert len(linker.tracks) == 2
  linker = Linker(0.5, 0.25, 10)
  for n in range(300):
    linker.add(n, found(box(0, 0), [(n * 97) % 600, 20, 30, 30]))
    linker.forget(max(n - 10, 0))
  assert len(linker.tracks) < 30 and max(len(track.frames) for track in linker.tracks) < 40


def test_tracking_cut_ends_tracks_weak_ones_go_on():
  """After a cut a face has another number; one that is found but weakly stays hidden where a track was, else not."""
  linker = linked({0: found(box(0), [400, 20, 40, 40])})
  linker.end()
  linker.add(1, found(box(1), [400, 20, 40, 40], [500, 200, 40, 40], scores=[0.9, 0.3, 0.3]))
  assert [track.frames for track in linker.tracks] == [[0], [0], [1], [1]]
  assert linker.tracks[2].boxes[0][0] == 104 and linker.tracks[3].boxes[0][0] == 400


def test_tracking_nobody_held_beyond_reach():
  """Where no face can be, none is held, on either side."""
  linker = linked({n: found(box(n, 0)) for n in range(20, 30)})
  held = [n for n in range(60) if places(linker.tracks, n, set(range(60)), 12, SIZE, lambda of, at: 17 <= at < 33)]
  assert held == list(range(17, 33))


def test_tracking_face_in_the_same_place_after_an_end_is_not_held_twice():
  """Where tracks end and a face is surely found in the same place, neither track is held beside the other.

  A face that is found elsewhere, or but weakly, replaces nobody.
  """
  of_frame = lambda linker, n: [(p.track, p.how) for p in places(linker.tracks, n, set(range(20)), 12, SIZE)]
  for again, scores, before, after in (
    (box(10), [0.9], [(1, "found")], [(2, "found")]),
    ([400, 20, 40, 40], [0.9], [(1, "found"), (2, "held")], [(1, "held"), (2, "found")]),
    (box(10), [0.3], [(1, "found"), (2, "held")], [(1, "held"), (2, "found")]),
  ):
    linker = linked({n: found(box(n)) for n in range(10)})
    linker.end()
    linker.add(10, found(again, scores=scores))
    assert of_frame(linker, 9) == before and of_frame(linker, 10) == after
