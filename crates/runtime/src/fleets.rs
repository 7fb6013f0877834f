//! All fleets of a server, opened when first asked for.
use crate::handle::{Failure, Handle};
use fleet_types::{FleetId, TenantId};

/// All fleets of a server over one journal. The reserved directory fleet holds tenants, fleets and keys.
#[derive(Clone)]
pub struct Fleets {}

impl Fleets {
    /// The directory: tenants, fleets, keys.
    #[must_use]
    pub fn directory(&self) -> Handle {
        Handle {}
    }

    /// A fleet's handle; `None` if the directory does not know it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn get(&self, _: &TenantId, _: &FleetId) -> Result<Option<Handle>, Failure> {
        Ok(None)
    }

    /// Finishes what was taken, then stops: nothing acknowledged is lost.
    pub async fn stop(&self) {}
}
