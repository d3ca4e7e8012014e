//! `bridgehead serve [CONFIG]`: loads, composes, prints the card, serves until told to stop.

mod throw_away_disk;

use std::path::PathBuf;

use super::{Exit, Failure, Outcome, load, output};
use crate::{
    card,
    compose::{self, Ambient, Composed},
    config::{
        SystemEnvironment,
        settings::{AuthSettings, CertificateSettings, PublicUrl, ServerSettings, TlsSettings},
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file. Default: $BRIDGEHEAD_CONFIG, then ./bridgehead.toml.
    config: Option<PathBuf>,
    /// Serve HTTPS with a certificate made at the start, to try HTTPS on this machine. Nobody trusts
    /// it, and agent platforms refuse it.
    #[arg(long)]
    self_signed_for_local_testing: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let (path, mut loaded) = load(args.config.as_deref())?;
    if args.self_signed_for_local_testing {
        self_sign(&mut loaded.settings.server)?;
    }
    let ambient = Ambient::default();
    let composed = compose::compose(&loaded.settings, &loaded.places, &ambient, Vec::new()).await?;
    if matches!(loaded.settings.auth, AuthSettings::Open) {
        tracing::warn!(
            "auth.mode = \"open\": NOBODY IS ASKED WHO THEY ARE. Everyone who can reach this address may call every tool, \
             those that write included. Set auth.mode = \"api_key\" to change that."
        );
    }
    if let Some(warning) = throw_away_disk::warning(&loaded.settings, &SystemEnvironment::new()) {
        tracing::warn!("{warning}");
    }
    warn_of_lost_pepper(&composed).await;
    let first = composed.first_run(&loaded.settings, &ambient).await?;
    output::print(&card::card(&card::Facts::of(&loaded.settings, &composed, Some(&path), &first)));
    composed.serve(compose::told_to_stop()).await;
    Ok(Exit::Well)
}

/// Puts a certificate of our own in the place of none.
fn self_sign(server: &mut ServerSettings) -> Result<(), Failure> {
    if server.tls.is_some() {
        return Err(Failure::usage(
            "--self-signed-for-local-testing stands beside [server.tls]. Leave one of them out",
        ));
    }
    server.tls = Some(TlsSettings { certificate: CertificateSettings::SelfSigned, http_listen: None });
    if let PublicUrl::SameAsListen(url) = &mut server.public_url {
        // It fails only for URLs without a host, which this one has.
        let _ = url.set_scheme("https");
    }
    match &server.public_url {
        PublicUrl::Given(url) if url.scheme() == "http" => Err(Failure::usage(
            "server.public_url begins with http://, and --self-signed-for-local-testing serves HTTPS. Write https:// there",
        )),
        _ => Ok(()),
    }
}

async fn warn_of_lost_pepper(composed: &Composed) {
    match composed.keyring.keys.without_pepper().await {
        Ok(lost) if lost.is_empty() => {}
        Ok(lost) => tracing::warn!(
            keys = lost.len(),
            "some keys in the store cannot be checked: the root key they were made under is not in [secrets] keys. \
             Put it back after the first, or make those teammates new keys"
        ),
        Err(error) => tracing::warn!(%error, "the keys in the store could not be looked through"),
    }
}
