//! Prints what the operations on tokens cost here, as the median of some rounds.

use std::hint::black_box;
use std::time::Instant;

use shibi::{Demand, Expiry, Grant, Keypair, Token, Trust};

const ROUNDS: usize = 15;
const CALLS: u32 = 200;

fn measure<R>(what: &str, mut call: impl FnMut() -> R) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<28} {:>8.2} µs", rounds[ROUNDS / 2]);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = |seed| Keypair::from_seed(&[seed; 32]);
    let trust = || Trust::in_roots([*key(1).public()]);
    let (node, known) = (key(1), trust());
    let grant = Grant::new("fs/read", Expiry::Never);

    let ada = *key(2).public();
    measure("mint", || Token::mint(&node, &ada, &grant));
    let mut chain = vec![Token::mint(&node, key(2).public(), &grant)?];
    for link in 2..=8 {
        let last = chain.last().ok_or("a chain has a block")?;
        let holder = key(link);
        if link == 2 {
            let next = *key(3).public();
            measure("attenuate", || last.attenuate(&holder, &next, &grant));
        }
        chain.push(last.attenuate(&holder, key(link + 1).public(), &grant)?);
    }
    for links in [1, 3, 8] {
        let bytes = chain[links - 1].to_bytes();
        println!("bytes, {links} links {:>18}", bytes.len());
        let verify = |trust: &Trust| {
            Token::from_bytes(&bytes)?.verify(trust, 0).map_err(Box::<dyn std::error::Error>::from)
        };
        verify(&known)?;
        measure(&format!("decode + verify, {links} links"), || verify(&known).is_ok());
        measure("  … keys never met before", || verify(&trust()).is_ok());
    }
    let rights = chain[0].verify(&known, 0)?;
    let demand = Demand::new("fs/read", *node.public(), i64::MAX)?;
    let holder = key(2);
    measure("prove", || chain[0].prove(&holder, &demand));
    let proof = chain[0].prove(&holder, &demand)?;
    measure("verify the proof", || rights.verify_proof(&proof, &demand, 0));
    measure("permits", || rights.permits(&"fs/read".into(), 0));
    Ok(())
}
