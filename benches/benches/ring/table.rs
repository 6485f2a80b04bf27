//! The comparison: all variants in turn, again and again, so that whatever else the machine does
//! hits all alike.

use crate::{ROUND_TRIP, Variant};

/// How often every variant takes its turn, and with how much.
const ROUNDS: usize = 31;
const RECORDS: u64 = 400_000;
const TRIPS: u64 = 20_000;

/// Prints medians and quartiles. A ratio above 1.00 is better than the peer.
pub(crate) fn print(variants: &[Variant]) {
    let mut nanos = vec![Vec::new(); variants.len()];
    for _ in 0..ROUNDS {
        for (variant, nanos) in variants.iter().zip(&mut nanos) {
            let count = if variant.group == ROUND_TRIP { TRIPS } else { RECORDS };
            nanos.push((variant.run)(count).as_nanos() as f64 / count as f64);
        }
    }
    for nanos in &mut nanos {
        nanos.sort_by(f64::total_cmp);
    }
    println!(
        "\n{:<36} {:>9} {:>8} {:>9} {:>9}   peer's time / ours",
        "", "median ns", "M/s", "quarter", "3 quarter"
    );
    for (variant, times) in variants.iter().zip(&nanos) {
        let median = times[ROUNDS / 2];
        let is_ours = variant.name.starts_with("eve");
        let peers = variants.iter().zip(&nanos).filter(|(peer, _)| {
            is_ours && peer.group == variant.group && !peer.name.starts_with("eve")
        });
        let ratio = |(peer, theirs): (&Variant, &Vec<f64>)| {
            format!("{:.2} {}", theirs[ROUNDS / 2] / median, peer.name)
        };
        let ratios: Vec<_> = peers.map(ratio).collect();
        let name = format!("{}/{}", variant.group, variant.name);
        let (low, high) = (times[ROUNDS / 4], times[ROUNDS * 3 / 4]);
        let rate = 1e3 / median;
        println!(
            "{name:<36} {median:>9.2} {rate:>8.1} {low:>9.2} {high:>9.2}   {}",
            ratios.join(", ")
        );
    }
}
