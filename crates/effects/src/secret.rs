//! Credentials, read where they are used: so one that was changed is in force at the next attempt.
//!
//! A tenant reaches only its own: files lie in a directory of its own, and the environment is the server's own tenant's.
use crate::{postgres, webhook};
use fleet_types::TenantId;
use fleet_types::connector::{Connector, Secret, To};
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

/// Why a connector could not be used as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The field to blame.
    pub field: &'static str,
    /// What is wrong with it and what to do, in words that do not tell the credential.
    pub words: String,
}

impl Secrets {
    /// Whether the credential that a connector names is there and is one. Nobody outside is asked.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, tenant: &TenantId, connector: &Connector) -> Result<(), Unusable> {
        let (field, secret, form) = match &connector.to {
            To::Postgres { url } => (
                "to.postgres.url",
                url,
                "a connection string, such as postgres://user:password@host/database",
            ),
            To::Webhook { secret, .. } => (
                "to.webhook.secret",
                secret,
                "a signing secret, whsec_ and base64",
            ),
        };
        let is_one = self
            .read(tenant, secret)
            .and_then(|read| match &connector.to {
                To::Postgres { .. } => postgres::parse(&read).map(drop),
                To::Webhook { .. } => webhook::key(&read).map(drop),
            });
        let Err(why) = is_one else {
            return Ok(());
        };
        let to_do = match secret {
            Secret::Env(name) => {
                format!("start the server with {form}, in {name}, or keep it in a file")
            }
            Secret::File(name) => format!(
                "put {form}, into the file secrets/{tenant}/{name} of the server's data directory, or below outside.secrets \
                 where its configuration says so, and set it again"
            ),
        };
        let words = format!("{why}; {to_do}");
        Err(Unusable { field, words })
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

    #[test]
    fn a_credential_that_is_none_is_found_beforehand() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = TenantId::parse("default").unwrap();
        let secrets = Secrets {
            dir: dir.path().join("secrets"),
            environment_of: tenant.clone(),
        };
        std::fs::create_dir_all(dir.path().join("secrets/default")).unwrap();
        let check = |to: &str, kept: &str| {
            if !kept.is_empty() {
                std::fs::write(dir.path().join("secrets/default/eu"), kept).unwrap();
            }
            let connector = format!(r#"{{"id": "eu", "to": {to}}}"#);
            secrets.check(&tenant, &serde_json::from_str(&connector).unwrap())
        };
        let postgres = r#"{"postgres": {"url": {"file": "eu"}}}"#;
        let why = check(postgres, "").unwrap_err();
        assert_eq!(why.field, "to.postgres.url");
        for words in [
            "read secrets/default/eu: ",
            "; put a connection string, such as postgres://",
            "file secrets/default/eu of",
        ] {
            assert!(why.words.contains(words), "{}", why.words);
        }
        let why = check(postgres, "geheim").unwrap_err().words;
        assert!(
            why.starts_with("the connection string cannot be read; "),
            "{why}"
        );
        assert!(!why.contains("geheim"), "{why}");
        assert_eq!(check(postgres, "postgres://u:p@h/d"), Ok(()));
        assert_eq!(check(postgres, "host=/run/x dbname=d user=u\n"), Ok(()));
        let webhook = r#"{"webhook": {"url": "http://h/", "secret": {"file": "eu"}}}"#;
        assert_eq!(
            check(webhook, "geheim").unwrap_err().field,
            "to.webhook.secret"
        );
        assert_eq!(check(webhook, "whsec_MfKQ9r8G"), Ok(()));
        let env = r#"{"postgres": {"url": {"env": "CONNECTOR_OF_NOBODY"}}}"#;
        let why = check(env, "").unwrap_err().words;
        assert!(
            why.contains("start the server with a connection string"),
            "{why}"
        );
    }
}
