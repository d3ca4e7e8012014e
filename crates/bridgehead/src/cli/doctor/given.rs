//! What is given on the command line: the endpoint and the credential. A secret in an argument can be seen by
//! others on the machine, so each may stand in a file, and the key in the environment.

use std::path::Path;

use bridgehead_core::Secret;
use http::{HeaderName, HeaderValue, header};
use url::Url;

use crate::{cli::Failure, config::Environment};

pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(url),
        _ => Err("it is no web address. Write it whole, as in https://mcp.example.com/mcp".to_owned()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
pub(super) fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text.to_owned()))
}

/// A header's name and its value, or the file where that stands. What is wrong is said without either: in the writing
/// of other commands, `NAME: VALUE`, the value stands in the place of the name.
fn header(text: &Secret) -> Result<(HeaderName, Secret), Failure> {
    let wrong = || Failure::usage("--header is written NAME=VALUE, with a name that a header may have");
    let (name, value) = text.expose().split_once('=').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    Ok((name, Secret::new(value.to_owned())))
}

/// The headers in which the credential travels.
pub(super) fn credential(
    key: Option<&Secret>,
    headers: &[Secret],
    environment: &dyn Environment,
) -> Result<Vec<(HeaderName, Secret)>, Failure> {
    let mut credential = Vec::new();
    if let Some(key) = key {
        let key = read("--key", key, environment)?;
        credential.push((header::AUTHORIZATION, Secret::new(format!("Bearer {}", key.expose()))));
    }
    for given in headers {
        let (name, value) = header(given)?;
        if credential.iter().any(|(other, _)| *other == name) {
            let name = name.as_str();
            return Err(Failure::usage(format!(
                "the header {name} is given twice (--key is `Authorization`). Leave one of them out"
            )));
        }
        let value = read(&format!("--header {name}"), &value, environment)?;
        credential.push((name, value));
    }
    Ok(credential)
}

/// The secret itself, where a file was named what stands in it.
fn read(option: &str, given: &Secret, environment: &dyn Environment) -> Result<Secret, Failure> {
    let secret = match given.expose().strip_prefix("file:") {
        None => given.clone(),
        Some(file) => {
            let path = environment.directory().join(Path::new(file));
            let text = environment.read(&path);
            let text = text.map_err(|error| Failure::usage(format!("{option}: {file} cannot be read: {error}")))?;
            Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    if secret.expose().is_empty() {
        return Err(Failure::usage(format!("{option} is empty")));
    }
    if HeaderValue::from_bytes(secret.expose().as_bytes()).is_err() {
        return Err(Failure::usage(format!("{option} has a character that no header may have, such as a line break")));
    }
    Ok(secret)
}
