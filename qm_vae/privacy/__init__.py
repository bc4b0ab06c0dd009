"""Privacy, measured: who can still be named, by which attacker, and how sure the number is."""
