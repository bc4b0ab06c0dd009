"""What lies beside the pictures: copied, or left out with a note, and positions never by themselves."""

import fractions

import numpy as np
import pytest
import recipes

from qm_vae.deidentify.video import positions

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader = pytest.importorskip("qm_vae.deidentify.video.reader")

DRONE = [
  "HOME(8.5421,47.3769) 2020.01.05 12:30:01\nGPS(8.5423,47.3771,19) BAROMETER:64.3",
  "<font size='36'>[iso : 100] [shutter : 1/200] [latitude: 47.376887] [longtitude: 8.541694]</font>",
  "47.376887, 8.541694",
  "$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A",
  "+47.3769+008.5417+432/",
  "47° 22' 36\" N 8° 32' 30\" E",
  "Lat: 47.37 Lon: 8.54",
]
FILM = ["Check the GPS.", "It is 12:30, and 47.5 degrees.", "She is later than 8, or 9.25 at most.", "A home (mine)."]


@pytest.mark.parametrize("line", DRONE)
def test_streams_place_in_text_known(line):
  """Positions are known in the notations of drones, dashboard cameras and receivers."""
  assert positions.says_place(line)


@pytest.mark.parametrize("line", FILM)
def test_streams_speech_is_no_place(line):
  """What people say in films is no position."""
  assert not positions.says_place(line)


def with_text(path, lines, **extra):
  """A video with sound and a text track of those lines, two a second."""
  plain = recipes.video(path.with_name(f"plain{path.suffix}"), audio="aac", **extra)
  words = path.with_suffix(".srt")
  times = [f"00:00:00,{250 * n:03d} --> 00:00:00,{250 * n + 200:03d}" for n in range(len(lines))]
  words.write_text("".join(f"{n + 1}\n{t}\n{line}\n\n" for n, (t, line) in enumerate(zip(times, lines, strict=True))))
  with av.open(str(plain)) as one, av.open(str(words)) as other, av.open(str(path), "w") as out:
    streams = [out.add_stream_from_template(s) for s in one.streams]
    text = out.add_stream_from_template(other.streams[0])
    text.metadata["language"] = "deu"
    for packet in other.demux():
      if packet.size:
        packet.stream = text
        out.mux(packet)
    for packet in one.demux():
      if packet.size:
        packet.stream = streams[packet.stream.index]
        out.mux(packet)
  return path


def words_of(path):
  """The texts of a file's subtitles."""
  with av.open(str(path)) as file:
    return [bytes(p).decode() for s in file.streams.subtitles[:1] for p in file.demux(s) if p.size]


@pytest.mark.parametrize("lines", [[DRONE[0], DRONE[0]], ["A street.", "A square.", DRONE[1]]])
def test_streams_text_with_positions_left_out(lines, tmp_path):
  """A text track in which a position comes anywhere is left out with a note, and copied only on request."""
  source = with_text(tmp_path / "in.mkv", lines)
  made = recipes.copy(source, tmp_path / "out.mkv")
  assert not words_of(tmp_path / "out.mkv")
  assert any("where the camera was: left out; --keep-metadata" in note for note in made.notes)
  assert b"47.3" not in (tmp_path / "out.mkv").read_bytes()
  recipes.copy(source, tmp_path / "kept.mkv", keep_metadata=True)
  assert words_of(tmp_path / "kept.mkv") == lines


def test_streams_spoken_words_copied(tmp_path):
  """Subtitles of what is said are copied with their language."""
  source = with_text(tmp_path / "in.mkv", FILM)
  made = recipes.copy(source, tmp_path / "out.mkv")
  assert words_of(tmp_path / "out.mkv") == FILM and not made.notes
  with av.open(str(tmp_path / "out.mkv")) as file:
    assert file.streams.subtitles[0].language in ("deu", "ger")


def test_streams_second_video_chapters_told(tmp_path):
  """A second video and chapters are left out, each with a line."""
  with av.open(str(tmp_path / "in.mkv"), "w") as out:
    streams = [out.add_stream("libx264", rate=25) for _ in range(2)]
    for stream in streams:
      stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
    named = {"id": 1, "start": 0, "end": 500, "time_base": fractions.Fraction(1, 1000)}
    out.set_chapters([named | {"metadata": {"title": "Anna's house"}}])
    for n in range(20):
      for k, stream in enumerate(streams):
        frame = av.VideoFrame.from_ndarray(recipes.picture(n + 20 * k), format="rgb24")
        frame.pts, frame.time_base = n, fractions.Fraction(1, 25)
        out.mux(stream.encode(frame))
    for stream in streams:
      out.mux(stream.encode(None))
  one = reader.Reader(str(tmp_path / "in.mkv"))
  assert one.left_out == ["stream 1: video, never copied", "1 chapters"]
  one.close()
  recipes.copy(tmp_path / "in.mkv", tmp_path / "out.mkv")
  with av.open(str(tmp_path / "out.mkv")) as file:
    assert len(file.streams.video) == 1 and not file.chapters()
  assert b"Anna" not in (tmp_path / "out.mkv").read_bytes()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_streams_flags_kept(suffix, tmp_path):
  """Flags of sound, such as which of two is the usual one, are the original's."""
  from av.stream import Disposition

  with av.open(str(tmp_path / f"in{suffix}"), "w") as out:
    picture = out.add_stream("libx264", rate=25)
    picture.width, picture.height, picture.pix_fmt = 160, 120, "yuv420p"
    sounds = [out.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
    sounds[0].disposition, sounds[1].disposition = Disposition.comment, Disposition.default
    for n in range(10):
      frame = av.VideoFrame.from_ndarray(recipes.picture(n), format="rgb24")
      frame.pts, frame.time_base = n, fractions.Fraction(1, 25)
      out.mux(picture.encode(frame))
      for sound in sounds:
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
        block.sample_rate, block.pts = 48000, 1920 * n
        out.mux(sound.encode(block))
    for stream in (picture, *sounds):
      out.mux(stream.encode(None))
  recipes.copy(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
  with av.open(str(tmp_path / f"in{suffix}")) as one, av.open(str(tmp_path / f"out{suffix}")) as other:
    before, after = ([s.disposition for s in file.streams.audio] for file in (one, other))
  assert before == after and Disposition.default in before[1]


def test_streams_subtitles_with_files_left_out(tmp_path):
  """Subtitles whose head holds fonts or pictures are left out with a note."""
  plain = recipes.video(tmp_path / "plain.mkv")
  text = tmp_path / "words.ass"
  head = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: D,Arial,20\n\n"
  graphics = "[Graphics]\nfilename: face.jpg\n`'$#!\n\n"
  events = "[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.20,0:00:00.90,D,Hello\n"
  text.write_text(head + graphics + events)
  with av.open(str(plain)) as one, av.open(str(text)) as other, av.open(str(tmp_path / "in.mkv"), "w") as out:
    targets = [out.add_stream_from_template(file.streams[0]) for file in (one, other)]
    for file, target in ((other, targets[1]), (one, targets[0])):
      for packet in file.demux():
        if packet.size:
          packet.stream = target
          out.mux(packet)
  assert b"face.jpg" in (tmp_path / "in.mkv").read_bytes()
  made = recipes.copy(tmp_path / "in.mkv", tmp_path / "out.mkv")
  assert any("fonts or pictures" in note for note in made.notes)
  assert b"face.jpg" not in (tmp_path / "out.mkv").read_bytes()
