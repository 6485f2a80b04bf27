//! WebAssembly guests whose memory persists.
