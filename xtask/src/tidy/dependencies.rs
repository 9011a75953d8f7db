//! The directions of dependencies between our crates, which DESIGN fixes.
//!
//! Dependencies of tests and build scripts count as well: a crate that only its tests tie to another
//! can still not be understood, built or moved without it.

use super::Findings;
use crate::checkout::Package;

/// What a package of ours may depend on.
struct Rule {
    package: &'static str,
    /// Of ours.
    may_use: &'static [&'static str],
    /// Of others: beginnings of names.
    never_uses: &'static [&'static str],
}

const fn rule(package: &'static str, may_use: &'static [&'static str]) -> Rule {
    Rule {
        package,
        may_use,
        never_uses: &[],
    }
}

/// Everybody may use core: its identifiers and wire formats are the common language.
const RULES: [Rule; 10] = [
    rule("inlay-core", &[]),
    rule("inlay-ebpf", &["inlay-core"]),
    rule("inlay-dataplane", &["inlay-core"]),
    rule("inlay-api", &["inlay-core"]),
    // The manager runs where there is no dataplane, and is built without one.
    Rule {
        package: "inlay-manager",
        may_use: &["inlay-core", "inlay-api"],
        never_uses: &["aya"],
    },
    rule(
        "inlay-agent",
        &["inlay-core", "inlay-api", "inlay-dataplane"],
    ),
    rule(
        "inlay-cli",
        &[
            "inlay-core",
            "inlay-api",
            "inlay-dataplane",
            "inlay-agent",
            "inlay-manager",
        ],
    ),
    rule(
        "inlay-tests",
        &[
            "inlay-core",
            "inlay-api",
            "inlay-dataplane",
            "inlay-agent",
            "inlay-manager",
            "inlay-cli",
        ],
    ),
    // Measures the dataplane from inside; nothing depends on it.
    rule(
        "inlay-bench",
        &["inlay-core", "inlay-api", "inlay-dataplane", "inlay-agent"],
    ),
    rule("xtask", &[]),
];

pub(super) fn check(packages: &[Package], findings: &mut Findings) {
    let ours: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in packages {
        let Some(rule) = RULES.iter().find(|rule| rule.package == package.name) else {
            findings.errors.push(no_rule(&package.name));
            continue;
        };
        let names = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        let broken = names.filter(|name| rule.forbids(name, ours.contains(name)));
        findings
            .errors
            .extend(broken.map(|name| rule.complaint(name)));
    }
}

fn no_rule(package: &str) -> String {
    format!("{package}: say in xtask/src/tidy/dependencies.rs what it may depend on")
}

/// Whether a dependency is ours decides which list it is looked up in.
impl Rule {
    fn forbids(&self, name: &str, is_ours: bool) -> bool {
        if is_ours {
            return name != self.package && !self.may_use.contains(&name);
        }
        self.never_uses.iter().any(|start| name.starts_with(start))
    }

    fn complaint(&self, name: &str) -> String {
        let may_use = match self.may_use {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        format!(
            "{}: must not depend on {name}; of our crates it may use: {may_use}",
            self.package
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Dependency;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
        };
        Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn errors(package_under_test: Package) -> Vec<String> {
        let others = RULES.iter().map(|rule| rule.package);
        let others = others.filter(|name| *name != package_under_test.name);
        let mut packages: Vec<_> = others.map(|name| package(name, &[])).collect();
        packages.push(package_under_test);
        let mut findings = Findings::default();
        check(&packages, &mut findings);
        findings.errors
    }

    #[test]
    fn dependencies_down_the_tree_are_allowed() {
        assert!(errors(package("inlay-core", &["serde"])).is_empty());
        assert!(errors(package("inlay-ebpf", &["inlay-core", "aya-ebpf"])).is_empty());
        assert!(errors(package("inlay-agent", &["inlay-api", "inlay-dataplane"])).is_empty());
        assert!(errors(package("inlay-cli", &["inlay-agent", "inlay-manager"])).is_empty());
    }

    #[test]
    fn dependencies_up_or_across_the_tree_are_not() {
        assert_eq!(errors(package("inlay-core", &["inlay-api"])).len(), 1);
        assert_eq!(errors(package("inlay-dataplane", &["inlay-ebpf"])).len(), 1);
        assert_eq!(errors(package("inlay-agent", &["inlay-tests"])).len(), 1);
        assert_eq!(errors(package("xtask", &["inlay-core"])).len(), 1);
    }

    #[test]
    fn the_manager_never_uses_bpf() {
        assert_eq!(errors(package("inlay-manager", &["aya"])).len(), 1);
        assert_eq!(errors(package("inlay-manager", &["aya-obj"])).len(), 1);
        assert_eq!(
            errors(package("inlay-manager", &["inlay-dataplane"])).len(),
            1
        );
    }

    #[test]
    fn a_package_without_a_rule_is_an_error() {
        assert_eq!(
            errors(package("inlay-extra", &[])),
            [no_rule("inlay-extra")]
        );
    }
}
