//! A naive evaluator: what queries mean, without regard for time.
