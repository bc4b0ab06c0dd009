"""A small RTSP server on loopback: one H.264 stream, RTP inside the RTSP connection, endless and in real time."""

import fractions
import socket
import threading
import time


class Server:
  """Serves `picture(number) -> uint8 [H, W, 3]` at rtsp://127.0.0.1:PORT/live; use as a context manager."""

  def __init__(self, picture, width, height, rate=25):
    self._picture, self._size, self._rate = picture, (width, height), rate
    self._listener = socket.create_server(("127.0.0.1", 0))
    self.port = self._listener.getsockname()[1]
    self.sent = {}  # frame -> time.monotonic() at which it was made
    self._over = threading.Event()

  def __enter__(self):
    threading.Thread(target=self._serve, daemon=True).start()
    return self

  def __exit__(self, *_):
    self._over.set()
    self._listener.close()

  def _serve(self):
    connection, _ = self._listener.accept()
    words = connection.makefile("rb")
    while not self._over.is_set():
      request = words.readline().decode().split()
      if not request:
        return
      head = {}
      while line := words.readline().decode().strip():
        name, _, value = line.partition(":")
        head[name.lower()] = value.strip()
      answer, body = [f"CSeq: {head.get('cseq', 0)}"], ""
      if request[0] == "OPTIONS":
        answer.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
      elif request[0] == "DESCRIBE":
        body = (
          "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=live\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "a=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
        )
        answer += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
      elif request[0] == "SETUP":
        answer += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
      else:
        answer.append("Session: 1")
      connection.sendall(("RTSP/1.0 200 OK\r\n" + "\r\n".join(answer) + "\r\n\r\n" + body).encode())
      if request[0] == "PLAY":
        self._play(connection)
        return

  def _play(self, connection):
    """FFmpeg's RTP packets go to a local port, and from there into the connection."""
    import av  # an optional package: this file is imported wherever tests are collected

    inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbox.bind(("127.0.0.1", 0))
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    inbox.settimeout(0.5)

    def forward():
      while not self._over.is_set():
        try:
          data = inbox.recv(65536)
          connection.sendall(b"$\x00" + len(data).to_bytes(2, "big") + data)
        except TimeoutError:
          continue
        except OSError:
          self._over.set()

    threading.Thread(target=forward, daemon=True).start()
    out = av.open(f"rtp://127.0.0.1:{inbox.getsockname()[1]}", "w", format="rtp", options={"pkt_size": "1200"})
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(self._rate), "x264-params": "repeat-headers=1"}
    stream = out.add_stream("libx264", rate=self._rate, options=options)
    stream.width, stream.height = self._size
    stream.pix_fmt = "yuv420p"
    began, number = time.monotonic(), 0
    while not self._over.is_set():
      frame = av.VideoFrame.from_ndarray(self._picture(number), format="rgb24")
      frame.pts, frame.time_base = number, fractions.Fraction(1, self._rate)
      self.sent[number] = time.monotonic()
      for packet in stream.encode(frame):
        out.mux(packet)
      number += 1
      time.sleep(max(began + number / self._rate - time.monotonic(), 0))
