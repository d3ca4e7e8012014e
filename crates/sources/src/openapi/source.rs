//! The source itself: the tools of one description, and the way of one call.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{
    Call, CallError, Caller, CallerCredentials, Clock, Outcome, Recovery, Refusal, Source, ToolSpec,
};
use bridgehead_outbound::{Client, Configured};

use super::{
    convert::{Operation, Report, convert},
    document::Document,
    security,
    settings::{OpenApiSettings, Presents},
};
use crate::{fault::SourceFault, http::Exchange};

/// Tools in front of one API that OpenAPI describes.
pub struct OpenApiSource {
    operations: Vec<Operation>,
    by_name: BTreeMap<String, usize>,
    exchange: Exchange,
}

impl OpenApiSource {
    /// Converts the description. Nothing is sent before the first call.
    ///
    /// Returns the source and what could not be kept of the description; each report is worth a
    /// line in the log.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once. A description of which nothing can be
    /// used is one such thing.
    pub fn new(
        document: &Document,
        mut settings: OpenApiSettings,
        client: Client<Configured>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Report>), Vec<SourceFault>> {
        settings.credential = security::placed(document.root(), settings.credential).map_err(|fault| vec![fault])?;
        settings.convert.presents = Presents::of(&settings.credential);
        let conversion = convert(document, &settings.convert);
        let mut faults = conversion.faults;
        if conversion.operations.is_empty() && faults.is_empty() {
            faults.push(nothing(&conversion.reports, conversion.filtered));
        }
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        for (index, operation) in conversion.operations.iter().enumerate() {
            if let Some(other) = by_name.insert(operation.spec.name.clone(), index)
                && let Some(other) = conversion.operations.get(other)
            {
                let message = format!(
                    "{} and {} would both be called `{}`. Give one of them another `name`.",
                    other.operation, operation.operation, operation.spec.name
                );
                faults.push(SourceFault::new(&["tools"], message));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let OpenApiSettings { name, credential, secrets, .. } = settings;
        let mut operations = conversion.operations;
        operations.iter_mut().for_each(|operation| operation.spec.per_caller = credential.is_per_caller());
        let exchange = Exchange::new(name, credential, secrets, client, clock);
        Ok((Self { operations, by_name, exchange }, conversion.reports))
    }

    /// Where callers' own credentials are asked for, if the settings name a vault.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn CallerCredentials>) -> Self {
        self.exchange.credentials = credentials;
        self
    }

    fn find(&self, tool: &str) -> Option<&Operation> {
        self.by_name.get(tool).and_then(|index| self.operations.get(*index))
    }

    /// The operations behind the tools, in the description's order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}

/// Why there is no tool at all.
fn nothing(reports: &[Report], filtered: usize) -> SourceFault {
    match reports.iter().find(|report| report.operation.is_some()) {
        Some(first) if first.reason.contains("base_url") => {
            SourceFault::new(&["base_url"], format!("No operation can be called: {}.", first.reason))
        }
        Some(first) => SourceFault::new(&["spec"], format!("No operation can be used. The first one, {first}.")),
        None if filtered > 0 => SourceFault::new(
            &["include"],
            format!("The description has {filtered} operations, and include and exclude leave none of them."),
        ),
        None => SourceFault::new(&["spec"], "The description has no operations."),
    }
}

#[async_trait]
impl Source for OpenApiSource {
    fn kind(&self) -> &'static str {
        "openapi"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.operations.iter().map(|operation| operation.spec.clone()).collect()
    }

    /// Every request with effects carries the key, in the header of the description or the policy's.
    fn recovery(&self, tool: &str) -> Recovery {
        let has_effects = self.find(tool).is_some_and(|operation| !operation.spec.effect.is_read());
        Recovery { sends_key: has_effects, resolves: false }
    }

    /// Server, path and parameters are the description's, which may be another one tomorrow.
    fn revision(&self, tool: &str) -> String {
        self.find(tool).map(|operation| format!("{:?}", operation.binding)).unwrap_or_default()
    }

    async fn shows(&self, _: &str, caller: &Caller) -> Result<Option<String>, CallError> {
        self.exchange.shows(caller).await
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        let operation = self.find(tool).ok_or_else(|| Refusal::UnknownTool { name: tool.to_owned() })?;
        let mut request = operation.binding.request(&call.arguments).map_err(Refusal::InvalidArguments)?;
        operation.binding.require_key(&mut request, call);
        self.exchange.run(request, operation.spec.effect, operation.binding.answer, call).await
    }
}
