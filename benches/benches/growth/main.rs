//! How costs grow with the number of entries, for the slab's map, sorted set and byte map and for LMDB
//! beside them; what a second process and a second thread get; what overwriting for ever takes.
//!
//! `cargo xtask bench growth` measures 10,000 to 10,000,000 entries and prints tables; with sizes behind
//! it, those, and with `map`, `sorted` or `bytes` that one alone; with `overwrites` or `sharing` behind it, that alone; with `plot`, it draws
//! `docs/growth.svg` from the tables that `docs/performance.md` quotes.

mod bytes;
mod measure;
mod overwrites;
mod plot;
mod sharing;

use bytes::bytes;
use measure::{Row, map, sorted};

const SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// What is measured at each size.
type Measure = fn(usize) -> Vec<Row>;
const KINDS: [(&str, Measure); 3] = [("map", map), ("sorted", sorted), ("bytes", bytes)];
/// Where the tables are quoted, and where the chart goes.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/growth.svg");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [reader, path, count] = &arguments[..]
        && reader == sharing::READER
    {
        return sharing::read(path, count.parse().expect("a number"));
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if arguments.is_empty() {
        sizes = SIZES.to_vec();
    }
    for size in sizes {
        let chosen = KINDS.iter().any(|(name, _)| has(name));
        let kinds = KINDS.iter().filter(|(name, _)| has(name) || !chosen);
        print(&kinds.flat_map(|(_, measure)| measure(size)).collect::<Vec<_>>());
    }
    if has("plot") {
        let document = std::fs::read_to_string(DOCUMENT).expect("the document");
        std::fs::write(CHART, plot::chart(&plot::quoted(&document))).expect("the folder");
        println!("{CHART}");
    }
    if arguments.is_empty() || has("sharing") {
        sharing::run();
    }
    if arguments.is_empty() || has("overwrites") {
        overwrites::run();
    }
}

/// A line for each operation: ours, the peer's, the ratio. Above 1.00 is better than the peer.
fn print(rows: &[Row]) {
    let peers = rows.iter().filter(|row| row.peer == "LMDB");
    println!("\n| entries | | eve | LMDB | LMDB / eve |\n| --- | --- | --- | --- | --- |");
    for row in rows.iter().filter(|row| row.peer == "eve") {
        let peer = peers.clone().find(|peer| (peer.what, peer.size) == (row.what, row.size));
        let (value, ratio) = match peer {
            Some(peer) => (format!("{:.1}", peer.value), format!("{:.2}", peer.value / row.value)),
            None => Default::default(),
        };
        println!("| {} | {} | {:.1} | {value} | {ratio} |", row.size, row.what, row.value);
    }
}
