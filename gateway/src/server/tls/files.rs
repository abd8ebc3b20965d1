//! Reads the files that the settings of a listener name.

use crate::settings;
use ring::digest::{Context, Digest, SHA256};
use std::{
    fs::File,
    io::{self, Read as _},
};

/// Largest file, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// What a file contains, or why it cannot be read.
type Content = Result<Vec<u8>, String>;

/// A certificate and its key.
pub(super) struct PairFiles {
    pub(super) names: settings::TlsPair,
    pub(super) certificate: Content,
    pub(super) key: Content,
    /// Whether other users of the machine may read or replace the key.
    pub(super) is_key_open: bool,
}

/// All files of a listener at one time.
pub(super) struct Files {
    pub(super) settings: settings::Tls,
    pub(super) pairs: Vec<PairFiles>,
    /// `None`: clients need no certificate.
    pub(super) client_ca: Option<Content>,
}

impl Files {
    /// Reads the files. Follows links. Blocks.
    pub(super) fn read(settings: &settings::Tls) -> Self {
        let pair = |names: &settings::TlsPair| PairFiles {
            names: names.clone(),
            certificate: read(&names.cert_file),
            key: read(&names.key_file),
            is_key_open: is_open(&names.key_file),
        };
        let client_ca = Some(&settings.client_ca_file).filter(|file| !file.is_empty());
        Self { settings: settings.clone(), pairs: settings.pairs.iter().map(pair).collect(), client_ca: client_ca.map(|file| read(file)) }
    }

    /// Differs if the contents differ.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        let contents = self.pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]).chain(&self.client_ca);
        for content in contents {
            let (kind, bytes) = match content {
                Ok(bytes) => (0, bytes.as_slice()),
                Err(why) => (1, why.as_bytes()),
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        let digest: Digest = context.finish();
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

fn read(path: &str) -> Content {
    let mut bytes = Vec::new();
    let count = File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    match count {
        Ok(count) if count as u64 > FILE_BYTES => Err(format!("{path} has more than {FILE_BYTES} bytes")),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!("{path} does not exist")),
        Err(error) => Err(format!("{path} cannot be read: {error}")),
    }
}

#[cfg(unix)]
fn is_open(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o026 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &str) -> bool {
    false
}
