//! What a domain promises, one promise a test.

use std::thread;

use super::*;
use crate::structure::WordMap;

fn domain() -> Domain {
    Domain::new(Slab::create(Region::anonymous(1 << 28).unwrap()).unwrap())
}

#[test]
fn values_of_every_kind_come_back() {
    let domain = domain();
    assert_eq!(*domain.load::<u64>("n").unwrap(), 0);
    assert!(domain.load::<Vec<u8>>("b").unwrap().is_empty());
    for len in [0, 1, 7, 8, 9, 1000, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        domain.swap("b", |_, _: Vec<u8>| Ok::<_, Error>((bytes.clone(), ()))).unwrap();
        assert_eq!(*domain.load::<Vec<u8>>("b").unwrap(), bytes);
    }
    domain
        .swap("set", |txn, set: SortedSet<2>| Ok::<_, Error>((set.insert(txn, [1, 2])?.0, ())))
        .unwrap();
    let set = domain.load::<SortedSet<2>>("set").unwrap();
    assert!(set.contains(set.snapshot(), &[1, 2]).unwrap());
    let mut names = domain.names().unwrap();
    names.sort();
    assert_eq!(names, ["b", "set"]);
}

#[test]
fn a_loaded_value_never_changes() {
    let domain = domain();
    let add = |n: u64| {
        domain
            .swap("m", |txn, map: WordMap| Ok::<_, Error>((map.insert(txn, &n, n)?.0, ())))
            .unwrap();
    };
    add(0);
    let held = domain.load::<WordMap>("m").unwrap();
    (1..2000).for_each(add);
    assert_eq!(held.len(held.snapshot()).unwrap(), 1);
    let now = domain.load::<WordMap>("m").unwrap();
    assert_eq!(now.len(now.snapshot()).unwrap(), 2000);
}

#[test]
fn several_atoms_change_at_once_or_not_at_all() {
    let domain = domain();
    domain.swap("a", |_, _: u64| Ok::<_, Error>((1000, ()))).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..500 {
                    let (from, to) = if n % 3 == 0 { ("b", "a") } else { ("a", "b") };
                    let moved: Result<(), Error> = domain.transact(|atoms| {
                        let (source, target): (u64, u64) = (atoms.get(from)?, atoms.get(to)?);
                        let step = source.min(1);
                        atoms.set(from, &(source - step))?;
                        atoms.set(to, &(target + step))
                    });
                    moved.unwrap();
                }
            });
        }
        for _ in 0..500 {
            let snapshot = domain.slab().snapshot().unwrap();
            let read = |name| u64::load(&snapshot, find(&snapshot, snapshot.root(), name).unwrap());
            assert_eq!(read("a").unwrap() + read("b").unwrap(), 1000);
        }
    });
    let failed: Result<(), Error> = domain.transact(|atoms| {
        atoms.set("a", &1u64)?;
        atoms.set(&"x".repeat(NAME_BYTES_MAX + 1), &1u64)
    });
    assert!(matches!(failed, Err(Error::TooLarge { .. })));
    let total = *domain.load::<u64>("a").unwrap() + *domain.load::<u64>("b").unwrap();
    assert_eq!(total, 1000);
}

#[test]
fn a_watch_ends_by_a_change_of_its_atom_or_by_time() {
    let domain = domain();
    let seen = domain.load::<u64>("n").unwrap();
    domain.swap("other", |_, n: u64| Ok::<_, Error>((n + 1, ()))).unwrap();
    let brief = Some(Duration::from_millis(1));
    assert!(domain.watch("n", &seen, brief).unwrap().is_none());
    thread::scope(|scope| {
        let watcher = scope.spawn(|| domain.watch("n", &seen, None).unwrap().map(|n| *n));
        domain.swap("n", |_, _: u64| Ok::<_, Error>((7, ()))).unwrap();
        assert_eq!(watcher.join().unwrap(), Some(7));
    });
}

#[test]
fn what_is_overwritten_goes_back() {
    let domain = domain();
    let write = |n: u64| {
        domain.swap("b", |_, _: Vec<u8>| Ok::<_, Error>((vec![n as u8; 1000], ()))).unwrap();
    };
    (0..100).for_each(write);
    let used = domain.slab().region().allocated();
    (0..20_000).for_each(write);
    assert_eq!(domain.slab().region().allocated(), used);
}

