//! What every storage must do, run on each that there is.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{data, facts, transact};
use daodb::parts::{Over, Published, Query, Storage, Transactor};
use daodb::{Category, Database, Db, Durability, Options, TransactOptions};
use datom::{Datom, Frame, Tag, Value, Word};
use proptest::prelude::*;

/// Frames of some transactions, made elsewhere.
fn frames() -> Vec<Frame> {
    let db = Database::memory().unwrap();
    transact(&db, "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}");
    transact(&db, "{:name \"a name that lives on the heap\"} {:name \"short\"}");
    transact(&db, "[:db/retractEntity [:name \"short\"]]");
    transact(&db, "[:db/add :name :db/doc \"what it is called\"]");
    db.frames(1, u64::MAX).unwrap().map(Result::unwrap).collect()
}

/// A storage to be examined: two handles on one, which may be one and the same.
struct Examined<'s> {
    one: &'s dyn Storage,
    other: &'s dyn Storage,
    /// A third handle, made when everything before was dropped or may have been.
    reopened: &'s dyn Fn() -> Box<dyn Storage>,
}

type All = (u64, Vec<Frame>, BTreeSet<common::Fact>);

/// Everything that a storage says.
fn all(storage: &dyn Storage) -> All {
    let now = storage.newest().unwrap();
    let frames = storage.frames(0, u64::MAX).unwrap().map(Result::unwrap).collect();
    (now.basis(), frames, facts(&now.history()))
}

/// What every storage promises, in the order in which it happens.
fn suite(examined: &Examined<'_>) {
    let frames = frames();
    a_new_one_is_empty(examined);
    frames_are_published_in_order_and_once(examined, &frames);
    what_is_no_next_frame_changes_nothing(examined, &frames);
    what_does_not_fit_the_state_is_refused(examined);
    ranges_of_frames_are_as_asked(examined, &frames);
    a_state_stays_as_it_is(examined);
    of_many_who_publish_one_wins(examined);
    who_waits_is_told(examined);
    transactions_are_made_over_it(examined);
    what_was_synced_is_there_again(examined);
}

fn a_new_one_is_empty(examined: &Examined<'_>) {
    for storage in [&examined.one, &examined.other] {
        let (t, frames, _) = all(*storage);
        assert_eq!((t, frames), (0, vec![]));
        assert_eq!((storage.sync().unwrap(), storage.durable_t()), (0, 0));
    }
}

fn frames_are_published_in_order_and_once(examined: &Examined<'_>, frames: &[Frame]) {
    let Examined { one, other, .. } = examined;
    assert_eq!(one.publish(&frames[1]).unwrap(), Published::Behind, "one is missing");
    for (place, frame) in frames.iter().enumerate() {
        // Either handle: what one publishes the other knows.
        let (by, not) = if place % 2 == 0 { (one, other) } else { (other, one) };
        assert_eq!(by.publish(frame).unwrap(), Published::Yes);
        assert_eq!(not.publish(frame).unwrap(), Published::Behind, "once is enough");
        let now = not.newest().unwrap();
        assert_eq!((now.basis(), now.instant()), (frame.t, frame.instant));
        assert!(not.durable_t() <= frame.t);
    }
    assert_eq!((all(*one).1, all(*one)), (frames.to_vec(), all(*other)));
}

fn what_is_no_next_frame_changes_nothing(examined: &Examined<'_>, frames: &[Frame]) {
    let (t, last) = (frames.len() as u64 + 1, &frames[frames.len() - 1]);
    let before = all(examined.one);
    let next = |datoms: Vec<Datom>, values: Vec<Value>| Frame {
        t,
        previous: last.hash(),
        datoms,
        values,
        ..last.clone()
    };
    let word = |tag, place| Datom::assert(5_000, 4_096, Word::new(tag, place), t);
    let behind = [
        ("another history", Frame { previous: frames[0].hash(), ..next(vec![], vec![]) }),
        ("a number too far", Frame { t: t + 1, ..next(vec![], vec![]) }),
        ("a number that was", frames[2].clone()),
    ];
    for (what, frame) in behind {
        assert_eq!(examined.other.publish(&frame).unwrap(), Published::Behind, "{what}");
        assert_eq!(all(examined.one), before, "{what}");
    }
    let damaged = [
        ("datoms of another t", next(last.datoms.clone(), last.values.clone())),
        ("a value that is not there", next(vec![word(Tag::Text, 7)], vec![])),
        ("a value of another kind", next(vec![word(Tag::Text, 0)], vec![Value::keyword("a")])),
        ("a word of a machine", next(vec![word(Tag::Private, 1)], vec![])),
    ];
    for (what, frame) in damaged {
        assert!(examined.other.publish(&frame).is_err(), "{what}");
        assert_eq!(all(examined.one), before, "{what}");
    }
}

