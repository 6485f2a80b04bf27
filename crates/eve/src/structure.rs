//! Persistent structures over blocks.