/// Every kind of value goes back whole, and who has loaded it still sees it.
#[test]
fn what_is_removed_goes_back_when_nobody_sees_it() {
    fn fill(domain: &Domain) {
        let done: Result<(), Error> = domain.transact(|atoms| {
            atoms.set("n", &7_u64)?;
            atoms.set("b", &vec![1_u8; 5000])?;
            let (mut map, mut set) =
                (Map::<u64, [u8]>::from_root(Addr::NONE), SortedSet::<2>::empty());
            let (mut vector, mut rows) = (Vector::<u64>::empty(), SortedMap::<1, 2>::empty());
            for key in 0..500 {
                map = map.insert(atoms.txn(), &key, vec![key as u8; key as usize])?.0;
                set = set.insert(atoms.txn(), [key, 1])?.0;
                vector = vector.push(atoms.txn(), key)?;
                rows = rows.insert(atoms.txn(), [key, key])?.0;
            }
            atoms.set("map", &map)?;
            atoms.set("set", &set)?;
            atoms.set("vector", &vector)?;
            atoms.set("rows", &rows)
        });
        done.unwrap();
    }
    let domain = domain();
    domain.swap("stays", |_, _: u64| Ok::<_, Error>((1, ()))).unwrap();
    let settle = || {
        domain.slab().reclaim().unwrap();
        domain.slab().stats().blocks
    };
    let before = settle();
    fill(&domain);
    let held = domain.load::<Map<u64, [u8]>>("map").unwrap();
    assert!(domain.remove::<u64>("n").unwrap());
    assert!(domain.remove::<Vec<u8>>("b").unwrap());
    assert!(domain.remove::<Map<u64, [u8]>>("map").unwrap());
    assert!(domain.remove::<SortedSet<2>>("set").unwrap());
    assert!(domain.remove::<Vector<u64>>("vector").unwrap());
    assert!(domain.remove::<SortedMap<1, 2>>("rows").unwrap());
    assert_eq!(domain.names().unwrap(), ["stays"]);
    assert_eq!(held.get(held.snapshot(), &300).unwrap(), Some(&[44_u8; 300][..]));
    assert!(settle() > before + 500, "somebody sees it");
    drop(held);
    assert_eq!(settle(), before);
}

#[test]
fn a_removal_wakes_who_watches_and_ends_nothing_else() {
    let domain = domain();
    domain.swap("n", |_, _: u64| Ok::<_, Error>((7, ()))).unwrap();
    let seen = domain.load::<u64>("n").unwrap();
    thread::scope(|scope| {
        let watcher = scope.spawn(|| domain.watch("n", &seen, None).unwrap().map(|n| *n));
        assert!(domain.remove::<u64>("n").unwrap());
        assert_eq!(watcher.join().unwrap(), Some(0), "as if it had never been set");
    });
    // Set again, it is another value, even if it is the same number.
    domain.swap("n", |_, _: u64| Ok::<_, Error>((7, ()))).unwrap();
    assert!(domain.watch("n", &seen, Some(Duration::ZERO)).unwrap().is_some());
    let unset = domain.load::<u64>("absent").unwrap();
    assert!(!domain.remove::<u64>("absent").unwrap(), "no commit, nobody is woken");
    assert!(domain.watch("absent", &unset, Some(Duration::ZERO)).unwrap().is_none());
}

/// Each removal takes what the swaps before it have counted, none is lost and none comes back.
#[test]
fn a_swap_beside_a_removal_counts_before_it_or_begins_anew() {
    const SWAPS: u64 = 2000;
    let domain = domain();
    let taken = thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            for _ in 0..SWAPS {
                domain.swap("n", |_, n: u64| Ok::<_, Error>((n + 1, ()))).unwrap();
            }
        });
        let mut taken = 0;
        loop {
            let last = swapper.is_finished();
            let took: Result<u64, Error> = domain.transact(|atoms| {
                let n = atoms.get::<u64>("n")?;
                assert_eq!(atoms.contains("n")?, atoms.remove::<u64>("n")?);
                assert!(!atoms.contains("n")?);
                Ok(n)
            });
            taken += took.unwrap();
            if last {
                return taken;
            }
        }
    });
    assert_eq!(taken, SWAPS);
    assert_eq!(domain.names().unwrap(), [] as [String; 0]);
}

/// Removed and set in one transaction, it has changed once.
#[test]
fn what_is_removed_can_be_set_again_in_one_transaction() {
    let domain = domain();
    domain.swap("a", |_, _: Vec<u8>| Ok::<_, Error>((vec![1; 100], ()))).unwrap();
    let before = domain.slab().commits();
    let done: Result<(), Error> = domain.transact(|atoms| {
        assert!(atoms.remove::<Vec<u8>>("a")?);
        assert!(atoms.get::<Vec<u8>>("a")?.is_empty());
        atoms.set("a", &5_u64)?;
        assert!(atoms.remove::<u64>("a")?);
        atoms.set("a", &6_u64)
    });
    done.unwrap();
    assert_eq!((domain.slab().commits(), *domain.load::<u64>("a").unwrap()), (before + 1, 6));
}
