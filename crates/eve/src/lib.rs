//! Shared memory for many processes: regions, a slab with persistent structures, rings.
