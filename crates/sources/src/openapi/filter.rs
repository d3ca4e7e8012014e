//! Which operations become tools: `include` and `exclude`.

/// The operations that satisfy every criterion that is given; all where none is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these tags.
    pub tags: Option<Vec<String>>,
    /// An operation id, or the name of the tool; `*` stands for any characters.
    pub operations: Option<Vec<String>>,
    /// One of these methods.
    pub methods: Option<Vec<String>>,
    /// A path as the description writes it; `*` stands for any characters within a segment, `**`
    /// for any characters.
    pub paths: Option<Vec<String>>,
}

/// An operation, as far as filters look at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) tags: &'a [&'a str],
    pub(super) operation_id: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl Filter {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tags.is_none() && self.operations.is_none() && self.methods.is_none() && self.paths.is_none()
    }

    /// Whether an operation satisfies every criterion (`include`).
    pub(super) fn admits(&self, operation: Looked<'_>) -> bool {
        self.criteria(operation).into_iter().flatten().all(|satisfied| satisfied)
    }

    /// Whether an operation satisfies any criterion (`exclude`).
    pub(super) fn names(&self, operation: Looked<'_>) -> bool {
        self.criteria(operation).into_iter().flatten().any(|satisfied| satisfied)
    }

    fn criteria(&self, operation: Looked<'_>) -> [Option<bool>; 4] {
        let any = |wanted: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
            wanted.as_ref().map(|wanted| wanted.iter().any(|one| fits(one)))
        };
        [
            any(&self.tags, &|tag| operation.tags.contains(&tag)),
            any(&self.operations, &|glob| {
                fits(glob, operation.name, true) || operation.operation_id.is_some_and(|id| fits(glob, id, true))
            }),
            any(&self.methods, &|method| method.eq_ignore_ascii_case(operation.method)),
            any(&self.paths, &|glob| fits(glob, operation.path, false)),
        ]
    }

    /// The operations and paths that fit none of these operations: most likely misspelt.
    pub(super) fn unused<'f>(&'f self, operations: &[Looked<'_>]) -> Vec<(&'static str, &'f str)> {
        let one = |key: &'static str, text: &'f String| {
            let alone = |paths: bool, tags: bool| Self {
                tags: tags.then(|| vec![text.clone()]),
                operations: (!paths && !tags).then(|| vec![text.clone()]),
                paths: paths.then(|| vec![text.clone()]),
                methods: None,
            };
            let filter = alone(key == "paths", key == "tags");
            (!operations.iter().any(|operation| filter.names(*operation))).then_some((key, text.as_str()))
        };
        let of = |key: &'static str, texts: &'f Option<Vec<String>>| {
            texts.iter().flatten().filter_map(move |text| one(key, text)).collect::<Vec<_>>()
        };
        [of("tags", &self.tags), of("operations", &self.operations), of("paths", &self.paths)].concat()
    }
}

/// Whether `text` fits the pattern. `*` crosses a slash only where `crosses`; `**` always does.
/// Looks at each pair of positions at most once.
fn fits(pattern: &str, text: &str, crosses: bool) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Which positions of the text can be reached with the pattern read so far.
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    let mut rest = pattern.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let mut next = vec![false; text.len() + 1];
        if *first == '*' {
            let double = after.first() == Some(&'*');
            rest = if double { after.get(1..).unwrap_or_default() } else { after };
            let mut open = false;
            for (at, slot) in next.iter_mut().enumerate() {
                open |= reached.get(at).copied().unwrap_or(false);
                *slot = open;
                if !crosses && !double && text.get(at) == Some(&'/') {
                    open = false;
                }
            }
        } else {
            rest = after;
            for (at, c) in text.iter().enumerate() {
                if c == first
                    && reached.get(at) == Some(&true)
                    && let Some(slot) = next.get_mut(at + 1)
                {
                    *slot = true;
                }
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_segment_and_double_stars_do_not() {
        for (pattern, text, expected) in [
            ("/v2/**", "/v2/customers/{id}", true),
            ("/v2/**", "/v1/customers", false),
            ("/v2/*", "/v2/customers", true),
            ("/v2/*", "/v2/customers/{id}", false),
            ("/*/customers/**", "/v2/customers/{id}/orders", true),
            ("/v2/customers", "/v2/customers", true),
            ("**/orders", "/v2/customers/{id}/orders", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text, false), expected, "{pattern} {text}");
        }
        assert!(fits("get*", "get/x/y", true) && !fits("get*", "list", true));
        assert!(!fits(&"*a".repeat(2000), &"a".repeat(1999), true), "and quickly");
    }

    #[test]
    fn include_asks_for_all_and_exclude_for_any() {
        let operation = Looked {
            tags: &["customers"],
            operation_id: Some("customers/get"),
            name: "customers_get",
            method: "GET",
            path: "/v2/customers",
        };
        let list = |text: &str| Some(vec![text.to_owned()]);
        let filter = Filter { tags: list("customers"), methods: list("get"), ..Filter::default() };
        assert!(filter.admits(operation) && filter.names(operation));
        let filter = Filter { tags: list("customers"), methods: list("post"), ..Filter::default() };
        assert!(!filter.admits(operation) && filter.names(operation));
        assert!(Filter::default().admits(operation) && !Filter::default().names(operation));
        for id in ["customers/*", "customers_*"] {
            assert!(Filter { operations: list(id), ..Filter::default() }.admits(operation));
        }
        let filter = Filter { operations: list("gte*"), tags: list("x"), paths: list("/v2/**"), ..Filter::default() };
        assert_eq!(filter.unused(&[operation]), [("tags", "x"), ("operations", "gte*")]);
    }
}
