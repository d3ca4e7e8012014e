//! Everything about the settings that can be checked without the system behind: URL, method,
//! headers, placeholders declared and used, effects. Every fault is found in one go.

use std::collections::BTreeSet;

use bridgehead_core::{Effect, ScopeSet, ToolSpec, schema::Schema};
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::Url;

use super::{
    AnswerShape, Described, Place, describe,
    plan::{BodyPlan, Pair, Plan},
    settings::{BodySettings, HttpSettings, HttpToolSettings, RequestSettings},
    template::{JsonTemplate, Template},
};
use crate::{
    fault::SourceFault,
    parameter::{self, Bound},
    relax::relax,
};

/// Checks all that can be checked without the system behind: methods, URLs and headers, that
/// parameters are declared and used, that scopes and effects make sense.
#[must_use]
pub fn check(settings: &HttpSettings) -> Vec<SourceFault> {
    plans(settings).1
}

/// The tools that are sound, and everything that is wrong with the others.
pub(super) fn plans(settings: &HttpSettings) -> (Vec<Plan>, Vec<SourceFault>) {
    let mut plans = Vec::new();
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let presented: Vec<&HeaderName> = match &settings.credential {
        super::Credential::Fixed(presentations) => {
            presentations.iter().filter_map(|p| place_header(&p.place)).collect()
        }
        super::Credential::Vault(vault) => vault.places().filter_map(place_header).collect(),
        super::Credential::None | super::Credential::FromCaller => Vec::new(),
    };
    for tool in &settings.tools {
        let before = faults.len();
        if !names.insert(&tool.name) {
            faults.push(SourceFault::new(&["tools", &tool.name], "Two tools have this name. Rename one of them."));
        }
        let mut judge = Judge { tool, presented: &presented, used: BTreeSet::new(), faults: &mut faults };
        let plan = judge.plan();
        if before == faults.len() {
            plans.extend(plan);
        }
    }
    (plans, faults)
}

const fn place_header(place: &Place) -> Option<&HeaderName> {
    match place {
        Place::Header(name) => Some(name),
        Place::Query(_) | Place::Cookie(_) => None,
    }
}

/// Where a placeholder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Path,
    Header,
    Pair,
    Anywhere,
}

/// Collects the faults of one tool.
struct Judge<'a> {
    tool: &'a HttpToolSettings,
    /// Headers of the credential.
    presented: &'a [&'a HeaderName],
    /// Parameters that the request uses.
    used: BTreeSet<String>,
    faults: &'a mut Vec<SourceFault>,
}

