use datom::edn;

use super::*;

fn call(name: &str, args: &str) -> Result<Value, Error> {
    Builtin::named(name)?.call(&edn::read_all(args).unwrap())
}

fn gives(name: &str, args: &str, answer: &str) {
    assert_eq!(call(name, args).unwrap(), edn::read(answer).unwrap(), "({name} {args})");
}

#[test]
fn numbers_compare_by_value_across_kinds() {
    gives("=", "1 1.0", "true");
    gives("<", "1 1.5 2", "true");
    gives("<", "9007199254740993 9007199254740992.0", "false");
    gives(">", "9007199254740993 9007199254740992.0", "true");
    gives("<", "1 2 2", "false");
    gives("!=", "1 2", "true");
    gives("!=", "1 1.0", "false");
    assert!(compare(&Value::Int(i64::MAX), &Value::Float(f64::INFINITY)).is_lt());
    assert!(compare(&Value::Ref(4), &Value::Int(4)).is_eq());
}

#[test]
fn integers_grow_and_never_wrap() {
    gives("+", "9223372036854775807 1", "9223372036854775808");
    gives("*", "9223372036854775807 -2", "-18446744073709551614");
    gives("-", "-9223372036854775808", "9223372036854775808");
    gives("-", "9223372036854775808 1", "9223372036854775807");
    gives("abs", "-9223372036854775808", "9223372036854775808");
}

#[test]
fn division_is_exact_or_a_float() {
    gives("/", "6 3", "2");
    gives("/", "1 2", "0.5");
    gives("quot", "-7 2", "-3");
    gives("rem", "-7 2", "-1");
    gives("mod", "-7 2", "1");
    gives("mod", "7 -2", "-1");
    assert!(call("/", "1 0").is_err());
    assert!(call("mod", "1 0").is_err());
    assert!(call("quot", "1 0.0").is_err());
}

#[test]
fn instants_have_a_calendar() {
    for (text, year, month, day, weekday) in [
        ("1970-01-01T00:00:00Z", 1970, 1, 1, 4),
        ("1969-12-31T23:59:59Z", 1969, 12, 31, 3),
        ("2000-02-29T12:00:00Z", 2000, 2, 29, 2),
        ("1900-03-01T00:00:00Z", 1900, 3, 1, 4),
        ("0001-01-01T00:00:00Z", 1, 1, 1, 1),
        ("9999-12-31T23:59:59Z", 9999, 12, 31, 5),
    ] {
        let instant = format!("#inst \"{text}\"");
        gives("year", &instant, &year.to_string());
        gives("month", &instant, &month.to_string());
        gives("day", &instant, &day.to_string());
        gives("weekday", &instant, &weekday.to_string());
        gives("inst", &format!("\"{text}\""), &instant);
    }
    let instant = "#inst \"1969-12-31T22:58:57.5Z\"";
    gives("hour", instant, "22");
    gives("minute", instant, "58");
    gives("second", instant, "57");
    gives("inst-us", instant, "-3662500000");
    gives("inst-ms", instant, "-3662500");
    gives("inst", "-3662500000", instant);
    assert!(call("year", "1").is_err());
    assert!(call("inst", "\"yesterday\"").is_err());
}

#[test]
fn text_counts_characters() {
    gives("subs", "\"äöü\" 1 2", "\"ö\"");
    gives("count", "\"äöü\"", "3");
    gives("str", "\"a\" nil :b 1", "\"a:b1\"");
    gives("re-find", "\"([a-z])([0-9])\" \"__a1\"", "[\"a1\" \"a\" \"1\"]");
    gives("re-matches", "\"[0-9]+\" \"a1\"", "nil");
    assert!(call("subs", "\"abc\" 4").is_err());
    assert!(call("subs", "\"abc\" 2 1").is_err());
    assert!(call("re-find", "\"(\" \"x\"").is_err());
}

#[test]
fn what_is_unknown_or_miscounted_is_refused_with_a_suggestion() {
    let error = Builtin::named("upper-cas").unwrap_err();
    assert!(error.to_string().contains("did you mean upper-case?"), "{error}");
    assert!(Builtin::named("even?").unwrap().check_arity(2).is_err());
    assert!(Builtin::named("clojure.string/starts-with?").is_ok());
}

#[test]
fn nothing_grows_without_bound() {
    assert!(call("range", "0 100000000000").is_err());
    let big = Value::integer(num_bigint::BigInt::from(1) << 40_000_u32);
    assert!(Builtin::named("*").unwrap().call(&[big.clone(), big]).is_err());
}
