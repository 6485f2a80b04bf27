//! 200,000 people, their dissertations and who advised them: the shape and the four queries of the
//! mathematics genealogy benchmark.

use super::random::Random;
use super::{Attribute, Case, Kind, Set, Val, many, one};

const SCHEMA: [Attribute; 5] = [
    one("person/name", Kind::Text),
    many("person/advised", Kind::Ref),
    one("dissertation/cid", Kind::Ref),
    one("dissertation/univ", Kind::Text),
    one("dissertation/area", Kind::Text),
];

const TABLES: &str = "
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO person SELECT e, v FROM d WHERE a=:person/name;
CREATE TABLE advised(x INTEGER, d INTEGER, PRIMARY KEY(x, d)) WITHOUT ROWID;
INSERT INTO advised SELECT e, v FROM d WHERE a=:person/advised;
CREATE TABLE work(id INTEGER PRIMARY KEY, cid INTEGER, univ TEXT, area TEXT);
INSERT INTO work SELECT c.e, c.v, u.v, a.v FROM d c JOIN d u ON u.e=c.e AND u.a=:dissertation/univ
  JOIN d a ON a.e=c.e AND a.a=:dissertation/area WHERE c.a=:dissertation/cid;
CREATE INDEX p_name ON person(name); CREATE INDEX a_d ON advised(d, x);
CREATE INDEX w_cid ON work(cid);";

/// `count` people.
#[must_use]
pub fn genealogy(count: u32) -> Set {
    let mut random = Random::new(5);
    let mut facts = Vec::new();
    for i in 1..=count {
        facts.push((i, 0, Val::Text(format!("p{i}"))));
        let limit = random.below(500) + 1;
        let university = random.below(limit);
        let area = random.below(60);
        let mut advisors = if random.below(10) == 0 {
            0
        } else if random.below(8) == 0 {
            2
        } else {
            1
        };
        if i <= 100 {
            advisors = 0;
        }
        facts.push((count + i, 2, Val::Ref(i)));
        facts.push((count + i, 3, Val::Text(format!("u{university}"))));
        facts.push((count + i, 4, Val::Text(format!("a{area}"))));
        for _ in 0..advisors {
            let limit = 1 + random.below(20_000);
            let advisor = i - 1 - random.below(limit.min(i - 1));
            if advisor > 0 {
                facts.push((advisor, 1, Val::Ref(count + i)));
            }
        }
    }
    facts.sort();
    facts.dedup();
    Set { name: "genealogy", schema: &SCHEMA, facts, tables: TABLES }
}

const RULES: &str = "[
  [(author ?d ?c) [?d :dissertation/cid ?c]]
  [(adv ?x ?y) [?x :person/advised ?d] (author ?d ?y)]
  [(area ?c ?a) [?d :dissertation/cid ?c] [?d :dissertation/area ?a]]
  [(univ ?c ?u) [?d :dissertation/cid ?c] [?d :dissertation/univ ?u]]
  [(anc ?x ?y) (adv ?x ?y)]
  [(anc ?x ?y) (adv ?x ?z) (anc ?z ?y)]]";

const fn case(
    name: &'static str,
    query: &'static str,
    eav: &'static str,
    tables: &'static str,
) -> Case {
    Case { name, query, rules: Some(RULES), eav, tables: Some(tables) }
}

/// The four queries.
pub const CASES: [Case; 4] = [
    case(
        "gen-q1",
        r#"[:find [?n ...] :in $ % :where [?d :person/name "p199549"] (adv ?x ?d) (adv ?y ?x)
            [?y :person/name ?n]]"#,
        "WITH adv(x, y) AS (SELECT p.e, c.v FROM d p JOIN d c ON c.e=p.v AND c.a=:dissertation/cid
           WHERE p.a=:person/advised)
         SELECT DISTINCT n.v FROM d s JOIN adv a ON a.y=s.e JOIN adv b ON b.y=a.x
           JOIN d n ON n.e=b.x AND n.a=:person/name WHERE s.a=:person/name AND s.v='p199549'",
        "SELECT DISTINCT n.name FROM person s JOIN work w ON w.cid=s.id JOIN advised a ON a.d=w.id
           JOIN work v ON v.cid=a.x JOIN advised b ON b.d=v.id JOIN person n ON n.id=b.x
           WHERE s.name='p199549'",
    ),
    case(
        "gen-q2",
        "[:find [?n ...] :in $ % :where (adv ?x ?y) (univ ?x ?u) (univ ?y ?u) [?y :person/name ?n]]",
        "SELECT DISTINCT n.v FROM d p JOIN d c ON c.e=p.v AND c.a=:dissertation/cid
           JOIN d u ON u.e=c.e AND u.a=:dissertation/univ
           JOIN d k ON k.a=:dissertation/cid AND k.v=p.e
           JOIN d w ON w.e=k.e AND w.a=:dissertation/univ AND w.v=u.v
           JOIN d n ON n.e=c.v AND n.a=:person/name WHERE p.a=:person/advised",
        "SELECT DISTINCT n.name FROM advised p JOIN work c ON c.id=p.d JOIN work k ON k.cid=p.x
           AND k.univ=c.univ JOIN person n ON n.id=c.cid",
    ),
    case(
        "gen-q3",
        "[:find [?n ...] :in $ % :where (adv ?x ?y) (area ?x ?a) (area ?y ?b) [(!= ?a ?b)]
           [?y :person/name ?n]]",
        "SELECT DISTINCT n.v FROM d p JOIN d c ON c.e=p.v AND c.a=:dissertation/cid
           JOIN d u ON u.e=c.e AND u.a=:dissertation/area
           JOIN d k ON k.a=:dissertation/cid AND k.v=p.e
           JOIN d w ON w.e=k.e AND w.a=:dissertation/area AND w.v<>u.v
           JOIN d n ON n.e=c.v AND n.a=:person/name WHERE p.a=:person/advised",
        "SELECT DISTINCT n.name FROM advised p JOIN work c ON c.id=p.d JOIN work k ON k.cid=p.x
           AND k.area<>c.area JOIN person n ON n.id=c.cid",
    ),
    case(
        "gen-q4",
        r#"[:find [?n ...] :in $ % :where [?x :person/name "p199549"] (anc ?y ?x)
            [?y :person/name ?n]]"#,
        "WITH RECURSIVE anc(y) AS (SELECT e FROM d WHERE a=:person/name AND v='p199549' UNION
           SELECT p.e FROM anc JOIN d c ON c.a=:dissertation/cid AND c.v=anc.y
             JOIN d p ON p.a=:person/advised AND p.v=c.e)
         SELECT DISTINCT n.v FROM anc JOIN d n ON n.e=anc.y AND n.a=:person/name
           WHERE n.v<>'p199549'",
        "WITH RECURSIVE anc(y) AS (SELECT id FROM person WHERE name='p199549' UNION
           SELECT p.x FROM anc JOIN work c ON c.cid=anc.y JOIN advised p ON p.d=c.id)
         SELECT DISTINCT n.name FROM anc JOIN person n ON n.id=anc.y WHERE n.name<>'p199549'",
    ),
];
