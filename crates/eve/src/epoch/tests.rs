use proptest::prelude::*;

use super::*;

fn scan_of(epochs: &[u64]) -> Scan {
    let mut scan = Scan::begin(&AtomicU64::new(0));
    for epoch in epochs {
        scan.see(&AtomicU64::new(*epoch));
    }
    scan.finish();
    scan
}

proptest! {
    /// A block may be used again when no pinned epoch lies in `[birth, death)`.
    #[test]
    fn a_block_is_held_by_the_pins_in_its_life(
        epochs in prop::collection::vec(1_u64..50, 0..12), birth in 1_u64..50, life in 0_u64..20,
    ) {
        let held = epochs.iter().copied().filter(|e| (birth..birth + life).contains(e)).min();
        prop_assert_eq!(scan_of(&epochs).holder(birth, birth + life), held);
    }
}

#[test]
fn a_cell_that_was_changed_is_not_whole() {
    let region = Region::heap(0).unwrap();
    let (root, retired) = (Addr::from_raw(64), Addr::from_raw(128));
    write_cell(&region, 255, 7, root, retired);
    assert_eq!(read_cell(&region, 255), Some(Cell { epoch: 7, root, retired }));
    region.word(cell_at(255) + cell::ROOT).store(80, Ordering::Relaxed);
    assert_eq!(read_cell(&region, 255), None);
}
