//! A program in C joins a ring by the header alone: it takes what this process sends, and answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use eve::ring::{Error, Layout, Ring};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// The compiled program; none where there is no C compiler.
fn compiled(folder: &Path) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("echo");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(&compiler)
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/c/echo.c"))
        .arg("-o")
        .arg(&program)
        .output();
    let Ok(output) = output else {
        println!("skipped: no C compiler ({}); set CC", compiler.display());
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

#[test]
fn a_program_in_c_takes_records_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compiled(folder.path()) else { return };
    for (layout, capacity) in
        [(Layout::Packed, 64), (Layout::Sequenced, 64), (Layout::Packed, 2), (Layout::Sequenced, 2)]
    {
        let paths = ["there", "back"].map(|name| folder.path().join(name));
        let [there, back] = paths.each_ref().map(|path| Ring::at(path, layout, capacity).unwrap());
        let (mut producer, mut consumer) = (there.producer().unwrap(), back.consumer().unwrap());
        let mut other = Command::new(&program).args(&paths).spawn().unwrap();
        let (mut sent, mut seen) = (0_u64, 0_u64);
        while seen < 20_000 {
            while sent < 20_000 && producer.try_push([sent, !sent, sent << 7, 0, 1]).unwrap() {
                sent += 1;
            }
            let found = consumer.pop(PATIENCE).unwrap();
            assert_eq!(found, [seen + 1, (!seen).wrapping_add(1), (seen << 7) + 1, 1, 2]);
            seen += 1;
        }
        assert!(producer.has_consumer(), "the identity that C wrote is that of a live process");
        assert!(matches!(there.consumer(), Err(Error::Occupied { .. })));
        producer.close();
        assert!(matches!(consumer.pop(PATIENCE), Err(Error::Closed)));
        assert!(other.wait().unwrap().success());
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}

/// One that is killed is found dead, by what it wrote of itself, and replaced.
#[test]
fn a_killed_program_in_c_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compiled(folder.path()) else { return };
    let paths = ["there", "back"].map(|name| folder.path().join(name));
    let [there, back] = paths.each_ref().map(|path| Ring::at(path, Layout::Sequenced, 8).unwrap());
    let (mut producer, mut consumer) = (there.producer().unwrap(), back.consumer().unwrap());
    for life in 0..3 {
        let mut other = Command::new(&program).args(&paths).spawn().unwrap();
        producer.push([life; 5], PATIENCE).unwrap();
        assert_eq!(consumer.pop(PATIENCE).unwrap(), [life + 1; 5]);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(!producer.has_consumer() && !consumer.has_producer());
    }
    assert_eq!(there.consumer().unwrap().released(), 3);
}
