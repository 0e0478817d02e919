"""Models: from a structure to energy, forces and Born effective charges, as functions of arrays alone."""
