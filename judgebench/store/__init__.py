"""Where everything asked, answered and judged is kept, by content: an SQLite file in WAL mode."""
