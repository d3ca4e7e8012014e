//! The end of the card: what to choose and enter in Duvo, as the connect page says it, and where that is.

use bridgehead_server::pages::{self, Before, DUVO_MENU, DuvoEntry, Reach, WayIn, paths};

use super::{Facts, WIDTH, command, filled, line};

/// So wide is what stands before a value.
const LABEL: usize = 15;

pub(super) fn in_duvo(text: &mut String, facts: &Facts<'_>) {
    line(text, "In Duvo", &format!("{DUVO_MENU}, and enter"));
    field(text, "name", &facts.settings.name);
    field(text, "URL", &facts.endpoint_url);
    let ways = &facts.connect.ways_in;
    let entries = pages::duvo(ways, facts.own_keys);
    if entries.len() > 1 {
        line(text, "", "and one of these ways to sign in:");
    }
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            line(text, "", "or");
        }
        if let (Some(before), Some(WayIn::OAuth { .. } | WayIn::ForeignOAuth { .. })) = (&entry.before, ways.get(index))
        {
            // How keys are made stands further up, beside the first one.
            to_be_done(text, before, facts);
        }
        chosen(text, entry);
    }
    if !facts.connect.vaults.is_empty() {
        line(text, "", "Each teammate enters or connects their own access to these systems, once:");
        for vault in &facts.connect.vaults {
            line(text, "", &format!("{}{} ({})", facts.public_url, vault.path, vault.title));
        }
    }
    if facts.reach == Reach::Local {
        line(text, "", "Duvo calls from the internet, over HTTPS: this address is for this machine or network alone.");
        line(text, "", "Put a TLS proxy in front and set server.public_url to the address it has outside.");
    }
    let page = format!("{}{}", facts.public_url, paths::CONNECT);
    line(text, "Elsewhere", &format!("{page} has what to paste in Claude, ChatGPT, Cursor, VS Code and others"));
}

fn to_be_done(text: &mut String, before: &Before, facts: &Facts<'_>) {
    for row in filled(&before.deed, WIDTH) {
        line(text, "", &row);
    }
    for entered in &before.fields {
        field(text, entered.label, &entered.text);
    }
    for words in &before.commands {
        line(text, "", &command(words, facts.config));
    }
    for row in before.instead.iter().flat_map(|instead| filled(instead, WIDTH)) {
        line(text, "", &row);
    }
}

fn chosen(text: &mut String, entry: &DuvoEntry) {
    field(text, "authentication", entry.authentication);
    for entered in &entry.fields {
        field(text, entered.label, &entered.text);
    }
    field(text, "each teammate", entry.each);
}

fn field(text: &mut String, label: &str, value: &str) {
    let label = format!("{}:", begun_small(label));
    for (index, row) in filled(value, WIDTH - LABEL).iter().enumerate() {
        let label = if index == 0 { label.as_str() } else { "" };
        line(text, "", &format!("{label:<LABEL$} {row}"));
    }
}

/// With a small letter first, unless it begins with an abbreviation.
fn begun_small(label: &str) -> String {
    let mut letters = label.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => label.to_owned(),
    }
}
