//! Against `serde_json`: what is accepted, and what it means.

use datom::Value;
use proptest::prelude::*;

use super::Reader;

fn read(text: &str) -> Option<Value> {
    Reader { text, at: 0, depth: 0 }.document().ok()
}

fn same(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (_, Some(int)) => Value::integer(int.into()),
            _ => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => Value::Vector(items.iter().map(same).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.iter().map(|(key, value)| (Value::text(key), same(value))).collect())
        }
    }
}

fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        prop::num::f64::NORMAL.prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn no_key_has_a_meaning_of_its_own() {
    let text = r#"{"$serde_json::private::Number": "123", "$serde_json::private::RawValue": "1"}"#;
    assert_eq!(read(text).unwrap().as_map().unwrap().len(), 2);
}

#[test]
fn of_equal_keys_the_last_counts() {
    assert_eq!(read(r#"{"a": 1, "\u0061": 2}"#), read(r#"{"a": 2}"#));
}

#[test]
fn strings_are_unescaped_as_the_rfc_says() {
    let read = |text| read(text).and_then(|value| value.as_text().map(str::to_owned));
    assert_eq!(read(r#""\"\\\/\b\f\n\r\t""#).unwrap(), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(read(r#""\ud834\udd1e\u00e4\uFFFF""#).unwrap(), "𝄞ä\u{ffff}");
    for bad in [
        r#""\ud834""#,
        r#""\udd1e\ud834""#,
        r#""\ud834\u0041""#,
        r#""\u12g4""#,
        r#""\u+123""#,
        r#""\x""#,
        "\"\n\"",
        "\"",
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn documents_mean_the_same(document in documents()) {
        prop_assert_eq!(read(&document.to_string()), Some(same(&document)));
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(read(&pretty), Some(same(&document)));
    }

    #[test]
    fn the_same_texts_are_accepted(text in "[\\[\\]{}\",:\\\\u0019.eE+a tfn-]{0,12}|[-+0-9.eE]{0,8}|\"[\\\\\"ud0-9a-f]{0,14}\"") {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        prop_assert_eq!(read(&text).is_some(), theirs.is_ok(), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = read(&text);
    }
}
