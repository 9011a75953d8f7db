//! `inlay rules`.

use clap::Args;
use inlay_dataplane::inspect::{PolicyView, RuleView};

use crate::{
    Globals,
    output::{self, Format},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only those that decide about this port: its name, NETWORK/NAME, interface or slot
    #[arg(long)]
    port: Option<String>,
}

pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<()> {
    let inspection = globals.inspect()?;
    let mut policies = inspection.policies()?;
    if let Some(port) = &arguments.port {
        let slots = inspection.policies_of_port(inspection.port_slot(port)?)?;
        policies.retain(|policy| slots.contains(&policy.slot));
    }
    if globals.output != Format::Table {
        return output::document(globals.output, &policies);
    }
    if policies.is_empty() {
        return output::line("no rules: nothing is allowed that a rule must allow");
    }
    policies.iter().try_for_each(print)
}

const HEADINGS: [&str; 5] = ["rule", "action", "what", "peers", "as written"];

fn print(policy: &PolicyView) -> anyhow::Result<()> {
    let users = [
        ("ports", &policy.ports),
        ("access list of subnets", &policy.subnets),
    ];
    let used: Vec<String> = users
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    let used = if used.is_empty() {
        "nobody uses it".to_owned()
    } else {
        used.join("; ")
    };
    let name = policy
        .name
        .as_ref()
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    output::line(&format!("policy {}{name}: {used}", policy.slot))?;
    output::print(Format::Table, "rules", &policy.rules, &HEADINGS, row)?;
    output::line("")
}

fn row(rule: &RuleView) -> Vec<String> {
    let mut peers = rule.addresses.clone();
    peers.extend(rule.group_sets.iter().map(|set| format!("groups {set}")));
    vec![
        rule.number.to_string(),
        rule.action.to_owned(),
        rule.services.join(", "),
        peers.join(", "),
        output::or_dash(rule.text.as_ref()),
    ]
}
