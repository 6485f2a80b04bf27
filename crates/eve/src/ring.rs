//! Rings: one producer, one consumer, any two processes.
