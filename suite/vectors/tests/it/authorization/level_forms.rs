//! What counts as a power level in each group of room versions.
