//! Prints what a round trip through the bridge costs here.

use std::hint::{black_box, spin_loop};
use std::time::Instant;

use bridge::{Bridge, Call, Dock, Failure, Operation, Port, Record, Shelf, Unaudited};
use datom::Value;
use eve::ring::Heap;
use shibi::{Expiry, Grant, Keypair, Token, Trust};

/// Many and short, so that another process on the core disturbs few of them.
const ROUNDS: usize = 1001;
const CALLS: u32 = 1_000;
const NOTHING: u64 = 4096;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn nothing(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(call.args.clone())
}

fn linked(
    audit: impl bridge::Audit + 'static,
    expires: Expiry,
) -> Outcome<(Bridge, Port<Heap>, Dock<Heap>)> {
    let node = Keypair::from_seed(&[1; 32]);
    let mut bridge = Bridge::new(Trust::in_roots([*node.public()]), *node.public(), audit);
    for (entity, name) in
        (NOTHING..).zip(["test/nothing", "a/b", "c/d", "e/f", "g/h", "i/j", "k/l", "m/n"])
    {
        let token = Token::mint(&node, node.public(), &Grant::new(name, expires))?;
        bridge.install(Operation::new(entity, name), nothing, &token, &node)?;
    }
    let (port, dock) = bridge::link(64, Shelf::shared())?;
    Ok((bridge, port, dock))
}

fn measure(what: &str, calls: u32, mut round: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        rounds.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    rounds.sort_by(f64::total_cmp);
    println!("{what:<44} {:>9.1} ns", rounds[ROUNDS / 2]);
    Ok(())
}

fn same_thread(
    what: &str,
    (mut bridge, mut port, mut dock): (Bridge, Port<Heap>, Dock<Heap>),
    args: &Value,
) -> Outcome<()> {
    measure(what, CALLS, || {
        for _ in 0..CALLS {
            port.send(NOTHING, args)?;
            bridge.serve(&mut dock)?;
            black_box(port.poll()?);
        }
        Ok(())
    })
}

fn batches(
    what: &str,
    (mut bridge, mut port, mut dock): (Bridge, Port<Heap>, Dock<Heap>),
) -> Outcome<()> {
    measure(what, CALLS / 64 * 64, || {
        for _ in 0..CALLS / 64 {
            for n in 0..64 {
                port.send(NOTHING, &Value::Int(n))?;
            }
            bridge.serve(&mut dock)?;
            while let Some(response) = port.poll()? {
                black_box(response);
            }
        }
        Ok(())
    })
}

fn two_threads(
    what: &str,
    (mut bridge, mut port, mut dock): (Bridge, Port<Heap>, Dock<Heap>),
    parked: bool,
) -> Outcome<()> {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !parked || dock.wait(None).is_ok() {
                match bridge.serve(&mut dock) {
                    Ok(0) => spin_loop(),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        let result = measure(what, CALLS / 10, || {
            for n in 0..CALLS / 10 {
                port.send(NOTHING, &Value::Int(n.into()))?;
                if parked {
                    port.wait(None)?;
                }
                while port.poll()?.is_none() {
                    spin_loop();
                }
            }
            Ok(())
        });
        port.close();
        result
    })
}

fn main() -> Outcome<()> {
    let int = Value::Int(42);
    let text = Value::text(&"x".repeat(100));
    same_thread("same thread, integer", linked(Unaudited, Expiry::Never)?, &int)?;
    same_thread(
        "same thread, integer, token that expires",
        linked(Unaudited, Expiry::At(i64::MAX - 1))?,
        &int,
    )?;
    let digest = |record: &Record<'_>| {
        black_box(record.args_digest());
    };
    same_thread(
        "same thread, integer, digest for the audit",
        linked(digest, Expiry::Never)?,
        &int,
    )?;
    same_thread("same thread, text of 100 bytes", linked(Unaudited, Expiry::Never)?, &text)?;
    batches("same thread, integers, 64 at a time", linked(Unaudited, Expiry::Never)?)?;
    if std::env::args().any(|arg| arg == "--one-thread") {
        return Ok(());
    }
    two_threads("two threads, spinning", linked(Unaudited, Expiry::Never)?, false)?;
    two_threads("two threads, the ring's own waiting", linked(Unaudited, Expiry::Never)?, true)?;
    Ok(())
}
