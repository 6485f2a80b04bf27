//! The query language, form by form: one case for each, on one small world.
//!
//! Inputs and answers are EDN. Entities print as integers, and sets and rows compare as such.

use std::fmt::Write as _;

use daodb::{Database, Db, FunctionError, Input, Limits, Query, TransactOptions};
use datom::{Value, edn};

const SCHEMA: &str = "
    {:db/ident :person/name   :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :person/age    :db/valueType :db.type/long :db/index true}
    {:db/ident :person/boss   :db/valueType :db.type/ref}
    {:db/ident :person/skills :db/valueType :db.type/string :db/cardinality :db.cardinality/many}
    {:db/ident :person/pay    :db/valueType :db.type/double}
    {:db/ident :person/born   :db/valueType :db.type/instant}
    {:db/ident :person/desk   :db/valueType :db.type/ref :db/isComponent true}
    {:db/ident :desk/room     :db/valueType :db.type/tuple
     :db/tupleTypes [:db.type/long :db.type/string]}
    {:db/ident :person/level  :db/valueType :db.type/ref}
    {:db/ident :level/high} {:db/ident :level/low}";

const FACTS: &str = "
    {:db/id \"ada\" :person/name \"Ada\" :person/age 36 :person/skills [\"math\" \"code\"]
     :person/born #inst \"1815-12-10T00:00:00Z\" :person/level :level/high
     :person/desk {:desk/room [7 \"north\"]}}
    {:db/id \"bob\" :person/name \"Bob\" :person/age 25 :person/boss \"ada\" :person/skills [\"code\"]
     :person/level :level/low}
    {:db/id \"cyd\" :person/name \"Cyd\" :person/age 25 :person/boss \"bob\" :person/pay 25.0}
    {:db/id \"dee\" :person/name \"Dee\" :person/age 61 :person/boss \"cyd\"}";

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        _ => None,
    }
}

fn transact(database: &Database, text: &str) -> u64 {
    database.transact(&edn::read_all(text).unwrap()).unwrap().t
}

/// The world, and the moment before Bob had a birthday.
fn world() -> (Database, u64) {
    let database = Database::memory().unwrap();
    transact(&database, SCHEMA);
    let before = transact(&database, FACTS);
    transact(&database, "{:person/name \"Bob\" :person/age 26}");
    (database, before)
}

/// Rows without an order of their own are sorted, wherever they stand.
fn plain(value: &Value, ordered: bool) -> Value {
    match edn::read(&value.to_string()).unwrap() {
        Value::Vector(mut items) if !ordered => {
            items.sort();
            Value::Vector(items)
        }
        other => other,
    }
}

/// Runs every case `(query with its inputs behind it, answer)` and tells of all that differ.
fn check(db: &Db, cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (query, answer) in cases {
        let parts = edn::read_all(query).unwrap();
        let (first, inputs) = parts.split_first().unwrap();
        let ordered = query.contains(":order-by") || query.contains(":limit");
        match db.q(&first.to_string(), inputs) {
            Ok(given) if plain(&given, ordered) == plain(&edn::read(answer).unwrap(), ordered) => {}
            Ok(given) => writeln!(wrong, "{query}\n  wants {answer}\n  gives {given}").unwrap(),
            Err(error) => writeln!(wrong, "{query}\n  wants {answer}\n  error {error}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn find() {
    let (database, _) = world();
    check(
        &database.db().unwrap(),
        &[
            (
                "[:find ?n ?a :where [?p :person/name ?n] [?p :person/age ?a] [(> ?a 30)]]",
                "#{[\"Ada\" 36] [\"Dee\" 61]}",
            ),
            ("{:find [?n] :where [[?p :person/name ?n] [?p :person/age 26]]}", "#{[\"Bob\"]}"),
            ("[:find [?a ...] :where [_ :person/age ?a]]", "[25 26 36 61]"),
            (
                "[:find [?n ?a] :where [?p :person/name ?n] [?p :person/age ?a] [?p :person/pay]]",
                "[\"Cyd\" 25]",
            ),
            ("[:find [?n ?a] :where [?p :person/name ?n] [?p :person/age ?a] [(> ?a 99)]]", "nil"),
            ("[:find ?a . :where [[:person/name \"Dee\"] :person/age ?a]]", "61"),
            ("[:find ?a . :where [?p :person/age ?a] [(> ?a 99)]]", "nil"),
            (
                "[:find ?n ?a :keys name age :where [?p :person/name ?n] [?p :person/age ?a] [?p :person/pay]]",
                "#{{:name \"Cyd\" :age 25}}",
            ),
            (
                "[:find ?n :strs name :where [?p :person/name ?n] [?p :person/pay]]",
                "#{{\"name\" \"Cyd\"}}",
            ),
            (
                "[:find [?n ?a] :syms name age :where [?p :person/name ?n] [?p :person/age ?a] [?p :person/pay]]",
                "{name \"Cyd\" age 25}",
            ),
            (
                "[:find ?n (pull ?b [:person/name]) :where [?p :person/name ?n] [?p :person/boss ?b] [?p :person/pay]]",
                "[[\"Cyd\" {:person/name \"Bob\"}]]",
            ),
            (
                "[:find (pull ?p ?pattern) . :in $ ?pattern :where [?p :person/pay]] [:person/name]",
                "{:person/name \"Cyd\"}",
            ),
            ("[:find (sum ?a) . :with ?p :where [?p :person/age ?a]]", "148"),
            (
                "[:find [?n ...] :where [_ :person/name ?n] :order-by ?n :desc :limit 2]",
                "[\"Dee\" \"Cyd\"]",
            ),
            (
                "[:find ?n ?a :where [?p :person/name ?n] [?p :person/age ?a] :order-by 1 :desc 0 :offset 1 :limit 2]",
                "[[\"Ada\" 36] [\"Bob\" 26]]",
            ),
            (
                "[:find [?n ...] :where [_ :person/name ?n] :limit 1 :timeout 60000 :max-rows 100]",
                "[\"Ada\"]",
            ),
        ],
    );
}

#[test]
fn aggregates() {
    let (database, _) = world();
    database.register("stats/range", |_: &Db, args: &[Value]| {
        let values = args.last().and_then(Value::as_slice).ok_or("a vector of values")?;
        let numbers =
            values.iter().map(|v| integer(v).ok_or("integers")).collect::<Result<Vec<_>, _>>()?;
        let (least, most) =
            (numbers.iter().min().ok_or("none")?, numbers.iter().max().ok_or("none")?);
        Ok(Value::Int(
            (most - least) * args.first().and_then(integer).filter(|_| args.len() > 1).unwrap_or(1),
        ))
    });
    check(
        &database.db().unwrap(),
        &[
            ("[:find (count ?p) . :where [?p :person/age]]", "4"),
            (
                "[:find ?b (count ?p) :where [?p :person/age] [(missing? $ ?p :person/boss) ?b]]",
                "[[true 1] [false 3]]",
            ),
            (
                "[:find (count-distinct ?s) (count ?s) :with ?p :where [?p :person/skills ?s]]",
                "[[2 3]]",
            ),
            ("[:find (sum ?a) . :where [_ :person/age ?a]]", "148"),
            ("[:find (avg ?a) . :where [_ :person/age ?a]]", "37.0"),
            ("[:find (min ?n) (max ?n) :where [_ :person/name ?n]]", "[[\"Ada\" \"Dee\"]]"),
            ("[:find (min 2 ?a) . :where [_ :person/age ?a]]", "[25 26]"),
            ("[:find (max 2 ?a) . :where [_ :person/age ?a]]", "[36 61]"),
            ("[:find (median ?a) . :where [_ :person/age ?a]]", "31"),
            ("[:find (variance ?a) . :in [?a ...]] [1 2 3 4]", "1.25"),
            ("[:find (stddev ?a) . :in [?a ...]] [2 4]", "1.0"),
            (
                "[:find (distinct ?s) . :with ?p :where [?p :person/skills ?s]]",
                "#{\"code\" \"math\"}",
            ),
            (
                "[:find (sample 9 ?s) . :with ?p :where [?p :person/skills ?s] [(= ?s \"code\")]]",
                "[\"code\"]",
            ),
            ("[:find (sample ?s) . :where [_ :person/skills ?s] [(= ?s \"code\")]]", "\"code\""),
            (
                "[:find (rand 3 ?s) . :where [_ :person/skills ?s] [(= ?s \"code\")]]",
                "[\"code\" \"code\" \"code\"]",
            ),
            ("[:find (rand ?s) . :where [_ :person/skills ?s] [(= ?s \"code\")]]", "\"code\""),
            ("[:find (stats/range ?a) . :where [_ :person/age ?a]]", "36"),
            (
                "[:find ?h (stats/range 10 ?a) :where [?p :person/age ?a] [(> ?a 30) ?h]]",
                "[[false 10] [true 250]]",
            ),
        ],
    );
}

#[test]
fn inputs() {
    let (database, before) = world();
    let db = database.db().unwrap();
    check(
        &db,
        &[
            ("[:find ?n . :in $ ?a :where [?p :person/age ?a] [?p :person/name ?n]] 36", "\"Ada\""),
            (
                "[:find ?n . :in $ [?a ?s] :where [?p :person/age ?a] [?p :person/skills ?s] [?p :person/name ?n]] [26 \"code\"]",
                "\"Bob\"",
            ),
            (
                "[:find [?n ...] :in $ [?a ...] :where [?p :person/age ?a] [?p :person/name ?n]] #{36 61 99}",
                "[\"Ada\" \"Dee\"]",
            ),
            (
                "[:find ?n ?t :in $ [[?n ?t]] :where [?p :person/name ?n] [?p :person/age 26]] [[\"Bob\" :b] [\"Ada\" :a]]",
                "#{[\"Bob\" :b]}",
            ),
            (
                "[:find ?n ?t :in $ [[?n ?t]] :where [_ :person/name ?n]] {\"Bob\" :b \"Eve\" :e}",
                "#{[\"Bob\" :b]}",
            ),
            (
                "[:find ?n ?t :in $ [[?n _ [?t ...]]] :where [_ :person/name ?n]] [[\"Bob\" 0 [1 2]]]",
                "#{[\"Bob\" 1] [\"Bob\" 2]}",
            ),
            (
                "[:find [?n ...] :in $ % :where (grown ?n)] [[(grown ?n) [?p :person/name ?n] [?p :person/age ?a] [(> ?a 30)]]]",
                "[\"Ada\" \"Dee\"]",
            ),
            (
                "[:find [?n ...] :in $ % :where (grown ?n)] \"[[(grown ?n) [?p :person/name ?n] [?p :person/age ?a] [(> ?a 30)]]]\"",
                "[\"Ada\" \"Dee\"]",
            ),
            (
                "[:find ?n ?r :in $ $rooms :where [_ :person/name ?n] [$rooms ?n ?r]] {\"Ada\" 101 \"Eve\" 102}",
                "#{[\"Ada\" 101]}",
            ),
            (
                "[:find ?n ?r :in $ $rooms :where [_ :person/name ?n] [$rooms ?n ?r]] #{[\"Ada\" 101] [\"Ada\" 102]}",
                "#{[\"Ada\" 101] [\"Ada\" 102]}",
            ),
            (
                "[:find ?x ?z :in $a $b :where [$a ?x ?y] [$b ?y ?z]] [[1 2] [3 4]] [[2 :two] [4 :four]]",
                "#{[1 :two] [3 :four]}",
            ),
            (
                "[:find ?x ?y :in $r % :where [$r ?x] (twice ?x ?y)] [[1] [2]] [[(twice ?x ?y) [(* 2 ?x) ?y]]]",
                "#{[1 2] [2 4]}",
            ),
            (
                "[:find ?g :in $r :where [$r 1 _ _ _ _ _ ?g _]] [[1 2 3 4 5 6 7 8] [2 2 3 4 5 6 9 8]]",
                "#{[7]}",
            ),
            (
                "[:find ?x :in $deep % :where ($deep reach 1 ?x)] [[1 2] [2 3] [3 1]] [[(reach ?x ?y) [?x ?y]] [(reach ?x ?y) (reach ?x ?t) (reach ?t ?y)]]",
                "#{[1] [2] [3]}",
            ),
        ],
    );
    // Views of two moments, and the changes in between, in one query.
    let query = Query::parse(
        "[:find ?n ?was ?is ?t :in $old $ $new % :where [$old ?p :person/age ?was]
          [?p :person/age ?is] [(!= ?was ?is)] (name ?p ?n) [$new ?p :person/age _ ?t]]",
    )
    .unwrap();
    let rules = edn::read("[[(name ?p ?n) [?p :person/name ?n]]]").unwrap();
    let inputs = [Input::Db(db.as_of(before)), Input::Db(db.since(before)), Input::Value(rules)];
    let answer = db.query(&query, &inputs).unwrap().to_value();
    let t = datom::id::transaction(before + 1);
    assert_eq!(answer.to_string(), format!("#{{[\"Bob\" 25 26 {t}]}}"));
}

#[test]
fn patterns() {
    let (database, before) = world();
    let db = database.db().unwrap();
    check(
        &db,
        &[
            ("[:find (count ?p) . :where [?p :person/age]]", "4"),
            ("[:find [?v ...] :where [[:person/name \"Cyd\"] _ ?v] [(number? ?v)]]", "[25 25.0]"),
            (
                "[:find [?a ...] :where [[:person/name \"Bob\"] ?attribute] [?attribute :db/ident ?a]]",
                "[:person/age :person/boss :person/level :person/name :person/skills]",
            ),
            (
                "[:find ?n . :where [?p :person/boss [:person/name \"Ada\"]] [?p :person/name ?n]]",
                "\"Bob\"",
            ),
            (
                "[:find ?n . :in $ ?b :where [?p :person/boss ?b] [?p :person/name ?n]] [:person/name \"Ada\"]",
                "\"Bob\"",
            ),
            (
                "[:find ?n . :in $ ?b :where [?p :person/boss ?b] [?p :person/name ?n]] [:person/name \"Nobody\"]",
                "nil",
            ),
            ("[:find ?n . :where [?p :person/level :level/high] [?p :person/name ?n]]", "\"Ada\""),
            (
                "[:find ?n . :in $ ?l :where [?p :person/level ?l] [?p :person/name ?n]] :level/low",
                "\"Bob\"",
            ),
            (
                "[:find ?l . :where [[:person/name \"Ada\"] :person/level ?e] [?e :db/ident ?l]]",
                ":level/high",
            ),
            (
                "[:find ?n . :where [[:person/name \"Ada\"] :person/_boss ?p] [?p :person/name ?n]]",
                "\"Bob\"",
            ),
            (
                "[:find [?n ...] :where [?b :person/_boss ?p] [?b :person/age 26] [?p :person/name ?n]]",
                "[\"Cyd\"]",
            ),
            ("[:find ?n . :where [:level/high :person/_level ?p] [?p :person/name ?n]]", "\"Ada\""),
            ("[:find ?p . :where [?p :person/boss ?p]]", "nil"),
            ("[:find ?room . :where [_ :desk/room ?room]]", "[7 \"north\"]"),
            (
                "[:find ?n . :where [?d :desk/room [7 \"north\"]] [?p :person/desk ?d] [?p :person/name ?n]]",
                "\"Ada\"",
            ),
            (
                "[:find ?n . :where [?p :person/born #inst \"1815-12-10T00:00:00Z\"] [?p :person/name ?n]]",
                "\"Ada\"",
            ),
            (
                "[:find ?d . :where [?a :db/ident :person/name] [?p ?a \"Ada\"] [?p :person/desk ?d] [(ground 0) ?zero] [(< ?zero ?d)]]",
                &format!("{}", entity(&db, "[:find ?d . :where [_ :person/desk ?d]]")),
            ),
        ],
    );
    let t = datom::id::transaction(before);
    let history = db.history();
    check(
        &history,
        &[
            (
                "[:find ?a ?added :where [?p :person/name \"Bob\"] [?p :person/age ?a _ ?added]]",
                "#{[25 true] [25 false] [26 true]}",
            ),
            (
                "[:find ?a ?t :where [?p :person/name \"Ada\"] [?p :person/age ?a ?t true]]",
                &format!("#{{[36 {t}]}}"),
            ),
            (
                &format!(
                    "[:find [?n ...] :where [?p :person/age 61 {before}] [?p :person/name ?n]]"
                ),
                "[\"Dee\"]",
            ),
            (
                &format!("[:find [?n ...] :where [?p :person/age 61 {t}] [?p :person/name ?n]]"),
                "[\"Dee\"]",
            ),
        ],
    );
}

fn entity(db: &Db, query: &str) -> Value {
    db.q(query, &[]).unwrap()
}

#[test]
fn patterns_reach_to_the_reason_of_a_fact() {
    let (database, _) = world();
    transact(&database, "{:db/ident :why :db/valueType :db.type/string}");
    let reason =
        database.transact(&edn::read_all("{:db/id \"why\" :why \"promoted\"}").unwrap()).unwrap();
    let reason = Value::Ref(reason.tempids[&Value::text("why")]);
    let options = TransactOptions::new().metadata(reason);
    let data = edn::read_all("{:person/name \"Dee\" :person/pay 100.0}").unwrap();
    database.transact_with(&data, &options).unwrap();
    check(
        &database.db().unwrap(),
        &[
            (
                "[:find ?n ?w :where [?p :person/pay _ _ ?m] [?m :why ?w] [?p :person/name ?n]]",
                "#{}",
            ),
            (
                "[:find ?n ?w :where [?p :person/pay _ _ ?m true] [?m :why ?w] [?p :person/name ?n]]",
                "#{[\"Dee\" \"promoted\"]}",
            ),
            (
                "[:find ?n ?w :in ?w $ :where [?m :why ?w] [?p :person/pay ?pay ?t ?m ?added] [?p :person/name ?n]] \"promoted\"",
                "#{[\"Dee\" \"promoted\"]}",
            ),
        ],
    );
}

#[test]
fn predicates_and_functions() {
    let (database, _) = world();
    database.register("my/double", |_: &Db, args: &[Value]| {
        Ok(Value::Int(args.first().and_then(integer).ok_or("a number")? * 2))
    });
    database.register("my/old?", |_: &Db, args: &[Value]| {
        Ok(Value::Bool(args.first().and_then(integer).is_some_and(|age| age > 60)))
    });
    database.register("my/boss-of", |db: &Db, args: &[Value]| -> Result<Value, FunctionError> {
        Ok(db.q("[:find ?n . :in $ ?p :where [?p :person/boss ?b] [?b :person/name ?n]]", args)?)
    });
    let ages = "[:find [?n ...] :where [?p :person/name ?n] [?p :person/age ?a]";
    let value = |call: &str| format!("[:find ?x . :where [{call} ?x]]");
    let mut cases: Vec<(String, &str)> = vec![
        (format!("{ages} [(< 25 ?a 60)]]"), "[\"Ada\" \"Bob\"]"),
        (format!("{ages} [(= ?a 25.0)]]"), "[\"Cyd\"]"),
        (format!("{ages} [(not= ?a 25)] [(<= ?a 36N)]]"), "[\"Ada\" \"Bob\"]"),
        ("[:find ?n . :where [?p :person/name ?n] [?p :person/age ?a] [?p :person/pay ?a]]".into(), "nil"),
        ("[:find ?n . :where [?p :person/name ?n] [?p :person/age ?a] [?p :person/pay ?y] [(= ?a ?y)]]".into(), "\"Cyd\""),
        ("[:find ?n ?y :where [?p :person/name ?n] [(get-else $ ?p :person/pay 0.0) ?y] [?p :person/age 25]]".into(), "#{[\"Cyd\" 25.0]}"),
        ("[:find [?n ...] :where [?p :person/name ?n] [(missing? $ ?p :person/boss)]]".into(), "[\"Ada\"]"),
        ("[:find ?a ?v :where [?p :person/name \"Cyd\"] [(get-some $ ?p :person/born :person/pay) [?a ?v]]]".into(), "#{[:person/pay 25.0]}"),
        ("[:find ?x ?y :where [(ground [[1 :a] [2 :b]]) [[?x ?y]]]]".into(), "#{[1 :a] [2 :b]}"),
        ("[:find ?x ?y :where [_ :desk/room ?r] [(untuple ?r) [?x ?y]] [(tuple ?x ?y) ?r]]".into(), "#{[7 \"north\"]}"),
        ("[:find [?x ...] :where [(range 3) [?x ...]]]".into(), "[0 1 2]"),
        (format!("{ages} [(my/old? ?a)]]"), "[\"Dee\"]"),
        ("[:find ?x . :where [_ :person/age 61] [(my/double 21) ?x]]".into(), "42"),
        ("[:find ?n ?b :where [?p :person/name ?n] [(my/boss-of ?p) ?b]]".into(), "#{[\"Bob\" \"Ada\"] [\"Cyd\" \"Bob\"] [\"Dee\" \"Cyd\"]}"),
        ("[:find ?x . :in % :where (twice 4 ?x)] [[(twice ?n ?x) [(* 2 ?n) ?x]]]".into(), "8"),
    ];
    for (call, answer) in VALUES {
        cases.push((value(call), answer));
    }
    let cases: Vec<(&str, &str)> = cases.iter().map(|(q, a)| (q.as_str(), *a)).collect();
    check(&database.db().unwrap(), &cases);
}

/// Calls of functions that need no database, and what they give.
const VALUES: [(&str, &str); 61] = [
    ("(+ 1 2 3)", "6"),
    ("(- 5)", "-5"),
    ("(* 2 2.5)", "5.0"),
    ("(/ 9 3)", "3"),
    ("(/ 1 2)", "0.5"),
    ("(quot -7 2)", "-3"),
    ("(rem -7 2)", "-1"),
    ("(mod -7 2)", "1"),
    ("(inc 1)", "2"),
    ("(abs -2)", "2"),
    ("(max 1 2.5)", "2.5"),
    ("(min 1 2.5)", "1"),
    ("(even? 2)", "true"),
    ("(compare 1 2)", "-1"),
    ("(long 2.9)", "2"),
    ("(double 2)", "2.0"),
    ("(str \"a\" 1 :b nil)", "\"a1:b\""),
    ("(subs \"häuser\" 1 3)", "\"äu\""),
    ("(upper-case \"ab\")", "\"AB\""),
    ("(lower-case \"AB\")", "\"ab\""),
    ("(capitalize \"aB\")", "\"Ab\""),
    ("(trim \"  a \")", "\"a\""),
    ("(blank? \" \")", "true"),
    ("(starts-with? \"abc\" \"ab\")", "true"),
    ("(ends-with? \"abc\" \"bc\")", "true"),
    ("(includes? \"abc\" \"b\")", "true"),
    ("(index-of \"abc\" \"c\")", "2"),
    ("(replace \"a-b-c\" \"-\" \"+\")", "\"a+b+c\""),
    ("(join \", \" [1 2])", "\"1, 2\""),
    ("(split \"a,b\" \",\")", "[\"a\" \"b\"]"),
    ("(re-find \"[0-9]+\" \"a12\")", "\"12\""),
    ("(re-find \"([a-z])([0-9]+)\" \"a12\")", "[\"a12\" \"a\" \"12\"]"),
    ("(re-matches \"[0-9]+\" \"12\")", "\"12\""),
    ("(name :a/b)", "\"b\""),
    ("(namespace :a/b)", "\"a\""),
    ("(keyword \"a\" \"b\")", ":a/b"),
    ("(symbol \"a\")", "a"),
    ("(vector 1 2)", "[1 2]"),
    ("(list 1 2)", "(1 2)"),
    ("(set [1 2 1])", "#{1 2}"),
    ("(hash-map :a 1)", "{:a 1}"),
    ("(count [1 2 3])", "3"),
    ("(empty? [])", "true"),
    ("(not-empty [1])", "[1]"),
    ("(first [1 2])", "1"),
    ("(last [1 2])", "2"),
    ("(nth [1 2] 1)", "2"),
    ("(get {:a 1} :a)", "1"),
    ("(get {:a 1} :b 0)", "0"),
    ("(contains? #{1} 1)", "true"),
    ("(and 1 2)", "2"),
    ("(or false 2)", "2"),
    ("(not false)", "true"),
    ("(inst? #inst \"2024-01-01T00:00:00Z\")", "true"),
    ("(int? 1)", "true"),
    ("(year #inst \"2024-05-17T10:20:30Z\")", "2024"),
    ("(month #inst \"2024-05-17T10:20:30Z\")", "5"),
    ("(day #inst \"2024-05-17T10:20:30Z\")", "17"),
    ("(weekday #inst \"2024-05-17T10:20:30Z\")", "5"),
    ("(inst-ms #inst \"1970-01-01T00:00:01Z\")", "1000"),
    ("(inst \"2024-05-17T00:00:00Z\")", "#inst \"2024-05-17T00:00:00Z\""),
];

#[test]
fn not_and_or() {
    let (database, _) = world();
    let names = |rest: &str| format!("[:find [?n ...] :where [?p :person/name ?n] {rest}]");
    let cases: Vec<(String, &str)> = vec![
        (names("(not [?p :person/skills \"code\"])"), "[\"Cyd\" \"Dee\"]"),
        ("[:find [?n ...] :where (not [?p :person/skills]) [?p :person/name ?n]]".into(), "[\"Cyd\" \"Dee\"]"),
        (names("(not [?p :person/boss ?b] [?b :person/boss])"), "[\"Ada\" \"Bob\"]"),
        (names("(not-join [?p] [?q :person/boss ?p] [?q :person/age ?a] [(> ?a 30)])"), "[\"Ada\" \"Bob\" \"Dee\"]"),
        (names("(not (not [?p :person/pay]))"), "[\"Cyd\"]"),
        (names("(not (or [?p :person/pay] [?p :person/skills \"math\"]))"), "[\"Bob\" \"Dee\"]"),
        (names("(or [?p :person/age 61] [?p :person/pay])"), "[\"Cyd\" \"Dee\"]"),
        (names("(or [?p :person/age 61] (and [?p :person/boss ?b] [?b :person/age 36] (not [?b :person/pay])))").replace("(or [?p :person/age 61]", "(or-join [?p] [?p :person/age 61]"), "[\"Bob\" \"Dee\"]"),
        (names("(or-join [?p] [?p :person/pay] (and [?q :person/boss ?p] [?q :person/age 26]))"), "[\"Ada\" \"Cyd\"]"),
        (names("(or-join [[?p] ?x] (and [?p :person/pay] [(ground 1) ?x]) (and [?p :person/age 61] [(ground 2) ?x])) [(= ?x 2)]"), "[\"Dee\"]"),
        (names("(and [?p :person/age ?a] (and [(> ?a 30)] (not [(> ?a 60)])))"), "[\"Ada\"]"),
        (names("(or (and [?p :person/age 36] (or [?p :person/skills \"math\"] [?p :person/skills \"x\"])) [?p :person/age 25])"), "[\"Ada\" \"Cyd\"]"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(q, a)| (q.as_str(), *a)).collect();
    check(&database.db().unwrap(), &cases);
}

#[test]
fn rules() {
    let (database, _) = world();
    let db = database.db().unwrap();
    let named = |call: &str, rules: &str| {
        let query = format!(
            "[:find [?n ...] :in $ % :where [?d :person/name \"Dee\"] {call} [?b :person/name ?n]]"
        );
        format!("{query} [{rules}]")
    };
    let above = "[\"Ada\" \"Bob\" \"Cyd\"]";
    let base = "[(above ?x ?y) [?x :person/boss ?y]]";
    let cases: Vec<(String, &str)> = vec![
        (
            named(
                "(above ?d ?b)",
                &format!("{base} [(above ?x ?y) [?x :person/boss ?t] (above ?t ?y)]"),
            ),
            above,
        ),
        (
            named(
                "(above ?d ?b)",
                &format!("{base} [(above ?x ?y) (above ?x ?t) [?t :person/boss ?y]]"),
            ),
            above,
        ),
        (
            named("(above ?d ?b)", &format!("{base} [(above ?x ?y) (above ?x ?t) (above ?t ?y)]")),
            above,
        ),
        (
            named(
                "(odd ?d ?b)",
                "[(odd ?x ?y) [?x :person/boss ?y]] [(odd ?x ?y) (even ?x ?t) [?t :person/boss ?y]] [(even ?x ?y) (odd ?x ?t) [?t :person/boss ?y]]",
            ),
            "[\"Ada\" \"Cyd\"]",
        ),
        (
            named(
                "(above ?d ?b)",
                "[(above [?x] ?y) [?x :person/boss ?y]] [(above [?x] ?y) [?x :person/boss ?t] (above ?t ?y)]",
            ),
            above,
        ),
        (
            named(
                "(kin ?b :grown)",
                "[(kin ?x :young) [?x :person/age ?a] [(< ?a 30)]] [(kin ?x :grown) [?x :person/age ?a] [(>= ?a 30)]]",
            ),
            "[\"Ada\" \"Dee\"]",
        ),
        (
            named(
                "(free ?b)",
                &format!(
                    "{base} [(above ?x ?y) (above ?x ?t) (above ?t ?y)] [(free ?x) [?x :person/name] (not (above ?x _))]"
                ),
            ),
            "[\"Ada\"]",
        ),
        (
            named(
                "(reach ?d ?b) (not (reach ?b [:person/name \"Bob\"]))",
                "[(reach ?x ?y) (or-join [?x ?y] [?x :person/boss ?y] (and [?x :person/boss ?t] (reach ?t ?y)))]",
            ),
            "[\"Ada\" \"Bob\"]",
        ),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(q, a)| (q.as_str(), *a)).collect();
    check(&db, &cases);
    let wins = "[:find ?x :in $ % :where (win ?x)]";
    let rules = edn::read(
        "[[(win ?x) [?x :person/boss ?y] (lose ?y)] [(lose ?x) [?x :person/name] (not (win ?x))]]",
    )
    .unwrap();
    let error = db.q(wins, &[rules]).unwrap_err().to_string();
    assert!(error.contains("lose -> win -> lose"), "{error}");
}

#[test]
fn clauses_and_rules_name_their_source() {
    let (database, before) = world();
    let db = database.db().unwrap();
    let ask = |text: &str, rules: &str| {
        let query = Query::parse(text).unwrap();
        let inputs = [Input::Db(db.as_of(before)), Input::Value(edn::read(rules).unwrap())];
        plain(&db.query(&query, &inputs).unwrap().to_value(), false).to_string()
    };
    let rules = "[[(age ?n ?a) [?p :person/name ?n] [?p :person/age ?a]]]";
    assert_eq!(
        ask(
            "[:find ?was ?is :in $ $old % :where ($old age \"Bob\" ?was) (age \"Bob\" ?is)]",
            rules
        ),
        "#{[25 26]}"
    );
    assert_eq!(
        ask(
            "[:find [?n ...] :in $ $old % :where (age ?n ?a) ($old not [?p :person/name ?n] [?p :person/age ?a])]",
            rules
        ),
        "[\"Bob\"]"
    );
    assert_eq!(
        ask(
            "[:find [?n ...] :in $ $old % :where [?p :person/name ?n] ($old or [?p :person/age 25] [?p :person/age 26])]",
            rules
        ),
        "[\"Bob\" \"Cyd\"]"
    );
    assert_eq!(
        ask(
            "[:find ?a . :in $ $old % :where [?p :person/name \"Bob\"] [(get-else $old ?p :person/age 0) ?a] (age _ _)]",
            rules
        ),
        "25"
    );
    assert_eq!(
        ask(
            "[:find (pull $old ?p [:person/age]) . :in $ $old % :where [?p :person/name \"Bob\"] (age _ _)]",
            rules
        ),
        "{:person/age 25}"
    );
    database.register("my/age", |db: &Db, args: &[Value]| {
        Ok(db.q("[:find ?a . :in $ ?n :where [?p :person/name ?n] [?p :person/age ?a]]", args)?)
    });
    let own = "[[(age ?n ?a) [(my/age ?n) ?a]]]";
    assert_eq!(
        ask(
            "[:find ?was ?is :in $ $old % :where [(my/age $old \"Bob\") ?was] [(my/age \"Bob\") ?is] (age _ _)]",
            rules
        ),
        "#{[25 26]}"
    );
    assert_eq!(
        ask("[:find ?was ?is :in $ $old % :where ($old age \"Bob\" ?was) (age \"Bob\" ?is)]", own),
        "#{[25 26]}"
    );
}

#[test]
fn pull() {
    let (database, _) = world();
    database.register("my/shout", |_: &Db, args: &[Value]| {
        Ok(Value::text(&args.first().and_then(Value::as_text).ok_or("a text")?.to_uppercase()))
    });
    transact(&database, "[:db/add [:person/name \"Ada\"] :person/boss [:person/name \"Dee\"]]");
    let db = database.db().unwrap();
    let pulls = |pattern: &str, who: &str| {
        let entity = Value::Vector(vec![Value::keyword("person/name"), Value::text(who)]);
        plain(&db.pull(&edn::read(pattern).unwrap(), &entity).unwrap(), false).to_string()
    };
    let desk = entity(&db, "[:find ?d . :where [_ :person/desk ?d]]");
    for (pattern, who, shown) in [
        ("[:person/name :person/pay]", "Dee", "{:person/name \"Dee\"}"),
        (
            "[(:person/name :as :name) (:person/pay :default 0.0)]",
            "Dee",
            "{:name \"Dee\", :person/pay 0.0}",
        ),
        ("[(:person/skills :limit 1)]", "Ada", "{:person/skills [\"code\"]}"),
        (
            "[{:person/boss [:person/name {:person/boss [:person/name]}]}]",
            "Dee",
            "{:person/boss {:person/boss {:person/name \"Bob\"}, :person/name \"Cyd\"}}",
        ),
        ("[{:person/_boss [:person/name]}]", "Ada", "{:person/_boss [{:person/name \"Bob\"}]}"),
        (
            "[:person/name {:person/boss 1}]",
            "Cyd",
            "{:person/boss {:person/name \"Bob\"}, :person/name \"Cyd\"}",
        ),
        ("[(:person/name :xform my/shout)]", "Ada", "{:person/name \"ADA\"}"),
        ("[(:person/skills :xform count)]", "Ada", "{:person/skills 2}"),
        (
            "[:person/desk]",
            "Ada",
            &format!("{{:person/desk {{:db/id {desk}, :desk/room [7 \"north\"]}}}}"),
        ),
        ("[{:person/desk [:desk/room]}]", "Ada", "{:person/desk {:desk/room [7 \"north\"]}}"),
        ("[:person/nothing]", "Ada", ""),
    ] {
        if shown.is_empty() {
            let entity = edn::read("[:person/name \"Ada\"]").unwrap();
            assert!(db.pull(&edn::read(pattern).unwrap(), &entity).is_err());
        } else {
            assert_eq!(pulls(pattern, who), shown, "{pattern}");
        }
    }
    // Round in a cycle: whoever comes again is shown by the id alone.
    let cycle = pulls("[:person/name {:person/boss ...}]", "Bob");
    assert_eq!(cycle.matches(":person/name").count(), 5, "{cycle}");
    let everything = pulls("[*]", "Cyd");
    for part in [":db/id", ":person/age 25", ":person/boss {:db/id", ":person/pay 25.0"] {
        assert!(everything.contains(part), "{everything}");
    }
}

#[test]
fn limits_are_part_of_a_query_or_of_its_call() {
    let (database, _) = world();
    let db = database.db().unwrap();
    let product = "[:find ?a ?b ?c :where [?a :person/age] [?b :person/age] [?c :person/age]";
    let error = db.q(&format!("{product} :max-rows 10]"), &[]).unwrap_err().to_string();
    assert!(error.contains("10 rows"), "{error}");
    let error = db.q(&format!("{product} :timeout 0]"), &[]).unwrap_err().to_string();
    assert!(error.contains("0 ms"), "{error}");
    let query = Query::parse(&format!("{product}]")).unwrap();
    let limits = Limits { max_rows: Some(63), ..Limits::default() };
    assert!(db.query_with(&query, &[], &limits).is_err());
    assert_eq!(db.query(&query, &[]).unwrap().len(), 64);
}
