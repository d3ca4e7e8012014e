//! Every page with sample data: as it reads, with what it goes out, and what strangers' texts do to
//! it. How the pages look, and whether everybody can use them, is tried in a browser by
//! `tests/end-to-end/tests/pages.rs`.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

use super::{
    samples::{self, Sample, Texts},
    *,
};

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/pages/testdata")
}

/// What differs from page to page: the status, what tells of waiting, and all but the stylesheet.
fn as_written(sample: &Sample) -> String {
    let Page { status, headers, html } = &sample.page;
    let (before, rest) = html.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    assert_eq!(style, STYLE);
    let wait = headers.get(header::RETRY_AFTER).map(|value| format!("Retry-After: {}\n", value.to_str().unwrap()));
    format!("{status}\n{}\n{before}<style>…</style>{after}\n", wait.unwrap_or_default())
}

/// With `UPDATE_GOLDEN=1` the pages of now are written down as the expected ones.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so in the environment")]
fn every_page_reads_as_it_should() {
    let folder = golden_folder();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differences = String::new();
    let mut known = BTreeSet::new();
    for sample in samples::all() {
        let file = folder.join(format!("{}.html", sample.name));
        let page = as_written(&sample);
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &page).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some((line, is)) = page.lines().enumerate().find(|(line, is)| expected.lines().nth(*line) != Some(*is)) {
            let wanted = expected.lines().nth(line).unwrap_or("(no such line)");
            let _ = writeln!(differences, "{}:{}\n  expected {wanted}\n  is       {is}", file.display(), line + 1);
        } else if page != expected {
            let _ = writeln!(differences, "{}: ends early", file.display());
        }
        assert!(known.insert(file), "two samples are called {}", sample.name);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if !known.contains(&file) {
            let _ = writeln!(differences, "{}: no sample has this name", file.display());
        }
    }
    assert!(
        differences.is_empty(),
        "{differences}\nIf that is meant, write the golden files anew:\n  UPDATE_GOLDEN=1 cargo test -p bridgehead-server --lib every_page",
    );
}

