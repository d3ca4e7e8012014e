//! `bridgehead serve [CONFIG]`: loads, composes, prints the card, serves until told to stop.

use std::path::PathBuf;

use super::{Exit, Outcome, load, output};
use crate::{
    card,
    compose::{self, Ambient, Composed},
    config::settings::AuthSettings,
};

pub(super) async fn run(config: Option<PathBuf>) -> Outcome {
    let (path, loaded) = load(config.as_deref())?;
    let ambient = Ambient::default();
    let composed = compose::compose(&loaded.settings, &loaded.places, &ambient, Vec::new()).await?;
    if matches!(loaded.settings.auth, AuthSettings::Open) {
        tracing::warn!(
            "auth.mode = \"open\": NOBODY IS ASKED WHO THEY ARE. Everyone who can reach this address may call every tool, \
             those that write included. Set auth.mode = \"api_key\" to change that."
        );
    }
    warn_of_lost_pepper(&composed).await;
    let first_key = composed.first_key(&loaded.settings, &ambient).await?;
    output::print(&card::card(&card::Facts::of(&loaded.settings, &composed, Some(&path), first_key.as_ref())));
    composed.serve(compose::told_to_stop()).await;
    Ok(Exit::Well)
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
