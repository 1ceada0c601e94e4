//! The map: which zone may use which. An arrow that is not here fails the build's tests, so a new
//! one is a decision, taken in a commit of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Zone, the zones it may use, and what it must not reach in any number of steps.
const MAP: &[(&str, &[&str], &[&str])] = &[
    ("sealgate-keys", &[], &["tokio", "hyper", "rustls", "burn", "cedar-policy"]),
    (
        "sealgate-attestation",
        &["sealgate-keys"],
        // `dcap-qvl` brings the last with its default features.
        &["tokio", "hyper", "rustls", "burn", "cedar-policy", "reqwest"],
    ),
    ("sealgate-policies", &[], &["tokio", "hyper", "rustls", "burn", "sealgate-keys"]),
    ("sealgate-audit", &[], &["tokio", "hyper", "rustls", "burn", "sealgate-keys"]),
    (
        "sealgate-review",
        &["sealgate-audit", "sealgate-policies"],
        &["burn", "rustls", "sealgate-keys", "sealgate-gateway", "sealgate-worker"],
    ),
    ("sealgate-model", &[], &["tokio", "hyper", "rustls", "sealgate-keys"]),
    // What reads foreign files knows neither an engine nor our own file.
    ("sealgate-model-import", &[], &["tokio", "hyper", "rustls", "burn", "sealgate-keys"]),
    (
        "sealgate-model-builder",
        &["sealgate-model", "sealgate-model-import"],
        &["tokio", "hyper", "rustls", "sealgate-keys"],
    ),
    (
        "sealgate-worker",
        &["sealgate-keys", "sealgate-model"],
        &["tokio", "hyper", "rustls", "cedar-policy", "jsonwebtoken", "sealgate-audit"],
    ),
    (
        "sealgate-worker-ndarray",
        &["sealgate-worker"],
        &["tokio", "hyper", "rustls", "cedar-policy", "jsonwebtoken", "sealgate-audit"],
    ),
    (
        // The one worker that speaks TLS, to the one gateway that its configuration pins.
        "sealgate-worker-remote",
        &["sealgate-worker", "sealgate-keys"],
        &["tokio", "hyper", "cedar-policy", "jsonwebtoken", "sealgate-audit", "sealgate-gateway"],
    ),
    (
        // The one that opens a network, on which AWS's interface hands it events.
        "sealgate-lambda",
        &["sealgate-worker", "sealgate-keys", "sealgate-model"],
        &["rustls", "cedar-policy", "jsonwebtoken", "sealgate-audit", "sealgate-gateway"],
    ),
    (
        "sealgate-gateway",
        &["sealgate-keys", "sealgate-attestation", "sealgate-policies", "sealgate-audit"],
        // An index of what was recorded is the reviewer's; a gateway only ever appends.
        &["burn", "libsqlite3-sys", "sealgate-model", "sealgate-model-builder", "sealgate-worker"],
    ),
    (
        "sealgate-client",
        &["sealgate-keys", "sealgate-attestation"],
        &["burn", "axum", "sealgate-worker", "sealgate-gateway"],
    ),
    (
        "sealgate-cli",
        &[
            "sealgate-client",
            "sealgate-keys",
            "sealgate-attestation",
            "sealgate-policies",
            "sealgate-audit",
            "sealgate-review",
            "sealgate-model",
            "sealgate-model-builder",
        ],
        &["sealgate-worker", "sealgate-gateway"],
    ),
    (
        "sealgate-fuzz-targets",
        &["sealgate-keys", "sealgate-attestation", "sealgate-model-import", "sealgate-worker"],
        &["tokio", "hyper", "rustls", "cedar-policy", "sealgate-gateway"],
    ),
    ("sealgate-tests", &[], &[]),
];

/// What tests the others and is in nothing that ships.
const TESTS: [&str; 2] = ["sealgate-fuzz-targets", "sealgate-tests"];

