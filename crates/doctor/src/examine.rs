//! One examination, from the name of the server to the end of the access: the areas in order.

use crate::{
    Report,
    checks::{access, protocol, reach, tools},
    visit::Visit,
};

/// Looks at the server of this visit.
///
/// The four areas follow each other; where one cannot go on, what is left is skipped with the reason.
/// What was made on the way (a registration, a grant) is taken away again at the end, also then.
pub async fn examine(mut visit: Visit<'_>) -> Report {
    if let Some(reached) = reach::examine(&mut visit).await
        && let Some(access) = access::examine(&mut visit, &reached).await
    {
        if visit.target().headers.is_empty() && !access.headers.is_empty() {
            reach::examine_signed_in(&mut visit, &reached, &access.headers).await;
        }
        if let Some(spoken) = protocol::examine(&mut visit, &reached, &access).await {
            tools::examine(&mut visit, &reached, &access, &spoken).await;
        }
        visit.stop();
        access::leave(&mut visit, &reached, access).await;
    }
    visit.end()
}
