//! Words of names and of descriptions, brought into a form in which they can be compared. English, where a
//! language is needed at all: [`is_english`] says whether a rule that needs it may speak.

/// Words that say nothing about which tool this is.
const EMPTY: [&str; 45] = [
    "a",
    "an",
    "and",
    "api",
    "as",
    "by",
    "data",
    "details",
    "endpoint",
    "existing",
    "for",
    "from",
    "function",
    "given",
    "id",
    "identifier",
    "in",
    "info",
    "information",
    "its",
    "method",
    "new",
    "object",
    "of",
    "on",
    "operation",
    "or",
    "record",
    "request",
    "resource",
    "some",
    "specific",
    "specified",
    "that",
    "the",
    "their",
    "this",
    "to",
    "tool",
    "used",
    "value",
    "which",
    "will",
    "with",
    "your",
];

/// Words for the same deed, the first of each row for all of its row.
const SAME: [&[&str]; 4] = [
    &["get", "retrieve", "fetch", "return", "read", "show", "view", "display", "obtain"],
    &["create", "add", "insert", "make"],
    &["update", "modify", "edit", "change", "patch"],
    &["delete", "remove", "destroy"],
];

/// Common words by which English is known.
const ENGLISH: [&str; 24] = [
    "a", "an", "and", "are", "be", "by", "for", "from", "if", "in", "is", "it", "not", "of", "on", "one", "or", "that",
    "the", "this", "to", "when", "which", "with",
];

/// Words that name a unit, or say that there is none.
const UNITS: [&str; 107] = [
    "atomic",
    "base",
    "bp",
    "bps",
    "byte",
    "bytes",
    "cent",
    "cents",
    "celsius",
    "centimeter",
    "centimeters",
    "character",
    "characters",
    "chars",
    "cm",
    "count",
    "currency",
    "day",
    "days",
    "decimal",
    "degree",
    "degrees",
    "dollar",
    "dollars",
    "dp",
    "em",
    "epoch",
    "eur",
    "euro",
    "euros",
    "fahrenheit",
    "feet",
    "factor",
    "fraction",
    "ft",
    "gb",
    "gbp",
    "gram",
    "grams",
    "hour",
    "hours",
    "hz",
    "inch",
    "inches",
    "iso",
    "items",
    "kb",
    "kelvin",
    "kg",
    "kilobytes",
    "kilogram",
    "kilograms",
    "kilometer",
    "kilometers",
    "kilometres",
    "km",
    "lb",
    "lbs",
    "loop",
    "mb",
    "meter",
    "meters",
    "metre",
    "metres",
    "mg",
    "micros",
    "microseconds",
    "mile",
    "miles",
    "millisecond",
    "milliseconds",
    "min",
    "minor",
    "minute",
    "minutes",
    "mm",
    "month",
    "months",
    "ms",
    "nanoseconds",
    "number",
    "ounce",
    "ounces",
    "oz",
    "percent",
    "percentage",
    "pixel",
    "pixels",
    "point",
    "points",
    "pound",
    "pounds",
    "pt",
    "px",
    "ratio",
    "second",
    "seconds",
    "sec",
    "secs",
    "smallest",
    "times",
    "units",
    "usd",
    "week",
    "weeks",
    "year",
    "years",
];

/// Whether a word names a unit, or says that there is none.
pub(crate) fn is_unit(word: &str) -> bool {
    UNITS.contains(&word)
}

/// The words of a name, lower case: `getCustomerByID2` is `get customer by id 2`.
pub(crate) fn of_name(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    let mut word = String::new();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        let before = index.checked_sub(1).and_then(|index| chars.get(index)).copied().unwrap_or(' ');
        let after = chars.get(index + 1).copied().unwrap_or(' ');
        let begins = (c.is_uppercase() && (before.is_lowercase() || before.is_numeric()))
            || (c.is_uppercase() && before.is_uppercase() && after.is_lowercase())
            || (c.is_numeric() != before.is_numeric() && before.is_alphanumeric());
        if begins {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The words of a text, lower case.
pub(crate) fn of_text(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\'').to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// How many words a text has. Scripts without spaces count two characters for a word.
pub(crate) fn count(text: &str) -> usize {
    let dense = text.chars().filter(|c| matches!(u32::from(*c), 0x0E00..=0x0EFF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF | 0x20000..=0x3FFFF)).count();
    dense / 2 + of_text(text).iter().filter(|word| word.is_ascii() || dense == 0).count()
}

/// Whether a text is English: two of its words are common ones.
pub(crate) fn is_english(text: &str) -> bool {
    of_text(text).iter().filter(|word| ENGLISH.contains(&word.as_str())).take(2).count() == 2
}

/// The words that tell something, singular and in one form: what is compared.
pub(crate) fn telling(words: &[String]) -> Vec<String> {
    let mut telling = Vec::new();
    for word in words {
        let word = root(word);
        if !EMPTY.contains(&word.as_str()) && !telling.contains(&word) {
            telling.push(word);
        }
    }
    telling
}

/// A word without the endings of number and person, and one word for those that mean the same.
pub(crate) fn root(word: &str) -> String {
    let bare = match word {
        _ if word.len() < 4 || !word.is_ascii() => word.to_owned(),
        _ if word.ends_with("ies") => format!("{}y", word.trim_end_matches("ies")),
        _ if ["ches", "shes", "sses", "xes", "zes"].iter().any(|end| word.ends_with(end)) => {
            word.strip_suffix("es").unwrap_or(word).to_owned()
        }
        _ if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") => word.to_owned(),
        _ => word.strip_suffix('s').unwrap_or(word).to_owned(),
    };
    SAME.iter()
        .find(|row| row.contains(&bare.as_str()))
        .and_then(|row| row.first())
        .map_or(bare, |first| (*first).to_owned())
}

/// Whether a word stands in a text, or several one after the other; lower case, between any signs.
pub(crate) fn has(words: &[String], phrase: &str) -> bool {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words.windows(phrase.len().max(1)).any(|window| window.iter().map(String::as_str).eq(phrase.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        for (name, words) in [
            ("getCustomerByID2", vec!["get", "customer", "by", "id", "2"]),
            ("repos_get-content", vec!["repos", "get", "content"]),
            ("HTTPServerList", vec!["http", "server", "list"]),
            ("__x__", vec!["x"]),
            ("größeSetzen", vec!["größe", "setzen"]),
            ("", vec![]),
        ] {
            assert_eq!(of_name(name), words, "{name}");
        }
    }

    #[test]
    fn words_are_compared_without_number_person_and_synonyms() {
        let telling_of = |text: &str| telling(&of_text(text));
        assert_eq!(telling_of("Retrieves the customers"), telling_of("get customer"));
        assert_eq!(telling_of("Fetches all categories."), ["get", "all", "category"]);
        assert_eq!(telling_of("Status of the address"), ["status", "address"]);
    }

    #[test]
    fn words_are_counted_in_scripts_without_spaces_too() {
        assert_eq!(count("Lists all articles."), 3);
        assert_eq!(count("顧客を名前で検索する"), 5);
        assert_eq!(count("Найти клиента"), 2);
    }

    #[test]
    fn english_is_told_from_other_languages() {
        assert!(is_english("Sends a message to one customer."));
        assert!(!is_english("Sendet eine Nachricht an den Kunden."));
    }
}
