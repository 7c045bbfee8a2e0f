//! Scenes of state resolution, each in every algorithm that it applies to.
