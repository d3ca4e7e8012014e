//! The source itself: opening it, and the way of one call.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, Caller, CallerCredentials, Clock, Fault, Outcome, Recovery, Source, ToolSpec};
use bridgehead_outbound::{Client, Configured};

use super::{Exchange, check, plan::Plan, settings::HttpSettings};
use crate::fault::SourceFault;

/// Plain HTTP requests as tools.
pub struct HttpSource {
    exchange: Exchange,
    plans: Vec<Plan>,
    by_name: BTreeMap<String, usize>,
}

impl HttpSource {
    /// Makes the tools. Nothing is sent.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once.
    pub fn open(
        settings: HttpSettings,
        client: Client<Configured>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Vec<SourceFault>> {
        let (mut plans, faults) = check::plans(&settings);
        if !faults.is_empty() {
            return Err(faults);
        }
        plans.iter_mut().for_each(|plan| plan.spec.per_caller = settings.credential.is_per_caller());
        let by_name = plans.iter().enumerate().map(|(index, plan)| (plan.spec.name.clone(), index)).collect();
        let HttpSettings { name, credential, secrets, .. } = settings;
        let exchange = Exchange::new(name, credential, secrets, client, clock);
        Ok(Self { exchange, plans, by_name })
    }

    /// Where callers' own credentials are asked for, if the settings name a vault.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn CallerCredentials>) -> Self {
        self.exchange.credentials = credentials;
        self
    }

    fn find(&self, tool: &str) -> Option<&Plan> {
        self.by_name.get(tool).and_then(|index| self.plans.get(*index))
    }
}

#[async_trait]
impl Source for HttpSource {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.plans.iter().map(|plan| plan.spec.clone()).collect()
    }

    /// Every request with effects carries the key in whichever header the policy names.
    fn recovery(&self, tool: &str) -> Recovery {
        let has_effects = self.find(tool).is_some_and(|plan| !plan.spec.effect.is_read());
        Recovery { sends_key: has_effects, resolves: false }
    }

    async fn shows(&self, _: &str, caller: &Caller) -> Result<Option<String>, CallError> {
        self.exchange.shows(caller).await
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        let Some(plan) = self.find(tool) else {
            return Err(Fault::new(format!("looking for the tool {tool}")).into());
        };
        let request = plan.request(&call.arguments)?;
        self.exchange.run(request, plan.spec.effect, plan.shape, call).await
    }
}

#[cfg(test)]
mod tests;
