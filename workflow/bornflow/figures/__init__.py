"""Figures: one module a figure, each a program that reads results and writes PDF and PNG."""
