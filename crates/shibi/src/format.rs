//! `docs/format.md` against the code: the document cannot go stale.

use crate::block::{
    CLAUSE_ARGUMENTS, CLAUSE_AUDIENCE, CLAUSE_FOLDERS, ID_CONTEXT, Kind, LedgerId, SIGN_DOMAIN,
};
use crate::grant::{CLAUSES_MAX, NAME_BYTES_MAX};
use crate::token::{LINKS_MAX, MAGIC, TEXT_PREFIX, TOKEN_BYTES_MAX};
use crate::{Expiry, Grant, Keypair, Token};

const DOCUMENT: &str = include_str!("../../../docs/format.md");

fn section() -> &'static str {
    let start = DOCUMENT.find("\n## Token\n").expect("the section");
    let body = &DOCUMENT[start + 1..];
    body.find("\n## ").map_or(body, |end| &body[..end])
}

fn table(first_column: &str) -> Vec<Vec<&'static str>> {
    let head = format!("| {first_column} |");
    let rows = section().lines().skip_while(|line| !line.starts_with(&head)).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// Where the document says that a field lies, after it was checked that fields follow each other.
fn field(first_column: &str, name: &str) -> std::ops::Range<usize> {
    let mut end = 0;
    let mut found = None;
    for row in table(first_column) {
        let (at, bytes): (usize, usize) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        assert_eq!(at, end, "{}", row[2]);
        end = at + bytes;
        if row[2] == name {
            found = Some(at..end);
        }
    }
    found.expect(name)
}

#[test]
fn every_field_lies_where_the_document_says() {
    let (issuer, holder, node) =
        (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]), Keypair::from_seed(&[3; 32]));
    let grant = Grant::new("a/b", Expiry::At(0x1122_3344)).and("c").not_before(0x55).links(5);
    let grant = grant.within("/f").unwrap().argument("n", [1i64]).audience(node.public());
    let ledger = LedgerId([0x77; 16]);
    let token = Token::mint_with([0x99; 16], ledger, &issuer, holder.public(), &grant).unwrap();
    let child = token.attenuate_with([0x98; 16], &holder, node.public(), &grant).unwrap();
    let bytes = child.to_bytes();

    assert_eq!(&bytes[field("at", "magic")], MAGIC);
    assert_eq!(bytes[field("at", "count")], [2]);
    let root = &bytes[field("at", "count").end..];
    let at = |name| &root[field("offset", name)];
    assert_eq!((at("kind"), at("flags"), at("links")), (&[1][..], &[0][..], &[5][..]));
    assert_eq!((at("operations"), at("epoch")), (&[2][..], &[0; 4][..]));
    assert_eq!(at("not before"), 0x55i64.to_le_bytes());
    assert_eq!(at("expires"), 0x1122_3344i64.to_le_bytes());
    assert_eq!((at("nonce"), at("ledger")), (&[0x99; 16][..], &[0x77; 16][..]));
    assert_eq!(
        (at("holder"), at("issuer")),
        (&holder.public().to_bytes()[..], &issuer.public().to_bytes()[..])
    );

    let mut tail = b"\x03a/b\x01c\x03\x01\x04\x00\x02\x00/f\x02".to_vec();
    let mut set = Vec::new();
    datom::portable::encode(&datom::Value::Set([datom::Value::Int(1)].into()), &mut set);
    tail.extend_from_slice(&(set.len() as u16 + 2).to_le_bytes());
    tail.extend_from_slice(b"\x01n");
    tail.extend_from_slice(&set);
    tail.extend_from_slice(b"\x03\x20\x00");
    tail.extend_from_slice(&node.public().to_bytes());
    let operations = field("offset", "issuer").end;
    assert_eq!(root[operations..operations + tail.len()], tail);

    let second = &root[operations + tail.len() + 64..];
    assert_eq!(second[0], 2);
    let operations = field("offset", "ledger").start;
    assert_eq!(second[operations..operations + tail.len()], tail);
    assert_eq!(second.len(), operations + tail.len() + 64);
}

#[test]
fn clauses_kinds_and_limits_are_those_of_the_document() {
    let clauses: Vec<u8> = table("clause").iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(clauses, [CLAUSE_FOLDERS, CLAUSE_ARGUMENTS, CLAUSE_AUDIENCE]);
    assert_eq!([Kind::Grant as u8, Kind::Delegation as u8, Kind::Transfer as u8], [1, 2, 3]);
    let text = section().replace('\n', " ");
    for said in [
        format!("1 to {LINKS_MAX} blocks, at most {TOKEN_BYTES_MAX} bytes"),
        format!("Names have 1 to {NAME_BYTES_MAX} bytes"),
        format!("at most {CLAUSES_MAX} entries"),
        format!("context `{ID_CONTEXT}`"),
        format!(
            "over `{}`, a zero byte",
            String::from_utf8_lossy(&SIGN_DOMAIN[..SIGN_DOMAIN.len() - 1])
        ),
        format!("**Text.** `{TEXT_PREFIX}`"),
    ] {
        assert!(text.contains(&said), "{said}");
    }
}
