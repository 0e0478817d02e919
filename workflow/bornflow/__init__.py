"""bornflow: from structures and finite-field DFT labels to charges, dynamics and infrared spectra."""
