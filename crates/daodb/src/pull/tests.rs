//! Pull on a small world.

use datom::{Value, edn};

use super::Pattern;
use crate::attribute::ValueType;
use crate::query::{Limits, Memory, Watch};

fn world() -> Memory {
    let mut memory = Memory::new(&[
        ("name", ValueType::String, ""),
        ("boss", ValueType::Ref, ""),
        ("friend", ValueType::Ref, "many"),
        ("desk", ValueType::Ref, "component"),
        ("part", ValueType::Ref, "many component"),
        ("skill", ValueType::String, "many"),
    ]);
    let text = |t: &str| Value::text(t);
    memory.add(
        1,
        &[
            (1, "name", text("Ada")),
            (1, "skill", text("the longer text comes later")),
            (1, "skill", text("a")),
            (1, "skill", text("a text of the longer kind")),
            (1, "desk", Value::Ref(10)),
            (10, "name", text("desk")),
            (10, "part", Value::Ref(11)),
            (10, "part", Value::Ref(12)),
            (11, "name", text("leg")),
            (12, "part", Value::Ref(10)),
            (2, "name", text("Bob")),
            (2, "boss", Value::Ref(1)),
            (2, "friend", Value::Ref(3)),
            (3, "name", text("Cyd")),
            (3, "boss", Value::Ref(2)),
            (3, "friend", Value::Ref(2)),
        ],
    );
    memory
}

fn pull(pattern: &str, entity: u64) -> Result<Value, String> {
    let memory = world();
    let pattern = edn::read(pattern).unwrap();
    let watch = Watch::start(&Limits::default());
    let pulled =
        Pattern::parse(&pattern, &memory).and_then(|pattern| pattern.pull(&memory, entity, &watch));
    pulled.map_err(|error| error.to_string())
}

fn shows(pattern: &str, entity: u64, expected: &str) {
    let pulled = pull(pattern, entity).unwrap();
    let plain = edn::read(&pulled.to_string()).unwrap();
    assert_eq!(plain, edn::read(expected).unwrap(), "{pattern}");
}

#[test]
fn many_values_come_in_the_order_of_values() {
    let all = "[\"a\" \"a text of the longer kind\" \"the longer text comes later\"]";
    shows("[:skill]", 1, &format!("{{:skill {all}}}"));
    shows("[(:skill :limit 1 :as \"can\")]", 1, "{\"can\" [\"a\"]}");
    shows("[(default :skill \"none\")]", 2, "{:skill \"none\"}");
}

#[test]
fn parts_are_shown_whole_and_a_part_of_itself_ends() {
    shows(
        "[:desk]",
        1,
        "{:desk {:db/id 10 :name \"desk\" :part [{:db/id 11 :name \"leg\"}
                                                {:db/id 12 :part [{:db/id 10}]}]}}",
    );
    shows("[{:desk [:name]}]", 1, "{:desk {:name \"desk\"}}");
    shows("[:_desk]", 10, "{:_desk {:db/id 1}}");
}

#[test]
fn recursion_ends_by_depth_and_at_cycles() {
    shows("[:name {:boss ...}]", 3, "{:name \"Cyd\" :boss {:name \"Bob\" :boss {:name \"Ada\"}}}");
    shows("[:name {:boss 1}]", 3, "{:name \"Cyd\" :boss {:name \"Bob\"}}");
    shows(
        "[:name {:friend ...}]",
        2,
        "{:name \"Bob\" :friend [{:name \"Cyd\" :friend [{:name \"Bob\" :friend [{:db/id 3}]}]}]}",
    );
    shows("[{:_boss [:name]}]", 1, "{:_boss [{:name \"Bob\"}]}");
}

#[test]
fn values_are_transformed_and_keys_renamed() {
    shows("[(:name :xform upper-case)]", 1, "{:name \"ADA\"}");
    shows("[(:skill :limit 2 :xform count :as :skills)]", 1, "{:skills 2}");
    shows("[{(:boss :xform first) [:name]}]", 1, "nil");
    shows("[(:boss :default 0 :xform str)]", 1, "{:boss 0}");
    shows(
        "[(:db/id :as :number) {:boss [[:db/id :as \"id\"]]}]",
        2,
        "{:number 2 :boss {\"id\" 1}}",
    );
    let error = pull("[(:name :xform inc)]", 1).unwrap_err();
    assert!(error.contains("inc: works on numbers"), "{error}");
    let error = pull("[(:name :xform upper-cas)]", 1).unwrap_err();
    assert!(error.contains("did you mean upper-case?"), "{error}");
    let error = pull("[(:name :xform my/own)]", 1).unwrap_err();
    assert!(error.contains("unknown function my/own"), "{error}");
}

#[test]
fn what_is_not_there_is_left_out() {
    shows("[:boss]", 1, "nil");
    shows("[*]", 99, "nil");
    shows("[:db/id :boss]", 1, "{:db/id 1}");
    shows(
        "[* {:boss [:name]}]",
        3,
        "{:db/id 3 :name \"Cyd\" :boss {:name \"Bob\"} :friend [{:db/id 2}]}",
    );
}

#[test]
fn wrong_patterns_say_what_is_wrong() {
    for (pattern, message) in [
        ("[:nam]", "did you mean :name?"),
        ("[:_name]", "no reference"),
        ("[{:name [:boss]}]", "no reference"),
        ("[(:name :limit 0)]", "above 0"),
        ("[(:name :like 1)]", "no option like"),
        ("[{:boss 0}]", "1 or more"),
        ("[1]", "no attribute"),
        ("[]", "no vector"),
    ] {
        let error = pull(pattern, 1).unwrap_err();
        assert!(error.contains(message), "{pattern}: {error}");
    }
}
