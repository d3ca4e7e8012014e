//! The reference of checks, `docs/reference/doctor.md`, written from the checks themselves.

use std::fmt::Write;

use crate::{Area, Profile, checks};

const INTRODUCTION: &str = "\
# The doctor's checks

<!-- Generated from the checks in crates/doctor/src/checks. -->

`bridgehead doctor URL` looks at an MCP server as an agent platform would, at ours and at any other: most connections
fail for reasons that nobody can see, and each check makes one of them visible. It is only ever a client. It changes
nothing that it did not make itself, takes away again what it made (a registration, a grant), and says so where it
cannot. [The fault garden](../doctor-fault-garden.md) shows that each check finds its fault and is quiet without it;
[what it found at servers of others](../doctor-over-real-servers.md) was checked by hand.

```sh
bridgehead doctor https://mcp.example.com/mcp            # as Duvo sees it
bridgehead doctor https://mcp.example.com/mcp --login    # and sign in, to look behind the sign-in
BRIDGEHEAD_DOCTOR_KEY=bhk_… bridgehead doctor https://mcp.example.com/mcp
bridgehead doctor https://mcp.example.com/mcp --header X-Api-Key=file:key.txt --header X-Tenant=north
```

A check fails where the platform of the profile would fail, and warns where other clients or rarer cases would. What
hangs on a check that failed is skipped, so that one fault is one finding. Most of the reasons are second-hand: what
platforms do changes, and none of this was tried against a live one.

";

const COMMAND: &str = "
## Options

| option | meaning |
|---|---|
| `--profile NAME` | as whom: see above |
| `--key KEY` | sent as `Authorization: Bearer KEY`. `file:PATH` reads it from a file, and `$BRIDGEHEAD_DOCTOR_KEY` stands in for the option: others on the machine can see arguments |
| `--header NAME=VALUE` | a header of every request; `NAME=file:PATH` reads it from a file. More than once for more than one |
| `--login` | where the server asks for a sign-in: prints a link, opens it in a browser where there is a screen, and waits five minutes for the answer at a port of 127.0.0.1 |
| `--json`, `--junit` | other forms of the report, below |
| `--verbose` | in text, everything that was sent and what came back |

The exit code is 0 where nothing failed, also with warnings; 1 where a check failed, a server that cannot be reached
among them; 2 where the command is wrong; 3 where this machine fails the doctor (no port for `--login`) or somebody
stops it.

Secrets are shown in no form: credentials that were given, also as a parameter of the URL (`?api_key=…`), tokens, codes
and client secrets that came, and the headers in which such things travel. A key within the path of a URL cannot be told
from a path, and is shown.

Ctrl-C ends the waiting for a sign-in; what was registered is removed then, and the report shown. Ctrl-C once more stops
at once.

## JSON

`--json` prints one object.

| member | type | meaning |
|---|---|---|
| `url`, `profile` | text | what was looked at, without a credential in it, and as whom |
| `began`, `ended` | text | RFC 3339 |
| `summary` | object | how many `passed`, `warnings`, `failed`, `skipped`, and how many `requests` were sent |
| `checks` | list | every check below, in this order |
| `checks[].id`, `area`, `title` | text | which; the area is `reach`, `access`, `protocol` or `tools` |
| `checks[].verdict` | text | `passed`, `warning`, `failed` or `skipped` |
| `checks[].seen` | text or null | what was seen; not where it was skipped |
| `checks[].reason` | text | why it was skipped, where it was |
| `checks[].exchanges` | list | of a warning or a failure: which exchanges show it, from 0 |
| `checks[].why`, `standard`, `mend` | text | as below |
| `exchanges` | list | everything that was sent, in order: `method`, `url`, `request_headers` (pairs of name and value), `request_body`, `answer`, `milliseconds` |
| `exchanges[].answer` | object | `Ok` with `status`, `headers`, `body` (cut to 4 KiB), or `Err` with why there was none |
| `left_behind` | list | what was made and could not be taken away again, in words |

## JUnit

`--junit` prints a `testsuite` for each area and a `testcase` for each check. A failure is a `failure`, what was skipped is
`skipped`, and a warning passes, with its text in `system-out`.
";

/// The reference, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("## Profiles\n\n| profile | calls from | redirect URI | waits |\n|---|---|---|---|\n");
    for profile in Profile::ALL {
        let from = if profile.from_the_internet() { "the internet" } else { "wherever the doctor is" };
        let redirect = profile.redirect_uri().map_or_else(|| "a loopback address".to_owned(), |uri| format!("`{uri}`"));
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "| `{profile}` | {from} | {redirect} | {} s |", profile.patience().as_secs());
    }
    text.push_str(COMMAND);
    text.push_str("\n## Checks\n");
    for area in Area::ALL {
        let of_area = || checks::all().filter(move |check| check.area == area);
        let _ = writeln!(text, "\n### {area}\n\n| check | asks |\n|---|---|");
        for check in of_area() {
            let _ = writeln!(text, "| [`{id}`](#{id}) | {} |", sentence(check.title), id = check.id);
        }
        for check in of_area() {
            let (title, why, mend) = (sentence(check.title), sentence(check.why), sentence(check.mend));
            let _ = write!(
                text,
                "\n#### {}\n\n{title}\n\nWhy it matters: {why}\n\nStandard: {}.\n\nTo mend it: {mend}\n",
                check.id,
                check.standard.trim_end_matches('.')
            );
        }
    }
    text
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{Area, checks};

    /// Reports and the guide are keyed by ids; people read the rest.
    #[test]
    fn every_check_says_all_of_itself() {
        let mut ids = BTreeSet::new();
        for check in checks::all() {
            let is_kebab =
                |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
            assert!(check.id.chars().all(is_kebab) && ids.insert(check.id), "{}", check.id);
            for text in [check.title, check.why, check.standard, check.mend] {
                assert!(!text.trim().is_empty() && text == text.trim(), "{}: {text:?}", check.id);
                assert!(!text.contains(['\n', '|']), "{}: {text:?} breaks the reference", check.id);
            }
        }
        let areas: Vec<_> = checks::all().map(|check| check.area).collect();
        assert!(areas.is_sorted() && areas.first().is_none_or(|area| *area == Area::Reach), "{areas:?}");
    }
}
