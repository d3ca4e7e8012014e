//! The mode `open` (requirement A1): nobody is asked, and everybody is the same caller.

use async_trait::async_trait;
use bridgehead_core::Caller;
use http::HeaderMap;

use super::Mode;
use crate::Denied;

/// Lets everybody in as [`Caller::anonymous`]. Looks at no header at all, so that a client that
/// sends a stale token gets in as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenMode;

#[async_trait]
impl Mode for OpenMode {
    fn name(&self) -> &'static str {
        "open"
    }

    fn asks_for(&self) -> String {
        "Nothing is needed.".to_owned()
    }

    async fn authenticate(&self, _: &HeaderMap) -> Result<Option<Caller>, Denied> {
        Ok(Some(Caller::anonymous()))
    }
}
