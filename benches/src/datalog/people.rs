//! 20,000 people with the attributes of DataScript's own suite, and its queries.

use std::collections::BTreeSet;

use super::random::Random;
use super::{Attribute, Case, Kind, Set, Val, many, one};

const NAMES: [&str; 8] = ["Ivan", "Petr", "Sergei", "Oleg", "Yuri", "Dmitry", "Fedor", "Denis"];
const LASTS: [&str; 6] = ["Ivanov", "Petrov", "Sidorov", "Kovalev", "Kuznetsov", "Voronoi"];
const ALIASES: [&str; 11] = [
    "A. C. Q. W.",
    "A. J. Finn",
    "A.A. Fair",
    "Aapeli",
    "Aaron Wolfe",
    "Abigail Van Buren",
    "Jeanne Phillips",
    "Abram Tertz",
    "Abu Nuwas",
    "Acton Bell",
    "Adunis",
];

const SCHEMA: [Attribute; 7] = [
    one("name", Kind::Text),
    one("last-name", Kind::Text),
    one("full-name", Kind::Text),
    one("sex", Kind::Keyword),
    one("age", Kind::Long),
    one("salary", Kind::Long),
    many("alias", Kind::Text),
];

const TABLES: &str = "
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, last TEXT, full TEXT, sex TEXT, age INTEGER,
  salary INTEGER);
INSERT INTO person SELECT n.e, n.v, l.v, f.v, s.v, a.v, m.v FROM d n
  JOIN d l ON l.e=n.e AND l.a=:last-name JOIN d f ON f.e=n.e AND f.a=:full-name
  JOIN d s ON s.e=n.e AND s.a=:sex JOIN d a ON a.e=n.e AND a.a=:age
  JOIN d m ON m.e=n.e AND m.a=:salary WHERE n.a=:name;
CREATE TABLE alias(id INTEGER, alias TEXT, PRIMARY KEY(id, alias)) WITHOUT ROWID;
INSERT INTO alias SELECT e, v FROM d WHERE a=:alias;
CREATE INDEX p_name ON person(name); CREATE INDEX p_age ON person(age);
CREATE INDEX p_salary ON person(salary); CREATE INDEX p_last ON person(last);
CREATE INDEX p_sex ON person(sex); CREATE INDEX a_alias ON alias(alias);";

/// `count` people.
#[must_use]
pub fn people(count: u32) -> Set {
    let mut random = Random::new(42);
    let mut facts = Vec::new();
    for e in 1..=count {
        let (name, last) = (random.pick(&NAMES), random.pick(&LASTS));
        let aliases: Vec<&str> = (0..random.below(10)).map(|_| random.pick(&ALIASES)).collect();
        let sex = random.pick(&["male", "female"]);
        let (age, salary) = (random.below(100), random.below(100_000));
        facts.push((e, 0, Val::Text(name.to_owned())));
        facts.push((e, 1, Val::Text(last.to_owned())));
        facts.push((e, 2, Val::Text(format!("{name} {last}"))));
        facts.push((e, 3, Val::Keyword(sex)));
        facts.push((e, 4, Val::Int(i64::from(age))));
        facts.push((e, 5, Val::Int(i64::from(salary))));
        let aliases: BTreeSet<&str> = aliases.into_iter().collect();
        facts.extend(aliases.into_iter().map(|alias| (e, 6, Val::Text(alias.to_owned()))));
    }
    Set { name: "people20k", schema: &SCHEMA, facts, tables: TABLES }
}

const fn case(
    name: &'static str,
    query: &'static str,
    eav: &'static str,
    tables: &'static str,
) -> Case {
    Case { name, query, rules: None, eav, tables: Some(tables) }
}

