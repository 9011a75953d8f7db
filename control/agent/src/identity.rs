//! Who this host is to its manager: the key that was made here, the certificate that the manager gave for it, and
//! the authority and address of that manager. One file, so that they are replaced together.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::disk::write_whole;

/// The manager's port for agents, unless told otherwise.
pub const MANAGER_PORT: u16 = 8444;

/// Where the manager is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ManagerAddress {
    /// A name or an address, without brackets: what its certificate is for.
    pub host: String,
    /// Its port for agents.
    pub port: u16,
}

/// Reads `HOST`, `HOST:PORT`, `[ADDRESS]` and `[ADDRESS]:PORT`.
impl FromStr for ManagerAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let told =
            || format!("{text} is no address of a manager: write NAME, NAME:PORT or [IPV6]:PORT");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').with_context(told)?,
            None => match text.rsplit_once(':') {
                Some((host, _)) => text.split_at(host.len()),
                None => (text, ""),
            },
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().with_context(told)?,
            None if port.is_empty() => MANAGER_PORT,
            None => bail!(told()),
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        let is_bare_ipv6 = host.contains(':') && !text.starts_with('[');
        ensure!(
            !host.is_empty() && host.chars().all(is_host) && !is_bare_ipv6,
            told()
        );
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for ManagerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl TryFrom<String> for ManagerAddress {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl From<ManagerAddress> for String {
    fn from(address: ManagerAddress) -> Self {
        address.to_string()
    }
}

/// What a host that has joined keeps. Its `Debug` has no key.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the host.
    pub host: String,
    /// Where its manager is.
    pub manager: ManagerAddress,
    /// The manager's CA, PEM.
    pub authority: String,
    /// The host's certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub(crate) key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Identity");
        fields.field("host", &self.host);
        fields.field("manager", &self.manager);
        fields.finish_non_exhaustive()
    }
}

/// From when until when a certificate is valid, Unix time in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first second.
    pub begins_s: i64,
    /// The last second.
    pub ends_s: i64,
}

impl Validity {
    /// How old the certificate is at `now_s`.
    #[must_use]
    pub fn age_s(self, now_s: i64) -> i64 {
        now_s.saturating_sub(self.begins_s)
    }

    /// When it is time for another one: after two thirds.
    #[must_use]
    pub fn renewal_s(self) -> i64 {
        let lifetime_s = self.ends_s.saturating_sub(self.begins_s).max(0);
        self.begins_s.saturating_add(lifetime_s / 3 * 2)
    }

    /// How much time is left for the renewal: a third.
    #[must_use]
    pub fn left_for_renewal(self) -> Duration {
        let left_s = self.ends_s.saturating_sub(self.renewal_s());
        Duration::from_secs(left_s.try_into().unwrap_or(0))
    }
}

impl Identity {
    /// What the manager gave for the key of this host, in DER.
    pub(crate) fn new(
        host: String,
        manager: ManagerAddress,
        key: String,
        certificate: &[u8],
        authority: &[u8],
    ) -> anyhow::Result<Self> {
        let identity = Self {
            host,
            manager,
            authority: to_pem(authority),
            certificate: to_pem(certificate),
            key,
        };
        identity.validity()?;
        Ok(identity)
    }

    /// How long the certificate is valid.
    ///
    /// # Errors
    /// Where it is no certificate.
    pub fn validity(&self) -> anyhow::Result<Validity> {
        let told = "the certificate of this host cannot be read; join again with --rejoin";
        let der = pem::parse(&self.certificate).context(told)?;
        let (_, certificate) = X509Certificate::from_der(der.contents()).context(told)?;
        let validity = certificate.validity();
        Ok(Validity {
            begins_s: validity.not_before.timestamp(),
            ends_s: validity.not_after.timestamp(),
        })
    }

    /// Why the manager cannot be reached with it at `now_s`, where the certificate's time is the reason.
    #[must_use]
    pub fn is_outside_its_time(&self, now_s: i64) -> Option<String> {
        let validity = self.validity().ok()?;
        let host = &self.host;
        let at = |second| {
            Timestamp::from_second(second).map_or_else(|_| second.to_string(), |it| it.to_string())
        };
        if now_s > validity.ends_s {
            return Some(format!(
                "the certificate of this host ended at {}; on the manager type `inlay host token {host}`, and here \
                 `inlay agent --rejoin --join TOKEN@{}`",
                at(validity.ends_s),
                self.manager
            ));
        }
        (now_s < validity.begins_s).then(|| {
            format!(
                "the certificate of this host begins at {}, and the clock of this host is before that; set the clock",
                at(validity.begins_s)
            )
        })
    }
}

pub(crate) fn to_pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}

/// Unix time in seconds.
#[must_use]
pub fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// The directory of an agent's certificates and last state: its owner's alone.
#[derive(Clone, Debug)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The directory at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// Where it cannot be made, or be kept from others.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let told = || format!("cannot make {} for its owner alone", path.display());
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).with_context(told)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).with_context(told)?;
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn identity_file(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// Who this host is; `None` where it has not joined.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn identity(&self) -> anyhow::Result<Option<Identity>> {
        let file = self.identity_file();
        let told = || format!("cannot read {}; join again with --rejoin", file.display());
        let text = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(told)?,
        };
        serde_json::from_slice(&text).map(Some).with_context(told)
    }

    /// Replaces who this host is.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_identity(&self, identity: &Identity) -> anyhow::Result<()> {
        let file = self.identity_file();
        let mut text = serde_json::to_vec_pretty(identity)?;
        writeln!(text)?;
        write_whole(&file, &text).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_managers() {
        for (text, host, port) in [
            ("manager.example", "manager.example", MANAGER_PORT),
            ("manager:1", "manager", 1),
            ("192.0.2.1:65535", "192.0.2.1", 65535),
            ("[2001:db8::1]", "2001:db8::1", MANAGER_PORT),
            ("[2001:db8::1]:9", "2001:db8::1", 9),
        ] {
            let address: ManagerAddress = text.parse().unwrap();
            assert_eq!(
                (address.host.as_str(), address.port),
                (host, port),
                "{text}"
            );
            assert_eq!(
                address.to_string().parse::<ManagerAddress>().unwrap(),
                address
            );
        }
        for text in [
            "",
            ":1",
            "a:",
            "a:b",
            "a:65536",
            "2001:db8::1",
            "[::1",
            "[::1]1",
            "a/b",
            "a b",
        ] {
            assert!(text.parse::<ManagerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_renewed_after_two_thirds() {
        let validity = Validity {
            begins_s: 1_000,
            ends_s: 1_000 + 90,
        };
        assert_eq!(validity.renewal_s(), 1_060);
        assert_eq!(validity.left_for_renewal(), Duration::from_secs(30));
        assert_eq!(validity.age_s(1_010), 10);
    }
}
