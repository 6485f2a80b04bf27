use super::{Refused, Trust};
use crate::block::{Kind, LedgerId};
use crate::grant::{Expiry, Grant, Widening};
use crate::key::UncheckedKey;
use crate::token::Token;
use crate::token::tests::{chain, key};
use crate::{Denied, KeyError};

fn trust() -> Trust {
    Trust::in_roots([*key(1).public()]).at_node(key(1).public())
}

/// What an attacker with the keys 2, 3, … can do to a chain: change a block and sign it again.
fn forge(token: &Token, link: usize, change: impl Fn(&mut crate::block::Block)) -> Token {
    let mut forged = token.clone();
    let mut parent = crate::TokenId::NONE;
    for (at, block) in forged.blocks.iter_mut().enumerate() {
        if at == link {
            change(block);
        }
        parent = block.sign(parent, &key(at as u8 + 1));
        forged.ids[at] = parent;
    }
    forged
}

#[test]
fn an_honest_chain_gives_the_rights_of_its_last_block() {
    let rights = chain(3).verify(&trust(), 2_000).unwrap();
    assert!(rights.permits(&"fs/read".into(), 2_000).is_ok());
    let denied = rights.permits(&"fs/list".into(), 2_000).unwrap_err();
    assert!(matches!(denied, Denied::Operation { .. }));
    assert!(rights.permits_path("/srv/in/a") && !rights.permits_path("/srv/out"));
    assert!(rights.permits_argument(&"fs/mode".into(), &"text".into()));
    assert!(!rights.permits_argument(&"fs/mode".into(), &"bytes".into()));
    assert!(rights.permits_argument(&"fs/limit".into(), &"anything".into()));
}

#[test]
fn operations_are_whole_names() {
    let grant = Grant::new("crypto/blake3", Expiry::Never).and("fs/read");
    let token = Token::mint(&key(1), key(2).public(), &grant).unwrap();
    let rights = token.verify(&trust(), 0).unwrap();
    for other in ["crypto", "crypto/", "crypto/blake", "crypto/blake3x", "fs/*", "*", "/", ""] {
        assert!(rights.permits(&other.into(), 0).is_err(), "{other}");
    }
}

#[test]
fn a_token_without_folders_permits_no_path() {
    let token =
        Token::mint(&key(1), key(2).public(), &Grant::new("fs/read", Expiry::Never)).unwrap();
    assert!(!token.verify(&trust(), 0).unwrap().permits_path("/"));
}

#[test]
fn the_span_is_half_open_and_asked_again_at_every_use() {
    let grant = Grant::new("a", Expiry::At(20)).not_before(10);
    let token = Token::mint(&key(1), key(2).public(), &grant).unwrap();
    assert_eq!(token.verify(&trust(), 9), Err(Refused::TooEarly { not_before: 10 }));
    assert_eq!(token.verify(&trust(), 20), Err(Refused::Expired { expires: 20 }));
    let rights = token.verify(&trust(), 10).unwrap();
    assert!(rights.permits(&"a".into(), 19).is_ok());
    assert!(matches!(rights.permits(&"a".into(), 20), Err(Denied::Expired { .. })));
    assert!(matches!(rights.permits(&"a".into(), 9), Err(Denied::TooEarly { .. })));
}

#[test]
fn a_stranger_root_is_refused() {
    let token = chain(1);
    let strangers = Trust::in_roots([*key(9).public()]);
    let issuer = key(1).public().unchecked();
    assert_eq!(token.verify(&strangers, 2_000), Err(Refused::UnknownRoot { issuer }));
}

#[test]
fn a_claimed_root_without_its_signature_is_refused() {
    let mut token = chain(1);
    token.ids[0] = token.blocks[0].sign(crate::TokenId::NONE, &key(9));
    let token = Token::from_bytes(&token.to_bytes()).unwrap();
    assert_eq!(token.verify(&trust(), 2_000), Err(Refused::BadSignature { link: 0 }));
}

#[test]
fn a_block_signed_by_another_than_the_holder_is_refused() {
    let mut token = chain(2);
    let parent = token.ids[0];
    token.ids[1] = token.blocks[1].sign(parent, &key(9));
    let token = Token::from_bytes(&token.to_bytes()).unwrap();
    assert_eq!(token.verify(&trust(), 2_000), Err(Refused::BadSignature { link: 1 }));
}

#[test]
fn blocks_can_not_be_reordered_dropped_doubled_or_spliced() {
    let token = chain(3);
    let again = |blocks: Vec<crate::block::Block>| {
        let forged = Token { blocks, ..token.clone() };
        match Token::from_bytes(&forged.to_bytes()) {
            Ok(token) => token.verify(&trust(), 2_000).is_err(),
            Err(_) => true,
        }
    };
    let [a, b, c] = <[_; 3]>::try_from(token.blocks.clone()).unwrap();
    assert!(again(vec![a.clone(), c.clone(), b.clone()]));
    assert!(again(vec![a.clone(), c.clone()]));
    assert!(again(vec![b.clone(), c.clone()]));
    assert!(again(vec![a.clone(), b.clone(), b.clone()]));
    // A block of another chain with the same keys and the same root.
    let other = chain(1).attenuate(&key(2), key(3).public(), token.grant()).unwrap();
    assert!(again(vec![a.clone(), other.blocks[1].clone(), c]));
    // The holder of the parent keeps what it had.
    assert!(!again(vec![a, b]));
}

