//! Atomics: the standard ones, or those of loom.
