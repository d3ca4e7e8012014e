//! A credential that each caller has in a vault, and where its fields stand in a request.

use bridgehead_core::{CallError, CallerCredential, Fault, Secret, UpstreamCode, UpstreamFailure};
use bridgehead_outbound::Request;

use super::{Place, Redactor, put};
use crate::http::template::{Piece, Template};

/// What each caller entered or connected, by the vault's name in the configuration.
#[derive(Debug, Clone)]
pub struct VaultCredential {
    /// The vault.
    pub vault: String,
    /// Where its fields stand.
    pub places: VaultPlaces,
}

/// Where the fields of a vault stand in a request.
#[derive(Debug, Clone)]
pub enum VaultPlaces {
    /// Where the API's description wants its key or token. For sources of the type `openapi` alone,
    /// which find the places out.
    AsDescribed {
        /// The vault's fields.
        fields: Vec<String>,
    },
    /// Here.
    At(Vec<VaultPresentation>),
}

/// One value that is made of fields, and where it stands.
#[derive(Debug, Clone)]
pub struct VaultPresentation {
    place: Place,
    value: Template,
}

impl VaultPresentation {
    /// A value such as `Bearer {api_key}`: `{field}` stands for a field of the vault, `{{` and `}}` for
    /// the braces themselves.
    ///
    /// # Errors
    /// What is wrong with the value, and how to mend it.
    pub fn new(place: Place, value: &str) -> Result<Self, String> {
        Ok(Self { place, value: Template::parse(value)? })
    }

    /// The fields that the value is made of.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.value.slots()
    }

    /// The value with what a caller has; `None` where a field is missing.
    fn filled(&self, held: &CallerCredential) -> Option<Secret> {
        let mut text = String::new();
        for piece in &self.value.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Slot(field) => text.push_str(held.value(field)?.expose()),
            }
        }
        Some(Secret::new(text))
    }
}

impl VaultCredential {
    /// Where something stands, as far as that is known.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let presentations = match &self.places {
            VaultPlaces::AsDescribed { .. } => &[][..],
            VaultPlaces::At(presentations) => presentations,
        };
        presentations.iter().map(|one| &one.place)
    }

    pub(super) fn apply(
        &self,
        source: &str,
        held: Option<&CallerCredential>,
        request: &mut Request,
        redactor: &mut Redactor,
    ) -> Result<(), CallError> {
        let (VaultPlaces::At(presentations), Some(held)) = (&self.places, held) else {
            return Err(Fault::new(format!("presenting the vault {} to {source}", self.vault)).into());
        };
        held.values().for_each(|value| redactor.learn(value));
        for one in presentations {
            let value = one.filled(held).ok_or_else(|| {
                Fault::new(format!(
                    "filling in what {source} wants of the vault {}, where a field is missing",
                    self.vault
                ))
            })?;
            redactor.learn(&value);
            put(&one.place, &value, request).map_err(|()| {
                let message = format!(
                    "Your credential for `{source}` has a character that no header may have, such as a line break; \
                     nothing was sent. Enter it again on your account's page of this server."
                );
                UpstreamFailure::new(UpstreamCode::Unauthorized, message)
            })?;
        }
        Ok(())
    }
}
