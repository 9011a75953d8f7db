//! The manager's configuration, a YAML file. What is left out has its default; what is unknown is refused.

use std::{
    fs::File,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use rustls::pki_types::DnsName;
use serde::{Deserialize, Serialize};

/// Bytes of the largest file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Names of the manager.
const NAMES_MAX: usize = 64;
/// Of a host's certificate, in seconds: shorter, and hosts would do little but renew.
const HOST_CERTIFICATE_S_MIN: u32 = 10;

/// The configuration. `examples/manager.yaml` has every field with its default, and says more.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagerConfig {
    /// Where the database and the CA's certificate are.
    pub data_dir: PathBuf,
    /// Where the API listens.
    pub api_listen: SocketAddr,
    /// Where agents are listened for.
    pub agents_listen: SocketAddr,
    /// Where Prometheus is listened for, without TLS.
    pub metrics_listen: SocketAddr,
    /// Names and addresses that clients and agents reach the manager by. If there are none: the machine's name,
    /// `localhost`, and the addresses of all its interfaces.
    pub names: Vec<String>,
    /// For how long a host's certificate holds, in seconds.
    pub host_certificate_s: u32,
    /// For how long an address or a VNI that was given up is given to nobody, in seconds.
    pub quarantine_s: u32,
    /// How the log is written.
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct ConfigError {
    file: String,
    what: String,
}

impl Default for ManagerConfig {
    fn default() -> Self {
        let everywhere = |port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        Self {
            data_dir: "/var/lib/inlay/manager".into(),
            api_listen: everywhere(8443),
            agents_listen: everywhere(8444),
            metrics_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464),
            names: Vec::new(),
            host_certificate_s: 7 * 24 * 60 * 60,
            quarantine_s: 15 * 60,
            log_format: LogFormat::Text,
        }
    }
}

impl ManagerConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Where it cannot be read, or a field is unknown or has a value that it may not have.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|error| ConfigError {
            file: file.clone(),
            what: format!("cannot be read: {error}"),
        })?;
        Self::parse(&text).map_err(|what| ConfigError { file, what })
    }

    fn parse(text: &str) -> Result<Self, String> {
        // A file of comments is one that has all defaults.
        let config: Option<Self> = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let config = config.unwrap_or_default();
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.data_dir.as_os_str().is_empty() {
            return Err("data_dir is empty; name a directory".into());
        }
        if self.names.len() > NAMES_MAX {
            return Err(format!("names has more than {NAMES_MAX} entries"));
        }
        let is_name = |name: &String| {
            name.parse::<IpAddr>().is_ok() || DnsName::try_from(name.as_str()).is_ok()
        };
        if let Some(wrong) = self.names.iter().find(|name| !is_name(name)) {
            return Err(format!(
                "names: `{wrong}` is neither a DNS name nor an address"
            ));
        }
        if self.host_certificate_s < HOST_CERTIFICATE_S_MIN {
            return Err(format!(
                "host_certificate_s is at least {HOST_CERTIFICATE_S_MIN}"
            ));
        }
        Ok(())
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("manager.db")
    }

    /// The CA's certificate, PEM: what clients trust. It is a copy; the database has it too.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.data_dir.join("ca.pem")
    }

    /// Where the manager listens, while it does: JSON, see `Listening`.
    #[must_use]
    pub fn listening(&self) -> PathBuf {
        self.data_dir.join("listening.json")
    }

    /// Where clients on this machine, or who know the first name, reach the API.
    #[must_use]
    pub fn api_url(&self) -> String {
        let name = self.names.first().map_or("localhost", String::as_str);
        let port = self.api_listen.port();
        match name.parse() {
            Ok(IpAddr::V6(address)) => format!("https://[{address}]:{port}"),
            _ => format!("https://{name}:{port}"),
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../examples/manager.yaml");

    fn reason(text: &str) -> String {
        ManagerConfig::parse(text).unwrap_err()
    }

    #[test]
    fn the_example_has_every_default() {
        assert_eq!(
            ManagerConfig::parse(EXAMPLE).unwrap(),
            ManagerConfig::default()
        );
        let fields = serde_yaml::to_value(ManagerConfig::default()).unwrap();
        let shown: serde_yaml::Value = serde_yaml::from_str(EXAMPLE).unwrap();
        assert_eq!(shown, fields, "each field is in the example");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for text in ["", "# nothing\n", "{}"] {
            assert_eq!(
                ManagerConfig::parse(text).unwrap(),
                ManagerConfig::default()
            );
        }
        let config = ManagerConfig::parse("api_listen: 127.0.0.1:0\nlog_format: json").unwrap();
        assert_eq!(config.api_listen.port(), 0);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.quarantine_s, 900);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(reason("api_lsten: 127.0.0.1:1").contains("api_lsten"));
        assert!(reason("api_listen: localhost:1").contains("api_listen"));
        assert!(reason("quarantine_s: -1").contains("quarantine_s"));
        assert!(reason("log_format: xml").contains("log_format"));
        assert!(reason("names: [two words]").contains("two words"));
        assert!(reason("data_dir: ''").contains("data_dir"));
        assert!(reason("host_certificate_s: 9").contains("host_certificate_s"));
        let many = format!("names: [{}]", "a,".repeat(65));
        assert!(reason(&many).contains("names"));
    }

    #[test]
    fn files_are_read_up_to_a_limit() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("manager.yaml");
        let read = || ManagerConfig::read(&path).map_err(|error| error.to_string());
        assert!(read().unwrap_err().contains("manager.yaml"));
        std::fs::write(&path, "#".repeat(64 * 1024)).unwrap();
        assert_eq!(read(), Ok(ManagerConfig::default()));
        std::fs::write(&path, "#".repeat(64 * 1024 + 1)).unwrap();
        assert!(read().unwrap_err().contains("65536"));
    }

    #[test]
    fn the_api_is_reached_by_the_first_name() {
        let url = |text: &str| ManagerConfig::parse(text).unwrap().api_url();
        assert_eq!(url(""), "https://localhost:8443");
        assert_eq!(url("names: [a.example, b]"), "https://a.example:8443");
        assert_eq!(url("names: ['2001:db8::1']"), "https://[2001:db8::1]:8443");
        assert_eq!(
            url("names: [192.0.2.1]\napi_listen: '[::]:443'"),
            "https://192.0.2.1:443"
        );
    }
}
