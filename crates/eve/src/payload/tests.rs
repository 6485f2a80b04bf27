use super::*;
use crate::ring::{Layout, Ring};
use crate::{Read, Region};

fn memory() -> Slab {
    Slab::create(Region::anonymous(1 << 28).unwrap()).unwrap()
}

#[test]
fn a_payload_has_exactly_the_bytes_asked_for() {
    let slab = memory();
    for bytes in [0, 1, 15, 16, 17, 300, 40_000, 1 << 20] {
        let mut payload = slab.allocate(bytes).unwrap();
        assert_eq!(payload.len(), bytes);
        assert!(payload.iter().all(|byte| *byte == 0));
        payload.fill(0xff);
        let received = slab.receive(payload.send()).unwrap();
        assert!(received.len() == bytes && received.iter().all(|byte| *byte == 0xff));
    }
    assert_eq!(slab.stats().blocks, 0);
}

#[test]
fn of_many_receivers_one_gets_it() {
    let slab = memory();
    for _ in 0..200 {
        let at = slab.allocate(64).unwrap().send();
        let got = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..3).map(|_| scope.spawn(|| slab.receive(at).is_ok())).collect();
            tries.into_iter().map(|t| u32::from(t.join().unwrap())).sum::<u32>()
        });
        assert_eq!(got, 1);
    }
}

#[test]
fn only_a_payload_under_way_can_be_received() {
    let slab = memory();
    let held = slab.allocate(10).unwrap();
    let at = Addr::from_raw(held.place.at);
    assert!(matches!(slab.receive(at), Err(Error::NotThat { .. })));
    assert!(matches!(slab.shared(at), Err(Error::NotThat { .. })));
    assert!(matches!(slab.receive(Addr::NONE), Err(Error::Corrupt { .. })));
    let snapshot = slab.snapshot().unwrap();
    assert!(snapshot.words(at).is_err(), "no part of any version");
    drop(held);
    assert!(slab.receive(at).is_err());
}

#[test]
fn payloads_released_by_another_thread_are_used_again() {
    let slab = memory();
    let (sender, receiver) = std::sync::mpsc::sync_channel(64);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in receiver {
                slab.release(at).unwrap();
            }
        });
        for round in 0..100_000_usize {
            sender.send(slab.allocate(round % 500).unwrap().send()).unwrap();
        }
        drop(sender);
    });
    let stats = slab.stats();
    assert_eq!(stats.blocks, 0);
    assert!(stats.used_bytes < 6 << 20, "{stats:?}");
}

#[test]
fn a_ring_lives_in_shared_words() {
    let slab = memory();
    let bytes = crate::ring::bytes(Layout::Packed, 64).unwrap();
    let shared = slab.share(bytes as usize).unwrap();
    let ring = Ring::create(shared.clone(), Layout::Packed, 64).unwrap();
    ring.producer().unwrap().try_push([1, 2, 3, 4, 5]).unwrap();
    let there = Ring::open(slab.shared(shared.addr()).unwrap()).unwrap();
    assert_eq!(there.consumer().unwrap().try_pop().unwrap(), Some([1, 2, 3, 4, 5]));
}
