//! Against two other readers. Wherever they and we differ, a row of [`DIFFERENCES`] says why.

use std::boxed::Box;
use std::string::ToString;

use clojure_reader::edn::Edn;
use edn_format::Value as Format;
use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::Symbol;

/// `clojure-reader`: iterative, close to Clojure.
fn clojure(text: &str) -> Option<Value> {
    clojure_reader::edn::read_string(text).ok().and_then(|value| of_clojure(&value))
}

/// `edn-format`: recursive, close to the letter of EDN.
fn format(text: &str) -> Option<Value> {
    edn_format::parse_str(text).ok().and_then(|value| of_format(&value))
}

/// `None` for what we have no value for: ratios and decimals.
fn of_clojure(value: &Edn<'_>) -> Option<Value> {
    let all = |items: &[Edn<'_>]| items.iter().map(of_clojure).collect::<Option<Vec<_>>>();
    Some(match value {
        Edn::Nil => Value::Nil,
        Edn::Bool(x) => Value::Bool(*x),
        Edn::Char(x) => Value::Char(*x),
        Edn::Int(x) => Value::Int(*x),
        Edn::Double(x) => Value::Float(x.into_inner()),
        Edn::Key(x) => Value::keyword(x),
        Edn::Symbol(x) => Value::symbol(x),
        Edn::Str(x) => Value::text(x),
        Edn::Vector(items) => Value::Vector(all(items)?),
        Edn::List(items) => Value::List(all(items)?),
        Edn::Set(items) => Value::Set(items.iter().map(of_clojure).collect::<Option<_>>()?),
        Edn::Map(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(k, v)| Some((of_clojure(k)?, of_clojure(v)?)))
                .collect::<Option<_>>()?,
        ),
        Edn::Tagged(tag, value) => tagged(tag, of_clojure(value)?)?,
        _ => return None,
    })
}

fn of_format(value: &Format) -> Option<Value> {
    let all = |items: &[Format]| items.iter().map(of_format).collect::<Option<Vec<_>>>();
    Some(match value {
        Format::Nil => Value::Nil,
        Format::Boolean(x) => Value::Bool(*x),
        Format::Character(x) => Value::Char(*x),
        Format::Integer(x) => Value::Int(*x),
        Format::BigInt(x) => Value::integer(x.to_string().parse::<BigInt>().ok()?),
        Format::Float(x) => Value::Float(x.into_inner()),
        Format::Keyword(x) => Value::keyword(x.to_string().strip_prefix(':')?),
        Format::Symbol(x) => Value::symbol(&x.to_string()),
        Format::String(x) => Value::text(x),
        Format::Vector(items) => Value::Vector(all(items)?),
        Format::List(items) => Value::List(all(items)?),
        Format::Set(items) => Value::Set(items.iter().map(of_format).collect::<Option<_>>()?),
        Format::Map(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(k, v)| Some((of_format(k)?, of_format(v)?)))
                .collect::<Option<_>>()?,
        ),
        Format::Inst(x) => Value::Instant(x.timestamp_micros()),
        Format::Uuid(x) => Value::Uuid(*x.as_bytes()),
        Format::TaggedElement(tag, value) => tagged(&tag.to_string(), of_format(value)?)?,
        _ => return None,
    })
}

/// The peers leave our tags to their user, who is us.
fn tagged(tag: &str, value: Value) -> Option<Value> {
    if super::super::tag::is_ours(tag) {
        return read(&std::format!("#{tag} {value}")).ok();
    }
    Some(Value::Tagged(Symbol::from(tag), Box::new(value)))
}

/// What another reader makes of a text, beside us.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Theirs {
    Refuse,
    /// They read what we read.
    Agree,
    /// They read something else, or something where we refuse.
    Differ,
}
use Theirs::{Agree, Differ, Refuse};

