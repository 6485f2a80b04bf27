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
