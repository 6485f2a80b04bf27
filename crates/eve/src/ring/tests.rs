//! What a ring promises, one promise a test.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::{Consumer, Error, Heap, Layout, Producer, Record, Ring};

const BOTH: [Layout; 2] = [Layout::Packed, Layout::Sequenced];

fn record(number: u64) -> Record {
    [number, number ^ 1, number.wrapping_mul(3), !number, number << 7]
}

fn pair(layout: Layout, capacity: u64) -> (Producer<Heap>, Consumer<Heap>) {
    let ring = Ring::heap(layout, capacity).unwrap();
    (ring.producer().unwrap(), ring.consumer().unwrap())
}

#[test]
fn a_full_ring_refuses_and_an_empty_one_gives_nothing() {
    for layout in BOTH {
        let (mut producer, mut consumer) = pair(layout, 4);
        assert_eq!(consumer.try_pop().unwrap(), None);
        for number in 0..4 {
            assert!(producer.try_push(record(number)).unwrap());
        }
        assert!(!producer.try_push(record(4)).unwrap());
        for number in 0..4 {
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        assert_eq!(consumer.try_pop().unwrap(), None);
        assert!(producer.try_push(record(4)).unwrap());
    }
}
