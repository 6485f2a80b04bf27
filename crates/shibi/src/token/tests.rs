use datom::Value;
use proptest::prelude::*;

use super::{LINKS_MAX, MintError, Token};
use crate::block::LedgerId;
use crate::grant::{Expiry, Grant, Widening};
use crate::{FormatError, Keypair, Trust};

pub(crate) fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

/// Root 1 grants to 2, 2 delegates to 3, and so on; every clause occurs.
pub(crate) fn chain(links: usize) -> Token {
    let grant = Grant::new("fs/read", Expiry::At(1_900_000_000_000_000))
        .and("fs/list")
        .within("/srv")
        .unwrap()
        .argument("fs/mode", [Value::text("text"), Value::Int(7)])
        .audience(key(1).public())
        .not_before(1_000);
    let mut token =
        Token::mint_with([9; 16], LedgerId::default(), &key(1), key(2).public(), &grant).unwrap();
    for link in 2..=links as u8 {
        let narrower = token.grant().clone().only("fs/read").within("/srv/in").unwrap();
        token = token
            .attenuate_with([link; 16], &key(link), key(link + 1).public(), &narrower)
            .unwrap();
    }
    token
}

#[test]
fn bytes_and_text_survive_at_every_length() {
    for links in 1..=LINKS_MAX {
        let token = chain(links);
        assert_eq!(token.links(), links);
        assert_eq!(Token::from_bytes(&token.to_bytes()).unwrap(), token);
        assert_eq!(Token::from_text(&token.to_text()).unwrap(), token);
        assert_eq!(Token::from_bytes(&token.to_bytes()).unwrap().id(), token.id());
    }
}

/// Tokens written once are readable for ever: these bytes never change.
#[test]
fn golden_token() {
    let token = chain(2);
    assert_eq!(token.to_text(), include_str!("golden.txt").trim_end());
    assert_eq!(token.id().to_string(), include_str!("golden-id.txt").trim_end());
}

#[test]
fn a_plain_token_is_small() {
    let grant = Grant::new("fs/read", Expiry::Never);
    let mut token = Token::mint(&key(1), key(2).public(), &grant).unwrap();
    let mut bytes = vec![token.to_bytes().len()];
    for link in 2..=8 {
        token = token.attenuate(&key(link), key(link + 1).public(), token.grant()).unwrap();
        bytes.push(token.to_bytes().len());
    }
    assert_eq!((bytes[0], bytes[2], bytes[7]), (198, 488, 1213));
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let bytes = chain(3).to_bytes();
    for length in 0..bytes.len() {
        assert!(Token::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Token::from_bytes(&longer), Err(FormatError::Trailing { at: bytes.len() }));
    let huge = vec![0; super::TOKEN_BYTES_MAX + 1];
    assert!(matches!(Token::from_bytes(&huge), Err(FormatError::TooLong { .. })));
}

#[test]
fn every_flipped_bit_is_refused() {
    let trust = Trust::in_roots([*key(1).public()]).at_node(key(1).public());
    let bytes = chain(3).to_bytes();
    Token::from_bytes(&bytes).unwrap().verify(&trust, 2_000).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(token) = Token::from_bytes(&flipped) {
            assert!(token.verify(&trust, 2_000).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn lists_out_of_order_are_a_second_encoding_and_refused() {
    let grant = Grant::new("aa", Expiry::Never).and("bb");
    let token = Token::mint(&key(1), key(2).public(), &grant).unwrap();
    let bytes = token.to_bytes();
    let at = bytes.windows(6).position(|window| window == b"\x02aa\x02bb").unwrap();
    let mut swapped = bytes.clone();
    swapped[at..at + 6].copy_from_slice(b"\x02bb\x02aa");
    assert_eq!(Token::from_bytes(&swapped), Err(FormatError::NotCanonical));
    let mut doubled = bytes;
    doubled[at..at + 6].copy_from_slice(b"\x02aa\x02aa");
    assert_eq!(Token::from_bytes(&doubled), Err(FormatError::NotCanonical));
}

#[test]
fn unknown_kinds_flags_and_clauses_are_refused() {
    let bytes = chain(1).to_bytes();
    let clauses = bytes.windows(7).position(|w| w == b"fs/read").unwrap() + 7;
    for (at, value) in
        [(0, 0), (3, 2), (4, 0), (4, 9), (5, 0), (5, 2), (5, 9), (6, 2), (7, 8), (9, 1)]
    {
        let mut changed = bytes.clone();
        changed[at] = value;
        assert!(Token::from_bytes(&changed).is_err(), "byte {at} = {value}");
    }
    let mut unknown = bytes.clone();
    unknown[clauses + 1] = 4;
    assert!(matches!(
        Token::from_bytes(&unknown),
        Err(FormatError::Field { what: "unknown clause", .. })
    ));
}

#[test]
fn texts_of_something_else_are_refused() {
    let text = chain(1).to_text();
    let (spaced, upper) = (format!("{text} "), text.to_uppercase());
    for bad in ["", "shibi1_", "shibi2_AAAA", "AAAA", &spaced, &upper] {
        assert!(Token::from_text(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_the_holder_attenuates() {
    let token = chain(1);
    let error = token.attenuate(&key(1), key(3).public(), token.grant()).unwrap_err();
    assert_eq!(error, MintError::NotHolder { holder: key(2).public().unchecked() });
}

#[test]
fn attenuation_never_widens() {
    let token = chain(2);
    let wider = token.grant().clone().and("fs/list");
    let error = token.attenuate(&key(3), key(4).public(), &wider).unwrap_err();
    assert_eq!(error, MintError::Widens(Widening::Operation("fs/list".into())));
}

#[test]
fn the_links_that_are_granted_run_out() {
    let grant = Grant::new("a", Expiry::Never).links(1);
    let token = Token::mint(&key(1), key(2).public(), &grant).unwrap();
    let token = token.attenuate(&key(2), key(3).public(), token.grant()).unwrap();
    let last = token.attenuate(&key(3), key(4).public(), token.grant());
    assert_eq!(last.unwrap_err(), MintError::NoLinks);

    let eight = chain(8);
    let ninth = eight.attenuate(&key(9), key(10).public(), eight.grant());
    assert_eq!(ninth.unwrap_err(), MintError::NoLinks);
}

#[test]
fn a_token_too_long_is_not_made() {
    let values = (0..600).map(|n| Value::text(&format!("value {n}")));
    let grant = Grant::new("a", Expiry::Never).argument("n", values);
    let error = Token::mint(&key(1), key(2).public(), &grant).unwrap_err();
    assert!(matches!(error, MintError::TooLong { .. }), "{error}");
}

#[test]
fn equal_grants_make_different_tokens() {
    let grant = Grant::new("a", Expiry::Never);
    let mint = || Token::mint(&key(1), key(2).public(), &grant).unwrap();
    assert_ne!(mint().id(), mint().id());
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic_and_never_have_two_readings(bytes: Vec<u8>) {
        if let Ok(token) = Token::from_bytes(&bytes) {
            prop_assert_eq!(token.to_bytes(), bytes);
        }
    }

    #[test]
    fn damaged_tokens_never_panic_and_never_have_two_readings(
        links in 1usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = chain(links).to_bytes();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(token) = Token::from_bytes(&bytes) {
            prop_assert_eq!(token.to_bytes(), bytes);
        }
    }
}
