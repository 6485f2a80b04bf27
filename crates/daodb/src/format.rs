//! `docs/format.md` against the code: the document cannot go stale.

use std::collections::BTreeSet;

use datom::{Value, Word, frame::Header};
use eve::{Addr, Read};

use crate::database::Database;
use crate::index::Index;
use crate::log::{Link, Position, durable, seal, segment};
use crate::{builtin, pending};

const DOCUMENT: &str = include_str!("../../../docs/format.md");

fn section() -> &'static str {
    let start = DOCUMENT.find("\n## World folder and log\n").expect("its section");
    let body = &DOCUMENT[start + 1..];
    body.find("\n## ").map_or(body, |end| &body[..end])
}

/// The rows of the `nth` table whose first column has that name.
fn table(first_column: &str, nth: usize) -> Vec<(String, String)> {
    let head = format!("| {first_column} |");
    let start = section().match_indices(&head).nth(nth).expect("its table").0;
    let rows = section()[start..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let (name, what) = row.trim_matches('|').split_once(" | ").expect("two columns");
        (name.trim().to_owned(), what.trim().replace('`', ""))
    })
    .collect()
}

#[test]
fn the_built_in_schema_is_as_documented() {
    let documented: BTreeSet<(String, String)> = table("entity", 0).into_iter().collect();
    let found = builtin::facts().into_iter().filter(|fact| fact.1 == builtin::IDENT);
    let found = found.map(|(entity, _, ident)| (entity.to_string(), ident.to_string()));
    assert_eq!(found.collect::<BTreeSet<_>>(), documented);
}

#[test]
fn a_segment_begins_as_documented() {
    let header = segment::header(&Link { t: 41, hash: [7; 32] });
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    assert!(section().contains("0 | magic \"DAODBlog\" ") && header.starts_with(b"DAODBlog"));
    assert!(section().contains("8 | version, 1        | header bytes, 64  |"));
    assert_eq!((number(8), number(12), header.len()), (1, 64, 64));
    assert_eq!(header[16..24], 42_u64.to_le_bytes());
    assert_eq!(header[24..56], [7; 32]);
    assert_eq!(header[56..], blake3::hash(&header[..56]).as_bytes()[..8]);
    assert!(segment::path("".as_ref(), 42).to_string_lossy().ends_with("0000042.frames"));
}

#[test]
fn a_sealed_segment_begins_as_documented() {
    let header = seal::header(42, 1 << 20);
    assert!(section().contains("0 | magic \"DAODBzst\" ") && header.starts_with(b"DAODBzst"));
    assert!(section().contains("8 | version, 1        | header bytes, 40  |"));
    assert_eq!(header[8..16], [1, 0, 0, 0, 40, 0, 0, 0]);
    assert!(section().contains("24 | bytes of the segment                  |"));
    assert_eq!(
        (&header[16..24], &header[24..32]),
        (&[42, 0, 0, 0, 0, 0, 0, 0][..], &(1_u64 << 20).to_le_bytes()[..])
    );
    assert_eq!(header[32..], blake3::hash(&header[..32]).as_bytes()[..8]);
    assert!(section().contains("at most 1,024 times its sealed file"));
    assert_eq!(seal::RATIO_MAX, 1_024);
    assert!(section().contains(&format!("as `{}` instead of `{}`", seal::SUFFIX, segment::SUFFIX)));
}

#[test]
fn the_durable_end_is_as_documented() {
    let end = Position { segment: 42, offset: 4_096, end: Link { t: 99, hash: [7; 32] } };
    let bytes = durable::encode(&end);
    assert!(section().contains("0 | magic \"DAODBend\" ") && bytes.starts_with(b"DAODBend"));
    assert!(section().contains("8 | version, 1        | bytes, 80         |"));
    assert_eq!(bytes[8..16], [1, 0, 0, 0, 80, 0, 0, 0]);
    for (at, what, number) in [
        (16, "t of the segment's first frame        |", 42_u64),
        (24, "bytes of the segment up to the end    |", 4_096),
        (32, "t of the last durable frame           |", 99),
    ] {
        assert!(section().contains(&format!("{at} | {what}")), "{what}");
        assert_eq!(bytes[at..at + 8], number.to_le_bytes(), "{what}");
    }
    assert!(section().contains("40 | hash of that frame, 32 bytes          |"));
    assert_eq!(bytes[40..72], [7; 32]);
    assert!(section().contains("72 | check                                 |"));
    assert_eq!(bytes[72..], blake3::hash(&bytes[..72]).as_bytes()[..8]);
    let name = durable::Durable::new("log".as_ref()).path();
    assert!(section().contains(&format!("`{}`", name.display())), "{}", name.display());
}

