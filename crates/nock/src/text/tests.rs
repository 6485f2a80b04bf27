use proptest::prelude::*;

use crate::jam::tests::{build, nouns};
use crate::{Arena, Noun, ParseError, TooLong, parse, text};

fn printed(input: &str) -> String {
    let mut arena = Arena::new();
    let noun = parse(&mut arena, input).unwrap();
    text(&arena, noun, 1000).unwrap()
}

#[test]
fn every_notation_is_read_and_the_plain_one_printed() {
    let cases = [
        ("0", "0"),
        ("~", "0"),
        (" 1.000.000 ", "1000000"),
        ("0x1f", "31"),
        ("0xdead.beef", "3735928559"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551616", "18446744073709551616"),
        ("340282366920938463463374607431768211456", "340282366920938463463374607431768211456"),
        ("10000000000000000000000000000000000000000", "10000000000000000000000000000000000000000"),
        ("007", "7"),
        ("%fast", "1953718630"),
        ("'fast'", "1953718630"),
        ("'it\\'s'", "1931965545"),
        ("''", "0"),
        ("[1 2]", "[1 2]"),
        ("[1 [2 3]]", "[1 2 3]"),
        ("[[1 2] 3]", "[[1 2] 3]"),
        ("[[1 2][3 4]5]", "[[1 2] [3 4] 5]"),
        ("[ 0\n[ 1 0 ] ]", "[0 1 0]"),
    ];
    for (input, output) in cases {
        assert_eq!(printed(input), output, "{input}");
    }
}

#[test]
fn what_is_no_noun_is_refused_with_its_place() {
    let cases = [
        ("", 0),
        ("[1 2", 4),
        ("[1]", 2),
        ("[]", 1),
        ("]", 0),
        ("1 2", 2),
        ("[1 2]]", 5),
        ("1a", 1),
        ("1.", 2),
        ("0x", 2),
        ("0xg", 2),
        ("%", 1),
        ("%A", 1),
        ("'open", 5),
        ("'\\n'", 2),
        ("-1", 0),
        ("[1 é]", 3),
        ("12'a'", 2),
    ];
    for (input, place) in cases {
        let mut arena = Arena::new();
        match parse(&mut arena, input) {
            Err(ParseError::Expected { at, .. }) => assert_eq!(at, place, "{input}"),
            other => panic!("{input}: {other:?}"),
        }
        assert_eq!(arena.bytes(), 0);
    }
    let digits = "1".repeat(1235);
    assert_eq!(parse(&mut Arena::new(), &digits).unwrap_err(), ParseError::TooLong { at: 0 });
}

#[test]
fn depth_needs_no_recursion_and_size_has_a_limit() {
    let mut arena = Arena::new();
    let deep = format!("{}0{}", "[".repeat(50_000), " 0]".repeat(50_000));
    let noun = parse(&mut arena, &deep).unwrap();
    assert_eq!(text(&arena, noun, 50_001).unwrap(), deep);
    assert_eq!(text(&arena, noun, 1000), Err(TooLong { parts_max: 1000 }));
    let bomb = (0..1000).fold(Noun::ONE, |noun, _| arena.cell(noun, noun).unwrap());
    assert_eq!(text(&arena, bomb, 1000), Err(TooLong { parts_max: 1000 }));
}

#[test]
fn long_atoms_are_hexadecimal() {
    let mut arena = Arena::new();
    let limbs: Vec<u64> = (1..=65).collect();
    let noun = arena.atom_from_limbs(&limbs).unwrap();
    let written = text(&arena, noun, 1).unwrap();
    assert!(written.starts_with("0x410000000000000040"));
    let back = parse(&mut arena, &written).unwrap();
    assert!(arena.equal(noun, back));
}

proptest! {
    #[test]
    fn what_was_printed_is_read(steps in nouns()) {
        let mut arena = Arena::new();
        let noun = build(&mut arena, &steps);
        if let Ok(written) = text(&arena, noun, 10_000) {
            let back = parse(&mut arena, &written).unwrap();
            prop_assert!(arena.equal(noun, back));
        }
    }

    #[test]
    fn no_text_is_too_much(input in "[\\[\\] 0-9x.a-f%'~\\\\é]{0,40}") {
        let _ = parse(&mut Arena::new(), &input);
    }
}