/// A text, whether we read it, what `clojure-reader` and `edn-format` make of it, and why we do
/// what we do.
const DIFFERENCES: [(&str, bool, Theirs, Theirs, &str); 56] = [
    ("\\u0041", true, Refuse, Agree, "EDN: \\uNNNN as in Java"),
    ("\"\\u0041\"", true, Refuse, Agree, "EDN: escapes as in Java"),
    ("\"\\b\"", true, Refuse, Refuse, "EDN: escapes as in Java; Clojure reads it"),
    ("\"\\f\"", true, Refuse, Refuse, "EDN: escapes as in Java; Clojure reads it"),
    (
        "\"\\uD83D\\uDE00\"",
        true,
        Refuse,
        Refuse,
        "a surrogate pair is how Java writes one character",
    ),
    ("\\formfeed", true, Refuse, Refuse, "Clojure writes it"),
    ("\\backspace", true, Refuse, Refuse, "Clojure writes it"),
    ("\\ ", false, Differ, Differ, "EDN: a backslash cannot be followed by whitespace"),
    (";\n;\n", true, Agree, Refuse, "EDN: comments are ignored"),
    ("#{[] ()}", true, Agree, Differ, "EDN calls them equal; here kinds differ, as 1 and 1.0 do"),
    ("\\;", true, Agree, Refuse, "EDN: any character may follow the backslash"),
    ("\\u 1", true, Agree, Refuse, "EDN: \\u alone is the letter"),
    ("#_ 1", true, Agree, Refuse, "EDN: nothing need follow what is discarded"),
    ("\\a\\b", true, Refuse, Agree, "a backslash ends a token, as in Clojure"),
    ("a\\b", true, Differ, Agree, "a backslash ends a token, as in Clojure"),
    (":0/a", true, Agree, Refuse, "Clojure reads :1, and then :0/a is no stranger"),
    (":a:b", true, Agree, Refuse, "EDN: a colon may stand within a name"),
    ("a:b", true, Agree, Refuse, "EDN: a colon may stand within a name"),
    ("#a:b 1", true, Agree, Refuse, "EDN: a colon may stand within a name"),
    ("x#", true, Agree, Refuse, "EDN: # may stand within a name"),
    (
        "::a",
        false,
        Differ,
        Refuse,
        "EDN: not a keyword; Clojure needs a program's namespace for it",
    ),
    ("foo/", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    ("/foo", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    ("//", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    ("a//", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    (":a/", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    (":/a", false, Differ, Refuse, "EDN: neither side of the / is empty"),
    (":/", false, Differ, Differ, "EDN: :/ is no legal keyword"),
    ("a/b/c", false, Differ, Refuse, "EDN: / stands once in a name"),
    (":a/b/c", false, Differ, Refuse, "EDN: / stands once in a name"),
    ("a/1", false, Differ, Differ, "EDN: the rules of names hold behind the / too"),
    ("a|b", false, Differ, Refuse, "EDN: | does not belong to names"),
    ("a'b", false, Differ, Refuse, "EDN: ' does not belong to names"),
    ("'a", false, Differ, Refuse, "EDN has no quote; programs are read with it"),
    ("@a", false, Differ, Refuse, "EDN: @ does not belong to names"),
    ("01", false, Differ, Refuse, "EDN: no integer but 0 begins with 0"),
    ("-01", false, Differ, Refuse, "EDN: no integer but 0 begins with 0"),
    ("017", false, Differ, Refuse, "Clojure reads 15 here, others 17"),
    ("0x1F", false, Differ, Refuse, "EDN: decimal digits only"),
    ("2r101", false, Differ, Refuse, "EDN: decimal digits only"),
    ("36rZZ", false, Differ, Refuse, "EDN: decimal digits only"),
    ("1.", false, Differ, Differ, "EDN: digits follow the point"),
    (".5", false, Differ, Differ, "EDN: a symbol does not begin like a number, nor a number so"),
    ("1e400", false, Differ, Differ, "to read infinity would change the data"),
    ("1N", true, Refuse, Agree, "EDN; the peer has it behind a feature"),
    ("99999999999999999999", true, Refuse, Refuse, "Clojure promotes; so data are never cut"),
    ("#{1 1N}", false, Refuse, Differ, "1N is 1 and here twice"),
    ("##Inf", true, Refuse, Refuse, "Clojure since 1.9; every float must print"),
    ("##-Inf", true, Refuse, Refuse, "Clojure since 1.9; every float must print"),
    ("##NaN", true, Refuse, Refuse, "Clojure since 1.9; every float must print"),
    ("#:a{:b 1}", true, Differ, Agree, "the namespace belongs to the keys"),
    ("#:a{:_/b 1}", true, Differ, Differ, "Clojure: _ stands for no namespace"),
    ("# a 1", false, Refuse, Differ, "EDN: # is followed by the tag at once"),
    ("#inst \"2020\"", true, Agree, Refuse, "Clojure reads instants cut from the right"),
    (
        "\u{feff}1",
        false,
        Differ,
        Refuse,
        "a byte order mark stands at the start of a text or not at all",
    ),
    ("#tagged [\"a b\" 1]", true, Agree, Agree, "ours: tags that cannot be written plainly"),
];

fn theirs(ours: Option<&Value>, read: Option<&Value>) -> Theirs {
    match read {
        None => Refuse,
        read if read == ours => Agree,
        Some(_) => Differ,
    }
}

/// Within a vector, so that whatever follows a value counts too.
fn verdicts(text: &str) -> (bool, Theirs, Theirs) {
    let text = std::format!("[{text}\n]");
    let ours = read(&text).ok();
    let clojure = theirs(ours.as_ref(), clojure(&text).as_ref());
    (ours.is_some(), clojure, theirs(ours.as_ref(), format(&text).as_ref()))
}

#[test]
fn every_difference_is_known() {
    for (text, we_read, clojure, format, why) in DIFFERENCES {
        assert_eq!(verdicts(text), (we_read, clojure, format), "{text}: {why}");
    }
}

#[test]
fn on_the_rest_all_agree() {
    let read_by_all = [
        "",
        "nil true false",
        "0 -0 +1 42 -7",
        "1.0 -0.0 1e3 1.5E-3 -1.5e+3",
        "\\a \\( \\, \\é \\😀",
        "\\newline \\return \\space \\tab \\u",
        r#""" "a\tb\nc\\d\"e\r" "é😀""#,
        "\"a\nb\"",
        "a a/b / - + -> .x a.b/c-d *x* x! x? $ % & <= >= = .. +a größe",
        ":a :a/b :- :?x :1 :a/1",
        "[] () {} #{}",
        "(a (b) [c])",
        "{:a 1, :b {:c 2}}",
        "#{1 2 #{}}",
        "1,2",
        "1 ; comment\n2",
        "#_ 1 2",
        "#_ #_ 1 2 3",
        "#_[a #_b c] 1",
        "#a 1 #a/b [2] #a #_ 1 2",
        "nil/a",
        "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        "#inst \"1985-04-12T23:20:50.52Z\"",
    ];
    for text in read_by_all {
        assert_eq!(verdicts(text), (true, Agree, Agree), "{text}");
    }
    let refused_by_all = [
        "1/2",
        "1.5M",
        "12abc",
        "1e",
        "1.5N",
        "1_000",
        "\\foo",
        "\\o101",
        "\"\\x\"",
        "\"\\101\"",
        "{:a}",
        "#{1 1}",
        "{:a 1 :a 2}",
        "(",
        ")",
        "(]",
        "[#_",
        "#",
        ":",
        "#foo",
        "#(f)",
        "#\"x\"",
        "#inst 5",
        "#inst \"yesterday\"",
    ];
    for text in refused_by_all {
        assert_eq!(verdicts(text), (false, Refuse, Refuse), "{text}");
    }
}

/// The value with each atom that one of the peers does not know replaced by one that all know.
fn shared(value: Value) -> Value {
    let plain = |text: &str| -> String {
        let escaped = |c: char| c != ' ' && Value::Char(c).to_string().len() >= 6;
        text.chars().filter(|&c| !escaped(c) && !c.is_control()).collect()
    };
    let all = |items: Vec<Value>| items.into_iter().map(shared).collect();
    // Names that are surely plain, and names that surely are not.
    let known_name = |name: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '*' | '?' | '!' | '/');
        name.contains(' ') || name.starts_with(char::is_alphabetic) && name.chars().all(plain)
    };
    match value {
        Value::Float(x) if !x.is_finite() => Value::Float(0.5),
        Value::BigInt(_) => Value::Int(-1),
        Value::Char(c)
            if matches!(c, ';' | 'u') || plain(c.encode_utf8(&mut [0; 4])).is_empty() =>
        {
            Value::Char('x')
        }
        Value::Text(text) => Value::text(&plain(&text)),
        Value::Instant(micros) => Value::Instant(micros % 60_000_000_000_000_000),
        Value::Keyword(name) if !known_name(name.as_str()) => Value::keyword("k"),
        Value::Symbol(name) if !known_name(name.as_str()) => Value::symbol("s"),
        Value::Keyword(name) => Value::keyword(&plain(name.as_str())),
        Value::Symbol(name) => Value::symbol(&plain(name.as_str())),
        Value::Vector(items) => Value::Vector(all(items)),
        Value::List(items) => Value::List(all(items)),
        Value::Set(items) => Value::Set(items.into_iter().map(shared).map(vectors).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(k, v)| (vectors(shared(k)), shared(v))).collect())
        }
        Value::Tagged(tag, value) if known_name(tag.as_str()) => {
            Value::Tagged(plain(tag.as_str()).as_str().into(), Box::new(shared(*value)))
        }
        Value::Tagged(_, value) => Value::Tagged("t".into(), Box::new(shared(*value))),
        atom => atom,
    }
}

/// The value with its lists as vectors: `edn-format` takes the two for equal.
fn vectors(value: Value) -> Value {
    match value {
        Value::Vector(items) | Value::List(items) => {
            Value::Vector(items.into_iter().map(vectors).collect())
        }
        Value::Set(items) => Value::Set(items.into_iter().map(vectors).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(k, v)| (vectors(k), vectors(v))).collect())
        }
        Value::Tagged(tag, value) => Value::Tagged(tag, Box::new(vectors(*value))),
        atom => atom,
    }
}

