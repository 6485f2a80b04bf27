//! The package graph of a Debian release: 0.8 M facts with cycles and heavy skew. It is read from
//! three compressed tables, which lie beside the project or in the folder that `DEBIAN_TABLES` names.

use std::path::PathBuf;
use std::process::Command;

use super::{Attribute, Case, Kind, Set, Val, many, one};

const SCHEMA: [Attribute; 13] = [
    one("name", Kind::Text),
    one("version", Kind::Text),
    one("section", Kind::Text),
    one("priority", Kind::Text),
    one("maintainer", Kind::Ref),
    one("size", Kind::Long),
    one("essential", Kind::Long),
    many("depends", Kind::Ref),
    many("pre-depends", Kind::Ref),
    many("recommends", Kind::Ref),
    many("suggests", Kind::Ref),
    many("provides", Kind::Ref),
    one("maintainer/name", Kind::Text),
];
const KINDS: usize = 7;

const TABLES: &str = "
CREATE TABLE package(id INTEGER PRIMARY KEY, name TEXT, section TEXT, maintainer INTEGER, size INTEGER);
INSERT INTO package SELECT n.e, n.v, s.v, m.v, z.v FROM d n
  LEFT JOIN d s ON s.e=n.e AND s.a=:section LEFT JOIN d m ON m.e=n.e AND m.a=:maintainer
  LEFT JOIN d z ON z.e=n.e AND z.a=:size WHERE n.a=:name;
CREATE TABLE maintainer(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO maintainer SELECT e, v FROM d WHERE a=:maintainer/name;
CREATE TABLE dep(x INTEGER, y INTEGER, PRIMARY KEY(x, y)) WITHOUT ROWID;
INSERT INTO dep SELECT e, v FROM d WHERE a=:depends;
CREATE TABLE pre(x INTEGER, y INTEGER, PRIMARY KEY(x, y)) WITHOUT ROWID;
INSERT INTO pre SELECT e, v FROM d WHERE a=:pre-depends;
CREATE INDEX p_name ON package(name); CREATE INDEX p_section ON package(section);
CREATE INDEX d_y ON dep(y, x); CREATE INDEX e_y ON pre(y, x);";

/// The tables, or why they cannot be read.
///
/// # Errors
/// A sentence that says which file, or that the program `xz` is wanted.
pub fn debian() -> Result<Set, String> {
    let folder = folder();
    let mut facts = Vec::new();
    for row in table(&folder, "deb-packages")?.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let [id, name, version, section, priority, maintainer, size, essential] = columns[..]
        else {
            return Err(format!("deb-packages: not eight columns: {row}"));
        };
        let e = number(id)?;
        facts.push((e, 0, Val::Text(name.to_owned())));
        if version.is_empty() {
            continue;
        }
        facts.push((e, 1, Val::Text(version.to_owned())));
        facts.push((e, 2, Val::Text(section.to_owned())));
        facts.push((e, 3, Val::Text(priority.to_owned())));
        facts.push((e, 4, Val::Ref(number(maintainer)?)));
        facts.push((e, 5, Val::Int(i64::from(number(size)?))));
        if essential == "1" {
            facts.push((e, 6, Val::Int(1)));
        }
    }
    for row in table(&folder, "deb-depends")?.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let [from, to, kind] = columns[..] else {
            return Err(format!("deb-depends: not three columns: {row}"));
        };
        let kind = SCHEMA.iter().skip(KINDS).position(|attribute| attribute.name == kind);
        let kind = kind.ok_or_else(|| format!("deb-depends: of an unknown kind: {row}"))?;
        facts.push((number(from)?, KINDS + kind, Val::Ref(number(to)?)));
    }
    for row in table(&folder, "deb-maintainers")?.lines() {
        let (id, name) = row
            .split_once('\t')
            .ok_or_else(|| format!("deb-maintainers: no two columns: {row}"))?;
        facts.push((number(id)?, 12, Val::Text(name.to_owned())));
    }
    Ok(Set { name: "debian", schema: &SCHEMA, facts, tables: TABLES })
}

fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    std::env::var_os("DEBIAN_TABLES").map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

