use proptest::prelude::*;

use crate::{Arena, Noun, cue, jam, parse, text};

/// The spot checks of vere's serialisation tests.
#[test]
fn published_bytes() {
    let cases: &[(&str, &[u8])] = &[
        ("0", &[0x2]),
        ("1", &[0xc]),
        ("2", &[0x48]),
        ("%fast", &[0xc0, 0x37, 0xb, 0x9b, 0xa3, 0x3]),
        ("%full", &[0xc0, 0x37, 0xab, 0x63, 0x63, 0x3]),
        ("[0 0]", &[0x29]),
        ("[1 1]", &[0x31, 0x3]),
        ("[1 2]", &[0x31, 0x12]),
        ("[2 3]", &[0x21, 0xd1]),
        ("[%fast %full]", &[0x1, 0xdf, 0x2c, 0x6c, 0x8e, 0xe, 0x7c, 0xb3, 0x3a, 0x36, 0x36]),
        ("[1 1 1]", &[0x71, 0xcc]),
        ("[1 2 3]", &[0x71, 0x48, 0x34]),
        (
            "[%fast %full %fast]",
            &[0x1, 0xdf, 0x2c, 0x6c, 0x8e, 0x1e, 0xf0, 0xcd, 0xea, 0xd8, 0xd8, 0x93],
        ),
        ("[[1 2] 3]", &[0xc5, 0x48, 0x34]),
        ("[[1 2] [1 2] 1 2]", &[0xc5, 0xc8, 0x26, 0x27, 0x1]),
        ("[[0 0] [[0 0] 1 1] 1 1]", &[0xa5, 0x35, 0x19, 0xf3, 0x18, 0x5]),
        (
            "[[[1 [[2 [[3 [[4 [[5 6 [7 [[8 0] 0]]] 0]] 0]] 0]] 0]] 0] 0]",
            &[0x15, 0x17, 0xb2, 0xd0, 0x85, 0x59, 0xb8, 0x61, 0x87, 0x5f, 0x10, 0x54, 0x55, 0x5],
        ),
        (
            "0x1.0000000000000000000000000000000000000000000000000000000000000000",
            &[
                0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 8,
            ],
        ),
        (
            "0x8000000d2def60aba80c000000000000",
            &[
                0x0, 0x2, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x18, 0x50, 0x57, 0xc1, 0xde, 0x5b, 0x1a,
                0x0, 0x0, 0x0, 0x1,
            ],
        ),
        (
            "['abcdefjhijklmnopqrstuvwxyz' 2 3 'abcdefjhijklmnopqrstuvwxyz']",
            &[
                0x1, 0xf8, 0xc, 0x13, 0x1b, 0x23, 0x2b, 0x33, 0x53, 0x43, 0x4b, 0x53, 0x5b, 0x63,
                0x6b, 0x73, 0x7b, 0x83, 0x8b, 0x93, 0x9b, 0xa3, 0xab, 0xb3, 0xbb, 0xc3, 0xcb, 0xd3,
                0x87, 0xc, 0x3d, 0x9,
            ],
        ),
    ];
    let mut arena = Arena::new();
    for (text, bytes) in cases {
        let noun = parse(&mut arena, text).unwrap();
        assert_eq!(jam(&arena, noun).unwrap(), *bytes, "{text}");
        let back = cue(&mut arena, bytes).unwrap();
        assert!(arena.equal(noun, back), "{text}");
    }
}

#[test]
fn a_noun_of_astronomical_size_has_short_bytes() {
    let mut arena = Arena::new();
    let bomb = (0..1000).fold(Noun::ONE, |noun, _| arena.cell(noun, noun).unwrap());
    let bytes = jam(&arena, bomb).unwrap();
    assert!(bytes.len() < 4000, "{}", bytes.len());
    let before = arena.bytes();
    let back = cue(&mut arena, &bytes).unwrap();
    assert!(arena.equal(bomb, back));
    assert_eq!(arena.bytes() - before, 16 * 1000);
}

#[test]
fn deep_nouns_need_no_recursion() {
    let mut arena = Arena::new();
    let list = arena.list(&vec![Noun::ONE; 50_000]).unwrap();
    let deep = (0..50_000).fold(Noun::ZERO, |noun, _| arena.cell(noun, Noun::ONE).unwrap());
    for noun in [list, deep] {
        let bytes = jam(&arena, noun).unwrap();
        let back = cue(&mut arena, &bytes).unwrap();
        assert!(arena.equal(noun, back));
        assert_eq!(jam(&arena, back).unwrap(), bytes);
    }
}

/// Nouns with large atoms and shared parts, as steps that build on what is there.
pub(crate) fn nouns() -> impl Strategy<Value = Vec<Build>> {
    prop::collection::vec(
        prop_oneof![
            any::<u64>().prop_map(|value| Build::Atom(vec![value])),
            (0u64..4).prop_map(|value| Build::Atom(vec![value])),
            prop::collection::vec(any::<u64>(), 0..4).prop_map(Build::Atom),
            (any::<prop::sample::Index>(), any::<prop::sample::Index>())
                .prop_map(|(head, tail)| Build::Cell(head, tail)),
            (any::<prop::sample::Index>(), any::<prop::sample::Index>())
                .prop_map(|(head, tail)| Build::Cell(head, tail)),
        ],
        1..40,
    )
}

#[derive(Clone, Debug)]
pub(crate) enum Build {
    Atom(Vec<u64>),
    Cell(prop::sample::Index, prop::sample::Index),
}

pub(crate) fn build(arena: &mut Arena, steps: &[Build]) -> Noun {
    let mut made = vec![Noun::ZERO];
    for step in steps {
        let noun = match step {
            Build::Atom(limbs) => arena.atom_from_limbs(limbs),
            Build::Cell(head, tail) => {
                arena.cell(made[head.index(made.len())], made[tail.index(made.len())])
            }
        };
        made.push(noun.unwrap());
    }
    *made.last().unwrap()
}

proptest! {
    #[test]
    fn what_was_jammed_is_cued(steps in nouns()) {
        let mut arena = Arena::new();
        let noun = build(&mut arena, &steps);
        let bytes = jam(&arena, noun).unwrap();
        let mut elsewhere = Arena::new();
        let back = cue(&mut elsewhere, &bytes).unwrap();
        prop_assert_eq!(jam(&elsewhere, back).unwrap(), bytes);
        prop_assert_eq!(crate::mug(&elsewhere, back), crate::mug(&arena, noun));
        if let Ok(written) = text(&arena, noun, 1000) {
            prop_assert_eq!(text(&elsewhere, back, 1000).unwrap(), written);
        }
    }

    /// Where parts lie does not show.
    #[test]
    fn equal_nouns_have_equal_bytes(steps in nouns()) {
        let mut arena = Arena::new();
        let (left, right) = (build(&mut arena, &steps), build(&mut arena, &steps));
        prop_assert!(arena.equal(left, right));
        let both = arena.cell(left, right).unwrap();
        let same = arena.cell(left, left).unwrap();
        prop_assert_eq!(jam(&arena, both).unwrap(), jam(&arena, same).unwrap());
    }
}
