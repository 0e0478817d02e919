"""Files: frames and their labels, atomic writing and locks, checked reading of tables and series."""
