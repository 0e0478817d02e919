"""The programs that calculate labels."""
