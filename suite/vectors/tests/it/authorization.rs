//! One accepted and one rejected event for every leaf of the authorization rules of every room version.
