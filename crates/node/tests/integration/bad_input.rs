//! Bad input gives one clear message, the right exit status, and leaves the data as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::place::{Place, Ran, lock_file};

const COUNT: &str = "[:find (count ?p) . :where [?p :package/name]]";

/// A world that holds a run of the example.
fn world() -> Place {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(20, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    place
}

fn unharmed(place: &Place) {
    assert_eq!(place.ok(&["q", "world", COUNT]).trim(), "20");
    place.ok(&["verify", "world"]);
}

fn log_segments(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path("world/log")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "frames"))
        .collect();
    files.sort();
    files
}

#[test]
fn a_corrupt_region_file_is_rebuilt_from_the_log_and_kept_as_evidence() {
    let place = world();
    let region = place.path("world/region.eve");
    let mut bytes = fs::read(&region).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(&region, bytes).unwrap();
    let ran = place.run(&["q", "world", COUNT]);
    assert_eq!((ran.status, ran.stdout.trim()), (Some(0), "20"), "{ran}");
    assert!(ran.stderr.contains("rebuilt"), "says what it did: {ran}");
    let kept = fs::read_dir(place.path("world")).unwrap().flatten();
    assert!(kept.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("damaged")));
    unharmed(&place);
}

#[test]
fn a_lost_region_file_is_rebuilt_from_the_log() {
    let place = world();
    fs::remove_file(place.path("world/region.eve")).unwrap();
    unharmed(&place);
}

#[test]
fn a_frame_that_was_never_whole_is_put_aside_and_said() {
    let place = world();
    let last = log_segments(&place).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    // The beginning of a frame, as a power cut in the middle of a write leaves it.
    bytes.extend_from_within(64..264);
    fs::write(&last, &bytes).unwrap();
    fs::remove_file(place.path("world/region.eve")).unwrap();
    let ran = place.run(&["log", "world"]);
    assert_eq!(ran.status, Some(0), "{ran}");
    assert!(ran.stderr.contains("torn") && ran.stderr.contains("200 bytes"), "{ran}");
    unharmed(&place);
}

#[test]
fn a_truncated_log_is_refused_until_somebody_accepts_the_loss() {
    let place = world();
    fs::remove_file(place.path("world/region.eve")).unwrap();
    let last = log_segments(&place).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 7]).unwrap();
    place.run(&["log", "world"]).fails_with(1, &["lost", "datom verify world --repair"]);
    assert_eq!(fs::read(&last).unwrap().len(), bytes.len() - 7, "evidence is not touched");

    let ran = place.run(&["verify", "world", "--repair"]);
    assert_eq!(ran.status, Some(0), "{ran}");
    assert!(ran.stderr.contains("lost") && ran.stderr.contains("evidence"), "{ran}");
    unharmed(&place);
}

#[test]
fn a_flipped_bit_in_the_log_is_named() {
    let place = world();
    fs::remove_file(place.path("world/region.eve")).unwrap();
    let segment = log_segments(&place).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    place.run(&["q", "world", COUNT]).fails_with(1, &["log", "damaged"]);
    assert!(fs::read(&segment).unwrap() == bytes, "evidence is not touched");
}

#[test]
fn a_flipped_bit_in_the_log_is_found_by_verify() {
    let place = world();
    let segment = log_segments(&place).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    place.run(&["verify", "world"]).fails_with(1, &["log"]);
}

#[test]
fn a_program_with_a_syntax_error_is_shown_with_its_place() {
    let place = world();
    place.write("bad.yin", "(def x 1)\n(def y [1 2)\n");
    place.run(&["run", "world", "bad.yin"]).fails_with(1, &["bad.yin:2:"]);
    unharmed(&place);
}

#[test]
fn a_program_that_names_nothing_is_shown_with_its_place() {
    let place = world();
    place.write("bad.yin", "(def x 1)\n(+ x nowhere)\n");
    place.run(&["run", "world", "bad.yin"]).fails_with(1, &["nowhere", "bad.yin:2:"]);
    unharmed(&place);
}

#[test]
fn a_query_with_an_unknown_attribute_suggests_the_near_one() {
    let place = world();
    place
        .run(&["q", "world", "[:find ?n :where [?p :package/nmae ?n]]"])
        .fails_with(1, &[":package/nmae", ":package/name"]);
}

#[test]
fn a_query_with_an_unbound_variable_names_it() {
    let place = world();
    place.run(&["q", "world", "[:find ?x :where [?p :package/name ?n]]"]).fails_with(1, &["?x"]);
}

