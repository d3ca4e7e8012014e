//! What pages say of files: settings that are put into a configuration, and excerpts of files of the repository.

use std::path::Path;

use bridgehead_harness::process::repository;
use toml::{Table, Value};

/// The configuration with these settings in it, each at its place.
pub(crate) fn merged(file: &Path, settings: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|_| format!("{} is not yet there, so nothing can be put into it", file.display()))?;
    let read = |text: &str| toml::from_str::<Table>(text).map_err(|error| error.to_string());
    let mut whole = read(&text)?;
    put(&mut whole, read(settings)?);
    toml::to_string(&whole).map_err(|error| error.to_string())
}

fn put(whole: &mut Table, settings: Table) {
    for (key, value) in settings {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(there)), Value::Table(more)) => put(there, more),
            (_, value) => _ = whole.insert(key, value),
        }
    }
}

/// Whether the lines stand in this file of the repository, one below the other.
pub(crate) fn stands_in(path: &str, excerpt: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(repository().join(path)).map_err(|error| format!("{path}: {error}"))?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let wanted: Vec<&str> = excerpt.lines().map(str::trim).collect();
    match !wanted.is_empty() && lines.windows(wanted.len()).any(|there| there == wanted) {
        true => Ok(()),
        false => Err(format!("this does not stand in {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{merged, stands_in};

    #[test]
    fn settings_are_put_beside_what_is_there_and_over_what_they_change() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.toml");
        assert!(merged(&file, "").is_err_and(|fault| fault.contains("not yet there")));
        std::fs::write(&file, "[auth]\nmode = \"open\"\n[auth.oauth]\nissuer = \"builtin\"\n").unwrap();
        let text = merged(&file, "[auth]\nmode = \"oauth\"\n[server]\npath = \"/x\"\n").unwrap();
        assert_eq!(text, "[auth]\nmode = \"oauth\"\n\n[auth.oauth]\nissuer = \"builtin\"\n\n[server]\npath = \"/x\"\n");
    }

    #[test]
    fn an_excerpt_has_to_stand_there() {
        assert!(stands_in("rustfmt.toml", "max_width = 1\n").is_err());
        assert!(stands_in("rustfmt.toml", "").is_err());
        assert!(stands_in("nothing.toml", "max_width = 120\n").is_err());
        assert!(stands_in("rustfmt.toml", "max_width = 120\n").is_ok());
    }
}
