//! Credentials, read where they are used: so one that was changed is in force at the next attempt.
//!
//! A tenant reaches only its own: files lie in a directory of its own, and the environment is the server's own tenant's.
use fleet_types::TenantId;
use fleet_types::connector::Secret;
use std::path::PathBuf;

/// Largest file of a credential, in bytes.
const BYTES_MAX: u64 = 16 * 1024;

/// Where credentials are kept.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The directory of directories, one for each tenant.
    pub dir: PathBuf,
    /// The tenant that may name variables of the environment.
    pub environment_of: TenantId,
}

/// A credential. It does not show itself.
pub struct Credential(String);

impl Credential {
    /// The credential itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn example(text: &str) -> Self {
        Credential(text.to_owned())
    }
}

impl Secrets {
    /// Reads a credential.
    ///
    /// # Errors
    /// When it is not there, in words that do not tell it.
    pub fn read(&self, tenant: &TenantId, secret: &Secret) -> Result<Credential, String> {
        let text = match secret {
            Secret::Env(name) if *tenant != self.environment_of => {
                return Err(format!(
                    "tenant {tenant} may not read {name}: keep the secret in a file"
                ));
            }
            Secret::Env(name) => std::env::var(name.as_str()).map_err(|_| {
                format!("the server's environment has no {name}, or it is not text")
            })?,
            Secret::File(name) => {
                let path = self.dir.join(tenant.as_str()).join(name.as_str());
                let shown = format!("secrets/{tenant}/{name}");
                let failed = |error: std::io::Error| format!("read {shown}: {error}");
                let size = std::fs::metadata(&path).map_err(failed)?.len();
                if size > BYTES_MAX {
                    return Err(format!("{shown} is larger than {BYTES_MAX} bytes"));
                }
                std::fs::read_to_string(&path).map_err(failed)?
            }
        };
        match text.trim() {
            "" => Err("the secret is empty".to_owned()),
            text => Ok(Credential(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_reads_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = |name: &str| TenantId::parse(name).unwrap();
        std::fs::create_dir(dir.path().join("acme")).unwrap();
        std::fs::write(dir.path().join("acme/bank"), "postgres://x\n").unwrap();
        let secrets = Secrets {
            dir: dir.path().to_owned(),
            environment_of: tenant("default"),
        };
        let secret = |text: &str| serde_json::from_str::<Secret>(text).unwrap();
        let file = secret(r#"{"file":"bank"}"#);
        let found = secrets.read(&tenant("acme"), &file).unwrap();
        assert_eq!(found.expose(), "postgres://x");
        let why = secrets.read(&tenant("other"), &file).err().unwrap();
        assert!(why.starts_with("read secrets/other/bank: "), "{why}");
        let env = secret(r#"{"env":"CONNECTOR_OF_NOBODY"}"#);
        let why = secrets.read(&tenant("default"), &env).err().unwrap();
        assert!(why.contains("has no CONNECTOR_OF_NOBODY"), "{why}");
        let why = secrets.read(&tenant("acme"), &env).err().unwrap();
        assert!(why.contains("may not read"), "{why}");
        assert!(serde_json::from_str::<Secret>(r#"{"file":"../x"}"#).is_err());
    }
}
