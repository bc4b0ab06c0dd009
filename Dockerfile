# docker build -t qm-vae . && docker run --rm -v "$PWD:/data" qm-vae deidentify /data/street.mp4 /data/safe.mp4
FROM python:3.12-slim
# OpenCV's wheel asks for libGL and GLib.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/qm_vae
COPY . .
RUN pip install --no-cache-dir ".[video]" && useradd --create-home qm_vae
USER qm_vae
WORKDIR /data
ENTRYPOINT ["qm-vae"]
