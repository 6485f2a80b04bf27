//! A program is changed while it runs, by other programs; the world knows who did it, and why.

use std::path::Path;

use crate::place::Place;

/// Enough for what is said to happen, and an end if it does not.
const FUEL: &str = "200000000";

/// Where the entities of transactions begin.
const TRANSACTIONS: u64 = 1 << 58;

fn place() -> Place {
    let place = Place::new();
    for name in ["worker.yin", "optimise.yin", "review.yin"] {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/self").join(name);
        place.write(name, &std::fs::read_to_string(example).unwrap());
    }
    place
}

#[test]
fn a_hot_function_is_replaced_under_a_program_that_runs_and_blame_tells_the_story() {
    let place = place();
    // A short run leaves traces.
    let first = place.ok(&["run", "world", "worker.yin", "50000", "--live", "--trace", "1000"]);
    assert!(first.contains(":sum 1250025000"), "{first}");
    let hot = "[:find ?self . :where [?f :trace/function \"sum-to\"] [?f :trace/self ?self]]";
    let samples: i64 = place.ok(&["q", "world", hot]).trim().parse().unwrap();
    assert!(samples > 20, "{samples}");
    // What tracing cost is counted.
    let cost = "[:find ?cost ?run :where [?t :trace/cost-us ?cost] [?t :trace/run-us ?run]]";
    assert!(!place.ok(&["q", "world", cost]).trim().is_empty());

    // This one cannot come to an end with the function as it is.
    let arguments = ["run", "world", "worker.yin", "1200000", "--live", "--fuel", FUEL];
    let worker = place.datom(&arguments).spawn().unwrap();
    let proposed = place.ok(&["run", "world", "optimise.yin"]);
    let words = proposed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(if (= n 0) (+ so-far 0) (recur (- n 1) (+ so-far n)))"), "{words}");
    let reviewed = place.ok(&["run", "world", "review.yin"]);
    assert!(reviewed.contains(":approved sum-to"), "{reviewed}");
    let output = worker.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains(":sum 720000600000"), "{stdout}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("sum-to is sum-to.proposal from now on"), "{stderr}");

    // The story.
    let blame = place.ok(&["blame", "world", "[:function/name sum-to]", ":function/program"]);
    let lines: Vec<&str> = blame.lines().collect();
    let line =
        |parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(line(&["added", "functions of worker.yin"]), "{blame}");
    assert!(line(&["removed", "review.yin"]), "{blame}");
    assert!(line(&["added", "review.yin", "approved: the same parameters"]), "{blame}");

    // Old code on old data: before the approval, the same numbers are too many for it.
    let approved = "[:find ?t . :where [_ :proposal/status :proposal.status/approved ?t]]";
    let t = digits(&place.ok(&["q", "world", approved])) & !TRANSACTIONS;
    let before = (t - 1).to_string();
    let then = place.ok(&["run", "world", "worker.yin", "50000", "--as-of", &before]);
    assert!(then.contains(":sum 1250025000"), "{then}");
    let fuel = ["run", "world", "worker.yin", "1200000", "--fuel", "5000000", "--as-of", &before];
    place.run(&fuel).fails_with(1, &["more than 5000000 steps"]);
    let now = place.ok(&["run", "world", "worker.yin", "1200000", "--as-of", &t.to_string()]);
    assert!(now.contains(":sum 720000600000"), "{now}");
}

fn digits(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_proposal_that_does_more_than_the_function_did_is_refused() {
    let place = place();
    place.ok(&["run", "world", "worker.yin", "50000", "--live", "--trace", "1000"]);
    place.ok(&["run", "world", "optimise.yin"]);
    place.ok(&["run", "world", "review.yin"]);
    place.write(
        "worse.yin",
        "(let [{:keys [tempid facts]} (program-facts \"worse\" '[(defn sum-to [n] (perform :fs/read \"/etc/passwd\"))])]
           (transact! (conj facts {:proposal/function 'sum-to :proposal/program tempid
                                   :proposal/status :proposal.status/open}))
           nil)",
    );
    place.ok(&["run", "world", "worse.yin"]);
    let reviewed = place.ok(&["run", "world", "review.yin"]);
    assert!(reviewed.contains(":refused sum-to"), "{reviewed}");
    assert!(reviewed.contains("it asks something of the world"), "{reviewed}");
    let sum = place.ok(&["run", "world", "worker.yin", "1200000", "--live", "--fuel", FUEL]);
    assert!(sum.contains(":sum 720000600000"), "{sum}");
}

#[test]
fn the_past_is_closed() {
    let place = Place::new();
    place.write("now.yin", "(transact! [{:db/ident :a/b :db/valueType :db.type/long}])");
    place.ok(&["run", "world", "now.yin"]);
    let t = digits(&place.ok(&["q", "world", "[:find ?t . :where [_ :db/ident :a/b ?t]]"]));
    let t = t & !TRANSACTIONS;
    let past = place.run(&["run", "world", "now.yin", "--as-of", &t.to_string()]);
    past.fails_with(1, &["the past is closed"]);
    place
        .run(&["run", "world", "other.yin", "--as-of", &t.to_string()])
        .fails_with(1, &["no program other.yin was stored by then"]);
}
