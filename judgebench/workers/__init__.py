"""Child processes: what holds torch or a server, and dies with the run."""