/// The queries.
pub const CASES: [Case; 10] = [
    case(
        "q1",
        r#"[:find ?e :where [?e :name "Ivan"]]"#,
        "SELECT e FROM d WHERE a=:name AND v='Ivan'",
        "SELECT id FROM person WHERE name='Ivan'",
    ),
    case(
        "q2",
        r#"[:find ?e ?a :where [?e :name "Ivan"] [?e :age ?a]]"#,
        "SELECT n.e, a.v FROM d n JOIN d a ON a.e=n.e AND a.a=:age WHERE n.a=:name AND n.v='Ivan'",
        "SELECT id, age FROM person WHERE name='Ivan'",
    ),
    case(
        "q3",
        r#"[:find ?e ?a :where [?e :name "Ivan"] [?e :age ?a] [?e :sex :male]]"#,
        "SELECT n.e, a.v FROM d n JOIN d a ON a.e=n.e AND a.a=:age
         JOIN d s ON s.e=n.e AND s.a=:sex AND s.v='male' WHERE n.a=:name AND n.v='Ivan'",
        "SELECT id, age FROM person WHERE name='Ivan' AND sex='male'",
    ),
    case(
        "q4",
        r#"[:find ?e ?l ?a :where [?e :name "Ivan"] [?e :last-name ?l] [?e :age ?a]
            [?e :sex :male]]"#,
        "SELECT n.e, l.v, a.v FROM d n JOIN d l ON l.e=n.e AND l.a=:last-name
         JOIN d a ON a.e=n.e AND a.a=:age JOIN d s ON s.e=n.e AND s.a=:sex AND s.v='male'
         WHERE n.a=:name AND n.v='Ivan'",
        "SELECT id, last, age FROM person WHERE name='Ivan' AND sex='male'",
    ),
    case(
        "qpred1",
        "[:find ?e ?s :where [?e :salary ?s] [(> ?s 50000)]]",
        "SELECT e, v FROM d WHERE a=:salary AND v>50000",
        "SELECT id, salary FROM person WHERE salary>50000",
    ),
    case(
        "qpred2",
        "[:find ?e ?s :where [(ground 50000) ?least] [?e :salary ?s] [(> ?s ?least)]]",
        "SELECT e, v FROM d WHERE a=:salary AND v>50000",
        "SELECT id, salary FROM person WHERE salary>50000",
    ),
    case(
        "qagg",
        "[:find ?n (avg ?s) (max ?s) (count ?e) :where [?e :name ?n] [?e :salary ?s]]",
        "SELECT n.v, avg(s.v), max(s.v), count(*) FROM d n JOIN d s ON s.e=n.e AND s.a=:salary
         WHERE n.a=:name GROUP BY n.v",
        "SELECT name, avg(salary), max(salary), count(*) FROM person GROUP BY name",
    ),
    case(
        "qnot",
        r#"[:find ?e :where [?e :name "Ivan"] (not [?e :alias "Adunis"])]"#,
        "SELECT n.e FROM d n WHERE n.a=:name AND n.v='Ivan' AND NOT EXISTS
         (SELECT 1 FROM d x WHERE x.e=n.e AND x.a=:alias AND x.v='Adunis')",
        "SELECT id FROM person p WHERE name='Ivan' AND NOT EXISTS
         (SELECT 1 FROM alias x WHERE x.id=p.id AND x.alias='Adunis')",
    ),
    case(
        "qor",
        r#"[:find ?e :where [?e :sex :male] (or [?e :name "Ivan"] [?e :name "Petr"])]"#,
        "SELECT n.e FROM d n JOIN d s ON s.e=n.e AND s.a=:sex AND s.v='male'
         WHERE n.a=:name AND n.v IN ('Ivan', 'Petr')",
        "SELECT id FROM person WHERE sex='male' AND name IN ('Ivan', 'Petr')",
    ),
    case(
        "qjoin",
        "[:find ?x ?y :where [?x :salary ?s] [?y :salary ?s] [(< ?x ?y)]]",
        "SELECT x.e, y.e FROM d x JOIN d y ON y.a=:salary AND y.v=x.v AND x.e<y.e
         WHERE x.a=:salary",
        "SELECT x.id, y.id FROM person x JOIN person y ON y.salary=x.salary AND x.id<y.id",
    ),
];
