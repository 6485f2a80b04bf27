//! The machine against the published vectors, against the definition itself, and against formulas
//! that would eat the machine.

use std::rc::Rc;

use proptest::prelude::*;

use crate::jam::tests::{build, nouns};
use crate::{Arena, Crash, Noun, View, parse, run, text};

/// The 63 normative cases of urbit/benchmark (MIT).
///
/// Subject, formula, product; no product where the formula must crash.
const NORMATIVE: [(&str, &str, Option<&str>); 63] = [
    ("42", "[[4 0 1] [0 1]]", Some("[43 42]")),
    ("[1 2]", "[[0 2] [0 3] [0 1]]", Some("[1 2 1 2]")),
    ("42", "[0 1]", Some("42")),
    ("[1 2]", "[0 2]", Some("1")),
    ("[1 2]", "[0 3]", Some("2")),
    ("[[1 2] [3 4]]", "[0 4]", Some("1")),
    ("[[1 2] [3 4]]", "[0 5]", Some("2")),
    ("[[1 2] [3 4]]", "[0 6]", Some("3")),
    ("[[1 2] [3 4]]", "[0 7]", Some("4")),
    ("[[[1 2] [3 4]] [[5 6] [7 8]]]", "[0 12]", Some("5")),
    ("[[[1 2] [3 4]] [[5 6] [7 8]]]", "[0 15]", Some("8")),
    ("42", "[0 0]", None),
    ("[1 2]", "[0 6]", None),
    ("42", "[1 0]", Some("0")),
    ("42", "[1 57]", Some("57")),
    ("0", "[1 [1 2]]", Some("[1 2]")),
    ("0", "[1 [[1 2] [3 4]]]", Some("[[1 2] 3 4]")),
    ("[[99 100] [101 102]]", "[1 0]", Some("0")),
    ("42", "[2 [0 1] [1 [4 0 1]]]", Some("43")),
    ("0", "[2 [1 [1 2]] [1 [1 3]]]", Some("3")),
    ("[[4 0 1] 99]", "[2 [0 3] [0 2]]", Some("100")),
    ("42", "[2 [1 0] [1 [4 0 1]]]", Some("1")),
    ("[1 2]", "[3 [0 1]]", Some("0")),
    ("42", "[3 [0 1]]", Some("1")),
    ("0", "[3 [1 [1 2]]]", Some("0")),
    ("0", "[3 [1 42]]", Some("1")),
    ("42", "[4 0 1]", Some("43")),
    ("0", "[4 0 1]", Some("1")),
    ("[1 2]", "[4 0 3]", Some("3")),
    ("0", "[4 4 0 1]", Some("2")),
    ("[1 2]", "[4 0 1]", None),
    ("42", "[5 [0 1] [0 1]]", Some("0")),
    ("42", "[5 [0 1] [1 43]]", Some("1")),
    ("[[1 2] [1 2]]", "[5 [0 2] [0 3]]", Some("0")),
    ("[[1 2] [3 4]]", "[5 [0 2] [0 3]]", Some("1")),
    ("[42 [1 2]]", "[5 [0 2] [0 3]]", Some("1")),
    ("42", "[6 [1 0] [1 1] [1 2]]", Some("1")),
    ("42", "[6 [1 1] [1 1] [1 2]]", Some("2")),
    ("[1 2]", "[6 [3 [0 1]] [1 99] [0 2]]", Some("99")),
    ("42", "[6 [3 [0 1]] [1 99] [0 1]]", Some("42")),
    ("42", "[6 [1 2] [1 1] [1 2]]", None),
    ("42", "[7 [4 0 1] [4 0 1]]", Some("44")),
    ("[1 2]", "[7 [0 2] [4 0 1]]", Some("2")),
    ("42", "[7 [1 [1 2]] [0 2]]", Some("1")),
    ("0", "[7 [4 0 1] [7 [4 0 1] [4 0 1]]]", Some("3")),
    ("42", "[8 [4 0 1] [0 2]]", Some("43")),
    ("42", "[8 [4 0 1] [0 3]]", Some("42")),
    ("42", "[8 [1 0] [5 [0 2] [0 3]]]", Some("1")),
    ("[1 2]", "[8 [1 99] [0 2]]", Some("99")),
    ("42", "[8 [4 0 1] [[0 2] [0 3]]]", Some("[43 42]")),
    ("0", "[9 2 [1 [[4 0 3] 42]]]", Some("43")),
    ("0", "[9 2 [1 [[0 3] 99]]]", Some("99")),
    ("0", "[9 2 [10 [3 [1 7]] [1 [[4 0 3] 42]]]]", Some("8")),
    ("[[4 0 3] 0]", "[9 2 [0 1]]", Some("1")),
    ("[1 2]", "[10 [2 [1 3]] [0 1]]", Some("[3 2]")),
    ("[1 2]", "[10 [3 [1 3]] [0 1]]", Some("[1 3]")),
    ("[1 2]", "[10 [1 [1 99]] [0 1]]", Some("99")),
    ("[[1 2] [3 4]]", "[10 [4 [1 99]] [0 1]]", Some("[[99 2] 3 4]")),
    ("[[1 2] [3 4]]", "[10 [7 [1 99]] [0 1]]", Some("[[1 2] 3 99]")),
    ("42", "[11 1 [4 0 1]]", Some("43")),
    ("[1 2]", "[11 37 [0 2]]", Some("1")),
    ("42", "[11 [1 [1 0]] [4 0 1]]", Some("43")),
    ("[1 2]", "[11 [1 [4 0 2]] [0 3]]", Some("2")),
];

