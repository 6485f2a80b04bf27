use daodb::{Database, Import};
use datom::{Value, edn};

use super::*;

const FACTS: [&str; 2] = [
    r#"{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity :db/doc "a, \"b\"\nc"}
       {:db/ident :n :db/valueType :db.type/long} {:db/ident :big :db/valueType :db.type/bigint}
       {:db/ident :d :db/valueType :db.type/double} {:db/ident :is :db/valueType :db.type/boolean}
       {:db/ident :at :db/valueType :db.type/instant} {:db/ident :u :db/valueType :db.type/uuid}
       {:db/ident :k :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
       {:db/ident :s :db/valueType :db.type/symbol} {:db/ident :raw :db/valueType :db.type/bytes}
       {:db/ident :url :db/valueType :db.type/uri} {:db/ident :pair :db/tupleType :db.type/long}
       {:db/ident :any :db/valueType :db.type/any} {:db/ident :next :db/valueType :db.type/ref}
       {:db/ident :all :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}"#,
    r##"{:db/id "a" :name "a, \"quoted\"\nand ü" :n -5 :big 123456789012345678901234567890 :d 1.5
        :is true :at #inst "2026-01-31T12:00:00.000001Z" :k [:x/y :z] :s a/b :raw #bytes "00ff"
        :u #uuid "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" :url "https://example.org/?a=b,c"
        :pair [1 nil 3] :any {:deep [nil "x" #{1.0}]} :next "b" :all ["a" "b"]}
       {:db/id "b" :name "" :d ##Inf :any "plain"}"##,
];

fn facts() -> Database {
    let db = Database::memory().unwrap();
    for text in FACTS {
        db.transact(&edn::read_all(text).unwrap()).unwrap();
    }
    db
}

fn written(format: Transfer, db: &Database) -> String {
    let mut out = Vec::new();
    write(format, &db.db().unwrap(), &mut out, |_| {}).unwrap();
    String::from_utf8(out).unwrap()
}

struct Taking(Import);

impl Take for Taking {
    fn take(&mut self, form: Value) -> Done<()> {
        Ok(self.0.add(form)?)
    }

    fn type_of(&mut self, attribute: &str) -> Done<Option<String>> {
        Ok(self.0.attribute(attribute)?.map(|a| a.value_type.name().to_owned()))
    }
}

fn imported(format: Transfer, text: &str) -> Done<Database> {
    let db = Database::memory().unwrap();
    let mut taking = Taking(db.import());
    read(format, "text", text.as_bytes(), &mut taking)?;
    taking.0.finish()?;
    Ok(db)
}

#[test]
fn what_a_format_writes_it_reads() {
    let db = facts();
    for format in [Transfer::Edn, Transfer::Json, Transfer::Csv] {
        let text = written(format, &db);
        let other = imported(format, &text).unwrap();
        // The attributes, what has no entity in it, and what has.
        assert!(other.db().unwrap().basis() <= 3, "{format:?} takes few transactions");
        // Entities were numbered in the same order, so the text is the same.
        assert_eq!(
            written(Transfer::Edn, &other),
            written(Transfer::Edn, &db),
            "{format:?}: {text}"
        );
    }
}

#[test]
fn plain_values_are_written_plainly() {
    let json = written(Transfer::Json, &facts());
    assert!(
        json.contains(r#""n":-5"#) && json.contains(r#""at":"2026-01-31T12:00:00.000001Z""#),
        "{json}"
    );
    assert!(json.contains(r#""k":["x/y","z"]"#) && json.contains(r#""is":true"#), "{json}");
    let csv = written(Transfer::Csv, &facts());
    assert!(csv.starts_with("entity,attribute,value\n"), "{csv}");
    assert!(csv.contains(",n,-5\n") && csv.contains("\"a, \"\"quoted\"\"\nand ü\""), "{csv}");
}

#[test]
fn a_table_under_attributes_is_an_entity_a_row() {
    let schema = "{:db/ident :name :db/valueType :db.type/string} {:db/ident :n :db/valueType :db.type/long}";
    let db = Database::memory().unwrap();
    db.transact(&edn::read_all(schema).unwrap()).unwrap();
    let mut taking = Taking(db.import());
    read(Transfer::Csv, "text", "name,n\nAda,1\n\"Mary, too\",\n".as_bytes(), &mut taking).unwrap();
    taking.0.finish().unwrap();
    let found =
        db.db().unwrap().q("[:find ?n ?x :where [?e :name ?n] [(get-else $ ?e :n 0) ?x]]", &[]);
    assert_eq!(found.unwrap(), edn::read("#{[\"Ada\" 1] [\"Mary, too\" 0]}").unwrap());
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let wrong = [
        (Transfer::Edn, "{:db/id 1}\n{:db/id 2 :x 1/2}\n", "line 2"),
        (Transfer::Edn, "{:db/ident :a\n\n", "line 1"),
        (Transfer::Edn, "7\n", "maps"),
        (Transfer::Json, "{\"db/id\": 1\n", "line 1"),
        (Transfer::Json, "\n{\"name\": null}\n", "line 2"),
        (Transfer::Json, "{\"name\": {\"a\": 1}}\n", "edn"),
        (Transfer::Csv, "entity,attribute,value\n1,db/ident,(\n", "line 2"),
        (Transfer::Csv, "a,b\n1\n", "CSV"),
    ];
    for (format, text, why) in wrong {
        let error = imported(format, text).map(drop).unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
}
