use datom::Value;
use proptest::prelude::*;

use super::{Expiry, Grant, GrantError, Widening};
use crate::Keypair;

fn read() -> Grant {
    Grant::new("fs/read", Expiry::At(1000)).and("fs/list").within("/srv").unwrap()
}

#[test]
fn each_clause_can_shrink() {
    let node = Keypair::from_seed(&[1; 32]);
    let narrower = [
        read(),
        read().only("fs/list"),
        read().within("/srv/in").unwrap(),
        read().argument("fs/mode", ["text"]),
        read().audience(node.public()),
        read().not_before(5),
        read().until(Expiry::At(999)),
        read().links(0),
    ];
    for grant in narrower {
        assert_eq!(grant.narrows(&read()), Ok(()), "{grant:?}");
    }
}

#[test]
fn no_clause_can_grow_and_the_reason_is_named() {
    let (node, other) = (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]));
    let parent =
        read().argument("fs/mode", ["text"]).audience(node.public()).not_before(5).links(3);
    let free = Grant::new("fs/read", Expiry::At(1000)).not_before(5).links(3);
    let free = free.argument("fs/mode", ["text"]).audience(node.public());
    let wider = [
        (parent.clone().and("fs/write"), Widening::Operation("fs/write".into())),
        (parent.clone().and("fs/rea"), Widening::Operation("fs/rea".into())),
        (
            parent.clone().within("/srvx").unwrap(),
            Widening::Folder(super::Folder::new("/srvx").unwrap()),
        ),
        (parent.clone().within("/").unwrap(), Widening::Folder(super::Folder::new("/").unwrap())),
        (free, Widening::Folders),
        (
            parent.clone().argument("fs/mode", ["text", "bytes"]),
            Widening::Argument("fs/mode".into()),
        ),
        (
            read().audience(node.public()).not_before(5).links(3),
            Widening::Argument("fs/mode".into()),
        ),
        (parent.clone().audience(other.public()), Widening::Audience),
        (read().argument("fs/mode", ["text"]).not_before(5).links(3), Widening::Audience),
        (parent.clone().not_before(4), Widening::NotBefore),
        (parent.clone().until(Expiry::At(1001)), Widening::Expires),
        (parent.clone().until(Expiry::Never), Widening::Expires),
        (parent.clone().links(4), Widening::Links),
    ];
    for (grant, reason) in wider {
        assert_eq!(grant.narrows(&parent), Err(reason));
    }
}

#[test]
fn values_of_an_argument_are_compared_by_kind() {
    let number = Grant::new("x/y", Expiry::Never).argument("n", [Value::Int(10)]);
    let text = Grant::new("x/y", Expiry::Never).argument("n", ["10"]);
    let float = Grant::new("x/y", Expiry::Never).argument("n", [10.0]);
    assert!(text.narrows(&number).is_err());
    assert!(float.narrows(&number).is_err());
}

#[test]
fn a_list_of_no_values_permits_none() {
    let none = Grant::new("x/y", Expiry::Never).argument("n", Vec::<Value>::new());
    let one = Grant::new("x/y", Expiry::Never).argument("n", [Value::Int(1)]);
    assert_eq!(none.narrows(&one), Ok(()));
    assert!(one.narrows(&none).is_err());
}

#[test]
fn names_that_could_be_mistaken_are_refused() {
    for name in ["", "/", "a/", "/a", "a/b/c", "fs/réad", "fs read", "fs/*:x", &"x".repeat(65)] {
        let grant = Grant::new(name, Expiry::Never);
        assert!(matches!(grant.check(), Err(GrantError::Name { .. })), "{name:?}");
    }
}

#[test]
fn spans_and_counts_are_checked() {
    let empty = Grant::new("a", Expiry::At(5)).not_before(5);
    assert_eq!(empty.check(), Err(GrantError::Span { not_before: 5, expires: 5 }));
    let many = (0..17).fold(Grant::new("a", Expiry::Never), |g, i| g.and(format!("a{i}").as_str()));
    assert_eq!(many.check(), Err(GrantError::TooMany { what: "operations", count: 18 }));
}

#[test]
fn the_last_instant_of_all_is_never() {
    assert_eq!(Grant::new("a", Expiry::At(i64::MAX)).expires(), Expiry::Never);
}

/// Grants over a small world, so that they often relate.
fn grants() -> impl Strategy<Value = Grant> {
    let folder = prop::sample::select(vec!["/", "/a", "/a/b", "/ab", "/c"]);
    let operations = prop::collection::btree_set(prop::sample::select(vec!["r", "w", "l"]), 1..3);
    let arguments = prop::option::of(prop::collection::btree_set(0i64..3, 0..3));
    (operations, prop::option::of(folder), arguments, 0i64..3, 3i64..6, 0u8..3).prop_map(
        |(operations, folder, arguments, from, to, links)| {
            let mut grant = Grant::new("r", Expiry::At(to)).not_before(from).links(links);
            grant.operations = operations.into_iter().map(Into::into).collect();
            if let Some(folder) = folder {
                grant = grant.within(folder).unwrap();
            }
            match arguments {
                Some(values) => grant.argument("n", values),
                None => grant,
            }
        },
    )
}

/// Everything the small world can ask, answered from the grant's own fields.
fn permitted(grant: &Grant) -> Vec<(String, String, i64, i64)> {
    let mut all = Vec::new();
    for operation in &grant.operations {
        for path in ["/", "/a", "/a/b", "/a/b/x", "/ab", "/c", "/d"] {
            let inside = |f: &crate::Folder| {
                path == f.as_str() || f.as_str() == "/" || path.starts_with(&format!("{f}/"))
            };
            if grant.folders.as_ref().is_some_and(|folders| !folders.iter().any(inside)) {
                continue;
            }
            for value in 0i64..3 {
                let values = grant.arguments.get("n");
                if values.is_some_and(|values| !values.contains(&Value::Int(value))) {
                    continue;
                }
                let span = grant.not_before..grant.expires.micros();
                all.extend(span.map(|t| (operation.to_string(), path.to_owned(), value, t)));
            }
        }
    }
    all
}

proptest! {
    /// Invariant 3, against the set of everything each grant permits.
    #[test]
    fn narrowing_permits_a_subset(child in grants(), parent in grants()) {
        if child.narrows(&parent).is_ok() {
            let wide = permitted(&parent);
            prop_assert!(permitted(&child).iter().all(|what| wide.contains(what)));
        }
    }

    #[test]
    fn narrowing_is_a_partial_order(a in grants(), b in grants(), c in grants()) {
        prop_assert_eq!(a.narrows(&a), Ok(()));
        if a.narrows(&b).is_ok() && b.narrows(&c).is_ok() {
            prop_assert_eq!(a.narrows(&c), Ok(()));
        }
    }
}