fn table(folder: &std::path::Path, name: &str) -> Result<String, String> {
    let path = folder.join(format!("{name}.tsv.xz"));
    if !path.exists() {
        return Err(format!("{} is not there (DEBIAN_TABLES names its folder)", path.display()));
    }
    let output = Command::new("xz").arg("-dc").arg(&path).output();
    let output = output.map_err(|error| format!("the program xz is wanted: {error}"))?;
    if !output.status.success() {
        return Err(format!("xz cannot read {}", path.display()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{} is no text", path.display()))
}

const NEEDS: &str = "[
  [(needs ?x ?y) [?x :depends ?y]]
  [(needs ?x ?y) [?x :pre-depends ?y]]
  [(needs ?x ?y) [?x :depends ?t] (needs ?t ?y)]
  [(needs ?x ?y) [?x :pre-depends ?t] (needs ?t ?y)]]";

const fn case(
    name: &'static str,
    query: &'static str,
    eav: &'static str,
    tables: &'static str,
) -> Case {
    Case { name, query, rules: None, eav, tables: Some(tables) }
}

/// The queries.
pub const CASES: [Case; 8] = [
    case(
        "rdeps libc6",
        r#"[:find ?p ?n :where [?l :name "libc6"] [?p :depends ?l] [?p :name ?n]]"#,
        "SELECT p.e, n.v FROM d l JOIN d p ON p.a=:depends AND p.v=l.e
         JOIN d n ON n.e=p.e AND n.a=:name WHERE l.a=:name AND l.v='libc6'",
        "SELECT p.id, p.name FROM package l JOIN dep ON dep.y=l.id JOIN package p ON p.id=dep.x
         WHERE l.name='libc6'",
    ),
    case(
        "maintainers",
        r#"[:find ?t :where [?l :name "libssl3"] [?p :depends ?l] [?p :maintainer ?m]
            [?m :maintainer/name ?t]]"#,
        "SELECT DISTINCT t.v FROM d l JOIN d p ON p.a=:depends AND p.v=l.e
         JOIN d m ON m.e=p.e AND m.a=:maintainer JOIN d t ON t.e=m.v AND t.a=:maintainer/name
         WHERE l.a=:name AND l.v='libssl3'",
        "SELECT DISTINCT m.name FROM package l JOIN dep ON dep.y=l.id
         JOIN package p ON p.id=dep.x JOIN maintainer m ON m.id=p.maintainer
         WHERE l.name='libssl3'",
    ),
    case(
        "2-cycles",
        "[:find ?a ?b :where [?a :depends ?b] [?b :depends ?a]]",
        "SELECT x.e, x.v FROM d x JOIN d y ON y.e=x.v AND y.a=:depends AND y.v=x.e
         WHERE x.a=:depends",
        "SELECT x.x, x.y FROM dep x JOIN dep y ON y.x=x.y AND y.y=x.x",
    ),
    case(
        "sections",
        "[:find ?s (sum ?z) :with ?p :where [?p :section ?s] [?p :size ?z]]",
        "SELECT s.v, sum(z.v) FROM d s JOIN d z ON z.e=s.e AND z.a=:size WHERE s.a=:section
         GROUP BY s.v",
        "SELECT section, sum(size) FROM package WHERE section IS NOT NULL GROUP BY section",
    ),
    case(
        "leaf libraries",
        r#"[:find ?p :where [?p :section "libs"] (not [_ :depends ?p])]"#,
        "SELECT s.e FROM d s WHERE s.a=:section AND s.v='libs' AND NOT EXISTS
         (SELECT 1 FROM d x WHERE x.a=:depends AND x.v=s.e)",
        "SELECT id FROM package WHERE section='libs' AND NOT EXISTS
         (SELECT 1 FROM dep WHERE dep.y=package.id)",
    ),
    case(
        "triangles",
        "[:find ?a ?b ?c :where [?a :depends ?b] [?b :depends ?c] [?a :depends ?c]]",
        "SELECT x.e, x.v, y.v FROM d x JOIN d y ON y.e=x.v AND y.a=:depends
         JOIN d z ON z.e=x.e AND z.a=:depends AND z.v=y.v WHERE x.a=:depends",
        "SELECT x.x, x.y, y.y FROM dep x JOIN dep y ON y.x=x.y JOIN dep z ON z.x=x.x AND z.y=y.y",
    ),
    Case {
        name: "needs of firefox",
        query: r#"[:find ?y :in $ % :where [?x :name "firefox-esr"] (needs ?x ?y)]"#,
        rules: Some(NEEDS),
        eav: "WITH RECURSIVE f(x, y) AS (
                SELECT d.e, d.v FROM d JOIN d n ON n.e=d.e AND n.a=:name AND n.v='firefox-esr'
                  WHERE d.a IN (:depends, :pre-depends) UNION
                SELECT f.x, d.v FROM f JOIN d ON d.e=f.y AND d.a IN (:depends, :pre-depends))
              SELECT y FROM f",
        tables: Some(
            "WITH RECURSIVE edge(x, y) AS (SELECT x, y FROM dep UNION ALL SELECT x, y FROM pre),
             f(y) AS (SELECT edge.y FROM edge JOIN package p ON p.id=edge.x
                AND p.name='firefox-esr' UNION SELECT edge.y FROM f JOIN edge ON edge.x=f.y)
             SELECT y FROM f",
        ),
    },
    Case {
        name: "needed by libssl3",
        query: r#"[:find ?x :in $ % :where [?y :name "libssl3"] (needs ?x ?y)]"#,
        rules: Some(NEEDS),
        eav: "WITH RECURSIVE f(x) AS (
                SELECT d.e FROM d JOIN d n ON n.e=d.v AND n.a=:name AND n.v='libssl3'
                  WHERE d.a IN (:depends, :pre-depends) UNION
                SELECT d.e FROM f JOIN d ON d.v=f.x AND d.a IN (:depends, :pre-depends))
              SELECT x FROM f",
        tables: Some(
            "WITH RECURSIVE edge(x, y) AS (SELECT x, y FROM dep UNION ALL SELECT x, y FROM pre),
             f(x) AS (SELECT edge.x FROM edge JOIN package p ON p.id=edge.y
                AND p.name='libssl3' UNION SELECT edge.x FROM f JOIN edge ON edge.y=f.x)
             SELECT x FROM f",
        ),
    },
];
