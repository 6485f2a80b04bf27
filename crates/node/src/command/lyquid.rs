//! `datom lyquid`: a WebAssembly function under fuel.