#[test]
fn every_page_goes_out_with_its_headers() {
    for Sample { name, page } in samples::all() {
        let value = |header: header::HeaderName| page.headers.get(header).unwrap().to_str().unwrap().to_owned();
        let policy = value(header::CONTENT_SECURITY_POLICY);
        let (_, rest) = page.html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "img-src data:"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{name}: {policy}");
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        let scripts = if name.starts_with("connect-") { Some("script-src 'self'") } else { None };
        assert_eq!(policy.split("; ").find(|part| part.starts_with("script")), scripts, "{name}: {policy}");
        // A form whose answer may be a redirect to a client: Chromium would block the way there.
        let may_leave = name.starts_with("consent")
            || page.html.contains("name=\"next\"")
            || page.html.contains("/connect\" class=\"stack-l\"");
        assert_eq!(policy.contains("form-action"), !may_leave, "{name}: {policy}");
        assert_eq!(value(header::X_FRAME_OPTIONS), "DENY");
        assert_eq!(value(header::REFERRER_POLICY), "same-origin");
        assert_eq!(value(header::CACHE_CONTROL), "no-store");
        assert_eq!(value(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let response = page.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}

/// Nothing is loaded from elsewhere, and nothing runs but the one script of the connect page.
#[test]
fn no_page_needs_anything_from_elsewhere() {
    for Sample { name, page } in samples::all().into_iter().chain([samples::large()]) {
        let script = "<script src=\"/copy.js\" defer></script>";
        assert_eq!(page.html.matches(script).count(), usize::from(name.starts_with("connect-")), "{name}");
        for tag in tags(&page.html.replace(script, "")) {
            let word = tag.split(' ').next().unwrap();
            let harmless =
                !matches!(word, "script" | "img" | "iframe" | "object" | "embed" | "base" | "video" | "audio");
            assert!(harmless, "{name}: {tag}");
            assert!(!tag.contains(" src") && !tag.contains(" on") && !tag.contains(" style"), "{name}: {tag}");
        }
        assert_eq!(page.html.matches("<link ").count(), 1, "{name}: the icon, which stands inside, and nothing else");
        assert!(page.html.contains("<link rel=\"icon\" href=\"data:"), "{name}");
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}

/// The tags with the names of their attributes, in their order. A reader of attributes that knows
/// quotes and nothing else, which is all that our templates need.
fn tags(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let (mut shape, mut quoted, mut end, mut value) = (String::new(), None, rest.len(), false);
        for (index, character) in rest.char_indices() {
            match (quoted, character) {
                (Some(quote), _) if character == quote => quoted = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quoted = Some(character),
                (None, '>') => {
                    end = index;
                    break;
                }
                (None, '=') => value = true,
                (None, ' ' | '\n') => {
                    shape.push(' ');
                    value = false;
                }
                (None, _) if value => {}
                (None, _) => shape.push(character),
            }
        }
        rest = &rest[end..];
        found.push(shape);
    }
    found
}

const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onfocus='alert(1)' autofocus='",
    "\" formaction=\"https://evil.example/\" x=\"",
    "</title></style></textarea></pre></main><h1>Your session expired</h1>",
    "&lt;script&gt;&#60;b&#62;&quot;",
    "--><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7 %>",
    "javascript:alert(1)",
    "Duvo\u{202e}ovuD\u{2066}\u{200b} (verified)",
    "a\r\nSet-Cookie: x=y\r\n\r\n<html>\0\u{1b}[31m",
    "'; rm -rf ~; echo '",
];

/// A hostile text in every place leaves the page as it is built: the same tags with the same
/// attributes, in the same order. So it stands there as text and as nothing else.
#[test]
fn hostile_texts_stay_texts() {
    let harmless = Texts { site: "harmless".into(), client: "harmless".into(), any: "harmless".into() };
    let expected = samples::of(&harmless);
    for hostile in HOSTILE {
        let everywhere = Texts { site: hostile.into(), client: hostile.into(), any: hostile.into() };
        let pages = samples::of(&everywhere);
        assert_eq!(pages.len(), expected.len());
        for (page, expected) in pages.iter().zip(&expected) {
            assert_eq!(tags(&page.page.html), tags(&expected.page.html), "{} with {hostile:?}", page.name);
            assert_eq!(page.page.headers, expected.page.headers, "{} with {hostile:?}", page.name);
            if hostile.contains(['<', '"', '\'']) {
                assert!(!page.page.html.contains(hostile), "{} with {hostile:?}", page.name);
            }
        }
    }
}

/// The test above can fail.
#[test]
fn a_tag_more_or_an_attribute_more_is_seen() {
    assert_ne!(tags("<p>a</p>"), tags("<p>a<b></p>"));
    assert_ne!(tags("<input value=\"a\">"), tags("<input value=\"a\" onfocus=\"b\">"));
    assert_eq!(tags("<input value=\"a\">"), tags("<input value=\"a > b onfocus='x'\">"));
}

#[test]
fn no_secret_is_printed_by_debug() {
    let page = SetPassword {
        site: Site { name: "Warehouse".into() },
        token: bridgehead_core::Secret::new("bhl_secret".into()),
        purpose: LinkPurpose::Reset,
        user: "alice@example.com".into(),
        user_fault: None,
        least_characters: 12,
        expires_at: jiff::Timestamp::UNIX_EPOCH,
        fault: None,
    };
    assert!(!format!("{page:?} {:?}", page.page()).contains("bhl_secret"));
    assert!(page.page().html.contains("bhl_secret"), "the form hands it back");
    let back = GoBack {
        site: page.site.clone(),
        client: Client { name: ClientName::new("Duvo"), identity: Identity::SelfRegistered },
        answer: Answer::Allowed,
        redirect: url::Url::parse("https://platform.duvo.ai/callback?code=bhc_secret").unwrap(),
    };
    assert!(!format!("{back:?} {:?}", back.page()).contains("bhc_secret"));
}

#[test]
fn local_paths_lead_nowhere_else() {
    for good in ["/", "/account", "/oauth/authorize?next=https://evil.example/&a=//b", "/a\\b"] {
        assert_eq!(LocalPath::parse(good).unwrap().as_str(), good);
    }
    for bad in
        ["", "account", "//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example", "/a\n", " /"]
    {
        assert_eq!(LocalPath::parse(bad), None, "{bad:?}");
    }
}

/// Consent starts with nothing allowed: the button that Enter presses is Deny, and reading, which
/// is part of every grant, cannot be posted as something else.
#[test]
fn consent_denies_unless_allow_is_pressed() {
    let page = samples::all().into_iter().find(|sample| sample.name == "consent").unwrap().page.html;
    let deny = page.find("value=\"deny\"").unwrap();
    let allow = page.find("value=\"allow\"").unwrap();
    assert!(deny < allow);
    assert!(!page.contains("value=\"tools:read\""));
    assert!(page.contains("<p class=\"host\">platform.duvo.ai</p>"), "A4: the host of the redirect, large");
    assert!(page.contains("Unverified."));
}

/// What a client's answer is, and where it goes, stands in the page alone: the referrer of the way
/// back is no header of ours, and an app's scheme waits for a click.
#[test]
fn the_way_back_is_taken_by_itself_but_to_apps() {
    for (name, navigates) in
        [("go-back", true), ("go-back-loopback", true), ("go-back-denied", true), ("go-back-app", false)]
    {
        let page = samples::all().into_iter().find(|sample| sample.name == name).unwrap().page;
        assert_eq!(page.html.contains("http-equiv=\"refresh\" content=\"0;url="), navigates, "{name}");
        assert_eq!(page.html.matches("<a class=\"button\"").count(), 1, "{name}: and by a link");
    }
}
