"""Times of molecular dynamics and of training, compared with those of other programs."""