impl Judge<'_> {
    fn fault(&mut self, below: &[&str], message: impl Into<String>) {
        let path: Vec<&str> = ["tools", self.tool.name.as_str()].into_iter().chain(below.iter().copied()).collect();
        self.faults.push(SourceFault::new(&path, message));
    }

    fn plan(&mut self) -> Option<Plan> {
        let tool = self.tool;
        let RequestSettings { url, query, headers, body, .. } = &tool.request;
        self.faults.extend(parameter::faults(&tool.parameters, &["tools", &tool.name]));
        let method = self.method();
        let target = self.url(url);
        let mut pairs = self.pairs(&["request", "query"], query);
        let headers = self.headers(headers);
        let body = body.as_ref().map(|body| self.body(body));
        // Of a URL that cannot be read nobody knows what it uses.
        if target.is_some() {
            self.unused();
        }
        if let Some(scope) = &tool.scope
            && let Err(error) = ScopeSet::default().insert(scope)
        {
            self.fault(&["scope"], error.to_string());
        }
        let (shape, output_schema) = self.answer(&headers);
        let method = method?;
        let effect = self.effect(&method);
        let (base, segments, mut of_url) = target?;
        of_url.append(&mut pairs);
        let parameters: Vec<Bound> = tool.parameters.iter().map(parameter::bound).collect();
        let mut spec = ToolSpec::new(&tool.name, &tool.description);
        spec.title.clone_from(&tool.title);
        spec.input_schema = parameter::input_schema(&parameters);
        spec.output_schema = Some(output_schema);
        spec.effect = effect;
        spec.idempotent =
            tool.idempotent.unwrap_or(matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE));
        spec.scope.clone_from(&tool.scope);
        let body = match body {
            Some(body) => Some(body?),
            None => None,
        };
        Some(Plan { spec, shape, method, base, segments, query: of_url, headers, body, parameters })
    }

    fn method(&mut self) -> Option<Method> {
        match self.tool.request.method.as_str() {
            "GET" => Some(Method::GET),
            "HEAD" => Some(Method::HEAD),
            "POST" => Some(Method::POST),
            "PUT" => Some(Method::PUT),
            "PATCH" => Some(Method::PATCH),
            "DELETE" => Some(Method::DELETE),
            other => {
                let message = format!("`{other}` is not a method. Use GET, HEAD, POST, PUT, PATCH or DELETE.");
                self.fault(&["request", "method"], message);
                None
            }
        }
    }

    /// The operator may know of more than the method shows, never of less.
    fn effect(&mut self, method: &Method) -> Effect {
        let of_method = match *method {
            Method::GET | Method::HEAD => Effect::Read,
            Method::POST => Effect::Write,
            _ => Effect::Destructive,
        };
        let Some(configured) = self.tool.effect else { return of_method };
        if configured < of_method {
            let message = format!(
                "{method} is `{of_method}`, and `effect` can only make a tool more careful than its method (read < write \
                 < destructive). Leave `effect` out, or set it to `{}`.",
                Effect::Destructive
            );
            self.fault(&["effect"], message);
        }
        configured.max(of_method)
    }

    /// Scheme and host, which no caller chooses; the path's segments; the query's pairs.
    fn url(&mut self, text: &str) -> Option<(Url, Vec<Template>, Vec<Pair>)> {
        let at = ["request", "url"];
        let start = text.find("://").map(|at| at + 3);
        let rest = start.and_then(|start| text.get(start..));
        let Some((start, rest)) = start.zip(rest).filter(|_| text.starts_with("http:") || text.starts_with("https:"))
        else {
            self.fault(
                &at,
                "This is not an absolute http or https URL. Write, for example, https://erp.internal/orders.",
            );
            return None;
        };
        let end = start + rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (origin, target) = text.split_at_checked(end)?;
        if origin.contains(['{', '}']) {
            self.fault(
                &at,
                "A placeholder cannot choose the host: what callers give reaches path, query, headers and body alone.",
            );
            return None;
        }
        let base = match Url::parse(origin) {
            Ok(base) if base.username().is_empty() && base.password().is_none() => base,
            Ok(_) => {
                self.fault(&at, "A URL with a user name or password ends up in logs. Use `credential` of the source.");
                return None;
            }
            Err(error) => {
                self.fault(&at, format!("This is not a URL: {error}."));
                return None;
            }
        };
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments = path.split('/').skip(1).filter_map(|text| self.template(&at, text, Spot::Path)).collect();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.filter_map(|text| self.template(&at, text, Spot::Pair)).map(Pair::OfUrl).collect();
        Some((base, segments, pairs))
    }

    fn pairs(&mut self, at: &[&str], pairs: &[(String, Value)]) -> Vec<Pair> {
        let named = self.named(at, pairs);
        named.into_iter().map(|(name, template)| Pair::Named(name, template)).collect()
    }

    fn named(&mut self, at: &[&str], pairs: &[(String, Value)]) -> Vec<(String, JsonTemplate)> {
        let mut named = Vec::new();
        for (name, value) in pairs {
            let at: Vec<&str> = at.iter().copied().chain([name.as_str()]).collect();
            if value.is_object() {
                self.fault(&at, "This is a table, and a pair has one text or a list of texts.");
            }
            named.extend(self.json(&at, value, Spot::Pair).map(|template| (name.clone(), template)));
        }
        named
    }

    fn headers(&mut self, headers: &[(String, bridgehead_core::Secret)]) -> Vec<(HeaderName, Template)> {
        const OF_THE_MESSAGE: [HeaderName; 7] = [
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::HOST,
            header::TE,
            header::TRAILER,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ];
        let mut checked = Vec::new();
        for (name, value) in headers {
            let at = ["request", "headers", name.as_str()];
            let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
                self.fault(&at, "This is not a header's name. Use letters, digits and -, for example X-Tenant.");
                continue;
            };
            if OF_THE_MESSAGE.contains(&header) {
                self.fault(&at, "This header is written by Bridgehead itself. Remove it.");
            }
            if self.presented.contains(&&header) {
                self.fault(&at, "The source's `credential` sets this header as well. Remove one of the two.");
            }
            if HeaderValue::from_bytes(value.expose().as_bytes()).is_err() {
                self.fault(&at, "The value has a character that no header may have, such as a line break. Remove it.");
            }
            checked.extend(self.template(&at, value.expose(), Spot::Header).map(|template| (header, template)));
        }
        checked
    }

    /// `None` where it is wrong.
    fn body(&mut self, body: &BodySettings) -> Option<BodyPlan> {
        match body {
            BodySettings::Json(value) => self.json(&["request", "json"], value, Spot::Anywhere).map(BodyPlan::Json),
            BodySettings::Form(pairs) => Some(BodyPlan::Form(self.named(&["request", "form"], pairs))),
            BodySettings::Text(text) => self.template(&["request", "text"], text, Spot::Anywhere).map(BodyPlan::Text),
        }
    }

    fn json(&mut self, at: &[&str], value: &Value, spot: Spot) -> Option<JsonTemplate> {
        match JsonTemplate::parse(value) {
            Ok(template) => {
                let whole = matches!(&template, JsonTemplate::Text(text) if text.only_slot().is_some());
                for name in template.slots() {
                    self.uses(at, name, if whole { spot } else { spot.within_text() });
                }
                Some(template)
            }
            Err(message) => {
                self.fault(at, message);
                None
            }
        }
    }

    fn template(&mut self, at: &[&str], text: &str, spot: Spot) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => {
                for name in template.slots() {
                    self.uses(at, name, spot);
                }
                Some(template)
            }
            // Only a header's text is secret, and the message repeats some of it.
            Err(_) if spot == Spot::Header => {
                self.fault(
                    at,
                    "This has a brace that is no placeholder. Write {name} for a parameter, {{ or }} for a brace.",
                );
                None
            }
            Err(message) => {
                self.fault(at, message);
                None
            }
        }
    }

    /// A placeholder: declared, and with values that can stand where it does.
    fn uses(&mut self, at: &[&str], name: &str, spot: Spot) {
        self.used.insert(name.to_owned());
        let Some(parameter) = self.tool.parameters.iter().find(|parameter| parameter.name == name) else {
            let message = format!(
                "The request uses {{{name}}}, and there is no parameters.{name}. Declare it, for example \
                 parameters.{name} = {{ type = \"string\", description = \"…\" }}; or write {{{{ for a brace."
            );
            self.fault(at, message);
            return;
        };
        let bound = parameter::bound(parameter);
        if spot == Spot::Path && !bound.is_always_there() {
            let message = format!(
                "{{{name}}} stands in the path, which has no place for a missing value. Make it required, or give it a default."
            );
            self.fault(at, message);
        }
        let nested = match spot {
            Spot::Path | Spot::Header => bound.may_be_nested(),
            Spot::Pair => bound.may_be_nested() && !bound.may_be_list(),
            Spot::Anywhere => false,
        };
        if nested {
            let message = format!(
                "{{{name}}} may be a list or an object, which cannot stand here. Give the parameter another `type`, or \
                 send it in `json`."
            );
            self.fault(at, message);
        }
    }

    fn unused(&mut self) {
        let tool = self.tool;
        for parameter in &tool.parameters {
            if !self.used.contains(&parameter.name) {
                let message =
                    format!("The request does not use {{{}}}. Use it, or remove the parameter.", parameter.name);
                self.fault(&["parameters", &parameter.name], message);
            }
        }
    }

    fn answer(&mut self, headers: &[(HeaderName, Template)]) -> (AnswerShape, Map<String, Value>) {
        if let Some(schema) = &self.tool.output {
            if let Err(error) = Schema::compile(schema) {
                self.fault(&["output"], format!("This is not a JSON Schema: {error}"));
            }
            return describe(Described::Json(&relax(schema)));
        }
        let accept = headers.iter().find(|(name, _)| name == header::ACCEPT);
        let takes_html = accept.and_then(|(_, template)| template.text(&Default::default()));
        if takes_html.is_some_and(|accept| accept.contains("html") || accept.starts_with("text/")) {
            return describe(Described::Text);
        }
        describe(Described::Unknown)
    }
}

impl Spot {
    /// Within a longer text, lists have no form of their own.
    const fn within_text(self) -> Self {
        match self {
            Self::Pair => Self::Header,
            other => other,
        }
    }
}
