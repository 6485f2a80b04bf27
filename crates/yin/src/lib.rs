//! Programs stored as datoms, run by a CESK machine whose continuations are data.