/// The commit record of a small database, read as the document says.
#[test]
fn the_commit_record_is_as_documented() {
    let db = Database::memory().unwrap();
    let text = "{:db/ident :name :db/valueType :db.type/string :db/doc \"longer than a word\"}";
    let report = db.transact(&datom::edn::read_all(text).unwrap()).unwrap();
    let view = db.db().unwrap();
    let snapshot = view.state().memory.commit();
    let words = snapshot.words(snapshot.root()).unwrap();
    let documented = table("word", 1);
    let word = |what: &str| -> u64 {
        let (number, _) = documented.iter().find(|(_, found)| found.starts_with(what)).expect(what);
        words[number.split('–').next().unwrap().parse::<usize>().unwrap()]
    };
    let magic = u64::from_le_bytes(*b"daodbrec") ^ 4;
    assert_eq!(word("\"daodbrec\""), magic);
    assert_eq!(word("t") as i64, 1);
    assert_eq!(word("instant") as i64, report.instant);
    assert_eq!(word("next entity"), datom::id::USER_MIN + 1);
    assert_eq!(word("t of the last transaction that changed the schema"), 1);
    assert_eq!(word("floor"), 0);
    assert_eq!(word("the first t whose state"), 0);
    let record = &view.state().record;
    let [names, by_id, values] = record.dictionary.roots().map(Addr::raw);
    assert_eq!(word("map from names"), names);
    assert_eq!(word("map from ids"), by_id);
    assert_eq!(word("map from hashes"), values);
    assert_eq!(word("next name id"), record.dictionary.next_name);
    assert_eq!(word("map from attributes"), record.sketches.root().raw());
    assert_eq!(word("current facts"), record.current(Index::Eavt).root().raw());
    assert_eq!(word("history"), record.history(Index::Eavt).root().raw());

    let frame = snapshot.words(Addr::from_raw(word("address of the newest frame"))).unwrap();
    assert_eq!(frame[..2], [1, 0], "t, and no frame before");
    let bytes = &snapshot.bytes(Addr::from_raw(words[17])).unwrap()[24..][..frame[2] as usize];
    let header = Header::decode(bytes).unwrap();
    assert_eq!(header.hash[..8], word("hash of this commit").to_le_bytes());
    assert_eq!(header.previous[..8], word("hash of the frame before").to_le_bytes());
    assert_eq!(pending::list(snapshot, record, 0).unwrap()[0].bytes, bytes);

    // A change of the schema notes nothing, a small transaction does.
    assert_eq!(word("address of the newest block of recent facts"), 0);
    let value = view.word(&Value::text("longer than a word")).unwrap().unwrap();
    let block = snapshot.bytes(Addr::from_granule(value.payload()).unwrap()).unwrap();
    let mut portable = Vec::new();
    datom::portable::encode(&Value::text("longer than a word"), &mut portable);
    assert!(block.starts_with(&portable));
}

/// What small transactions noted, read as the document says.
#[test]
fn recent_facts_are_as_documented() {
    let db = Database::memory().unwrap();
    let one = |text: &str| db.transact(&datom::edn::read_all(text).unwrap()).unwrap();
    one("{:db/ident :name :db/valueType :db.type/string}");
    let first = one("{:db/id 5000 :name \"Ada\"}");
    let second = one("{:db/id 5000 :name \"Mary\"}");
    let view = db.db().unwrap();
    let snapshot = view.state().memory.commit();
    let documented = table("word", 2);
    let place = |what: &str| -> usize {
        let (number, _) = documented.iter().find(|(_, found)| found.starts_with(what)).expect(what);
        number.trim_end_matches('–').parse().unwrap()
    };
    let newest = snapshot.words(view.state().record.recent).unwrap();
    let before = Addr::from_raw(newest[place("address of the block before")]);
    let oldest = snapshot.words(before).unwrap();
    assert_eq!(oldest[place("address of the block before")], 0);
    for (block, number, past, of) in [(oldest, 1, 0, &first), (newest, 2, 2, &second)] {
        assert_eq!(block[place("how many blocks")], number);
        assert_eq!(block[place("how many words on facts of the past are in all")], past);
        assert_eq!(block[place("t")], of.t);
        let instant = Value::Instant(of.instant).to_inline().unwrap();
        assert_eq!(block[place("the instant, as a word")], instant.raw());
        assert_eq!(block[place("m of the fact")], 1);
        assert_eq!(block[place("how many words on facts of the past are in this")], past);
    }
    let past = newest[place("these, of five words")..][..10].as_chunks::<5>().0;
    let view = view.history();
    let history = view.datoms(Index::Eavt, &[Word::entity(5_000)]).unwrap();
    let history =
        history.map(|fact| Index::Eavt.key(&fact.unwrap())).filter(|key| past.contains(key));
    assert_eq!(history.count(), 2);
}
