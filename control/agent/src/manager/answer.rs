//! Answers what the manager asks of the dataplane.

use std::{fmt, net::Ipv4Addr, path::PathBuf};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use inlay_api::wire::agent::{Answer, ExplainInbound, ExplainOutbound, Question, answer, question};
use inlay_dataplane::{
    PIN_ROOT,
    explain::{self, Protocol, explain_inbound, explain_outbound},
    inspect::Inspection,
};

/// Whoever can be asked. It may block.
pub trait Explain: fmt::Debug + Send + Sync + 'static {
    /// Answers a question; an error is the answer too.
    fn answer(&self, question: Question) -> Answer;
}

/// The dataplane of an instance.
#[derive(Clone, Debug)]
pub struct Dataplane {
    instance: String,
}

impl Dataplane {
    /// That of `instance`.
    #[must_use]
    pub fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
        }
    }

    fn outbound(&self, asked: &ExplainOutbound) -> anyhow::Result<(String, Bytes)> {
        let root = PathBuf::from(PIN_ROOT);
        let inspection = Inspection::open(&root, &self.instance)?;
        let question = explain::Question {
            port: port(&inspection, asked)?,
            to: Ipv4Addr::from_bits(asked.destination),
            protocol: protocol(&asked.protocol)?,
            source_port: None,
            destination_port: u16::try_from(asked.destination_port)
                .context("a port is at most 65535")?,
        };
        let (explanation, frame) = explain_outbound(&root, &self.instance, &question)?;
        Ok((serde_json::to_string(&explanation)?, frame))
    }

    fn inbound(&self, asked: &ExplainInbound) -> anyhow::Result<(String, Bytes)> {
        let root = PathBuf::from(PIN_ROOT);
        let (explanation, frame) = explain_inbound(&root, &self.instance, &asked.frame)?;
        Ok((serde_json::to_string(&explanation)?, frame))
    }
}

impl Explain for Dataplane {
    fn answer(&self, question: Question) -> Answer {
        let answered = match &question.question {
            Some(question::Question::ExplainOutbound(asked)) => self.outbound(asked),
            Some(question::Question::ExplainInbound(asked)) => self.inbound(asked),
            None => Err(anyhow::anyhow!(
                "this agent does not know the question; upgrade it"
            )),
        };
        let (answer, frame) = match answered {
            Ok((text, frame)) => (answer::Answer::Explanation(text), frame.to_vec()),
            Err(error) => (answer::Answer::Error(format!("{error:#}")), Vec::new()),
        };
        Answer {
            id: question.id,
            answer: Some(answer),
            frame,
        }
    }
}

/// The slot of the node's port.
fn port(inspection: &Inspection, asked: &ExplainOutbound) -> anyhow::Result<u32> {
    let labels = &inspection.labels;
    let mut networks = labels.networks.values();
    let network = networks.find(|network| network.vni == asked.vni);
    let network =
        network.with_context(|| format!("this host has no port in network {}", asked.vni))?;
    let mut ports = labels.ports.iter();
    let found = ports.find(|(_, port)| port.network == network.name && port.name == asked.node);
    let (slot, _) = found.with_context(|| {
        format!(
            "node {} of network {} has no port on this host",
            asked.node, network.name
        )
    })?;
    Ok(*slot)
}

fn protocol(name: &str) -> anyhow::Result<Protocol> {
    Ok(match name {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "icmp" => Protocol::Icmp,
        other => bail!("{other} is not explained; ask about tcp, udp or icmp"),
    })
}
