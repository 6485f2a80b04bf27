//! Frames in shared memory, from their commit until they are durable.
//!
//! A frame's block holds its `t`, the address of the frame before it, the length of its bytes, and
//! its bytes. The commit record points at the newest.
//!
//! 1. The list from the record's frame holds every frame with `t` above the record's `floor`,
//!    newest first. What an older frame points at may be gone: whoever walks stops at the floor.
//! 2. The floor is never above what is durable, so no frame is ever in neither place.

use eve::{Addr, Read, Write};

use crate::dictionary;
use crate::error::Error;
use crate::record::Record;

const HEAD_WORDS: usize = 3;

/// One frame of the list.
#[derive(Clone, Copy)]
pub(crate) struct Pending<'r> {
    pub(crate) at: Addr,
    pub(crate) t: u64,
    previous: Addr,
    pub(crate) bytes: &'r [u8],
}

/// Puts a frame's bytes in front of the list.
pub(crate) fn push(
    memory: &mut impl Write,
    record: &mut Record,
    t: u64,
    frame: &[u8],
) -> Result<(), Error> {
    let head: [u64; HEAD_WORDS] = [t, record.frame.raw(), frame.len() as u64];
    record.frame = dictionary::store(memory, &head, frame)?;
    Ok(())
}

/// The frame at an address.
fn read<R: Read>(memory: &R, at: Addr) -> Result<Pending<'_>, Error> {
    let damaged = || Error::corrupt(format!("no frame begins at {at}"));
    let words = memory.words(at)?;
    let [t, previous, length] = *words.first_chunk().ok_or_else(damaged)?;
    let length = usize::try_from(length).map_err(|_| damaged())?;
    let bytes = memory.bytes(at)?.get(HEAD_WORDS * 8..).and_then(|bytes| bytes.get(..length));
    Ok(Pending { at, t, previous: Addr::from_raw(previous), bytes: bytes.ok_or_else(damaged)? })
}

/// The frames above `after`, oldest first. Nothing at or below the floor is given.
pub(crate) fn list<'r, R: Read>(
    memory: &'r R,
    record: &Record,
    after: u64,
) -> Result<Vec<Pending<'r>>, Error> {
    let stop = after.max(record.floor);
    let mut frames = Vec::new();
    let (mut at, mut t) = (record.frame, record.t);
    while t > stop {
        let frame = read(memory, at)?;
        if frame.t != t {
            return Err(Error::corrupt(format!("frame {} stands at {at} for {t}", frame.t)));
        }
        frames.push(frame);
        (at, t) = (frame.previous, t - 1);
    }
    frames.reverse();
    Ok(frames)
}

/// Durable frames are dropped in groups of at least this many, and of at least as many as stay: so
/// the walk over those that stay costs each commit a constant.
const DROP_MIN: u64 = 64;
/// But the newest of them goes at once, and those before it, if it has so many bytes: it would take as
/// much room as the indexes of what it says. Whoever puts it on the disk sees to that, by a commit
/// without a transaction; where that fails, the next commit does.
pub(crate) const DROP_BYTES: usize = 1 << 20;
/// Frames that are not durable yet behind which such a one is looked for.
const LOOK_MAX: u64 = 8;

/// Drops durable frames from the list, if it is worth the walk. Answers how many bytes they have.
pub(crate) fn drop_durable(
    memory: &mut impl Write,
    record: &mut Record,
    durable_t: u64,
) -> Result<usize, Error> {
    let durable_t = durable_t.min(record.t);
    let stay = record.t - durable_t;
    let droppable = durable_t.saturating_sub(record.floor);
    if droppable == 0 || droppable < DROP_MIN.max(stay) && !newest_is_large(memory, record, stay)? {
        return Ok(0);
    }
    let frames = list(memory, record, record.floor)?;
    let gone = frames.iter().filter(|frame| frame.t <= durable_t);
    let bytes = gone.clone().map(|frame| frame.bytes.len()).sum();
    let gone: Vec<Addr> = gone.map(|frame| frame.at).collect();
    for at in gone {
        memory.retire(at);
    }
    record.floor = durable_t;
    if stay == 0 {
        record.frame = Addr::NONE;
    }
    Ok(bytes)
}

/// Whether the newest durable frame, behind `stay` others, is a large one.
fn newest_is_large(memory: &impl Read, record: &Record, stay: u64) -> Result<bool, Error> {
    if stay > LOOK_MAX {
        return Ok(false);
    }
    let mut frame = read(memory, record.frame)?;
    for _ in 0..stay {
        frame = read(memory, frame.previous)?;
    }
    Ok(frame.bytes.len() >= DROP_BYTES)
}
