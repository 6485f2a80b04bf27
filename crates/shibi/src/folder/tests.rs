use super::Folder;

#[test]
fn a_folder_has_one_text() {
    for good in ["/", "/srv", "/srv/a b", "/srv/..a", "/ü"] {
        assert_eq!(Folder::new(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "srv",
        "./srv",
        "/srv/",
        "//srv",
        "/srv//a",
        "/.",
        "/..",
        "/srv/../etc",
        "/srv/.",
        "/a\0b",
    ] {
        assert!(Folder::new(bad).is_err(), "{bad:?}");
    }
    assert!(Folder::new(&format!("/{}", "a".repeat(1023))).is_ok());
    assert!(Folder::new(&format!("/{}", "a".repeat(1024))).is_err());
}

#[test]
fn a_folder_contains_itself_and_what_lies_below_by_whole_names() {
    let srv = Folder::new("/srv").unwrap();
    for inside in ["/srv", "/srv/a", "/srv/a/b"] {
        assert!(srv.contains(inside), "{inside}");
    }
    for outside in [
        "/",
        "/srvx",
        "/sr",
        "srv/a",
        "/srv/",
        "/srv//a",
        "/srv/../etc",
        "/srv/a/..",
        "/srv/./a",
        "",
    ] {
        assert!(!srv.contains(outside), "{outside}");
    }
}

#[test]
fn the_root_contains_every_plain_absolute_path() {
    let root = Folder::new("/").unwrap();
    assert_eq!(root.strip("/etc/passwd"), Some("etc/passwd"));
    assert_eq!(root.strip("/"), Some(""));
    for outside in ["", "etc", "//", "/../etc"] {
        assert_eq!(root.strip(outside), None, "{outside}");
    }
}
