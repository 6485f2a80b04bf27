use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::arbitrary;

mod peers;

/// What is written, and how the same value prints.
#[test]
fn reads_and_prints() {
    let cases = [
        // Constants, comments, blanks.
        ("nil", "nil"),
        (" true,,, ", "true"),
        ("; first\nfalse ; last", "false"),
        ("\u{feff}1", "1"),
        // Integers.
        ("0", "0"),
        ("-0", "0"),
        ("+7", "7"),
        ("42N", "42"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808N"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809N", "-9223372036854775809N"),
        // Floats.
        ("1.0", "1.0"),
        ("+1.5e+3", "1500.0"),
        ("1e3", "1000.0"),
        ("1E-7", "1e-7"),
        ("-0.0", "0.0"),
        ("0.1", "0.1"),
        ("1e300", "1e300"),
        ("1e-400", "0.0"),
        ("[##Inf ##-Inf ##NaN]", "[##Inf ##-Inf ##NaN]"),
        // Characters.
        ("\\a", "\\a"),
        ("[\\newline \\return \\space \\tab]", "[\\newline \\return \\space \\tab]"),
        ("[\\formfeed \\backspace]", "[\\formfeed \\backspace]"),
        ("\\u0041", "\\A"),
        ("[\\u0000 \\u \\( \\) \\\\ \\\" \\; \\,]", "[\\u0000 \\u \\( \\) \\\\ \\\" \\; \\,]"),
        ("[\\a\\b]", "[\\a \\b]"),
        ("\\😀", "\\😀"),
        // Text.
        (r#""""#, r#""""#),
        (r#""a\tb\nc\\d\"e\r""#, r#""a\tb\nc\\d\"e\r""#),
        ("\"two\nlines\"", r#""two\nlines""#),
        (r#""\u0041\u00e9\u0001\b\f""#, r#""Aé\u0001\u0008\u000c""#),
        (r#""\uD83D\uDE00""#, "\"😀\""),
        // Names.
        (
            "[a a/b / - + -> .x a.b/c-d *x* x! x? $ % & <= >= =]",
            "[a a/b / - + -> .x a.b/c-d *x* x! x? $ % & <= >= =]",
        ),
        ("[-a +b a1 x# a:b größe]", "[-a +b a1 x# a:b größe]"),
        (
            "[:a :a/b :a:b :1 :a/1 :package/name+version :- :?x :_]",
            "[:a :a/b :a:b :1 :a/1 :package/name+version :- :?x :_]",
        ),
        ("[nil/a true? falsey]", "[nil/a true? falsey]"),
        // Collections.
        ("[]", "[]"),
        ("(a (b) [])", "(a (b) [])"),
        ("#{3 1 2}", "#{1 2 3}"),
        ("{:b 1 :a {}}", "{:a {}, :b 1}"),
        ("[1,2,[3],#{},{}]", "[1 2 [3] #{} {}]"),
        ("[1 1.0 1N]", "[1 1.0 1]"),
        // Namespaced maps.
        ("#:a{:b 1 c 2 \"d\" 3}", "{:a/b 1, a/c 2, \"d\" 3}"),
        ("#:a{:_/b 1 :c/d 2}", "{:b 1, :c/d 2}"),
        ("#:a.b {:c {:d 1}}", "{:a.b/c {:d 1}}"),
        // Discards.
        ("[1 #_2 3]", "[1 3]"),
        ("[#_ #_ 1 2 3]", "[3]"),
        ("[1 #_[a #_b {:c d}] 2 #_#x y]", "[1 2]"),
        ("#tag #_ 1 2", "#tag 2"),
        ("{:a #_ 1 2}", "{:a 2}"),
        // Tags.
        ("#my/tag {:a 1}", "#my/tag {:a 1}"),
        ("#a #b 1", "#a #b 1"),
        (
            "#uuid \"F81D4FAE-7dec-11d0-a765-00a0c91e6bf6\"",
            "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        ),
        ("#bytes \"00fF\"", "#bytes \"00ff\""),
        ("#keyword \"two words\"", "#keyword \"two words\""),
        ("#keyword \"one\"", ":one"),
        ("#symbol \"nil\"", "#symbol \"nil\""),
        ("#tagged [\"inst\" 1]", "#tagged [\"inst\" 1]"),
        ("#tagged [\"plain\" 1]", "#plain 1"),
        // Instants.
        ("#inst \"1985\"", "#inst \"1985-01-01T00:00:00Z\""),
        ("#inst \"1985-04\"", "#inst \"1985-04-01T00:00:00Z\""),
        ("#inst \"1985-04-12T23\"", "#inst \"1985-04-12T23:00:00Z\""),
        ("#inst \"1985-04-12T23:20:50.520-00:00\"", "#inst \"1985-04-12T23:20:50.52Z\""),
        ("#inst \"1996-12-19t16:39:57-08:00\"", "#inst \"1996-12-20T00:39:57Z\""),
        ("#inst \"2024-02-29T23:59:59.999999000z\"", "#inst \"2024-02-29T23:59:59.999999Z\""),
        ("#inst \"0000-01-01\"", "#inst \"0000-01-01T00:00:00Z\""),
        ("#inst \"+012345-06-07\"", "#inst \"+012345-06-07T00:00:00Z\""),
        ("#inst \"-000001-12-31\"", "#inst \"-000001-12-31T00:00:00Z\""),
    ];
    for (text, printed) in cases {
        let value = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_string(), printed, "{text}");
        assert_eq!(read(printed).unwrap(), value, "{printed}");
    }
}

/// What is refused, where (line, column), and what the message says.
#[test]
fn refuses_with_the_place_and_the_reason() {
    let cases = [
        ("", 1, 1, "no value"),
        ("; only a comment", 1, 1, "no value"),
        ("1 2", 1, 3, "second"),
        (")", 1, 1, "nothing is open"),
        ("[1\n (2]", 2, 4, "`)` should close the list `(` of line 2, column 2"),
        ("é\n{:a 1 :b}", 2, 7, "`:b` of this map has no value"),
        // Numbers.
        ("01", 1, 1, "leading zeros"),
        ("-01.5", 1, 1, "leading zeros"),
        ("0x1F", 1, 1, "neither a number nor a symbol"),
        ("1/2", 1, 1, "ratio"),
        ("1.5M", 1, 1, "exact decimal"),
        ("3M", 1, 1, "exact decimal"),
        ("1.", 1, 1, "follow the point"),
        (".5", 1, 1, "before the point"),
        ("-.5", 1, 1, "before the point"),
        ("1e", 1, 1, "follow the exponent"),
        ("1.5N", 1, 1, "no number"),
        ("1e400", 1, 1, "##Inf"),
        ("##Infinity", 1, 1, "##Inf, ##-Inf and ##NaN"),
        ("12abc", 1, 1, "neither a number nor a symbol"),
        // Names.
        ("::a", 1, 1, "needs the namespace"),
        (":", 1, 1, "no keyword"),
        (":a/", 1, 1, "no keyword"),
        (":/a", 1, 1, "no keyword"),
        (":a/b/c", 1, 1, "no keyword"),
        ("foo/", 1, 1, "no symbol"),
        ("/foo", 1, 1, "no symbol"),
        ("a/b/c", 1, 1, "no symbol"),
        ("a/1", 1, 1, "no symbol"),
        ("a'b", 1, 1, "no symbol"),
        ("'a", 1, 1, "quote is for programs"),
        ("[1 @a]", 1, 4, "Clojure"),
        ("`a", 1, 1, "Clojure"),
        ("~a", 1, 1, "Clojure"),
        ("^a b", 1, 1, "Clojure"),
        ("a|b", 1, 1, "no symbol"),
        // Characters and text.
        ("\\ ", 1, 1, "\\space"),
        ("\\foo", 1, 1, "no character"),
        ("\\o101", 1, 1, "no character"),
        ("\\ud800", 1, 1, "no character"),
        ("\\u+041", 1, 1, "no character"),
        ("\"a\n\\x\"", 2, 1, "no escape `\\x`"),
        ("\"\\u12g4\"", 1, 2, "four hexadecimal"),
        ("\"\\ud800\"", 1, 2, "four hexadecimal"),
        ("\"\\ud800\\u0041\"", 1, 2, "four hexadecimal"),
        // Dispatch.
        ("#", 1, 1, "must follow this `#`"),
        ("# a", 1, 1, "must follow this `#`"),
        ("#\"regex\"", 1, 1, "Clojure"),
        ("#(f %)", 1, 1, "Clojure"),
        ("#?(:clj 1)", 1, 1, "Clojure"),
        ("#a/b/c 1", 1, 1, "no tag"),
        ("[#foo]", 1, 2, "no form follows this tag"),
        ("[1 #_]", 1, 4, "no form follows this discard"),
        ("#:a[1]", 1, 1, "a map must follow `#:a`"),
        ("#::a{:b 1}", 1, 1, "`#::` needs"),
        ("#:a/b{:c 1}", 1, 1, "without `/`"),
        ("#: {:c 1}", 1, 1, "without `/`"),
        // Tags that are ours.
        ("#inst 5", 1, 1, "text must follow #inst"),
        ("#inst \"yesterday\"", 1, 1, "four digits"),
        ("#inst \"2023-02-29\"", 1, 1, "does not have that day"),
        ("#inst \"2023-13\"", 1, 1, "month"),
        ("#inst \"2023-01-01T24:00:00Z\"", 1, 1, "hour"),
        ("#inst \"2023-01-01T23:59:60Z\"", 1, 1, "second"),
        ("#inst \"2023-01-01T00:00:00.1234567Z\"", 1, 1, "microseconds"),
        ("#inst \"2023-01-01T00:00:00+2\"", 1, 1, "offset"),
        ("#inst \"2023-01-01T00:00:00Zulu\"", 1, 1, "unexpected `ulu`"),
        ("#inst \"+999999-01-01\"", 1, 1, "292,000 years"),
        ("#inst \"２０２３\"", 1, 1, "four digits"),
        ("#uuid \"f81d4fae7dec11d0a76500a0c91e6bf6\"", 1, 1, "8-4-4-4-12"),
        ("#uuid \"g81d4fae-7dec-11d0-a765-00a0c91e6bf6\"", 1, 1, "8-4-4-4-12"),
        ("#bytes \"abc\"", 1, 1, "two for each byte"),
        ("#hash \"00\"", 1, 1, "64"),
        ("#tagged 1", 1, 1, "vector of text and a value"),
        // Duplicates.
        ("{:a 1\n :a 2}", 2, 2, "`:a` is here twice"),
        ("[#{1 2 (3) (3)}]", 1, 12, "`(3)` is here twice"),
        ("#:a{:b 1 :a/b 2}", 1, 10, "`:a/b` is here twice"),
        ("#{1 1N}", 1, 5, "`1` is here twice"),
        ("#{##NaN ##NaN}", 1, 9, "`##NaN` is here twice"),
        ("#x {{:k 1 :k 1} 2}", 1, 11, "`:k` is here twice"),
    ];
    for (text, line, column, message) in cases {
        let error = read(text).expect_err(text);
        assert_eq!((error.line(), error.column()), (line, column), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.span.of(text).is_some(), "{text}: {:?}", error.span);
    }
}

#[test]
fn beginnings_are_unfinished_and_mistakes_are_not() {
    for text in
        ["", "(a", "[1 {", "\"abc", "\"a\\", "\"\\u00", "#_", "#inst", "#:a", "(f #_", "; c"]
    {
        assert!(read(text).unwrap_err().unfinished, "{text}");
    }
    for text in [")", "(]", "1/2", "(a 01", "\"\\x", "{:a 1 :a", "\"\\u00\""] {
        let unfinished = text == "{:a 1 :a"; // the duplicate shows when the map is complete
        assert_eq!(read(text).unwrap_err().unfinished, unfinished, "{text}");
    }
    assert!(read_program("'").unwrap_err().unfinished);
}

#[test]
fn forms_know_where_they_stand() {
    let text = " (défn f\n  #_ x [:a #inst \"2020\"]) 'q";
    let forms = read_program(text).unwrap();
    let shown = |form: &Form| form.span.of(text).unwrap().to_string();
    assert_eq!(shown(&forms[1]), "'q");
    let items = forms[0].as_slice().unwrap();
    assert_eq!(items.iter().map(shown).collect::<Vec<_>>(), ["défn", "f", "[:a #inst \"2020\"]"]);
    assert_eq!(shown(&items[2].as_slice().unwrap()[1]), "#inst \"2020\"");
    assert_eq!(items[1].span.line_and_column(text), (1, 8));
    let quoted = forms[1].as_slice().unwrap();
    assert_eq!(quoted.iter().map(shown).collect::<Vec<_>>(), ["'", "q"]);
}

#[test]
fn maps_and_sets_keep_the_order_of_the_text_in_forms() {
    let Node::Map(pairs) = &read_forms("{:b 1 :a 2}").unwrap()[0].node else { panic!("a map") };
    assert_eq!(pairs[0].0.as_keyword().unwrap().as_str(), "b");
}

#[test]
fn quotes_nest_and_belong_to_programs_alone() {
    let forms = read_program("''a '(1 'b)").unwrap();
    assert_eq!(forms[0].to_value().to_string(), "(quote (quote a))");
    assert_eq!(forms[1].to_value().to_string(), "(quote (1 (quote b)))");
    let templates = read_program("`(a ~b ~@(c))").unwrap();
    assert_eq!(
        templates[0].to_value().to_string(),
        "(quasiquote (a (unquote b) (unquote-splicing (c))))"
    );
    let short = read_program("#(f % #(g))").unwrap();
    assert_eq!(short[0].to_value().to_string(), "(short-fn (f % (short-fn (g))))");
    for text in ["(f 'a)", "`a", "~a", "~@a", "#(f)"] {
        assert!(read_forms(text).is_err(), "{text}");
    }
    assert!(read_program("(a')").is_err(), "a quote within a name is no quote");
}

/// Bound 1: no nesting overflows the stack, whatever it is made of.
#[test]
fn ten_million_open_forms_are_an_error() {
    for open in ["[", "(", "{", "#{", "#_", "#t ", "'", "`", "~@", "{[", "#:a{", "#tagged [\"\" "] {
        let text = open.repeat(10_000_000 / open.len());
        let error = read_program(&text).unwrap_err();
        assert!(error.message.contains("nested deeper than 256"), "{open}: {error}");
        assert!(!error.unfinished);
    }
}

#[test]
fn the_deepest_value_lives_on_a_small_stack() {
    let work = || {
        for (open, close) in [
            ("[", "]"),
            ("(", ")"),
            ("#{", "}"),
            ("{1 ", "}"),
            ("#t ", ""),
            ("#tagged [\"\" ", "]"),
        ] {
            for inner in ["#inst \"2020-01-01T00:00:00Z\"", "1"] {
                let nested =
                    |depth| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
                let text = nested(Value::DEPTH_MAX);
                let forms = read_forms(&text).unwrap();
                let value = forms[0].to_value();
                assert!(!value.is_too_deep());
                assert_eq!(value.clone(), value);
                assert_eq!(value.to_string(), text);
                assert_eq!(read(&pretty(&value, 40)).unwrap(), value);
                assert!(format!("{value:?}{forms:?}").len() > Value::DEPTH_MAX);
                let mut bytes = Vec::new();
                crate::portable::encode(&value, &mut bytes);
                assert_eq!(crate::portable::decode(&bytes).unwrap().0, value);
                let error = read(&nested(Value::DEPTH_MAX + 1)).unwrap_err();
                assert!(error.message.contains("nested deeper"), "{error}");
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
    assert!(thread.join().is_ok());
}

/// A quarter of what threads get by default; the build without optimisation takes most of it.
const STACK_BYTES: usize = 512 << 10;

#[test]
fn integers_have_a_bound_of_digits() {
    let most = "9".repeat(DIGITS_MAX);
    assert_eq!(read(&most).unwrap().to_string(), format!("{most}N"));
    let error = read(&"9".repeat(DIGITS_MAX + 1)).unwrap_err();
    assert!(error.message.contains("32768 digits"), "{error}");
    assert!(error.to_string().len() < 200, "the message does not repeat the text");
}

#[test]
fn a_big_integer_that_fits_is_the_small_one() {
    let small = Value::BigInt(BigInt::from(5));
    assert_eq!(small, Value::Int(5));
    assert_eq!(small.word_tag(), Some(crate::Tag::Int));
    assert_eq!(read(&small.to_string()).unwrap(), small);
    assert_eq!(hash_of(&small), hash_of(&Value::Int(5)));
}

fn hash_of(value: &Value) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_reader_stops_at_its_first_error() {
    let read: Vec<_> = Reader::new("1 [2} 3").map(|form| form.is_ok()).collect();
    assert_eq!(read, [true, false]);
}

#[test]
fn text_that_could_hide_or_reorder_is_escaped() {
    assert_eq!(Value::text("a\u{202e}b\u{200b}").to_string(), "\"a\\u202eb\\u200b\"");
    assert_eq!(Value::Char('\u{202e}').to_string(), "\\u202e");
}

#[test]
fn pretty_breaks_what_does_not_fit() {
    let value =
        read("{:find [?n (count ?d)] :where [[?p :package/name ?n] [?p :dep ?d]] :tag #a [1 2]}")
            .unwrap();
    let expected = "\
{:find [?n (count ?d)]
 :tag #a [1 2]
 :where [[?p
          :package/name
          ?n]
         [?p :dep ?d]]}";
    assert_eq!(pretty(&value, 24), expected);
    assert_eq!(pretty(&value, 1000), value.to_string());
    assert_eq!(pretty(&Value::Vector(Vec::new()), 0), "[]");
    // What closes behind the last element counts: with it the second vector is nine characters.
    assert_eq!(pretty(&read("[[aa bb] [cc dd]]").unwrap(), 9), "[[aa bb]\n [cc dd]]");
    assert_eq!(pretty(&read("[[aa bb] [cc dd]]").unwrap(), 8), "[[aa bb]\n [cc\n  dd]]");
    assert_eq!(pretty(&read("{a [b c]}").unwrap(), 8), "{a [b\n    c]}");
}

/// The pieces of EDN, for texts that are nearly right.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        [
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "#{",
            "#_",
            "#",
            "##",
            "##Inf",
            "#:a",
            "#inst ",
            "\"2020\"",
            "\"",
            "\\",
            "\\u0041",
            "\\newline",
            ":",
            ":a",
            "a/b",
            "/",
            "1",
            "-1.5e3",
            "2N",
            "nil",
            " ",
            ",",
            ";",
            "\n",
            "'",
            "é",
            "#bytes \"0f\"",
            "#tagged",
            "#uuid",
            "\\u12",
            "1/2",
            "😀",
        ]
        .to_vec(),
    );
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Bound 3, on one line and on many.
    #[test]
    fn what_prints_reads_back(value in arbitrary::value(false), width in 0usize..100) {
        let printed = value.to_string();
        prop_assert_eq!(&read(&printed).unwrap(), &value);
        prop_assert!(!printed.contains('\n'));
        let broken = pretty(&value, width);
        prop_assert_eq!(&read(&broken).unwrap(), &value);
        let forms = read_forms(&printed).unwrap();
        prop_assert_eq!(forms[0].to_value(), value);
    }

    #[test]
    fn what_can_fit_stays_within_the_width(value in arbitrary::value(false)) {
        let flat = value.to_string();
        prop_assert_eq!(pretty(&value, flat.chars().count()), flat);
    }

    #[test]
    fn equal_values_print_alike(a in arbitrary::value(false), b in arbitrary::value(false)) {
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
    }

    #[test]
    fn every_instant_prints_and_reads(micros: i64) {
        let value = Value::Instant(micros);
        prop_assert_eq!(read(&value.to_string()).unwrap(), value);
    }

    #[test]
    fn every_finite_float_prints_and_reads(bits: u64) {
        let value = Value::Float(f64::from_bits(bits));
        prop_assert_eq!(read(&value.to_string()).unwrap(), value);
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![pieces(), "\\PC{0,24}", any::<String>()]) {
        for read in [read_forms(&text), read_program(&text)] {
            match read {
                Ok(forms) => {
                    for form in forms {
                        prop_assert!(form.span.of(&text).is_some());
                        let value = form.to_value();
                        prop_assert_eq!(self::read(&value.to_string()).unwrap(), value);
                    }
                }
                Err(error) => {
                    prop_assert!(error.span.of(&text).is_some());
                    prop_assert_eq!((error.line(), error.column()), error.span.line_and_column(&text));
                }
            }
        }
    }

    /// A prefix of a good text is good or unfinished, never a mistake, unless it cuts a token.
    #[test]
    fn a_text_cut_at_a_blank_is_unfinished_or_good(value in arbitrary::value(false), at: prop::sample::Index) {
        let text = value.to_string();
        let cuts: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
        prop_assume!(!cuts.is_empty());
        let cut = cuts[at.index(cuts.len())];
        if let Err(error) = read_forms(&text[..cut]) {
            prop_assert!(error.unfinished, "{}", error);
        }
    }
}
