"""Files: images, networks, checkpoints, records, a run's folder, and the user's caches."""
