//! `deploy/container/Dockerfile`, as far as this repository uses the language: a stage that builds, and one from scratch
//! that copies. An instruction that is not understood is an error, so that nothing is left out in silence.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Dockerfile {
    /// The image that the first stage builds in.
    pub(super) base: String,
    /// Where the repository lies in that stage.
    pub(super) repository: PathBuf,
    /// The shell commands of that stage.
    pub(super) build: Vec<String>,
    pub(super) copies: Vec<Copied>,
    pub(super) environment: Vec<(String, String)>,
    /// Numbers: `UID:GID`.
    pub(super) user: String,
    pub(super) volume: String,
    /// ENTRYPOINT.
    pub(super) program: String,
    /// CMD.
    pub(super) arguments: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Copied {
    pub(super) sources: Vec<PathBuf>,
    /// A folder where it ends with `/`.
    pub(super) to: String,
    /// `UID:GID`, where it is not root's.
    pub(super) owner: Option<String>,
}

impl Dockerfile {
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut file = Self::default();
        let mut stage = 0;
        for line in instructions(text) {
            let (keyword, rest) = line.split_once(' ').with_context(|| format!("not an instruction: {line}"))?;
            if keyword == "FROM" {
                stage += 1;
            }
            let understood = match stage {
                1 => file.of_the_build(keyword, rest),
                2 => file.of_the_image(keyword, rest)?,
                _ => false,
            };
            ensure!(understood, "`cargo xtask image` does not carry out this instruction: {line}");
        }
        ensure!(stage == 2, "there are {stage} stages");
        Ok(file)
    }

    fn of_the_build(&mut self, keyword: &str, rest: &str) -> bool {
        match (keyword, rest) {
            ("FROM", _) => match rest.strip_suffix(" AS build") {
                Some(base) => base.clone_into(&mut self.base),
                None => return false,
            },
            ("WORKDIR", _) => self.repository = PathBuf::from(rest),
            ("COPY", ". .") => {}
            ("RUN", _) => self.build.push(rest.to_owned()),
            _ => return false,
        }
        true
    }

    fn of_the_image(&mut self, keyword: &str, rest: &str) -> Result<bool> {
        match (keyword, rest) {
            ("FROM", "scratch") | ("STOPSIGNAL", "SIGTERM") | ("EXPOSE" | "LABEL", _) => {}
            ("COPY", _) => match Copied::read(rest) {
                Some(copied) => self.copies.push(copied),
                None => return Ok(false),
            },
            ("ENV", _) => {
                for word in rest.split_whitespace() {
                    let (name, value) = word.split_once('=').with_context(|| format!("not NAME=VALUE: {word}"))?;
                    self.environment.push((name.to_owned(), value.to_owned()));
                }
            }
            ("USER", _) => rest.clone_into(&mut self.user),
            ("VOLUME", _) => rest.clone_into(&mut self.volume),
            ("ENTRYPOINT", _) => match serde_json::from_str::<Vec<String>>(rest)?.as_slice() {
                [program] => program.clone_into(&mut self.program),
                other => bail!("ENTRYPOINT is one program, not {other:?}"),
            },
            ("CMD", _) => self.arguments = serde_json::from_str(rest)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Copied {
    fn read(rest: &str) -> Option<Self> {
        let mut words = rest.strip_prefix("--from=build ")?.split_whitespace().peekable();
        let owner = words.next_if(|word| word.starts_with("--chown="));
        let mut sources: Vec<_> = words.map(PathBuf::from).collect();
        let to = sources.pop()?.to_str()?.to_owned();
        let owner = owner.and_then(|word| Some(word.strip_prefix("--chown=")?.to_owned()));
        (!sources.is_empty()).then_some(Self { sources, to, owner })
    }
}

/// One line each, without comments.
fn instructions(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix('\\') {
            Some(part) => {
                open += part.trim_end();
                open.push(' ');
            }
            None => all.push(std::mem::take(&mut open) + line),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Copied, Dockerfile};

    const TEXT: &str = "# A comment\nFROM rust:1 AS build\nWORKDIR /src\nCOPY . .\nRUN one \\\n && two\n\nFROM scratch\n\
        COPY --from=build --chown=7:8 /src/a /src/b /c/\nENV A=1 \\\n    B=2\nUSER 7:8\nVOLUME /data\nEXPOSE 8080\n\
        STOPSIGNAL SIGTERM\nENTRYPOINT [\"/bridgehead\"]\nCMD [\"serve\"]\n";

    #[test]
    fn what_this_repository_uses_is_read() {
        let copied =
            Copied { sources: vec!["/src/a".into(), "/src/b".into()], to: "/c/".into(), owner: Some("7:8".into()) };
        let read = Dockerfile {
            base: "rust:1".into(),
            repository: "/src".into(),
            build: vec!["one && two".into()],
            copies: vec![copied],
            environment: vec![("A".into(), "1".into()), ("B".into(), "2".into())],
            user: "7:8".into(),
            volume: "/data".into(),
            program: "/bridgehead".into(),
            arguments: vec!["serve".into()],
        };
        assert_eq!(Dockerfile::read(TEXT).unwrap(), read);
    }

    #[test]
    fn what_is_not_carried_out_is_refused() {
        for (from, to) in [
            ("CMD", "HEALTHCHECK"),
            ("VOLUME", "ADD"),
            ("FROM scratch", "FROM debian:12"),
            ("COPY . .", "COPY Cargo.toml ."),
            ("SIGTERM", "SIGINT"),
        ] {
            assert!(Dockerfile::read(&TEXT.replace(from, to)).is_err(), "{to}");
        }
    }

    /// The image's build takes the toolchain that everything else is built with.
    #[test]
    fn the_base_has_the_toolchain_of_the_repository() {
        let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let toolchain = std::fs::read_to_string(repository.join("rust-toolchain.toml")).unwrap();
        let version = toolchain.split('"').nth(1).unwrap();
        let text = std::fs::read_to_string(repository.join("deploy/container/Dockerfile")).unwrap();
        let base = Dockerfile::read(&text).unwrap().base;
        assert!(base.contains(&format!(":{version}-")), "{base} is not Rust {version}");
    }
}
