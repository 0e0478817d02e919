"""Files: frames with labels (extxyz), atomic writing, locks, checked reading of CSV, JSON, YAML, HDF5."""