const FUEL: u64 = 300_000;
const DECREMENT: &str = "[8 [1 0] 8 [1 6 [5 [0 7] 4 0 6] [0 6] 9 2 [0 2] [4 0 6] 0 7] 9 2 0 1]";

fn product(subject: &str, formula: &str) -> Result<String, Crash> {
    let mut arena = Arena::new();
    let subject = parse(&mut arena, subject).unwrap();
    let formula = parse(&mut arena, formula).unwrap();
    let product = run(&mut arena, subject, formula, &mut FUEL.clone())?;
    Ok(text(&arena, product, 1000).unwrap())
}

#[test]
fn normative_vectors() {
    for (subject, formula, expected) in NORMATIVE {
        match (product(subject, formula), expected) {
            (Ok(product), Some(expected)) => {
                assert_eq!(product, expected, "*[{subject} {formula}]")
            }
            (Err(Crash::Exit { .. }), None) => {}
            (outcome, _) => panic!("*[{subject} {formula}]: {outcome:?}"),
        }
    }
}

#[test]
fn programs_run() {
    assert_eq!(product("10000", DECREMENT).unwrap(), "9999");
    let decrement_big = product("18446744073709551616", "[4 4 0 1]").unwrap();
    assert_eq!(decrement_big, "18446744073709551618");
    assert_eq!(product("9223372036854775807", "[4 0 1]").unwrap(), "9223372036854775808");
    assert_eq!(product("18446744073709551615", "[4 0 1]").unwrap(), "18446744073709551616");
}

#[test]
fn malformed_formulas_crash() {
    for formula in [
        "0",
        "7",
        "[0 1 2]",
        "[0 [1 1]]",
        "[2 0]",
        "[2 [0 1] 5]",
        "[5 0]",
        "[6 [1 0] 3]",
        "[7 1]",
        "[8 1]",
        "[9 1]",
        "[9 [1 1] 0 1]",
        "[10 1 0 1]",
        "[10 [0 1 1] 0 1]",
        "[10 [6 1 1] 0 1]",
        "[11 1]",
        "[11 [1 0] 0 1]",
        "[12 0 1]",
        "[99999999999999999999 0 1]",
        "[4 1 0 0]",
    ] {
        let outcome = product("[1 2]", formula);
        assert!(matches!(outcome, Err(Crash::Exit { .. })), "{formula}: {outcome:?}");
    }
}

#[test]
fn long_axes_are_paths() {
    let mut arena = Arena::new();
    let deep = (0..100).fold(Noun::ONE, |noun, _| arena.cell(noun, Noun::ZERO).unwrap());
    let formula = parse(&mut arena, "[0 0x10.0000.0000.0000.0000.0000.0000]").unwrap();
    let found = run(&mut arena, deep, formula, &mut FUEL.clone()).unwrap();
    assert_eq!(text(&arena, found, 1).unwrap(), "1");
    let change = "[0 0x10.0000.0000.0000.0000.0000.0000]";
    let edit = format!("[7 [10 [0x10.0000.0000.0000.0000.0000.0000 1 7] 0 1] {change}]");
    let formula = parse(&mut arena, &edit).unwrap();
    let found = run(&mut arena, deep, formula, &mut FUEL.clone()).unwrap();
    assert_eq!(text(&arena, found, 1).unwrap(), "7");
}

#[test]
fn fuel_ends_what_would_not_end() {
    let mut arena = Arena::new();
    let endless = parse(&mut arena, "[2 [0 1] 0 1]").unwrap();
    let before = arena.bytes();
    let mut fuel = 100_000;
    assert_eq!(run(&mut arena, endless, endless, &mut fuel).unwrap_err(), Crash::OutOfFuel);
    assert_eq!((fuel, arena.bytes()), (0, before));
}

