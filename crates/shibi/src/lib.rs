//! Capability tokens: signed, attenuable offline, verifiable anywhere.
