//! Frames that anybody may have made, decoded and published behind a small history: an answer or an
//! error, never a crash, and what was published can be read and gone on from.
//!
//! Input that begins with an even byte is a list of datoms, nine bytes each, made into a frame that
//! goes on where the history ends; any other input is the frame's bytes.

#![no_main]

use std::sync::OnceLock;

use daodb::parts::{Published, Storage};
use daodb::{Database, Index};
use datom::{Datom, Frame, Tag, Value, Word, edn};
use libfuzzer_sys::fuzz_target;

const HISTORY: [&str; 3] = [
    "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
     {:db/ident :n :db/valueType :db.type/long :db/index true}
     {:db/ident :tags :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
     {:db/ident :pair :db/valueType :db.type/tuple :db/tupleAttrs [:name :n]}",
    "{:name \"a name that is long\" :n 1 :tags [:x :y]} {:name \"b\" :n 2}",
    "[:db/retract [:name \"b\"] :n 2] {:name \"c\"}",
];

fn history() -> &'static [Frame] {
    static FRAMES: OnceLock<Vec<Frame>> = OnceLock::new();
    FRAMES.get_or_init(|| {
        let db = Database::memory().expect("memory");
        for text in HISTORY {
            db.transact(&edn::read_all(text).expect("EDN")).expect("a transaction");
        }
        Storage::frames(&db, 1, u64::MAX)
            .expect("frames")
            .map(|frame| frame.expect("one"))
            .collect()
    })
}

/// Values that the made frames choose from; the first ones lie in the frame's table.
fn values() -> Vec<Value> {
    let text = "[\"longer than a word is\" :some/name sym [1 nil] [\"a name that is long\" 1] #{1 2} {:a 1}
                 :db.type/long :db.type/string :db.cardinality/many :name 123456789012345678901234567890]";
    edn::read(text).expect("EDN").as_slice().expect("a vector").to_vec()
}

fn word(kind: u8, number: u8, values: &[Value]) -> Word {
    match kind % 5 {
        0 => {
            let place = usize::from(number) % values.len();
            values[place].word_tag().map_or(Word::TRUE, |tag| Word::new(tag, place as u64))
        }
        1 => Word::entity(16 + u64::from(number)),
        2 => Word::entity(4_090 + u64::from(number)),
        3 => Value::Int(i64::from(number)).to_inline().unwrap_or(Word::TRUE),
        // Anything at all.
        _ => Word::new(Tag::Ref, u64::from(number) << 40),
    }
}

fn made(bytes: &[u8], t: u64, previous: [u8; 32]) -> Frame {
    let values = values();
    let datoms = bytes.chunks_exact(9).map(|parts| {
        let number = |high: u8, low: u8| u64::from(u16::from_le_bytes([low, high]));
        let e = match parts[0] % 4 {
            0 => 16 + u64::from(parts[1]),
            1 => 4_090 + u64::from(parts[1] % 16),
            2 => datom::id::transaction(u64::from(parts[1] % 8)),
            _ => number(parts[1], parts[2]) << (parts[1] % 48),
        };
        let a = match parts[3] % 3 {
            0 => 16 + u64::from(parts[4] % 80),
            1 => 4_096 + u64::from(parts[4] % 6),
            _ => number(parts[4], parts[5]),
        };
        let m = u64::from(parts[8]);
        Datom { e, a, v: word(parts[6], parts[7], &values), t, m }
    });
    Frame {
        t,
        instant: 1_700_000_000_000_000,
        previous,
        datoms: datoms.collect(),
        values: values.clone(),
    }
}

fn read(db: &Database) -> Result<(), daodb::Error> {
    let now = db.db()?;
    for view in [now.clone(), now.history(), now.as_of(2)] {
        for index in Index::ALL {
            for datom in view.datoms(index, &[])? {
                view.datom_to_value(&datom?)?;
            }
        }
    }
    for transaction in db.log()? {
        transaction?;
    }
    let _ = now.q("[:find ?e ?n :where [?e :name ?n]]", &[]);
    let _ = db.transact(&edn::read_all("{:name \"later\" :n 3}").expect("EDN"));
    let _ = db.verify()?;
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let db = Database::memory().expect("memory");
    let mut end = [0; 32];
    for frame in history() {
        assert_eq!(db.publish(frame).expect("a good frame"), Published::Yes);
        end = frame.hash();
    }
    let t = history().len() as u64 + 1;
    let frame = match data.split_first() {
        Some((first, parts)) if first % 2 == 0 => made(parts, t, end),
        _ => match Frame::decode(data) {
            Ok((frame, length)) => {
                assert_eq!(frame.encode(), data[..length]);
                frame
            }
            Err(_) => return,
        },
    };
    let before = db.db().expect("a state").content_hash().expect("a hash");
    if !matches!(db.publish(&frame), Ok(Published::Yes)) {
        assert_eq!(db.db().expect("a state").content_hash().expect("a hash"), before);
    }
    let _ = read(&db);
});
