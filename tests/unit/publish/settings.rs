use super::*;

#[test]
fn a_path_that_is_absolute_at_once_is_so_for_the_library() {
    for path in [
        "/",
        "/a",
        "/a/b.zone",
        "/a/../b",
        "/a/..",
        "/.a/b.",
        "/a//b",
        "//a",
        "/a/",
        "/./a",
        "/a/.",
        "a",
        "./a",
        "../a",
        "",
    ] {
        let path = Path::new(path);
        if is_absolute(path) {
            assert_eq!(std::path::absolute(path).unwrap().as_os_str(), path.as_os_str());
        }
    }
    assert!(is_absolute(Path::new("/srv/zones/example.org.zone")));
    for other in ["a", "./a", "/a/./b", "/a//b", "/a/", ""] {
        assert!(!is_absolute(Path::new(other)), "{other}");
    }
}
