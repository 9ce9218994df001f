//! The example files of `deploy/`, read by the programs they are for.
