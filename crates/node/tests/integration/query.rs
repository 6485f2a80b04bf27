//! Answers, as the program prints them.

use std::io::{BufRead, BufReader};

use crate::place::{Place, Ran};

/// The whole answer would be 40^8 rows.
#[test]
fn rows_are_printed_as_they_are_found() {
    let place = Place::new();
    place.write("schema.edn", "{:db/ident :n :db/valueType :db.type/long}");
    place.write("facts.edn", &(0..40).map(|n| format!("{{:n {n}}}")).collect::<String>());
    place.ok(&["transact", "world", "schema.edn"]);
    place.ok(&["transact", "world", "facts.edn"]);
    let all = "[:find ?n :where [_ :n ?n]]";
    let mut lines: Vec<String> =
        place.ok(&["q", "world", "--stream", all]).lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected: Vec<String> = (0..40).map(|n| format!("[{n}]")).collect();
    expected.sort();
    assert_eq!(lines, expected);

    let product = "[:find ?a ?b ?c ?d ?e ?f ?g ?h :where [_ :n ?a] [_ :n ?b] [_ :n ?c] [_ :n ?d]
                    [_ :n ?e] [_ :n ?f] [_ :n ?g] [_ :n ?h]]";
    let arguments = ["q", "world", "--stream", "--format", "json", product];
    let mut asked = place.datom(&arguments).spawn().unwrap();
    let lines = BufReader::new(asked.stdout.take().unwrap()).lines();
    let some: Vec<String> = lines.take(3).map(Result::unwrap).collect();
    // Nobody reads on: the search ends by itself, and that is no failure.
    let ran = Ran::new(&arguments, asked.wait_with_output().unwrap());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert_eq!(some.len(), 3);
    assert!(some.iter().all(|line| line.starts_with('[') && line.ends_with(']')), "{some:?}");
}

#[test]
fn a_query_that_makes_values_without_end_is_given_up_when_it_holds_too_much() {
    let place = Place::new();
    place.ok(&["init", "world"]);
    let up = "[[(up ?n ?m) [(inc ?n) ?m]] [(up ?n ?m) [(inc ?n) ?k] (up ?k ?m)]]";
    let endless = "[:find ?x :in $ % :where (up 0 ?x)]";
    for way in [&[][..], &["--stream"], &["--explain"]] {
        let arguments = [&["q", "world", "--in", up, "--memory", "1", endless][..], way].concat();
        place.run(&arguments).fails_with(1, &["held more than the 1048576 bytes it was allowed"]);
    }
}
