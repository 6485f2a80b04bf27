//! The `datom` program as its users meet it: real processes, real files, real kills.

mod agents;
mod bad_input;
mod branches;
mod concurrency;
mod crash;
mod crew;
mod durable;
mod function;
mod live;
mod live_durable;
mod main_job;
mod migrate;
mod place;
mod query;
mod ring;
mod slab;
mod streams;
mod transfer;
mod travel;
mod upkeep;
mod waiting;
mod waits;
