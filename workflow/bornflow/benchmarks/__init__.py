"""Times of dynamics and of training, next to those of other programs."""
