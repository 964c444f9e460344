//! The explorer against one without tables, and every law against something that breaks it.

mod direct;
mod laws;

use super::bounds::Bounds;
use super::members::Members;

/// One term, nothing but what is asked for.
const ONE: Bounds = Bounds {
    max_term: 1,
    max_entries: 0,
    in_flight: 1,
    crashes: 0,
    duplicates: 0,
    writes: 1,
    heartbeats: 0,
    late_answers: false,
    pre_vote: false,
    symmetry: false,
    members: Members::ALL,
    changes: &[],
};
