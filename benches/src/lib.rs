//! What several suites and tests share: the data sets and queries of the Datalog comparison, and the
//! stores beside which the slab is measured. The measurements themselves live in `benches/`.

pub mod corium;
pub mod datalog;
pub mod pages;
pub mod stores;
