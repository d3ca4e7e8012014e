//! What depends on who calls is never shared, whatever the configuration says.

use std::{sync::Arc, time::Duration};

use bridgehead_core::{Catalog, Policies, PolicyPatch, policy::CachePatch};

use crate::behind::{COMMON, Entered, OWN, sources};

#[tokio::test]
async fn shared_is_a_fault_where_answers_are_the_callers_own() {
    let place = tempfile::tempdir().unwrap();
    let sources = sources("http://api.internal", place.path(), &Arc::new(Entered::default())).await;
    let cache = CachePatch { ttl: Some(Duration::from_secs(60)), shared: Some(true), ..CachePatch::default() };
    let policies = Policies::new(vec![("default".to_owned(), PolicyPatch { cache, ..PolicyPatch::default() })]);
    let faults = Catalog::build(sources, &policies).err().unwrap();
    let is_shared = |tool: &&str| {
        !faults.iter().any(|fault| &*fault.address.tool == *tool && fault.message.contains("`cache.shared`"))
    };
    assert_eq!(OWN.iter().copied().filter(is_shared).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(COMMON.iter().copied().filter(is_shared).collect::<Vec<_>>(), COMMON);
    assert_eq!(faults.len(), OWN.len(), "{faults:?}");
}