/// Who hands in frames may have worked them out on another state.
fn what_does_not_fit_the_state_is_refused(examined: &Examined<'_>) {
    let (one, before) = (examined.one, all(examined.one));
    let last = following(one, 0);
    let held = {
        let t = before.0;
        let names = before.1.iter().find(|frame| frame.t == 2).unwrap();
        let datom = |v: &Value| {
            names.datoms.iter().find(|datom| names.value(datom.v) == Some(v)).copied().unwrap()
        };
        let long = Value::text("a name that lives on the heap");
        Datom { v: Word::new(Tag::Text, 0), t: t + 1, ..datom(&long) }
    };
    let values =
        vec![Value::text("a name that lives on the heap"), Value::text("another long one")];
    let values: Vec<Value> = values.iter().chain(&values).cloned().collect();
    let (t, new) = (last.t, last.datoms[0]);
    let word = |at| Datom::assert(7_000, 4_096, Word::new(Tag::Text, at), t);
    let taken_back = |datom: Datom| Datom::retract(datom.e, datom.a, datom.v, t);
    let misfits = [
        ("stated, and holds already", vec![new, held]),
        ("stated, and holds already", vec![Datom { v: Word::new(Tag::Text, 2), ..held }]),
        ("named twice", vec![new, new]),
        ("named twice", vec![word(1), word(3)]),
        ("named twice", vec![taken_back(held), held]),
        ("withdrawn, and does not hold", vec![taken_back(new)]),
        ("withdrawn, and does not hold", vec![taken_back(word(1))]),
        ("a transaction to come", vec![Datom { e: datom::id::transaction(t + 1), ..new }]),
    ];
    for (why, datoms) in misfits {
        let frame = Frame { datoms, values: values.clone(), ..last.clone() };
        let refused = examined.other.publish(&frame).unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
        assert_eq!(all(one), before, "{why}");
    }
}

fn ranges_of_frames_are_as_asked(Examined { one, other, .. }: &Examined<'_>, frames: &[Frame]) {
    for storage in [one, other] {
        for (from, to) in [(1, 4), (0, 4), (2, 3), (3, 3), (4, 99), (5, 99), (3, 2), (0, 0)] {
            let found: Vec<Frame> = storage.frames(from, to).unwrap().map(Result::unwrap).collect();
            let within = frames.iter().filter(|frame| (from..=to).contains(&frame.t));
            assert_eq!(found, within.cloned().collect::<Vec<_>>(), "{from} to {to}");
        }
    }
}

/// A frame that goes on behind the newest state, and says a number.
fn following(storage: &dyn Storage, number: i64) -> Frame {
    let t = storage.newest().unwrap().basis();
    let last = storage.frames(t, t).unwrap().next().unwrap().unwrap();
    let (t, instant) = (t + 1, last.instant + 1);
    // Nothing is said twice.
    let says = Word::int(number + 10 * t as i64).expect("a small number");
    let datoms = vec![Datom::assert(7_000, 4_096, says, t)];
    Frame { t, instant, previous: last.hash(), datoms, values: vec![] }
}

fn a_state_stays_as_it_is(Examined { one, other, .. }: &Examined<'_>) {
    let held = one.newest().unwrap();
    let before = (held.basis(), facts(&held.history()));
    assert_eq!(other.publish(&following(*one, -1)).unwrap(), Published::Yes);
    assert_eq!((held.basis(), facts(&held.history())), before);
    assert_eq!(one.newest().unwrap().basis(), before.0 + 1);
}