proptest! {
    /// What we print means the same to both.
    #[test]
    fn peers_read_what_we_print(value in arbitrary::value(false)) {
        let value = shared(value);
        for text in [value.to_string(), pretty(&value, 30)] {
            prop_assert_eq!(clojure(&text), Some(value.clone()), "clojure-reader: {}", text);
            prop_assert_eq!(format(&text), Some(value.clone()), "edn-format: {}", text);
        }
    }

    /// On pieces of EDN without a known difference all three read the same or refuse.
    #[test]
    fn peers_agree_on_pieces(
        pieces in prop::collection::vec(prop::sample::select([
            "(", ")", "[", "]", "{", "}", "#{", "#_ ", "#t ", " ", ",", ";c\n", "1 ", "-2.5 ", "nil ",
            ":a ", "b/c ", "\"x\" ", "\\y ", "true ",
        ].to_vec()), 0..12),
    ) {
        let text = pieces.concat();
        // The peers do not look at what follows the first value.
        let whole = std::format!("[{text}\n]");
        let first = Reader::new(&whole).next();
        prop_assume!(!matches!(first, Some(Ok(form)) if form.span.end < whole.len()));
        let (we_read, clojure, format) = verdicts(&text);
        let expected = if we_read { Agree } else { Refuse };
        prop_assert_eq!(clojure, expected, "clojure-reader: {}", text);
        if !text.contains("#_") && !text.contains(';') {
            prop_assert_eq!(format, expected, "edn-format: {}", text);
        }
    }
}
