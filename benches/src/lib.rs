//! What several suites and tests share: the data sets and queries of the Datalog comparison. The
//! measurements themselves live in `benches/`.

pub mod datalog;
