"""Version 1 of masks, frame rules and fingerprint. Frozen once released: change nothing, add v2."""
