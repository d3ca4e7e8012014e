//! `auth.*.verify` and `auth.*.probe`: who judges what a caller sends, and whether anybody does.

use http::Method;

use super::{Check, Tools};
use crate::config::{
    fault::KeyPath,
    nearest::nearest,
    raw::{RawCredential, RawProbe, RawSource, RawVerify},
    settings::{ProbeSettings, VerifySettings},
};

/// What stands behind, as far as sign-in has to do with it.
pub(super) struct Behind<'a> {
    pub(super) sources: &'a [(String, RawSource)],
    pub(super) tools: Tools,
}

impl Check<'_> {
    /// Who judges what arrives by the mode of `table`.
    pub(super) fn verify(
        &mut self,
        table: &KeyPath,
        verify: Option<RawVerify>,
        probe: Option<RawProbe>,
        behind: &Behind<'_>,
    ) -> Option<VerifySettings> {
        let path = table.key("probe");
        match verify.unwrap_or(RawVerify::Issued) {
            RawVerify::Issued => {
                if probe.is_some() {
                    self.findings.warn(
                        &path,
                        "has no effect, as `verify` is \"issued\": what was issued here is judged here",
                        "write `verify = \"upstream\"`, or remove it",
                    );
                }
                Some(VerifySettings::Issued)
            }
            RawVerify::Upstream => {
                let probe = match probe {
                    Some(probe) => Some(self.probe(&path, probe, behind)?),
                    // Where it was faulty, it has been taken out of the tree.
                    None if self.findings.is_wrong_inside(&path) => return None,
                    None => None,
                };
                Some(VerifySettings::Upstream { probe })
            }
        }
    }

    /// Where what is handed through is not judged at sign-in, the sources have to have it judged:
    /// one with a credential of its own would serve whoever sends any value at all.
    pub(super) fn somebody_judges(&mut self, table: &KeyPath, verify: &VerifySettings, behind: &Behind<'_>) {
        let VerifySettings::Upstream { probe: None } = verify else { return };
        self.findings.warn(
            &table.key("verify"),
            "there is no `probe`, so anyone may list the tools: whatever is sent passes for a sign-in, and is judged by the system behind only when a tool is called",
            "add `probe = { source = \"crm\", path = \"/me\", subject = \"/email\" }`, a request of that system; its answer gives callers a name as well",
        );
        for (name, source) in behind.sources {
            if hands_on(source) {
                continue;
            }
            let elsewhere = match source {
                RawSource::Sql(_) | RawSource::Mcp(_) => "",
                RawSource::Openapi(_) | RawSource::Http(_) => {
                    ", hand what callers send on to the source (`credential = { from = \"caller\" }`)"
                }
            };
            self.findings.fault_at_key(
                &KeyPath::of(["sources", name]),
                format!("would be open to everybody: what callers send is judged neither by a probe (`{table}`) nor by this source, which does not see it"),
                format!("add `{table}.probe`{elsewhere}, or set `{table}.verify` to \"issued\""),
            );
        }
    }

    fn probe(&mut self, path: &KeyPath, raw: RawProbe, behind: &Behind<'_>) -> Option<ProbeSettings> {
        // What is missing was named by the schema.
        let source = raw.source.and_then(|source| self.probed_source(&path.key("source"), source, behind));
        let method = self.probe_method(&path.key("method"), raw.method.as_deref().unwrap_or("GET"));
        let target = raw.path.and_then(|target| self.probe_path(&path.key("path"), target));
        let subject = match raw.subject {
            Some(pointer) => Some(self.pointer(&path.key("subject"), pointer)?),
            None => None,
        };
        Some(ProbeSettings { source: source?, method: method?, path: target?, subject })
    }

    fn probed_source(&mut self, path: &KeyPath, source: String, behind: &Behind<'_>) -> Option<String> {
        const MEND: &str = "name a source of the type \"openapi\" or \"http\"";
        let shown = self.findings.places.quote(path, &source);
        match behind.sources.iter().find(|(name, _)| *name == source).map(|(_, source)| source) {
            Some(RawSource::Openapi(_) | RawSource::Http(_)) => Some(source),
            Some(RawSource::Sql(_) | RawSource::Mcp(_)) => {
                self.findings.fault(path, format!("{shown} is no source that can be asked by HTTP"), MEND);
                None
            }
            None if behind.tools == Tools::AlsoFromCode => Some(source),
            None => {
                // What is wrong with the source itself has been named.
                if !self.findings.is_spoken_of(&KeyPath::of(["sources", &source])) {
                    let by_http = |source: &RawSource| matches!(source, RawSource::Openapi(_) | RawSource::Http(_));
                    let names =
                        behind.sources.iter().filter(|(_, source)| by_http(source)).map(|(name, _)| name.as_str());
                    let mend =
                        nearest(&source, names).map_or(MEND.to_owned(), |near| format!("did you mean \"{near}\"?"));
                    self.findings.fault(path, format!("there is no source {shown}"), mend);
                }
                None
            }
        }
    }

    fn probe_method(&mut self, path: &KeyPath, text: &str) -> Option<Method> {
        match text.to_ascii_uppercase().as_str() {
            "GET" => Some(Method::GET),
            "POST" => Some(Method::POST),
            _ => {
                let shown = self.findings.places.quote(path, text);
                self.findings.fault(
                    path,
                    format!("{shown} is no method of a request that asks and changes nothing"),
                    "write \"GET\" or \"POST\"",
                );
                None
            }
        }
    }

    fn probe_path(&mut self, path: &KeyPath, text: String) -> Option<String> {
        let (segments, _query) = text.split_once('?').unwrap_or((&text, ""));
        let well_formed = text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'))
            && segments.split('/').all(|segment| !matches!(segment, "." | ".."));
        if well_formed {
            return Some(text);
        }
        let shown = self.findings.places.quote(path, &text);
        self.findings.fault(
            path,
            format!("{shown} is no path below the source's `base_url`"),
            "write it with one `/` first and without blanks or `..`, for example \"/me\"",
        );
        None
    }

    /// A JSON Pointer (RFC 6901 §3).
    fn pointer(&mut self, path: &KeyPath, text: String) -> Option<String> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if escapes && (text.is_empty() || text.starts_with('/')) {
            return Some(text);
        }
        let shown = self.findings.places.quote(path, &text);
        self.findings.fault(
            path,
            format!("{shown} is not a JSON Pointer"),
            "write the names on the way to the teammate's name, with a `/` before each: \"/email\", \"/user/login\"",
        );
        None
    }
}

/// Whether a source presents the caller's own credential, so that the system behind judges it.
fn hands_on(source: &RawSource) -> bool {
    // `from` has one value: the caller.
    let of_caller = |credential: &Option<RawCredential>| credential.as_ref().is_some_and(|one| one.from.is_some());
    match source {
        RawSource::Sql(_) => false,
        RawSource::Openapi(source) => of_caller(&source.credential),
        RawSource::Http(source) => of_caller(&source.credential),
        RawSource::Mcp(source) => of_caller(&source.credential),
    }
}
