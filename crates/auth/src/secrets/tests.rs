//! The file with the root keys: read, made, rotated, and never shown.

use std::{fs, path::PathBuf};

use bridgehead_core::OsRandomness;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::Seeded;

const ONE: &str = "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "bhs_AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn versions(keys: &RootKeys) -> Vec<&str> {
    keys.versions().map(KeyVersion::as_str).collect()
}

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bridgehead.keys");
    (directory, path)
}

/// What was hashed once has to be found for ever: derived names and peppers do not change.
#[test]
fn what_is_derived_does_not_change() {
    let roots = RootKeys::parse("test", ONE).unwrap();
    let (version, hash) = Peppers::derive(&roots).hash(&Secret::new("bhk_example".into()));
    assert_eq!(version.as_str(), "cd67fe0f");
    assert_eq!(URL_SAFE_NO_PAD.encode(hash.as_bytes()), "TQxMO2XavqzyWY4Pu0I8BGpfjlGuAO6_gg8noFfw3lg");
}

#[test]
fn comments_blanks_and_commas_are_read() {
    let text = format!("# mine\n\n  {ONE}   # since March\r\n{OTHER}, {ONE}\n");
    let keys = RootKeys::parse("test", &text).unwrap();
    assert_eq!(versions(&keys).len(), 2, "the same key twice counts once");
    let one_line = RootKeys::parse("BRIDGEHEAD_KEYS", &format!("{ONE},{OTHER}")).unwrap();
    assert_eq!(versions(&keys), versions(&one_line));
    let again = RootKeys::parse("again", keys.to_text().expose()).unwrap();
    assert_eq!(versions(&keys), versions(&again));
}

#[test]
fn several_texts_are_put_behind_each_other() {
    let one = RootKeys::parse("one", ONE).unwrap();
    let both = RootKeys::parse("both", &format!("{OTHER}\n{ONE}")).unwrap();
    let (first, second) = (versions(&one)[0].to_owned(), versions(&both)[0].to_owned());
    assert_eq!(versions(&one.followed_by(both)), [first, second]);
}

#[test]
fn what_is_wrong_is_named_by_line_and_never_repeated() {
    let rows = [
        (format!("{ONE}\nhunter2\n"), 2, "begin with `bhs_`"),
        (format!("# x\n\n{}\n", &ONE[..20]), 3, "43 characters"),
        (format!("{ONE}x"), 1, "43 characters"),
        (ONE.replace('E', "!"), 1, "43 characters"),
    ];
    for (text, line, words) in rows {
        let error = RootKeys::parse("bridgehead.keys", &text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("bridgehead.keys:{line}: ")) && shown.contains(words), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("AAECAw"), "{shown}");
    }
    for text in ["", "\n# nothing\n"] {
        assert!(matches!(RootKeys::parse("x", text), Err(SecretsError::Empty { .. })));
    }
}

#[test]
fn debug_shows_names_alone() {
    let keys = RootKeys::parse("test", &format!("{ONE} {OTHER}")).unwrap();
    let shown = format!("{keys:?} {:?} {:?}", Peppers::derive(&keys), keys.to_text());
    assert!(shown.contains(versions(&keys)[0]) && !shown.contains("AAECAw"), "{shown}");
}

#[test]
fn the_first_start_makes_the_file_and_the_next_reads_it() {
    let (directory, path) = place();
    let made = RootKeys::load_or_create(&path, &OsRandomness).unwrap();
    assert!(made.created && made.warning.is_none());
    let read = RootKeys::load_or_create(&path, &OsRandomness).unwrap();
    assert!(!read.created && read.warning.is_none());
    assert_eq!(versions(&made.keys), versions(&read.keys));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn a_file_that_is_there_is_never_replaced() {
    let (_directory, path) = place();
    fs::write(&path, ONE).unwrap();
    let error = RootKeys::create(&path, &OsRandomness).unwrap_err();
    assert!(matches!(&error, SecretsError::File { cause, .. } if cause.kind() == std::io::ErrorKind::AlreadyExists));
    fs::write(&path, "").unwrap();
    assert!(matches!(RootKeys::load_or_create(&path, &OsRandomness), Err(SecretsError::Empty { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn of_many_first_starts_at_once_all_have_the_same_keys() {
    let (_directory, path) = place();
    let loaded: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|seed| {
                let path = &path;
                scope.spawn(move || RootKeys::load_or_create(path, &Seeded::new(seed)).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(loaded.iter().filter(|loaded| loaded.created).count(), 1);
    assert!(loaded.iter().all(|other| versions(&other.keys) == versions(&loaded[0].keys)));
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let (directory, _) = place();
    let path = directory.path().join("missing").join("bridgehead.keys");
    let shown = RootKeys::load_or_create(&path, &OsRandomness).unwrap_err().to_string();
    assert!(shown.contains("missing") && shown.contains("cannot make"), "{shown}");
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone_and_others_reading_it_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;

    let (_directory, path) = place();
    RootKeys::create(&path, &OsRandomness).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let warning = RootKeys::load(&path).unwrap().warning.unwrap();
    assert_eq!(warning, SecretsWarning::OpenToOthers { path: path.clone(), mode: 0o640 });
    assert!(warning.to_string().contains("chmod 600"), "{warning}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,200}") {
        let _ = RootKeys::parse("x", &text);
        let _ = RootKeys::parse("x", &format!("bhs_{text}"));
        let _ = KeyVersion::parse(&text);
    }
}