#[test]
fn a_block_that_widens_is_refused_whoever_signed_it() {
    let widen = |change: fn(&mut Grant)| {
        forge(&chain(2), 1, |block| change(&mut block.grant)).verify(&trust(), 2_000).unwrap_err()
    };
    let refused = |source| Refused::Widened { link: 1, source };
    assert_eq!(
        widen(|g| *g = g.clone().and("fs/write")),
        refused(Widening::Operation("fs/write".into()))
    );
    assert_eq!(widen(|g| g.folders = None), refused(Widening::Folders));
    assert_eq!(widen(|g| g.arguments.clear()), refused(Widening::Argument("fs/mode".into())));
    assert_eq!(widen(|g| g.audience = None), refused(Widening::Audience));
    assert_eq!(widen(|g| g.expires = Expiry::Never), refused(Widening::Expires));
    assert_eq!(widen(|g| g.not_before = 0), refused(Widening::NotBefore));
    assert_eq!(widen(|g| g.links = 7), refused(Widening::Links));
}

#[test]
fn the_forger_of_these_tests_makes_valid_chains_when_it_changes_nothing() {
    assert!(forge(&chain(4), 2, |_| {}).verify(&trust(), 2_000).is_ok());
}

#[test]
fn what_needs_a_ledger_is_refused_offline() {
    let transferable = forge(&chain(1), 0, |block| block.grant.transferable = true);
    assert_eq!(transferable.verify(&trust(), 2_000), Err(Refused::NeedsLedger { link: 0 }));
    let transfer = forge(&chain(2), 1, |block| {
        block.kind = Kind::Transfer;
        block.epoch = 3;
    });
    let transfer = Token::from_bytes(&transfer.to_bytes()).unwrap();
    assert_eq!(transfer.verify(&trust(), 2_000), Err(Refused::NeedsLedger { link: 1 }));
}

#[test]
fn a_token_counts_only_at_its_audience_and_in_its_ledger() {
    let elsewhere = Trust::in_roots([*key(1).public()]).at_node(key(5).public());
    let audience = key(1).public().unchecked();
    assert_eq!(chain(1).verify(&elsewhere, 2_000), Err(Refused::WrongAudience { audience }));
    let nowhere = Trust::in_roots([*key(1).public()]);
    assert_eq!(chain(1).verify(&nowhere, 2_000), Err(Refused::WrongAudience { audience }));

    let ledger = LedgerId([4; 16]);
    let grant = Grant::new("a", Expiry::Never);
    let token = Token::mint_in(ledger, &key(1), key(2).public(), &grant).unwrap();
    assert_eq!(token.verify(&trust(), 0), Err(Refused::WrongLedger { ledger }));
    assert!(token.verify(&trust().in_ledger(ledger), 0).is_ok());
}

#[test]
fn a_revoked_block_takes_its_descendants_with_it_and_no_sibling() {
    let root = chain(1);
    let left = root.attenuate(&key(2), key(3).public(), root.grant()).unwrap();
    let right = root.attenuate(&key(2), key(3).public(), root.grant()).unwrap();
    let leaf = left.attenuate(&key(3), key(4).public(), left.grant()).unwrap();
    let mut trust = trust();
    trust.revoke(left.id());
    assert_eq!(left.verify(&trust, 2_000), Err(Refused::Revoked { link: 1, id: left.id() }));
    assert_eq!(leaf.verify(&trust, 2_000), Err(Refused::Revoked { link: 1, id: left.id() }));
    assert!(root.verify(&trust, 2_000).is_ok());
    assert!(right.verify(&trust, 2_000).is_ok());
}

#[test]
fn a_delegating_key_that_is_none_is_refused() {
    // The identity point: under it, "signatures" can be made for any message.
    let mut weak = [0; 32];
    weak[0] = 1;
    let mut token = chain(2);
    token.blocks[0].holder = UncheckedKey(weak);
    let id = token.blocks[0].sign(crate::TokenId::NONE, &key(1));
    token.blocks[1].signature = [0; 64];
    token.blocks[1].signature[0] = 1;
    let token = Token::from_bytes(&token.to_bytes()).unwrap();
    assert_eq!(token.ids[0], id);
    let refused = Refused::BadKey { link: 1, source: KeyError::SmallOrder };
    assert_eq!(token.verify(&trust(), 2_000), Err(refused));
}

#[test]
fn a_signature_has_one_form() {
    // S + L is the same scalar; strict verification refuses its second encoding.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut token = chain(1);
    let mut carry = 0u16;
    for (byte, add) in token.blocks[0].signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + add;
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(token.verify(&trust(), 2_000), Err(Refused::BadSignature { link: 0 }));
}
