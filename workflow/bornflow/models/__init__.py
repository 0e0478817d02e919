"""Models: from a structure to energy, forces and Born effective charges. Importing changes nothing."""