fn of_many_who_publish_one_wins(Examined { one, other, .. }: &Examined<'_>) {
    let (threads, wanted) = (4, 15);
    let base = one.newest().unwrap().basis();
    let won = std::thread::scope(|scope| {
        let publish = |who: i64| {
            let storage = if who % 2 == 0 { *one } else { *other };
            let mut won = 0;
            while storage.newest().unwrap().basis() < base + wanted {
                let frame = following(storage, who);
                if frame.t <= base + wanted {
                    won += u64::from(storage.publish(&frame).unwrap() == Published::Yes);
                }
            }
            won
        };
        let running: Vec<_> = (0..threads).map(|who| scope.spawn(move || publish(who))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    assert_eq!(won, wanted, "each number was given once");
    let chain: Vec<Frame> = one.frames(base, u64::MAX).unwrap().map(Result::unwrap).collect();
    assert!(chain.windows(2).all(|pair| pair[1].previous == pair[0].hash()));
}

fn who_waits_is_told(Examined { one, other, .. }: &Examined<'_>) {
    let t = one.newest().unwrap().basis();
    assert_eq!(one.wait(t, Some(Duration::ZERO)).unwrap(), t, "the time is over");
    assert_eq!(one.wait(t - 1, None).unwrap(), t, "it is there already");
    std::thread::scope(|scope| {
        let told = scope.spawn(|| other.wait(t, None).unwrap());
        assert_eq!(one.publish(&following(*one, -2)).unwrap(), Published::Yes);
        assert_eq!(told.join().unwrap(), t + 1);
    });
}

/// Whoever writes a storage has a transactor and a query: here two at once, each by its own handle.
fn transactions_are_made_over_it(Examined { one, other, .. }: &Examined<'_>) {
    let (one, other) = (Over(*one), Over(*other));
    one.transact(&data("{:db/ident :count :db/valueType :db.type/long}")).unwrap();
    let made = one.transact(&data("{:db/id \"c\" :count 0}")).unwrap();
    assert_eq!(made.db_after().unwrap().basis(), made.t);
    let counter = made.tempids[&Value::text("c")];
    let before = other.db().unwrap();
    let refused = other.transact(&data("[:db/cas 5000 :count 1 2]")).unwrap_err();
    assert_eq!(refused.rejection().unwrap().category, Category::Cas);
    assert_eq!(other.db().unwrap().basis(), before.basis());
    std::thread::scope(|scope| {
        for parts in [one, other] {
            scope.spawn(move || (0..20).for_each(|_| count_up(&parts, counter)));
        }
    });
    let now = one.db().unwrap();
    assert_eq!((counted(&now), now.basis()), (40, made.t + 40));
}

/// Adds one, whoever else does.
fn count_up(parts: &(impl Transactor + Query), counter: u64) {
    loop {
        let known = counted(&parts.db().unwrap());
        let swap = data(&format!("[:db/cas {counter} :count {known} {}]", known + 1));
        let options = TransactOptions::new().durability(Durability::Process);
        match parts.transact_with(&swap, &options) {
            Ok(_) => return,
            Err(error) if error.rejection().is_some_and(|r| r.category == Category::Cas) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn counted(db: &Db) -> i64 {
    let Value::Int(count) = db.q("[:find ?n . :where [_ :count ?n]]", &[]).unwrap() else {
        panic!("nothing was counted");
    };
    count
}

fn what_was_synced_is_there_again(examined: &Examined<'_>) {
    let t = examined.one.sync().unwrap();
    assert_eq!(t, examined.one.newest().unwrap().basis());
    let before = all(examined.other);
    let again = (examined.reopened)();
    assert_eq!(all(&*again), before);
    assert!(again.sync().unwrap() == t);
}

#[test]
fn in_memory() {
    let db = Database::memory().unwrap();
    let reopened = || -> Box<dyn Storage> { Box::new(db.clone()) };
    suite(&Examined { one: &db, other: &db.clone(), reopened: &reopened });
    assert_eq!(db.durable_t(), 0, "nothing of it survives a power cut");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn in_a_world() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Database::open(folder.path(), Options::new().segment_bytes_max(1_000)).unwrap();
    let (one, other) = (open(), open());
    // A lost region is the hardest way to open it again.
    let reopened = || -> Box<dyn Storage> {
        let copy = folder.path().join("copy");
        one.backup(&copy, None).unwrap();
        Box::new(Database::restore(&copy, folder.path().join("again"), Options::new()).unwrap())
    };
    suite(&Examined { one: &one, other: &other, reopened: &reopened });
    assert_eq!(one.durable_t(), one.db().unwrap().basis());
    assert!(one.verify().unwrap().is_clean());
    // The lease is nobody's while nobody writes, and dies with whoever held it.
    assert!(!one.stats().unwrap().lease_held);
    drop(one);
    assert_eq!(Storage::publish(&other, &following(&other, 9)).unwrap(), Published::Yes);
    assert_eq!(Storage::sync(&other).unwrap(), other.durable_t());
}

/// Each part in a process of its own, over one world folder. Between the process that keeps the log and
/// those that make transactions there are only the bytes of frames, on a socket.
mod processes {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::sync::Mutex;

    use daodb::Error;
    use daodb::parts::Frames;
    use datom::frame::Header;

    use super::*;

    const TRANSACTORS: u64 = 2;
    const TIMES: u64 = 25;

    #[test]
    fn role() {
        let Some((role, folder, counter)) = common::role() else { return };
        match role.as_str() {
            "storage" => storage(&folder),
            "transactor" => transactor(&folder, counter),
            "query" => query(&folder),
            other => panic!("{other} is no role"),
        }
    }

    fn open(folder: &Path) -> Database {
        Database::open(folder.join("world"), Options::new()).unwrap()
    }

    /// Publishes what comes, and syncs.
    fn storage(folder: &Path) {
        let world = open(folder);
        let storage: &dyn Storage = &world;
        let socket = UnixListener::bind(folder.join("socket")).unwrap();
        println!("listening");
        std::thread::scope(|scope| {
            for _ in 0..TRANSACTORS {
                let (stream, _) = socket.accept().unwrap();
                scope.spawn(|| serve(storage, stream));
            }
        });
        storage.sync().unwrap();
        assert_eq!(storage.durable_t(), storage.newest().unwrap().basis());
    }

    fn serve(storage: &dyn Storage, mut stream: UnixStream) {
        let mut header = [0; Header::BYTES];
        while stream.read_exact(&mut header).is_ok() {
            let length = Header::decode(&header).unwrap().length;
            let mut bytes = header.to_vec();
            bytes.resize(usize::try_from(length).unwrap(), 0);
            stream.read_exact(&mut bytes[Header::BYTES..]).unwrap();
            let (frame, _) = Frame::decode(&bytes).unwrap();
            let published = storage.publish(&frame).unwrap() == Published::Yes;
            writeln!(stream, "{published}").unwrap();
        }
    }

    /// What a process knows that holds no storage: states, which it reads in place, and where frames go.
    struct Elsewhere {
        states: Database,
        stream: Mutex<UnixStream>,
    }

    impl Storage for Elsewhere {
        fn newest(&self) -> Result<Db, Error> {
            self.states.db()
        }

        fn publish(&self, frame: &Frame) -> Result<Published, Error> {
            let mut stream = self.stream.lock().unwrap();
            stream.write_all(&frame.encode()).unwrap();
            let mut answer = String::new();
            BufReader::new(&*stream).read_line(&mut answer).unwrap();
            Ok(if answer == "true\n" { Published::Yes } else { Published::Behind })
        }

        fn frames(&self, from: u64, to: u64) -> Result<Frames<'_>, Error> {
            self.states.frames(from, to)
        }

        fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
            self.states.wait(t, timeout)
        }

        fn durable_t(&self) -> u64 {
            self.states.durable_t()
        }

        fn sync(&self) -> Result<u64, Error> {
            unreachable!("that is for the other process to do")
        }
    }

    fn transactor(folder: &Path, counter: u64) {
        let stream = Mutex::new(UnixStream::connect(folder.join("socket")).unwrap());
        let parts = Over(Elsewhere { states: open(folder), stream });
        (0..TIMES).for_each(|_| count_up(&parts, counter));
    }

    /// Follows the count until it is complete.
    fn query(folder: &Path) {
        let world = open(folder);
        let query: &dyn Query = &world;
        let (mut t, mut last) = (0, 0);
        while last < (TRANSACTORS * TIMES) as i64 {
            query.wait(t, None).unwrap();
            let db = query.db().unwrap();
            assert!(counted(&db) >= last, "{last} was seen already");
            (t, last) = (db.basis(), counted(&db));
        }
        println!("complete");
    }

    #[test]
    fn one_for_each_part_work_on_one_world() {
        let folder = tempfile::tempdir().unwrap();
        let world = open(folder.path());
        transact(&world, "{:db/ident :count :db/valueType :db.type/long}");
        let made = transact(&world, "{:db/id \"c\" :count 0}");
        let (base, counter) = (made.t, made.tempids[&Value::text("c")]);
        drop((made, world));
        let start = |role: &str| common::spawn_in("processes::role", role, folder.path(), counter);
        let lines = |child: &mut std::process::Child| {
            BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)
        };
        let (mut storage, mut query) = (start("storage"), start("query"));
        let mut said = lines(&mut storage);
        assert!(said.any(|line| line.contains("listening")));
        let transactors: Vec<_> = (0..TRANSACTORS).map(|_| start("transactor")).collect();
        for mut transactor in transactors {
            assert!(transactor.wait().unwrap().success());
        }
        let mut answered = lines(&mut query);
        assert!(answered.any(|line| line.contains("complete")));
        answered.for_each(drop);
        assert!(query.wait().unwrap().success());
        said.for_each(drop);
        assert!(storage.wait().unwrap().success());

        let world = open(folder.path());
        let now = world.db().unwrap();
        let total = TRANSACTORS * TIMES;
        assert_eq!((counted(&now), now.basis()), (total as i64, base + total));
        assert!(world.verify().unwrap().is_clean());
    }
}

/// Frames say nothing of the schema but its facts: who only gets frames must end with the same.
#[test]
fn schemas_follow_from_frames() {
    let made = Database::memory().unwrap();
    for text in [
        "{:db/ident :name :db/valueType :db.type/string}",
        "{:db/ident :color/red :db/doc \"no attribute\"} {:db/id 5001 :name \"a\"}",
        "{:db/ident :later} {:db/id 5001 :db/ident :someone}",
        "[:db/add :name :db/index true]",
        "[:db/add :later :db/valueType :db.type/long] [:db/add :later :db/index true]",
        "[:db/add :name :db/ident :title] [:db/retract :color/red :db/doc]",
        "{:db/id 5002 :title \"b\" :later 7}",
        "[:db/retract :title :db/index true] [:db/retractEntity :someone]",
    ] {
        transact(&made, text);
        let given = Database::memory().unwrap();
        for frame in made.frames(1, u64::MAX).unwrap() {
            assert_eq!(Storage::publish(&given, &frame.unwrap()).unwrap(), Published::Yes);
        }
        let (made, now) = (made.db().unwrap(), given.db().unwrap());
        for name in ["name", "title", "later", "color/red", "someone"] {
            let name = name.into();
            assert_eq!(made.attribute_named(&name), now.attribute_named(&name), "{name} in {text}");
            assert_eq!(made.ident(&name).unwrap(), now.ident(&name).unwrap(), "{name} in {text}");
        }
        assert!(given.verify().unwrap().is_clean(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is handed in: it is refused and nothing happened, or the indexes hold what it says.
    #[test]
    fn a_frame_of_any_facts_is_refused_or_held(
        said in prop::collection::vec((0..6_u64, 0..4_u64, 0..9_u64, any::<bool>(), 0..3_u64), 1..8),
        more in prop::collection::vec((0..6_u64, 0..4_u64, 0..9_u64, any::<bool>(), 0..3_u64), 1..8),
    ) {
        let db = Database::memory().unwrap();
        for frame in frames() {
            assert_eq!(Storage::publish(&db, &frame).unwrap(), Published::Yes);
        }
        for facts in [said, more] {
            let before = db.db().unwrap();
            let last = following(&db, 0);
            let values = ["a name that lives on the heap", "another of the sort"].map(Value::text);
            let datoms = facts.into_iter().map(|(e, a, v, added, reason)| {
                let e = [4_096, 4_097, 5_000, 5_001, datom::id::transaction(2), datom::id::transaction(last.t)]
                    [e as usize];
                let a = [4_096, 4_097, 18, 19][a as usize];
                let v = match v {
                    0 | 1 => Word::new(Tag::Text, v),
                    2..5 => Word::int(v as i64).unwrap(),
                    v => Word::entity(18 + v),
                };
                let m = u64::from(added) | (reason * 4_096) << 1;
                Datom { e, a, v, t: last.t, m }
            });
            let frame = Frame { datoms: datoms.collect(), values: values.to_vec(), ..last.clone() };
            let published = Storage::publish(&db, &frame);
            let now = db.db().unwrap();
            match published {
                Ok(published) => {
                    prop_assert_eq!((published, now.basis()), (Published::Yes, frame.t));
                }
                Err(_) => {
                    prop_assert_eq!(now.basis(), before.basis());
                    prop_assert_eq!(now.content_hash().unwrap(), before.content_hash().unwrap());
                }
            }
            let problems = db.verify().unwrap().problems;
            prop_assert!(problems.is_empty(), "{:?} after {:?}", problems, frame);
        }
    }
}
