use super::super::conformance::{self, Subject};
use super::*;
use std::boxed::Box;

/// A way to make streams that is checked; `spoil` breaks what comes out.
struct Made {
    space: Space<u64>,
    capacity: usize,
    when_full: WhenFull,
}

impl Made {
    fn new(capacity: usize, when_full: WhenFull) -> Self {
        Self { space: Space::default(), capacity, when_full }
    }
}

impl Subject for Made {
    type Item = u64;
    type Stream = Memory<u64>;

    fn fresh(&mut self) -> Memory<u64> {
        self.space.create("subject", self.capacity, self.when_full)
    }

    fn open(&mut self, descriptor: &Value) -> Memory<u64> {
        self.space.open(descriptor).unwrap()
    }

    fn item(&self, n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[test]
fn memory_keeps_the_laws_at_any_capacity() {
    for when_full in [WhenFull::Refuse, WhenFull::Forget] {
        for capacity in [1, 2, 7, 100_000] {
            assert_eq!(conformance::check(&mut Made::new(capacity, when_full)), Ok(()));
        }
    }
}

/// Breaks one thing in what a reader of a good stream gives.
type Spoil = fn(u64, Next<u64>) -> Next<u64>;

struct Spoiled(Made, Spoil);
struct SpoiledStream(Memory<u64>, Spoil);
struct SpoiledReader(MemoryReader<u64>, Spoil);

impl Subject for Spoiled {
    type Item = u64;
    type Stream = SpoiledStream;

    fn fresh(&mut self) -> SpoiledStream {
        SpoiledStream(self.0.fresh(), self.1)
    }

    fn open(&mut self, descriptor: &Value) -> SpoiledStream {
        SpoiledStream(self.0.open(descriptor), self.1)
    }

    fn item(&self, n: u64) -> u64 {
        self.0.item(n)
    }
}

impl Stream for SpoiledStream {
    type Item = u64;
    type Error = Infallible;
    type Reader = SpoiledReader;
    type Writer = MemoryWriter<u64>;

    fn descriptor(&self) -> Value {
        self.0.descriptor()
    }

    fn reader(&self, from: Cursor) -> Result<SpoiledReader, Infallible> {
        Ok(SpoiledReader(self.0.reader(from)?, self.1))
    }

    fn writer(&self) -> Result<MemoryWriter<u64>, Infallible> {
        self.0.writer()
    }
}

impl Reader for SpoiledReader {
    type Item = u64;
    type Error = Infallible;

    fn next(&mut self) -> Result<Next<u64>, Infallible> {
        let at = self.0.cursor().0;
        Ok((self.1)(at, self.0.next()?))
    }

    fn cursor(&self) -> Cursor {
        self.0.cursor()
    }
}

#[test]
fn the_suite_finds_broken_streams() {
    let untouched: Spoil = |_, next| next;
    let made = || Made::new(4, WhenFull::Refuse);
    assert_eq!(conformance::check(&mut Spoiled(made(), untouched)), Ok(()));
    let spoils: [(&str, Spoil); 4] = [
        ("a wrong item", |at, next| match next {
            Next::Value(item) if at == 20 => Next::Value(item + 1),
            next => next,
        }),
        ("blocked at the end", |_, next| if next == Next::End { Next::Blocked } else { next }),
        ("end before a close", |_, next| if next == Next::Blocked { Next::End } else { next }),
        ("a gap that is none", |at, next| match next {
            Next::Blocked if at > 10 => Next::Gap,
            next => next,
        }),
    ];
    for (what, spoil) in spoils {
        assert!(conformance::check(&mut Spoiled(made(), spoil)).is_err(), "{what} was not found");
    }
}

#[test]
fn a_slow_reader_of_a_forgetting_stream_sees_one_gap() {
    let stream = Memory::new(2, WhenFull::Forget);
    let mut reader = stream.reader(Cursor::START).unwrap();
    let mut writer = stream.writer().unwrap();
    for item in 0..5 {
        assert_eq!(writer.append(&item), Ok(Append::Ok));
    }
    assert_eq!(reader.next(), Ok(Next::Gap));
    assert_eq!(reader.cursor(), Cursor(3));
    assert_eq!(reader.next(), Ok(Next::Value(3)));
}

#[test]
fn a_dropped_reader_holds_nothing_back() {
    let stream = Memory::new(1, WhenFull::Refuse);
    let mut writer = stream.writer().unwrap();
    let slow = Box::new(stream.reader(Cursor::START).unwrap());
    let mut quick = stream.reader(Cursor::START).unwrap();
    assert_eq!(writer.append(&1), Ok(Append::Ok));
    assert_eq!(quick.next(), Ok(Next::Value(1)));
    assert_eq!(writer.append(&2), Ok(Append::Full));
    drop(slow);
    assert_eq!(writer.append(&2), Ok(Append::Ok));
}

#[test]
fn a_space_opens_only_what_it_has() {
    let space = Space::<u64>::default();
    let stranger = Memory::<u64>::new(1, WhenFull::Refuse).descriptor();
    assert!(matches!(space.open(&stranger), Err(OpenError::Descriptor { .. })));
    let gone = Space::<u64>::default().create("gone", 1, WhenFull::Refuse).descriptor();
    assert!(matches!(space.open(&gone), Err(OpenError::Unknown { .. })));
}
