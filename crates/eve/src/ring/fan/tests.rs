//! What a fan promises, one promise a test.

use std::thread;

use super::super::format::{WORD_PRODUCER, WORD_PUBLISHED};
use super::super::identity::Identity;
use super::*;

const BOTH: [Layout; 2] = [Layout::Packed, Layout::Sequenced];
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

fn word(fan: &Fan<Heap>, lane: usize, word: usize) -> &crate::sync::AtomicU64 {
    &fan.words.words()[place(fan.geometry, lane).first_word + word]
}

#[test]
fn each_producers_records_come_in_order_and_no_producer_starves() {
    const EACH: u64 = 20_000;
    for layout in BOTH {
        let fan = Fan::heap(layout, 64, 4).unwrap();
        let mut consumer = fan.consumer().unwrap();
        thread::scope(|scope| {
            for number in 0..4 {
                let mut producer = fan.producer().unwrap();
                scope.spawn(move || {
                    for count in 0..EACH {
                        producer.push([number, count, 0, 0, number ^ count], PATIENCE).unwrap();
                    }
                    producer.close();
                });
            }
            let mut seen = [0; 4];
            loop {
                match consumer.pop(PATIENCE) {
                    Ok([number, count, .., check]) => {
                        assert_eq!(check, number ^ count);
                        assert_eq!(count, seen[number as usize]);
                        seen[number as usize] += 1;
                    }
                    Err(Error::Closed) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(seen, [EACH; 4]);
        });
    }
}

#[test]
fn a_lane_has_its_turn_though_another_is_never_empty() {
    let fan = Fan::heap(Layout::Packed, 1024, 2).unwrap();
    let (mut busy, mut shy, mut consumer) =
        (fan.producer().unwrap(), fan.producer().unwrap(), fan.consumer().unwrap());
    while busy.try_push([1; 5]).unwrap() {}
    assert!(shy.try_push([2; 5]).unwrap());
    let found = (0..=TURN).find(|_| consumer.try_pop().unwrap() == Some([2; 5]));
    assert!(found.is_some());
    let view = consumer.peek(10).unwrap();
    assert_eq!(view.iter().collect::<Vec<_>>(), [[1; 5]; 10]);
    view.release(10);
}

#[test]
fn lanes_are_as_many_as_producers_and_those_of_the_dead_are_free() {
    for layout in BOTH {
        let fan = Fan::heap(layout, 4, 2).unwrap();
        let (mut one, two) = (fan.producer().unwrap(), fan.producer().unwrap());
        assert!(matches!(fan.producer(), Err(Error::NoLane { lanes: 2 })));
        drop(two);
        let two = fan.producer().unwrap();

        // The first dies between reserving and committing.
        assert!(one.try_push([7; 5]).unwrap());
        let mut room = one.reserve(2).unwrap();
        assert!(room.put([8; 5]));
        std::mem::forget(one);
        word(&fan, 0, WORD_PRODUCER).store(Identity::nobody_alive().raw(), Ordering::Relaxed);
        let mut heir = fan.producer().unwrap();
        assert_eq!(heir.published(), 1);
        assert!(heir.try_push([9; 5]).unwrap());
        let mut consumer = fan.consumer().unwrap();
        assert_eq!(consumer.producers(), 2);
        assert_eq!(consumer.try_pop().unwrap(), Some([7; 5]));
        assert_eq!(consumer.try_pop().unwrap(), Some([9; 5]));
        assert_eq!(consumer.try_pop().unwrap(), None);
        drop(two);
    }
}

#[test]
fn a_poisoned_lane_does_not_stop_the_others() {
    let fan = Fan::heap(Layout::Packed, 4, 2).unwrap();
    let (_hostile, mut honest, mut consumer) =
        (fan.producer().unwrap(), fan.producer().unwrap(), fan.consumer().unwrap());
    word(&fan, 0, WORD_PUBLISHED).store(99, Ordering::Relaxed);
    assert!(honest.try_push([1; 5]).unwrap());
    assert!(matches!(consumer.try_pop(), Err(Error::Poisoned { .. })));
    assert_eq!(consumer.try_pop().unwrap(), Some([1; 5]));
    assert_eq!(consumer.try_pop().unwrap(), None);
    drop(consumer);
    let mut consumer = fan.consumer().unwrap();
    assert!(honest.try_push([2; 5]).unwrap());
    assert_eq!(consumer.try_pop().unwrap(), Some([2; 5]));
}

#[test]
fn closing_ends_both_sides() {
    let fan = Fan::heap(Layout::Sequenced, 4, 3).unwrap();
    let mut producer = fan.producer().unwrap();
    assert!(matches!(
        fan.consumer().unwrap().pop(Some(Duration::ZERO)),
        Err(Error::TimedOut { .. })
    ));
    fan.consumer().unwrap().close();
    assert!(matches!(producer.try_push([0; 5]), Err(Error::Closed)));
    assert!(matches!(fan.producer(), Err(Error::Closed)));
    assert!(matches!(fan.consumer(), Err(Error::Closed)));
}

#[test]
fn what_is_no_fan_is_refused_with_its_reason() {
    let fan = Fan::heap(Layout::Packed, 4, 2).unwrap();
    assert_eq!(Fan::open(fan.words.clone()).unwrap().lanes(), 2);
    assert!(matches!(super::super::Ring::open(fan.words.clone()), Err(Error::NotARing { .. })));
    for lanes in [0, 3, 65, u64::MAX] {
        fan.words.words()[WORD_LANES].store(lanes, Ordering::Relaxed);
        assert!(Fan::open(fan.words.clone()).is_err(), "{lanes}");
    }
    fan.words.words()[WORD_LANES].store(2, Ordering::Relaxed);
    word(&fan, 1, WORD_MAGIC).store(0, Ordering::Relaxed);
    assert!(matches!(Fan::open(fan.words.clone()), Err(Error::NotARing { .. })));
    let ring = super::super::Ring::heap(Layout::Packed, 4).unwrap();
    assert!(matches!(Fan::open(ring.words), Err(Error::NotARing { .. })));
    assert!(matches!(Fan::heap(Layout::Packed, 4, 65), Err(Error::Lanes { lanes: 65, max: 64 })));
}
