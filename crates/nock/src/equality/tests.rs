use crate::{Arena, Noun, parse};

/// 2^depth leaves in depth cells.
fn bomb(arena: &mut Arena, depth: u32, leaf: Noun) -> Noun {
    (0..depth).fold(leaf, |noun, _| arena.cell(noun, noun).unwrap())
}

#[test]
fn equal_nouns_in_different_places_are_equal() {
    let mut arena = Arena::new();
    let texts =
        ["0", "1", "[0 0]", "[[1 2] 3]", "[1 2 3]", "0xffff.ffff.ffff.ffff.ffff", "[[0 0] 0]"];
    for (left_index, left) in texts.iter().enumerate() {
        for (right_index, right) in texts.iter().enumerate() {
            let (left, right) = (parse(&mut arena, left), parse(&mut arena, right));
            assert_eq!(arena.equal(left.unwrap(), right.unwrap()), left_index == right_index);
        }
    }
}

#[test]
fn nouns_of_astronomical_size_are_compared_at_once() {
    let mut arena = Arena::new();
    let left = bomb(&mut arena, 10_000, Noun::ZERO);
    let right = bomb(&mut arena, 10_000, Noun::ZERO);
    let other = bomb(&mut arena, 10_000, Noun::ONE);
    assert!(arena.equal(left, right));
    assert!(!arena.equal(left, other));
    let (_, steps) = arena.equal_counted(left, right);
    assert!(steps < 25_000, "{steps}");
}

#[test]
fn long_lists_are_compared_without_recursion() {
    let mut arena = Arena::new();
    let numbers: Vec<Noun> = (0..50_000).map(|n| Noun::direct(n).unwrap()).collect();
    let left = arena.list(&numbers).unwrap();
    let right = arena.list(&numbers).unwrap();
    assert!(arena.equal(left, right));
    let longer = arena.cell(Noun::ONE, right).unwrap();
    assert!(!arena.equal(left, longer));
    let left = numbers.iter().fold(Noun::ZERO, |deep, &n| arena.cell(deep, n).unwrap());
    let right = numbers.iter().fold(Noun::ZERO, |deep, &n| arena.cell(deep, n).unwrap());
    assert!(arena.equal(left, right));
}
