"""A person's look at what `deidentify` made: a page on this machine, decisions in a file, and a page for auditors."""
