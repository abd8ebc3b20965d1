//! The configuration of TLS, from the files as they are now.

use super::tls_files::{Contents, TlsError, TlsFiles};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// Follows the files: a connection that is opened after they have changed uses what they contain then.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    name: Option<ServerName<'static>>,
    used: Mutex<(Contents, Arc<ClientConfig>)>,
}

impl Tls {
    /// Reads the files.
    pub(super) fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let config = Arc::new(files.config(&contents)?);
        Ok(Self { name: files.name()?, files: files.clone(), used: Mutex::new((contents, config)) })
    }

    /// The name that the certificate of a node at this host must have.
    pub(super) fn name(&self, host: &str) -> io::Result<ServerName<'static>> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other),
        }
    }

    /// The configuration of a new connection. If the files have changed and cannot be used, it is the earlier one. Blocks.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let read = self.files.read();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match read {
            Ok(contents) if contents == used.0 => return used.1.clone(),
            Ok(contents) => self.files.config(&contents).map(|config| (contents, Arc::new(config))),
            Err(error) => Err(error),
        };
        match changed {
            Ok(changed) => {
                tracing::info!("new connections to the gateway use the certificates that were read now");
                *used = changed;
            }
            Err(error) => tracing::warn!(setting = error.field, %error, "new files for TLS cannot be used, so the earlier ones still are"),
        }
        used.1.clone()
    }
}
