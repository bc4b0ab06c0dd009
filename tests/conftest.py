"""Settings of the whole suite."""

import os

# Compiled programs that were kept once are no test of this code, and the user's own folder is none of ours.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

# Most of the suite's time is compilation of programs that run once; without optimisation it takes a fraction.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