#[test]
fn every_crate_stands_on_the_map() {
    let metadata = metadata();
    let found: BTreeSet<_> =
        metadata.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    let mapped: BTreeSet<_> = MAP.iter().map(|(zone, ..)| *zone).collect();
    assert_eq!(found, mapped);
}

#[test]
fn no_zone_uses_another_than_the_map_allows() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let (_, allowed, _) = MAP.iter().find(|(zone, ..)| *zone == package.name.as_str()).unwrap();
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if dependency.kind != DependencyKind::Development && name.starts_with("sealgate-") {
                assert!(allowed.contains(&name), "{} -> {name} is a new arrow", package.name);
            }
        }
    }
}

#[test]
fn no_zone_reaches_what_it_must_not_know() {
    let metadata = metadata();
    let graph = Graph::new(&metadata);
    for (zone, _, forbidden) in MAP {
        let reached = graph.reached_from(zone);
        for name in *forbidden {
            assert!(!reached.contains(name), "{zone} reaches {name}");
        }
    }
}

#[test]
fn nobody_depends_on_the_gateway_and_nothing_on_its_side_on_the_worker() {
    let metadata = metadata();
    let graph = Graph::new(&metadata);
    for (zone, ..) in MAP.iter().filter(|(zone, ..)| !TESTS.contains(zone)) {
        let reached = graph.reached_from(zone);
        assert!(*zone == "sealgate-gateway" || !reached.contains("sealgate-gateway"), "{zone}");
        let is_worker = zone.starts_with("sealgate-worker") || *zone == "sealgate-lambda";
        assert!(is_worker || !reached.contains("sealgate-worker"), "{zone}");
    }
}

#[test]
fn what_tests_the_zones_is_in_none_of_them() {
    let metadata = metadata();
    let graph = Graph::new(&metadata);
    for (zone, ..) in MAP.iter().filter(|(zone, ..)| !TESTS.contains(zone)) {
        let reached = graph.reached_from(zone);
        assert!(TESTS.iter().all(|test| !reached.contains(test)), "{zone}");
    }
}

#[test]
fn the_deprecated_engine_is_asked_for_by_its_own_crate_alone() {
    // Features unify across a workspace's resolution, so the graph cannot say who asked.
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let asks = package.dependencies.iter().any(|dependency| {
            dependency.kind == DependencyKind::Normal
                && dependency.features.iter().any(|feature| feature == "ndarray")
        });
        assert_eq!(asks, package.name.as_str() == "sealgate-worker-ndarray", "{}", package.name);
    }
}

#[test]
fn the_map_finds_a_dependency_that_is_many_steps_away() {
    // Otherwise every "does not reach" above could pass by finding nothing at all.
    let metadata = metadata();
    let graph = Graph::new(&metadata);
    assert!(graph.reached_from("sealgate-worker").contains("burn-flex"));
    assert!(graph.reached_from("sealgate-gateway").contains("aws-lc-sys"));
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        // Without a platform the graph holds what only other systems would link.
        .other_options(
            ["--offline", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]
                .map(String::from)
                .to_vec(),
        )
        .exec()
        .expect("cargo metadata of this workspace")
}

/// Normal dependencies, without those of tests and of build scripts.
struct Graph<'a> {
    names: BTreeMap<&'a PackageId, &'a str>,
    edges: BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let names = metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
        let nodes = &metadata.resolve.as_ref().expect("a resolved graph").nodes;
        let edges = nodes
            .iter()
            .map(|node| {
                let normal = node.deps.iter().filter(|dependency| {
                    dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
                });
                (&node.id, normal.map(|dependency| &dependency.pkg).collect())
            })
            .collect();
        Self { names, edges }
    }

    fn reached_from(&self, zone: &str) -> BTreeSet<&'a str> {
        let start = self.names.iter().find(|(_, name)| **name == zone).expect("a package").0;
        let mut open = vec![*start];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&self.edges[id]);
            }
        }
        seen.into_iter().map(|id| self.names[id]).collect()
    }
}
