//! What a step of a durable agent costs: `cargo run --release -p node --example durable [FOLDER [STEPS]]`.
//!
//! A step is the request with its state and its record, which is on the disk before the effect, and the answer,
//! which is kept with the next request. Agents on threads of their own share transactions and syncs. The
//! world lies in FOLDER, or where temporary files do; STEPS are those of all agents together. What a
//! sync costs there is told first.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use bridge::Failure;
use datom::Keyword;
use node::{Grants, Reporter, Runner, World};

const PROGRAM: &str =
    "(loop [n STEPS] (if (= n 0) :done (do (perform :crypto/blake3 \"x\") (recur (- n 1)))))";
/// Steps of all agents together, unless somebody says.
const STEPS: usize = 8_000;
const SYNCS: u32 = 100;

/// What a sync of a small write costs in a folder, in microseconds.
fn sync_micros(folder: &Path) -> std::io::Result<u128> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::tempfile_in(folder)?;
    let started = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 1024])?;
        file.sync_data()?;
    }
    Ok((started.elapsed() / SYNCS).as_micros())
}

fn agents(folder: &Path, agents: usize, steps: usize) -> Result<f64, Box<node::Fault>> {
    let world = World::open_or_create(&folder.join(format!("world-{agents}")))?;
    let program = PROGRAM.replace("STEPS", &(steps / agents).to_string());
    let stored = node::store(world.database(), Reporter::silent(), "agent.yin", &program)?;
    let operation: Keyword = "crypto/blake3".into();
    let mut runners = Vec::new();
    for _ in 0..agents {
        let grants = Grants { mint: vec![operation.clone()], ..Grants::default() };
        let entity = Some(stored.entity);
        runners.push(Runner::new(&world, Reporter::silent(), "agent.yin", entity, &grants)?);
    }
    let started = Instant::now();
    std::thread::scope(|scope| {
        let run = |(n, mut runner): (usize, Runner)| {
            let stored = &stored;
            scope.spawn(move || runner.run_durable(stored, &format!("agent-{n}"), u64::MAX))
        };
        let threads: Vec<_> = runners.into_iter().enumerate().map(run).collect();
        for thread in threads {
            let broke = |_| node::Fault::new(Failure::new("agent", "a thread broke"));
            thread.join().map_err(broke)??;
        }
        Ok::<_, Box<node::Fault>>(())
    })?;
    Ok((steps / agents * agents) as f64 / started.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<node::Fault>> {
    let temporary = tempfile::tempdir().map_err(node::Fault::new)?;
    let folder = std::env::args().nth(1).map_or(temporary.path().to_path_buf(), Into::into);
    let steps = std::env::args().nth(2).and_then(|steps| steps.parse().ok()).unwrap_or(STEPS);
    println!("a sync takes {} us", sync_micros(&folder)?);
    println!("{:>8} {:>12}", "agents", "steps/s");
    for count in [1, 8, 32, 100] {
        println!("{count:>8} {:>12.0}", agents(&folder, count, steps)?);
    }
    Ok(())
}
