//! What stands behind a damage: frames that are whole, though they build on what is lost.
//!
//! 1. A frame counts when all of it is there and matches its own hash, wherever it begins.
//! 2. Nothing is trusted but the length of the file; memory is taken for one frame at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use datom::Frame;
use datom::frame::Header;

use crate::error::WorldError;

/// Bytes that are looked through at a time for the beginning of a frame.
const WINDOW_BYTES: usize = 1 << 16;

/// Frames behind a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Where the first one begins, and its `t`.
    pub(crate) at: u64,
    pub(crate) first_t: u64,
    /// The greatest `t` of any.
    pub(crate) last_t: u64,
    /// How many there are.
    pub(crate) count: u64,
}

/// The whole frames from byte `at` of a file on whose `t` is greater than `after_t`.
pub(crate) fn whole_frames(
    path: &Path,
    at: u64,
    after_t: u64,
) -> Result<Option<Whole>, WorldError> {
    look(path, at, after_t)
        .map_err(|source| WorldError::io(path, "look for whole transactions in", source))
}

fn look(path: &Path, at: u64, after_t: u64) -> io::Result<Option<Whole>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut found: Option<Whole> = None;
    let mut next = Some(at);
    while let Some(at) = next {
        let Some(header) = whole_at(&file, at, length)? else {
            next = next_magic(&file, at + 1)?;
            continue;
        };
        if header.t > after_t {
            let whole =
                found.get_or_insert(Whole { at, first_t: header.t, last_t: header.t, count: 0 });
            whole.last_t = whole.last_t.max(header.t);
            whole.count += 1;
        }
        next = Some(at + header.length);
    }
    Ok(found)
}

/// The frame that begins at `at`, if all of it is there and sound.
fn whole_at(file: &File, at: u64, length: u64) -> io::Result<Option<Header>> {
    let left = length.saturating_sub(at);
    let mut bytes = vec![0; Header::BYTES];
    if left < bytes.len() as u64 {
        return Ok(None);
    }
    file.read_exact_at(&mut bytes, at)?;
    let header = Header::decode(&bytes).ok().filter(|header| header.length <= left);
    let Some(header) = header else { return Ok(None) };
    let Ok(whole) = usize::try_from(header.length) else { return Ok(None) };
    bytes.resize(whole, 0);
    file.read_exact_at(&mut bytes, at)?;
    Ok(Frame::decode(&bytes).is_ok().then_some(header))
}

/// Where the next frame may begin, from `at` on.
fn next_magic(file: &File, mut at: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; WINDOW_BYTES];
    loop {
        let read = read_up_to(file, &mut window, at)?;
        let bytes = window.get(..read).unwrap_or(&[]);
        if let Some(place) = bytes.windows(Header::MAGIC.len()).position(|b| b == Header::MAGIC) {
            return Ok(Some(at + place as u64));
        }
        if read < window.len() {
            return Ok(None);
        }
        // The magic may begin in this window and end in the next.
        at += (read - (Header::MAGIC.len() - 1)) as u64;
    }
}

/// Fills `bytes` as far as the file goes.
fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(t: u64) -> Vec<u8> {
        Frame { t, instant: 0, previous: [0; 32], datoms: vec![], values: vec![] }.encode()
    }

    fn found(bytes: &[u8], after_t: u64) -> Option<Whole> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        whole_frames(file.path(), 0, after_t).unwrap()
    }

    #[test]
    fn frames_are_found_wherever_they_begin() {
        // The magic across the edge of a window as well.
        for before in (0..40).chain(WINDOW_BYTES - 8..WINDOW_BYTES + 8) {
            let mut bytes = vec![0xa5; before];
            bytes.extend(frame(8));
            bytes.extend(frame(9));
            bytes.extend([0; 100]);
            let at = before as u64;
            assert_eq!(found(&bytes, 7), Some(Whole { at, first_t: 8, last_t: 9, count: 2 }));
            let at = at + 120;
            assert_eq!(found(&bytes, 8), Some(Whole { at, first_t: 9, last_t: 9, count: 1 }));
            assert_eq!(found(&bytes, 9), None);
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_or_damaged_is_not_whole() {
        let whole = frame(8);
        for keep in 0..whole.len() {
            assert_eq!(found(&whole[..keep], 0), None, "{keep} bytes");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(found(&bytes, 0), None, "byte {at}");
        }
    }

    #[test]
    fn frames_are_found_behind_a_beginning_that_claims_them() {
        // The damaged frame says that it reaches over the next one.
        let mut bytes = Frame {
            t: 7,
            instant: 0,
            previous: [0; 32],
            datoms: vec![],
            values: vec![datom::Value::text(&"x".repeat(1_000))],
        }
        .encode();
        bytes[500] ^= 1;
        let at = bytes.len() as u64;
        bytes.extend(frame(8));
        assert_eq!(found(&bytes, 6), Some(Whole { at, first_t: 8, last_t: 8, count: 1 }));
    }
}
