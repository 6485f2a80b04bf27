use std::fs;

use super::{KeyError, KeyFileError, Keypair, PublicKey, UncheckedKey};

#[test]
fn a_key_grows_from_its_seed_as_rfc_8032_says() {
    // RFC 8032 §7.1, test 1: the empty message.
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let key = Keypair::from_seed(&seed.try_into().unwrap());
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(key.public().to_bytes().to_vec(), public);
    let signature = hex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    assert_eq!(key.sign(b"").to_vec(), signature);
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn keys_of_small_or_mixed_order_are_refused() {
    // The eight points of small order, in their canonical encodings.
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ];
    for point in small {
        let bytes = hex(point).try_into().unwrap();
        assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::SmallOrder), "{point}");
    }
    // An honest point plus one of order 8 (the key of cases 4 and 5 of "Taming the many EdDSAs").
    let mixed = hex("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d");
    assert_eq!(PublicKey::from_bytes(&mixed.try_into().unwrap()), Err(KeyError::SmallOrder));
}

#[test]
fn second_encodings_of_a_point_are_refused() {
    // y = 1 and y = 0 written as p + 1 and p, and x = 0 with its sign bit set.
    for bytes in [
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
    ] {
        assert_eq!(PublicKey::from_bytes(&hex(bytes).try_into().unwrap()), Err(KeyError::Encoding));
    }
}

#[test]
fn a_public_key_survives_its_text() {
    let key = *Keypair::from_seed(&[7; 32]).public();
    assert_eq!(PublicKey::from_text(&key.to_string()), Ok(key));
    let cut = &key.to_string()[..40];
    for bad in ["", "shibi-pub1_", cut, "shibi-key1_AAAA", "shibi-pub1_!"] {
        assert_eq!(PublicKey::from_text(bad), Err(KeyError::Text), "{bad}");
    }
}

#[test]
fn debug_prints_no_secret() {
    let seed = [0x5a; 32];
    let printed = format!("{:?}", Keypair::from_seed(&seed));
    assert!(printed.starts_with("Keypair(shibi-pub1_"));
    assert!(!printed.contains(&crate::text::encode(&seed)) && !printed.contains("5a5a"));
}

#[test]
fn a_key_survives_its_file_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    let key = Keypair::generate().unwrap();
    key.save(&path).unwrap();
    assert_eq!(Keypair::load(&path).unwrap(), key);
    let again = Keypair::generate().unwrap().save(&path);
    assert!(matches!(again, Err(KeyFileError::Io { .. })));
    assert_eq!(Keypair::load(&path).unwrap(), key);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn of_many_that_save_at_once_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    let saved: Vec<u8> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|seed| {
                (
                    seed,
                    scope.spawn({
                        let path = &path;
                        move || Keypair::from_seed(&[seed; 32]).save(path)
                    }),
                )
            })
            .collect();
        threads.into_iter().filter_map(|(seed, t)| t.join().unwrap().ok().map(|()| seed)).collect()
    });
    assert_eq!(saved.len(), 1);
    assert_eq!(Keypair::load(&path).unwrap(), Keypair::from_seed(&[saved[0]; 32]));
}

#[cfg(unix)]
#[test]
fn a_key_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    Keypair::generate().unwrap().save(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Keypair::load(&path), Err(KeyFileError::Permissions { mode: 0o640, .. })));
}

#[test]
fn other_files_are_no_keys() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty", &b""[..]),
        ("short", b"shibi-key1_AAAA\n"),
        ("public", b"shibi-pub1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"),
        ("binary", &[0xff; 64]),
        ("long", &[b'A'; 1000]),
    ] {
        let path = folder.path().join(name);
        Keypair::from_seed(&[1; 32]).save(&path).unwrap();
        fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .unwrap()
            .write_all(content)
            .unwrap();
        assert!(matches!(Keypair::load(&path), Err(KeyFileError::Content { .. })), "{name}");
    }
    let missing = Keypair::load(&folder.path().join("missing"));
    assert!(matches!(missing, Err(KeyFileError::Io { .. })));
}

#[test]
fn an_unchecked_key_becomes_a_key_by_its_check() {
    let key = *Keypair::from_seed(&[3; 32]).public();
    assert_eq!(key.unchecked().check(), Ok(key));
    assert!(UncheckedKey([0; 32]).check().is_err());
}
