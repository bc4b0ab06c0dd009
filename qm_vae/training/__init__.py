"""The one training loop, its state, its logbook and what compiles it; `tasks/` says what is trained."""
