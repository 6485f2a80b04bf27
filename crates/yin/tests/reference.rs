//! The language reference: every example on it is run.

mod common;

use datom::edn;

const REFERENCE: &str = include_str!("../../../docs/yin.md");

#[test]
fn every_example_of_the_reference_is_true() {
    let mut inside = false;
    let mut checked = 0;
    for (at, line) in REFERENCE.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```yin";
            continue;
        }
        if !inside || line.is_empty() {
            continue;
        }
        let place = at + 1;
        let (source, expected) =
            line.split_once(";=>").unwrap_or_else(|| panic!("docs/yin.md:{place}: no `;=>`"));
        let expected = expected.trim();
        match (common::run(source), expected.strip_prefix("error: ")) {
            (Ok(value), None) => {
                assert_eq!(value, edn::read(expected).unwrap(), "docs/yin.md:{place}: {source}");
            }
            (Err(error), Some(message)) => {
                assert!(error.message.contains(message), "docs/yin.md:{place}: {error}");
                assert!(error.position.is_some(), "docs/yin.md:{place}");
            }
            (result, _) => panic!("docs/yin.md:{place}: {source} gives {result:?}"),
        }
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}
