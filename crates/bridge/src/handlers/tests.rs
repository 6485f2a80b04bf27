use std::path::Path;

use datom::{Value, edn};
use shibi::{Expiry, Grant, Keypair, Rights, Token, Trust};

use crate::{Call, Failure};

/// The rights of a grant, as a bridge would have verified them.
pub(crate) fn rights(grant: &Grant) -> Rights {
    let node = Keypair::from_seed(&[1; 32]);
    let token = Token::mint(&node, node.public(), grant).unwrap();
    token.verify(&Trust::in_roots([*node.public()]), 0).unwrap()
}

fn call(name: &str, args: &Value) -> Result<Value, Failure> {
    let operation = name.into();
    let rights = rights(&Grant::new(name, Expiry::Never));
    let handlers = super::builtin(Path::new("/"));
    let (_, handler) = handlers.iter().find(|(known, _)| *known == operation).unwrap();
    handler.call(&Call { id: 1, operation: &operation, args, rights: &rights, t: 0 })
}

fn read(text: &str) -> Value {
    edn::read(text).unwrap()
}

#[test]
fn hashes_agree_with_the_published_ones_for_text_and_bytes() {
    let blake3 = "#hash \"6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85\"";
    let sha256 = "#bytes \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
    for abc in [Value::text("abc"), Value::Bytes(b"abc"[..].into())] {
        assert_eq!(call("crypto/blake3", &abc).unwrap().to_string(), blake3);
        assert_eq!(call("crypto/sha256", &abc).unwrap().to_string(), sha256);
    }
    for wrong in [Value::Nil, Value::Int(1), Value::Vector(vec![])] {
        assert_eq!(call("crypto/blake3", &wrong).unwrap_err().kind.as_str(), "bridge/bad-args");
    }
}

#[test]
fn toml_becomes_a_value_with_text_keys() {
    let text = Value::text(
        "int = 1\nfloat = 1.5\n\"a key\" = [true, \"x\"]\nat = 1979-05-27T00:32:00.5-07:00\nday = 1979-05-27\n[[package]]\nname = \"a\"\n",
    );
    let wanted = r##"{"int" 1 "float" 1.5 "a key" [true "x"]
        "at" #inst "1979-05-27T07:32:00.500Z" "day" #toml/datetime "1979-05-27"
        "package" [{"name" "a"}]}"##;
    assert_eq!(call("toml/parse", &text).unwrap(), read(wanted));
}

#[test]
fn toml_instants_hold_across_leap_years_and_centuries() {
    for at in [
        "1970-01-01T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "1900-03-01T00:00:00Z",
        "2024-12-31T12:00:00Z",
        "0000-03-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ] {
        let parsed = call("toml/parse", &Value::text(&format!("at = {at}"))).unwrap();
        let wanted = read(&format!("{{\"at\" #inst \"{at}\"}}"));
        assert_eq!(parsed, wanted, "{at}");
    }
}

#[test]
fn toml_errors_name_their_place() {
    let failure = call("toml/parse", &Value::text("a = 1\nb = [1,\nc = 2\n")).unwrap_err();
    assert_eq!(failure.kind.as_str(), "toml/syntax");
    assert!(failure.message.contains("line 3"), "{failure}");
    assert_eq!(call("toml/parse", &Value::Int(1)).unwrap_err().kind.as_str(), "bridge/bad-args");
}

#[test]
fn json_becomes_a_value_with_all_digits() {
    let text = Value::text(
        r#"{"a": [null, true, 1, -1, 1.5, 1e3, 12345678901234567890123], "": {"ü": "\u00fc"}}"#,
    );
    let wanted = r#"{"a" [nil true 1 -1 1.5 1000.0 12345678901234567890123] "" {"ü" "ü"}}"#;
    assert_eq!(call("json/parse", &text).unwrap(), read(wanted));
    assert_eq!(call("json/parse", &Value::text("-0")).unwrap(), Value::Int(0));
    assert_eq!(
        call("json/parse", &Value::text("9223372036854775807")).unwrap(),
        Value::Int(i64::MAX)
    );
}

#[test]
fn json_errors_name_their_place_and_ranges() {
    let kind = |text: &str| call("json/parse", &Value::text(text)).unwrap_err().kind;
    for bad in ["", "{", "[1,]", "nul", "1 2", "{\"a\" 1}", "\"\\ud800\""] {
        assert_eq!(kind(bad).as_str(), "json/syntax", "{bad}");
    }
    assert_eq!(kind("1e999").as_str(), "json/number");
    assert_eq!(kind(&"9".repeat(5000)).as_str(), "json/number");
    let failure = call("json/parse", &Value::text("{\n  \"a\": x\n}")).unwrap_err();
    assert!(failure.message.contains("line 2"), "{failure}");
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let json = "[".repeat(100_000);
    assert_eq!(call("json/parse", &Value::text(&json)).unwrap_err().kind.as_str(), "json/syntax");
    let toml = format!("a = {}", "[".repeat(100_000));
    assert_eq!(call("toml/parse", &Value::text(&toml)).unwrap_err().kind.as_str(), "toml/syntax");
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert_eq!(call("toml/parse", &Value::text(&dotted)).unwrap_err().kind.as_str(), "toml/syntax");
}

#[test]
fn what_the_parsers_accept_can_cross_the_ring() {
    let json = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert!(!call("json/parse", &Value::text(&json)).unwrap().is_too_deep());
    let mut toml = String::new();
    for depth in 1..=70 {
        toml.push_str(&format!("[{}]\n", vec!["a"; depth].join(".")));
    }
    assert!(!call("toml/parse", &Value::text(&toml)).unwrap().is_too_deep());
}

#[test]
fn the_time_is_an_instant_that_does_not_stand_in_the_past() {
    let Ok(Value::Instant(now)) = call("time/now", &Value::Nil) else { panic!("no instant") };
    assert!(now > 1_700_000_000_000_000);
    assert_eq!(call("time/now", &Value::Int(1)).unwrap_err().kind.as_str(), "bridge/bad-args");
}
