//! What the configuration says about an API and its tools, as plain data. Nothing is checked here:
//! [`super::convert`] does that, and answers with [`SourceFault`](crate::fault::SourceFault)s.

use std::collections::BTreeMap;

use bridgehead_core::{Effect, Secret};
use serde_json::{Map, Value};
use url::Url;

use super::filter::Filter;
use crate::http::{Credential, Place};

/// How many bytes an input schema has at most, about 8,000 tokens.
pub const DEFAULT_MAX_INPUT_BYTES: usize = 32 * 1024;
/// How many bytes an output schema has at most.
pub const DEFAULT_MAX_OUTPUT_BYTES: usize = 8 * 1024;

/// One API and what becomes of its operations.
#[derive(Debug, Clone)]
pub struct OpenApiSettings {
    /// The source's name in the configuration.
    pub name: String,
    /// How the description becomes tools.
    pub convert: ConvertSettings,
    /// What is presented to the API.
    pub credential: Credential,
    /// What stands in the requests and must not come back in an error, beside the credential:
    /// values from the environment, for example.
    pub secrets: Vec<Secret>,
}

/// How a description becomes tools.
#[derive(Debug, Clone)]
pub struct ConvertSettings {
    /// Where the API is, in the place of all servers that the description names.
    pub base_url: Option<Url>,
    /// Only the operations that satisfy each of these.
    pub include: Filter,
    /// Not the operations that satisfy any of these.
    pub exclude: Filter,
    /// Shapes single tools. The key is an operation id, or the name the tool has without shaping.
    pub tools: BTreeMap<String, Shaping>,
    /// Where the configured credential stands; parameters in the same place are not asked for.
    pub presents: Presents,
    /// How long a tool's name may be: 64, less the source's prefix and its `_`.
    pub max_name: usize,
    /// How many bytes an input schema may have; what lies deepest is cut.
    pub max_input_bytes: usize,
    /// How many bytes an output schema may have; what lies deepest is cut.
    pub max_output_bytes: usize,
}

impl Default for ConvertSettings {
    /// Every operation, as the description says.
    fn default() -> Self {
        Self {
            base_url: None,
            include: Filter::default(),
            exclude: Filter::default(),
            tools: BTreeMap::new(),
            presents: Presents::Nothing,
            max_name: super::names::MAX_NAME,
            max_input_bytes: DEFAULT_MAX_INPUT_BYTES,
            max_output_bytes: DEFAULT_MAX_OUTPUT_BYTES,
        }
    }
}

/// Where the configured credential stands in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Presents {
    /// No credential is configured.
    #[default]
    Nothing,
    /// Here.
    At(Vec<Place>),
    /// Wherever the caller's own stands; nothing is known beforehand.
    Caller,
}

impl Presents {
    /// Where a credential stands.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        match credential {
            Credential::None => Self::Nothing,
            Credential::Fixed(presentations) => Self::At(presentations.iter().map(|one| one.place.clone()).collect()),
            Credential::Vault(vault) => Self::At(vault.places().cloned().collect()),
            Credential::FromCaller => Self::Caller,
        }
    }
}

/// What the configuration changes about one tool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shaping {
    /// Its name.
    pub name: Option<String>,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: Option<String>,
    /// Arguments that an agent does not see and that are not sent.
    pub hide: Vec<String>,
    /// Arguments with a fixed value, which an agent does not see.
    pub set: Map<String, Value>,
    /// What it does to the world.
    pub effect: Option<Effect>,
    /// The scope a caller needs.
    pub scope: Option<String>,
}

/// The nearest of `known`, said as a hint; empty where none is near.
pub(super) fn hint<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '/', ' '], "_");
    let name = plain(name);
    let nearest = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), known))
        .filter(|(distance, known)| *distance <= (known.len().max(name.len()) / 3).clamp(1, 6))
        .min_by_key(|(distance, _)| *distance);
    nearest.map_or_else(String::new, |(_, known)| format!(" Did you mean `{known}`?"))
}
