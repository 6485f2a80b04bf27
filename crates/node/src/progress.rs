//! Long work shows how far it is, on a terminal's standard error.

use std::sync::Mutex;
