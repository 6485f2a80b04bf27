//! Facts that leave and come, by command: files of each format, and a git history.

use std::process::Command;

use crate::place::Place;

#[test]
fn facts_go_through_each_format_from_world_to_world() {
    let place = Place::new();
    place.write(
        "facts.edn",
        r#"[{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
            {:db/ident :at :db/valueType :db.type/instant} {:db/ident :raw :db/valueType :db.type/bytes}
            {:db/ident :pair :db/tupleTypes [:db.type/long :db.type/ref]}
            {:db/ident :all :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]
           [{:db/id "a" :name "a,\n\"q\"" :at #inst "1969-12-31T23:59:59.999999Z" :raw #bytes "00ff" :all ["a" "b"]}
            {:db/id "b" :name ""}]
           [{:name "" :pair [-1 [:name ""]]}]"#,
    );
    place.ok(&["transact", "world", "facts.edn"]);
    let told = place.ok(&["export", "world"]);
    for file in ["facts.2.edn", "facts.jsonl", "facts.csv"] {
        place.ok(&["export", "world", file]);
        let other = format!("from {file}");
        place.ok(&["import", &other, file]);
        assert_eq!(place.ok(&["export", &other]), told, "{file}");
        // Who and why stands with each transaction, of which there are few.
        let log = place.ok(&["log", &other]);
        let by = format!("\"datom import\" \"{file}\"]");
        assert!((1..=4).contains(&log.matches(&by).count()), "{log}");
        assert!(place.ok(&["verify", &other]).contains(":problems 0"));
    }
}

#[test]
fn a_git_history_is_the_world_as_of_each_commit() {
    let place = Place::new();
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.arg("-C").arg(place.path("repo")).args(who).args(arguments);
        command.output().ok().filter(|done| done.status.success())
    };
    std::fs::create_dir(place.path("repo")).unwrap();
    if git(&["init", "--quiet"]).is_none() {
        println!("skipped: there is no git");
        return;
    }
    let commit = || {
        git(&["add", "--all"]).unwrap();
        git(&["commit", "--quiet", "--message", "one"]).unwrap();
    };
    place.write("repo/first", "1");
    commit();
    std::fs::rename(place.path("repo/first"), place.path("repo/second")).unwrap();
    commit();
    place.ok(&["import", "world", "git", "repo"]);
    place.write("repo/third", "3");
    commit();
    place.ok(&["import", "world", "git", "repo"]);
    let order = String::from_utf8(git(&["rev-list", "--reverse", "HEAD"]).unwrap().stdout).unwrap();
    let paths = ["[\"first\"]", "[\"second\"]", "[\"second\" \"third\"]"];
    for (id, paths) in order.lines().zip(paths) {
        let commit = format!("\"{id}\"");
        let ask = |query: &str| place.ok(&["q", "world", "--in", &commit, query]).trim().to_owned();
        let transaction = ask("[:find ?t . :in $ ?c :where [?t :git.commit/id ?c]]");
        let t = transaction.parse::<u64>().unwrap() & ((1 << 58) - 1);
        let found =
            "[:find [?p ...] :where [?f :git.file/path ?p] [?f :git.file/object] :order-by ?p]";
        assert_eq!(place.ok(&["q", "world", "--as-of", &t.to_string(), found]).trim(), paths);
        let times = "[:find [?a ?b] :in $ ?c :where [?t :git.commit/id ?c] \
                     [?t :git.commit/committed ?a] [?t :db/txInstant ?b]]";
        let times = ask(times);
        let times: Vec<&str> = times.split('"').collect();
        assert!(times[1] <= times[3], "{times:?}: its real time, or a later one");
    }
}