#[test]
fn comparing_astronomical_nouns_burns_fuel() {
    let mut arena = Arena::new();
    let bomb =
        |arena: &mut Arena| (0..20_000).fold(Noun::ZERO, |noun, _| arena.cell(noun, noun).unwrap());
    let (left, right) = (bomb(&mut arena), bomb(&mut arena));
    let subject = arena.cell(left, right).unwrap();
    let formula = parse(&mut arena, "[5 [0 2] 0 3]").unwrap();
    let mut fuel = 100_000;
    let equal = run(&mut arena, subject, formula, &mut fuel).unwrap();
    assert_eq!(equal.as_direct(), Some(0));
    assert!(fuel < 60_000, "{fuel}");
    assert_eq!(run(&mut arena, subject, formula, &mut 5000).unwrap_err(), Crash::OutOfFuel);
}

/// A formula that must exhaust memory does so cleanly, as often as it is asked.
#[test]
fn memory_ends_what_only_grows() {
    let mut arena = Arena::with_limit(1 << 20);
    // A list that grows for ever; a stack of steps that does.
    for formula in ["[8 [1 0] 8 [1 9 2 10 [6 [0 6] 0 6] 0 1] 9 2 0 1]", "[4 2 [0 1] 0 1]"] {
        let formula = parse(&mut arena, formula).unwrap();
        let before = arena.bytes();
        for _ in 0..3 {
            let outcome = run(&mut arena, formula, formula, &mut u64::MAX.clone());
            assert!(matches!(outcome, Err(Crash::Full(_))), "{outcome:?}");
            assert_eq!(arena.bytes(), before);
        }
    }
}

/// A loop makes far more than fits, and needs little of it at a time.
#[test]
fn garbage_is_dropped_while_running() {
    let mut arena = Arena::with_limit(1 << 16);
    let subject = parse(&mut arena, "20000").unwrap();
    let formula = parse(&mut arena, DECREMENT).unwrap();
    let before = arena.bytes();
    let product = run(&mut arena, subject, formula, &mut u64::MAX.clone()).unwrap();
    assert_eq!(product.as_direct(), Some(19_999));
    assert_eq!(arena.bytes(), before);
}

/// A noun as the definition has it.
#[derive(Debug, PartialEq)]
enum Tree {
    Atom(u128),
    Cell(Rc<Tree>, Rc<Tree>),
}

fn tree(arena: &Arena, noun: Noun) -> Option<Rc<Tree>> {
    Some(Rc::new(match arena.view(noun) {
        View::Atom(atom) if atom.limb_count() > 2 => return None,
        View::Atom(atom) => Tree::Atom(u128::from(atom.limb(1)) << 64 | u128::from(atom.limb(0))),
        View::Cell(head, tail) => Tree::Cell(tree(arena, head)?, tree(arena, tail)?),
    }))
}

enum Stop {
    Crash,
    Lost,
}

fn pair(noun: &Tree) -> Result<(Rc<Tree>, Rc<Tree>), Stop> {
    match noun {
        Tree::Cell(head, tail) => Ok((head.clone(), tail.clone())),
        Tree::Atom(_) => Err(Stop::Crash),
    }
}

fn slot(axis: u128, noun: &Rc<Tree>) -> Result<Rc<Tree>, Stop> {
    match axis {
        0 => Err(Stop::Crash),
        1 => Ok(noun.clone()),
        _ => {
            let (head, tail) = pair(&*slot(axis / 2, noun)?)?;
            Ok(if axis.is_multiple_of(2) { head } else { tail })
        }
    }
}

fn edit(axis: u128, part: Rc<Tree>, whole: &Rc<Tree>) -> Result<Rc<Tree>, Stop> {
    if axis == 1 {
        return Ok(part);
    }
    let sibling = slot(axis ^ 1, whole)?;
    let cell =
        if axis.is_multiple_of(2) { Tree::Cell(part, sibling) } else { Tree::Cell(sibling, part) };
    edit(axis / 2, Rc::new(cell), whole)
}

fn number(noun: &Tree) -> Result<u128, Stop> {
    match noun {
        Tree::Atom(value) => Ok(*value),
        Tree::Cell(..) => Err(Stop::Crash),
    }
}

