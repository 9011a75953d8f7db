//! The agent's own configuration: what is the host's to say and not the manager's. `examples/agent.yaml` shows it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use inlay_api::{
    HostState,
    limits::SCHEMA_VERSION,
    raw::{RawHost, RawState},
};
use serde::Deserialize;

/// Where the configuration is, unless told otherwise.
pub const PATH: &str = "/etc/inlay/agent.yaml";
/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Where metrics are served, unless told otherwise.
const METRICS: &str = "127.0.0.1:9465";

/// Interfaces to the substrate, and how it is used.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostConfig {
    /// Names of the interfaces.
    pub uplinks: Vec<String>,
    /// Bytes of the largest substrate packet.
    pub substrate_mtu: Option<u64>,
    /// Least hop limit that is taken in.
    pub hop_limit_min: Option<u64>,
    /// `native` or `generic`.
    pub xdp_mode: Option<String>,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The whole configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentConfig {
    /// Name of the dataplane.
    pub instance: String,
    /// Where certificates and the last state are kept.
    pub data_dir: PathBuf,
    /// What a state needs of the host.
    pub host: HostConfig,
    /// Where metrics are served; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How logs are written.
    pub log_format: LogFormat,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    instance: Option<String>,
    #[serde(default)]
    data_dir: Option<PathBuf>,
    uplinks: Vec<String>,
    #[serde(default)]
    substrate_mtu: Option<u64>,
    #[serde(default)]
    hop_limit_min: Option<u64>,
    #[serde(default)]
    xdp_mode: Option<String>,
    #[serde(default)]
    metrics: Option<String>,
    #[serde(default)]
    log_format: LogFormat,
}

impl AgentConfig {
    /// Reads the file at `path`. `instance`, where it was asked for, is the file's or takes its place.
    ///
    /// # Errors
    /// Names the file, the field and what to do.
    pub fn read(path: &Path, instance: Option<&str>) -> anyhow::Result<Self> {
        let file = path.display();
        let told = || format!("cannot read {file}; write it as examples/agent.yaml shows");
        let len_bytes = path.metadata().with_context(told)?.len();
        if len_bytes > FILE_BYTES_MAX {
            bail!("{file} has {len_bytes} bytes, more than {FILE_BYTES_MAX}; name the right file");
        }
        let text = std::fs::read_to_string(path).with_context(told)?;
        Self::parse(&text, instance).with_context(|| format!("{file} is refused"))
    }

    /// As `read`, from text.
    ///
    /// # Errors
    /// Names the field and what to do.
    pub fn parse(text: &str, instance: Option<&str>) -> anyhow::Result<Self> {
        let raw: Raw = serde_yaml::from_str(text)?;
        let host = HostConfig {
            uplinks: raw.uplinks,
            substrate_mtu: raw.substrate_mtu,
            hop_limit_min: raw.hop_limit_min,
            xdp_mode: raw.xdp_mode,
        };
        host.check()?;
        let instance = instance.map(str::to_owned).or(raw.instance);
        let instance = instance.unwrap_or_else(|| "default".to_owned());
        let data_dir = raw.data_dir;
        Ok(Self {
            data_dir: data_dir.unwrap_or_else(|| Path::new("/var/lib/inlay/agent").join(&instance)),
            metrics: listen(raw.metrics.as_deref().unwrap_or(METRICS))?,
            log_format: raw.log_format,
            instance,
            host,
        })
    }
}

impl HostConfig {
    /// As a state would be checked: of a host that has nothing but this.
    fn check(&self) -> anyhow::Result<()> {
        let raw = RawState {
            version: SCHEMA_VERSION,
            host: RawHost {
                name: "host".to_owned(),
                prefix: "2001:db8::/64".to_owned(),
                uplinks: self.uplinks.clone(),
                substrate_mtu: self.substrate_mtu,
                hop_limit_min: self.hop_limit_min,
                xdp_mode: self.xdp_mode.clone(),
                flows_per_port: None,
            },
            ..RawState::default()
        };
        let Err(refusal) = HostState::from_raw(&raw) else {
            return Ok(());
        };
        let lines = refusal.problems.iter().map(|problem| {
            let path = problem.path.trim_start_matches("host.");
            format!("{path}: {}", problem.message)
        });
        bail!(lines.collect::<Vec<_>>().join("\n"))
    }
}

fn listen(text: &str) -> anyhow::Result<Option<SocketAddr>> {
    if text == "off" {
        return Ok(None);
    }
    let parsed = text.parse().with_context(|| {
        format!("metrics: {text} is no address with a port, like {METRICS}; write one, or off")
    });
    parsed.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../examples/agent.yaml");

    #[test]
    fn the_example_is_what_a_short_file_means() {
        let short = AgentConfig::parse("uplinks: [uplink0]", None).unwrap();
        let example = AgentConfig::parse(EXAMPLE, None).unwrap();
        assert_eq!(
            (
                &example.instance,
                &example.data_dir,
                example.metrics,
                example.log_format
            ),
            (
                &short.instance,
                &short.data_dir,
                short.metrics,
                short.log_format
            )
        );
        assert_eq!(example.host.uplinks, short.host.uplinks);
        assert_eq!(example.host.substrate_mtu, Some(1528));
    }

    #[test]
    fn what_is_asked_for_goes_before_the_file() {
        let config = AgentConfig::parse(
            "uplinks: [u]\ninstance: one\nmetrics: off\nlog_format: json",
            Some("two"),
        )
        .unwrap();
        assert_eq!(config.instance, "two");
        assert_eq!(config.data_dir, Path::new("/var/lib/inlay/agent/two"));
        assert_eq!((config.metrics, config.log_format), (None, LogFormat::Json));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "uplinks"),
            ("uplinks: []", "uplinks: no uplink is named"),
            ("uplinks: [a, a]", "uplinks[1]: \"a\" is named twice"),
            ("uplinks: [a]\nsubstrate_mtu: 12", "substrate_mtu: "),
            ("uplinks: [a]\nxdp_mode: fast", "xdp_mode: "),
            ("uplinks: [a]\nuplink: b", "unknown field `uplink`"),
            ("uplinks: [a]\nmetrics: here", "metrics: here is no address"),
            ("uplinks: [a]\nlog_format: xml", "unknown variant `xml`"),
        ] {
            let refusal = AgentConfig::parse(text, None).unwrap_err();
            let refusal = format!("{refusal:#}");
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
    }
}
