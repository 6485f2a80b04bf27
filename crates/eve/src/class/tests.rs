use super::*;

#[test]
fn every_size_gets_the_smallest_class_that_holds_it() {
    for bytes in 0..=SMALL_MAX {
        let class = Class::holding(bytes).expect("small");
        assert!(u64::from(class.geometry().bytes()) >= bytes.max(1), "{bytes}");
        if let Some(below) = class.raw().checked_sub(1).and_then(Class::from_raw) {
            assert!(u64::from(below.geometry().bytes()) < bytes, "{bytes} fits the class below");
        }
    }
    assert_eq!(Class::holding(SMALL_MAX + 1), None);
    assert_eq!(Class::from_raw(CLASSES as u8), None);
    assert!((CLASSES as u8..=u8::MAX).all(|raw| Geometry::of(raw).capacity == 0));
}

#[test]
fn classes_grow_by_at_most_a_quarter_and_keep_to_granules() {
    let sizes: Vec<u32> = Class::all().map(|class| class.geometry().bytes()).collect();
    assert_eq!(&sizes[14..22], [240, 256, 320, 384, 448, 512, 640, 768]);
    assert_eq!(&sizes[38..], [14336, 16384, 21760, 32640]);
    assert!(sizes.iter().all(|size| u64::from(*size).is_multiple_of(GRANULE)));
    for pair in sizes[15..40].windows(2) {
        assert!(pair[1] * 4 <= pair[0] * 5, "{pair:?}");
    }
}

#[test]
fn blocks_of_a_chunk_neither_overlap_nor_leave_it() {
    for class in Class::all() {
        let geometry = class.geometry();
        assert!(geometry.capacity > 0);
        assert!(chunk::BIRTHS + u64::from(geometry.capacity) * 8 <= u64::from(geometry.data));
        assert!(u64::from(geometry.offset_of(geometry.capacity)) <= CHUNK);
    }
}

#[test]
fn only_the_beginning_of_a_block_is_a_block() {
    for class in Class::all() {
        let geometry = class.geometry();
        let begins = |offset: u32| {
            offset >= geometry.data
                && (offset - geometry.data).is_multiple_of(geometry.bytes())
                && (offset - geometry.data) / geometry.bytes() < geometry.capacity
        };
        for offset in 0..CHUNK as u32 {
            let found = geometry.block_at(offset);
            assert_eq!(found.is_some(), begins(offset), "{class:?} {offset}");
            assert!(found.is_none_or(|index| geometry.offset_of(index) == offset));
        }
    }
}
