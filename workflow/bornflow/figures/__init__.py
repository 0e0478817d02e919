"""Figures: one module per figure, each a program that reads results and writes PDF and PNG."""
