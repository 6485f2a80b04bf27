//! The engine against the naive evaluator, and the cases that other engines get wrong.
