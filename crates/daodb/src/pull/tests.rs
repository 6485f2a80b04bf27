//! Pull on a small world.