#[test]
fn a_query_that_is_no_edn_is_shown_with_its_place() {
    let place = world();
    place.run(&["q", "world", "[:find ?x :where"]).fails_with(1, &["query:1:"]);
}

#[test]
fn a_lock_file_that_is_no_toml_is_refused_whole() {
    let place = world();
    place.write("Cargo.lock", "this is [no TOML");
    place
        .run(&["run", "world", "deps.yin", "Cargo.lock"])
        .fails_with(1, &[":toml/parse", "line 1"]);
    unharmed(&place);
}

#[test]
fn a_missing_file_is_named() {
    let place = world();
    place.run(&["run", "world", "deps.yin", "Nothing.lock"]).fails_with(1, &["Nothing.lock"]);
    place.run(&["run", "world", "nothing.yin"]).fails_with(1, &["nothing.yin"]);
    unharmed(&place);
}

#[test]
fn a_world_that_is_not_there_is_not_made_by_reading() {
    let place = Place::new();
    place.run(&["q", "nowhere", COUNT]).fails_with(1, &["nowhere", "datom init"]);
    assert!(!place.path("nowhere").exists());
}

#[test]
fn a_folder_of_other_files_does_not_become_a_world() {
    let place = Place::new();
    place.run(&["run", ".", "deps.yin"]).fails_with(1, &["not empty", "deps.yin"]);
    assert!(!place.path("node.key").exists());
}

#[test]
fn a_wrong_call_has_status_two() {
    let place = Place::new();
    assert_eq!(place.run(&["frobnicate"]).status, Some(2));
    assert_eq!(place.run(&["q", "world"]).status, Some(2));
}

#[test]
fn a_transaction_of_a_wrong_type_changes_nothing() {
    let place = world();
    place.write("bad.edn", "[{:package/name \"good\" :package/version \"1\"} {:package/name 42}]");
    place.run(&["transact", "world", "bad.edn"]).fails_with(1, &[":package/name", "42"]);
    unharmed(&place);
}

/// As another user than root, for whom a read-only folder is no obstacle.
fn as_nobody(command: &mut Command) -> Option<()> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if String::from_utf8_lossy(&id.stdout).trim() == "0" {
        use std::os::unix::process::CommandExt;
        command.uid(65534).gid(65534);
    }
    Some(())
}

#[test]
fn a_read_only_folder_is_named() {
    let place = Place::new();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o555)).unwrap();
    let arguments = ["init", "world"];
    let mut command = place.datom(&arguments);
    as_nobody(&mut command).unwrap();
    // The program itself may stand where another user cannot reach it.
    let Ok(output) = command.output() else {
        println!("skipped: another user cannot start the program here");
        return;
    };
    Ran::new(&arguments, output).fails_with(1, &["world", "ermission denied"]);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a script in a mount namespace of its own; `None` where the system allows no such thing.
fn in_own_mounts(place: &Place, script: &str) -> Option<Ran> {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.current_dir(place.path("")).env("NO_COLOR", "1");
    command.env("DATOM", env!("CARGO_BIN_EXE_datom"));
    let output = command.output().ok()?;
    let ran = Ran::new(&[script], output);
    if ran.stderr.contains("unshare:") || ran.stderr.contains("mount:") {
        println!("skipped: no private mounts here: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

#[test]
fn a_full_disk_is_an_error_and_what_was_committed_stays() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(20, "0.1.0"));
    place.write("big.lock", &lock_file(20_000, "0.2.0"));
    fs::create_dir(place.path("small")).unwrap();
    let script = "mount -t tmpfs -o size=8m tmpfs small || exit 9
        $DATOM run small/world deps.yin Cargo.lock >/dev/null 2>&1 || exit 8
        dd if=/dev/zero of=small/ballast bs=4k >/dev/null 2>&1
        $DATOM run small/world deps.yin big.lock; echo status $?
        rm small/ballast
        $DATOM q small/world '[:find (count ?p) . :where [?p :package/name]]'
        $DATOM verify small/world >/dev/null 2>&1; echo verify $?";
    let Some(ran) = in_own_mounts(&place, script) else { return };
    assert!(ran.stdout.contains("status 1"), "{ran}");
    assert!(ran.stderr.contains("No space left") || ran.stderr.contains("full"), "{ran}");
    assert!(ran.stdout.contains("\n20\n") && ran.stdout.contains("verify 0"), "{ran}");
}
