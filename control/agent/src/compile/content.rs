//! The content that slots point to: policies with their rows, route tables, lists of subnets.

use std::collections::BTreeSet;

use inlay_core::tables::{
    limits::{POLICIES_MAX, ROUTE_TARGETS_MAX, ROWS_MAX, RULES_MAX},
    records::{PolicyRecord, RouteTarget, Row, Span},
};
use inlay_dataplane::image::Image;

use super::{
    classifier::Classifier, error::CompileError, pool::Pool, references::References, steps::Steps,
    tables::Tables,
};

/// What was there, and what is placed beside it.
#[derive(Debug)]
pub(super) struct Content {
    rows: Pool<Row>,
    policies: Pool<PolicyRecord>,
    route_targets: Pool<RouteTarget>,
    tables: Tables,
}

impl Content {
    /// `previous` begins with what the maps hold now. None of what the images refer to is written to.
    pub(super) fn new(previous: &[&Image]) -> Self {
        let empty = Image::default();
        let actual = previous.first().copied().unwrap_or(&empty);
        let references: Vec<References> =
            previous.iter().map(|image| References::of(image)).collect();
        Self {
            rows: rows(actual, &references),
            policies: policies(actual, previous),
            route_targets: route_targets(actual, &references),
            tables: Tables::new(actual, &references),
        }
    }

    /// The slot of the policy of `classifier`, for `object`.
    pub(super) fn policy(
        &mut self,
        object: &str,
        classifier: &Classifier,
    ) -> Result<u32, CompileError> {
        let rules = u32::try_from(classifier.rules).ok();
        let rules = rules.filter(|_| classifier.rules <= RULES_MAX);
        let rules = rules.ok_or_else(|| CompileError::TooManyRules {
            object: object.to_owned(),
            found: classifier.rules,
            max: RULES_MAX,
        })?;
        let record = PolicyRecord {
            addresses: self.row_table(object, "addresses", &classifier.addresses)?,
            groups: self.row_table(object, "security groups", &classifier.groups)?,
            services: self.row_table(object, "services", &classifier.services)?,
            allow: self.rows.place(object, classifier.allow)?,
            rules,
        };
        self.policies.place(object, record)
    }

    fn row_table(
        &mut self,
        object: &str,
        dimension: &'static str,
        steps: &Steps<Row>,
    ) -> Result<Span, CompileError> {
        let rows = &mut self.rows;
        let placed = steps
            .intervals()
            .iter()
            .map(|&(start, row)| Ok((start, rows.place(object, row)?)));
        let intervals = placed.collect::<Result<_, _>>()?;
        self.tables.place(object, dimension, intervals)
    }

    /// The route table of `steps`, for `object`.
    pub(super) fn routes(
        &mut self,
        object: &str,
        steps: &Steps<RouteTarget>,
    ) -> Result<Span, CompileError> {
        let targets = &mut self.route_targets;
        let placed = steps
            .intervals()
            .iter()
            .map(|&(start, target)| Ok((start, targets.place(object, target)?)));
        let intervals = placed.collect::<Result<_, _>>()?;
        self.tables.place(object, "routes", intervals)
    }

    /// The table of `steps`, whose values are slots.
    pub(super) fn slots(&mut self, object: &str, steps: &Steps<u32>) -> Result<Span, CompileError> {
        self.tables
            .place(object, "subnets", steps.intervals().to_vec())
    }

    /// Writes what was placed.
    pub(super) fn write_to(self, image: &mut Image) {
        image.rows = self.rows.into_placed();
        image.policies = self.policies.into_placed();
        image.route_targets = self.route_targets.into_placed();
        image.intervals = self.tables.into_placed();
    }
}

fn rows(actual: &Image, references: &[References]) -> Pool<Row> {
    let referenced = references
        .first()
        .into_iter()
        .flat_map(|references| &references.rows);
    let held: Vec<(u32, Row)> = referenced
        .map(|&place| (place, actual.rows.get(&place).copied().unwrap_or_default()))
        .collect();
    let used = references
        .iter()
        .flat_map(|references| references.rows.iter().copied())
        .collect();
    Pool::new("rows", ROWS_MAX, held, used)
}

fn policies(actual: &Image, previous: &[&Image]) -> Pool<PolicyRecord> {
    let held = actual
        .policies
        .iter()
        .map(|(&slot, &record)| (slot, record));
    let used = previous
        .iter()
        .flat_map(|image| image.policies.keys().copied())
        .collect();
    Pool::new("policies", POLICIES_MAX, held, used)
}

fn route_targets(actual: &Image, references: &[References]) -> Pool<RouteTarget> {
    let referenced = references
        .first()
        .into_iter()
        .flat_map(|references| &references.route_targets);
    // Place 0 is nothing else's, for whoever reads an interval that was never written.
    let unreachable = (0, RouteTarget::default());
    let held: Vec<(u32, RouteTarget)> = [unreachable]
        .into_iter()
        .chain(referenced.map(|&place| {
            (
                place,
                actual
                    .route_targets
                    .get(&place)
                    .copied()
                    .unwrap_or_default(),
            )
        }))
        .collect();
    let mut used: BTreeSet<u32> = references
        .iter()
        .flat_map(|references| references.route_targets.iter().copied())
        .collect();
    used.insert(0);
    Pool::new("route targets", ROUTE_TARGETS_MAX, held, used)
}