/// The definition, line by line, by recursion.
fn nock(subject: &Rc<Tree>, formula: &Tree, depth: u32) -> Result<Rc<Tree>, Stop> {
    let depth = depth.checked_sub(1).ok_or(Stop::Lost)?;
    let go = |subject: &Rc<Tree>, formula: &Tree| nock(subject, formula, depth);
    let atom = |value| Ok(Rc::new(Tree::Atom(value)));
    let (operator, operand) = pair(formula)?;
    if pair(&operator).is_ok() {
        return Ok(Rc::new(Tree::Cell(go(subject, &operator)?, go(subject, &operand)?)));
    }
    match number(&operator)? {
        0 => slot(number(&operand)?, subject),
        1 => Ok(operand),
        2 => {
            let (b, c) = pair(&operand)?;
            go(&go(subject, &b)?, &*go(subject, &c)?)
        }
        3 => atom(u128::from(pair(&*go(subject, &operand)?).is_err())),
        4 => atom(number(&*go(subject, &operand)?)?.checked_add(1).ok_or(Stop::Lost)?),
        5 => {
            let (b, c) = pair(&operand)?;
            atom(u128::from(go(subject, &b)? != go(subject, &c)?))
        }
        6 => {
            let (b, arms) = pair(&operand)?;
            let (c, d) = pair(&arms)?;
            match &*go(subject, &b)? {
                Tree::Atom(0) => go(subject, &c),
                Tree::Atom(1) => go(subject, &d),
                _ => Err(Stop::Crash),
            }
        }
        7 => {
            let (b, c) = pair(&operand)?;
            go(&go(subject, &b)?, &c)
        }
        8 => {
            let (b, c) = pair(&operand)?;
            go(&Rc::new(Tree::Cell(go(subject, &b)?, subject.clone())), &c)
        }
        9 => {
            let (b, c) = pair(&operand)?;
            let core = go(subject, &c)?;
            let arm = slot(number(&b)?, &core)?;
            go(&core, &arm)
        }
        10 => {
            let (change, d) = pair(&operand)?;
            let (b, c) = pair(&change)?;
            let (part, whole) = (go(subject, &c)?, go(subject, &d)?);
            match number(&b)? {
                0 => Err(Stop::Crash),
                axis => edit(axis, part, &whole),
            }
        }
        11 => {
            let (hint, c) = pair(&operand)?;
            if let Ok((_, clue)) = pair(&hint) {
                go(subject, &clue)?;
            }
            go(subject, &c)
        }
        _ => Err(Stop::Crash),
    }
}

/// Formulas that often mean something.
fn formulas() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => (1u64..8).prop_map(|axis| format!("[0 {axis}]")),
        3 => (0u64..4).prop_map(|value| format!("[1 {value}]")),
        1 => Just("[1 [1 2] 3]".to_owned()),
        1 => Just("[1 4 0 1]".to_owned()),
        1 => Just("[0 0]".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(b, c)| format!("[{b} {c}]")),
            two.clone().prop_map(|(b, c)| format!("[2 {b} {c}]")),
            inner.clone().prop_map(|b| format!("[3 {b}]")),
            inner.clone().prop_map(|b| format!("[4 {b}]")),
            two.clone().prop_map(|(b, c)| format!("[5 {b} {c}]")),
            three.prop_map(|(b, c, d)| format!("[6 [5 {b} {b}] {c} {d}]")),
            two.clone().prop_map(|(b, c)| format!("[6 [3 {b}] {c} {b}]")),
            two.clone().prop_map(|(b, c)| format!("[7 {b} {c}]")),
            two.clone().prop_map(|(b, c)| format!("[8 {b} {c}]")),
            (1u64..4, inner.clone()).prop_map(|(axis, c)| format!("[9 {axis} {c}]")),
            (1u64..8, two.clone()).prop_map(|(axis, (c, d))| format!("[10 [{axis} {c}] {d}]")),
            two.prop_map(|(b, c)| format!("[11 [1 {b}] {c}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_machine_does_what_the_definition_says(
        subject in nouns(),
        formula in formulas(),
    ) {
        let mut arena = Arena::new();
        let subject = build(&mut arena, &subject);
        let formula = parse(&mut arena, &formula).unwrap();
        prop_assume!(text(&arena, subject, 500).is_ok());
        let (Some(subject_tree), Some(formula_tree)) = (tree(&arena, subject), tree(&arena, formula))
        else {
            return Ok(());
        };
        let expected = nock(&subject_tree, &formula_tree, 100);
        let outcome = run(&mut arena, subject, formula, &mut FUEL.clone());
        match (expected, outcome) {
            (Err(Stop::Lost), _) => {}
            (Ok(expected), Ok(product)) => prop_assert_eq!(tree(&arena, product), Some(expected)),
            (Err(Stop::Crash), Err(Crash::Exit { .. })) => {}
            (expected, outcome) => prop_assert!(false, "{:?} {outcome:?}", expected.ok()),
        }
    }

    /// Any two nouns at all.
    #[test]
    fn no_formula_is_too_much(subject in nouns(), formula in nouns()) {
        let mut arena = Arena::with_limit(1 << 16);
        let (subject, formula) = (build(&mut arena, &subject), build(&mut arena, &formula));
        let _ = run(&mut arena, subject, formula, &mut 10_000);
    }
}
