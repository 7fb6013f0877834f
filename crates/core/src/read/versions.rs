//! The versions of resources.
use crate::state::State;
use fleet_types::ResourcePath;
use fleet_types::lock::ResourceVersion;
use fleet_types::version::View;

/// Resources below one that are shown with it.
const BELOW_MAX: usize = 100;

/// The version of a resource, if it is kept.
#[must_use]
pub fn version(state: &State, resource: &ResourcePath) -> Option<View> {
    let versions = &state.versions;
    let (version, kept_since, last) = versions.of(resource.as_str())?;
    let below = versions.below(resource.as_str()).take(BELOW_MAX);
    let below = below.filter_map(|path| {
        let (version, _, _) = versions.of(path)?;
        let path = ResourcePath::parse(path).ok()?;
        Some(ResourceVersion { path, version })
    });
    Some(View {
        path: resource.clone(),
        version,
        kept_since,
        written: last.map(|write| write.by.clone()),
        below: below.collect(),
    })
}
