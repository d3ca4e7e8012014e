//! From a source's settings to the source: opens databases, reads descriptions.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bridgehead_core::{CallerCredentials, Source};
use bridgehead_outbound::{Client, Configured, Limits, Request, Strangers};
use bridgehead_sources::{
    fault::SourceFault,
    http::HttpSource,
    openapi::{Document, Documents, OpenApiSource, Severity, bundle},
    sql::SqlSource,
};
use url::Url;

use super::Ambient;
use crate::config::settings::{OpenApiSourceSettings, SourceKind, SourceSettings, Spec};

/// How large a description may be: the largest public one has 47 MB.
const MAX_DESCRIPTION_BYTES: usize = 128 << 20;

/// What a source is opened with.
pub(super) struct Around<'a> {
    pub(super) ambient: &'a Ambient,
    /// Where callers' own credentials are asked for.
    pub(super) credentials: Arc<dyn CallerCredentials>,
}

/// Opens one source.
///
/// # Errors
/// Everything that is wrong with it at once; paths are below the source's own table.
pub(super) async fn open(settings: &SourceSettings, around: &Around<'_>) -> Result<Arc<dyn Source>, Vec<SourceFault>> {
    let Around { ambient, credentials } = around;
    let (clock, credentials) = (ambient.clock.clone(), credentials.clone());
    Ok(match &settings.kind {
        SourceKind::Sql(sql) => Arc::new(SqlSource::open(sql.clone(), clock).await?),
        SourceKind::Http(http) => {
            Arc::new(HttpSource::open(http.clone(), client(ambient), clock)?.with_credentials(credentials))
        }
        SourceKind::OpenApi(openapi) => Arc::new(open_openapi(openapi, ambient).await?.with_credentials(credentials)),
    })
}

/// A client for the systems that the operator named.
pub(super) fn client(ambient: &Ambient) -> Client<Configured> {
    Client::configured(ambient.net.clone(), Limits::CONFIGURED)
}

/// Reads a description and the documents that it refers to. The second part of the answer says which of
/// these were not read, and why.
///
/// # Errors
/// There is no description, or it is none; in words for the operator.
pub async fn description(spec: &Spec, ambient: &Ambient) -> Result<(Document, Vec<String>), String> {
    let documents = AroundDescription::of(spec, ambient);
    let text = documents.description().await?;
    let mut document = Document::parse(&text, documents.url.clone()).map_err(|error| error.to_string())?;
    let complaints = bundle(&mut document, &documents).await;
    Ok((document, complaints))
}

async fn open_openapi(source: &OpenApiSourceSettings, ambient: &Ambient) -> Result<OpenApiSource, Vec<SourceFault>> {
    let name = &source.settings.name;
    let (document, complaints) = description(&source.spec, ambient)
        .await
        .map_err(|message| vec![SourceFault { path: vec!["spec".to_owned()], message }])?;
    for complaint in complaints {
        tracing::warn!(source = name, complaint, "a document that the description refers to was not read");
    }
    let (source, reports) =
        OpenApiSource::new(&document, source.settings.clone(), client(ambient), ambient.clock.clone())?;
    for report in &reports {
        match report.severity {
            Severity::Skipped | Severity::Warning => tracing::warn!(source = name, "{report}"),
            Severity::Degraded => tracing::debug!(source = name, "{report}"),
        }
    }
    let skipped = reports.iter().filter(|report| report.severity == Severity::Skipped).count();
    let tools = source.operations().len();
    tracing::info!(source = name, tools, skipped, notes = reports.len() - skipped, "read the description");
    Ok(source)
}

/// The description and the documents around it. Files may refer to files; what a description names
/// by URL is fetched as from a stranger, unless it lies where the description itself does.
struct AroundDescription {
    file: Option<PathBuf>,
    url: Option<Url>,
    configured: Client<Configured>,
    strangers: Client<Strangers>,
}

impl AroundDescription {
    fn of(spec: &Spec, ambient: &Ambient) -> Self {
        let (file, url) = match spec {
            Spec::File(file) => (Some(file.clone()), None),
            Spec::Url(url) => (None, Some(url.clone())),
        };
        let strangers = Client::strangers(ambient.net.clone(), Limits::STRANGERS);
        Self { file, url, configured: client(ambient), strangers }
    }

    async fn description(&self) -> Result<String, String> {
        match (&self.file, &self.url) {
            (Some(file), _) => read_file(file).await,
            (None, Some(url)) => {
                let mut request = Request::get(url.clone());
                request.max_body_bytes = Some(MAX_DESCRIPTION_BYTES);
                let answer = match self.configured.send(request).await {
                    Ok(answer) => answer.read().await,
                    Err(error) => Err(error),
                };
                text_of(answer.map_err(|error| format!("The description cannot be fetched: {error}."))?)
            }
            (None, None) => Err("There is no description.".to_owned()),
        }
    }

    /// Whether a URL lies where the description itself does.
    fn is_at_home(&self, url: &Url) -> bool {
        self.url.as_ref().is_some_and(|home| home.origin() == url.origin())
    }
}

#[async_trait]
impl Documents for AroundDescription {
    async fn read(&self, reference: &str) -> Result<String, String> {
        let absolute = Url::parse(reference).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = match (&self.url, absolute) {
            (_, Some(url)) => url,
            (Some(home), None) => home.join(reference).map_err(|error| error.to_string())?,
            (None, None) => {
                let folder = self.file.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new("."));
                return read_file(&folder.join(reference)).await;
            }
        };
        let answer = if self.is_at_home(&url) {
            self.configured.send(Request::get(url)).await
        } else {
            self.strangers.send(Request::get(url)).await
        };
        let answer = match answer {
            Ok(answer) => answer.read().await,
            Err(error) => Err(error),
        };
        text_of(answer.map_err(|error| error.to_string())?)
    }
}

async fn read_file(file: &Path) -> Result<String, String> {
    tokio::fs::read_to_string(file)
        .await
        .map_err(|error| format!("{} cannot be read: {error}. Name a file that is there.", file.display()))
}

fn text_of(received: bridgehead_outbound::Received) -> Result<String, String> {
    if !received.status.is_success() {
        return Err(format!("The server answered {}. Name the URL of the description itself.", received.status));
    }
    String::from_utf8(received.body.to_vec()).map_err(|_| "It is not text in UTF-8.".to_owned())
}
