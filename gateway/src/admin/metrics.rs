//! What operators count, in Prometheus' text format. No name or number comes from a request; labels
//! are names that an admin gave to models, and words of ours. `docs/metrics.md` has every name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use crate::app::App;
use crate::edge::EdgeCounters;
use crate::limits::Places;
use crate::metrics::{Families, OfModel, Stage, labels};
use crate::pool::Standing;
use crate::readiness::{self, Reason};

/// Everything there is to count. Asks the file system: not for a runtime's thread.
pub(super) fn text(app: &App) -> String {
    let mut out = Families::default();
    life(app, &mut out);
    requests(app, &mut out);
    edges(app, &mut out);
    places(app, &mut out);
    records(app, &mut out);
    pools(app, &mut out);
    workers(app, &mut out);
    out.text()
}

fn life(app: &App, out: &mut Families) {
    let version = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
    out.put("sealgate_build_info", GAUGE, "Always 1.", [(version, 1)]);
    let seconds = app.metrics.started.elapsed().as_secs();
    out.one("sealgate_uptime_seconds", GAUGE, "Since the gateway began to serve.", seconds);
    let reloads = app.policy.reloads();
    out.put(
        "sealgate_policy_reloads_total",
        COUNTER,
        "Policy folders read after the start, by result.",
        [("{result=\"in_force\"}", reloads.in_force), ("{result=\"refused\"}", reloads.refused)],
    );
    let newest = u8::from(app.policy.is_newest());
    let help = "Whether the folder as it is now is in force.";
    out.one("sealgate_policy_newest", GAUGE, help, newest);
    let locked = u8::from(app.emergency.is_locked_down());
    out.one("sealgate_locked_down", GAUGE, "Whether everybody is refused.", locked);
    let reasons = readiness::reasons(app);
    let ready = u8::from(readiness::is_ready(&reasons));
    out.one("sealgate_ready", GAUGE, "Whether requests can be served.", ready);
    let each = Reason::ALL
        .map(|reason| (labels(&[("reason", reason.code())]), u8::from(reasons.contains(&reason))));
    out.put("sealgate_readiness_reason", GAUGE, "What `/readyz` lists, each 1 or 0.", each);
    out.one(
        "sealgate_tls_certificate_not_after_seconds",
        GAUGE,
        "Until when the certificate counts, in seconds since 1970.",
        app.identity.certificate().not_after_s,
    );
    let certificate = &app.metrics.certificate;
    out.put(
        "sealgate_tls_certificate_reloads_total",
        COUNTER,
        "Changed certificate files that were read, by result.",
        by("result", [("loaded", &certificate.loaded), ("refused", &certificate.refused)]),
    );
    let spans = &app.metrics.spans;
    out.put(
        "sealgate_trace_spans_total",
        COUNTER,
        "Traced requests, by what became of their spans.",
        by(
            "result",
            [("sent", &spans.sent), ("dropped", &spans.dropped), ("failed", &spans.failed)],
        ),
    );
}

fn requests(app: &App, out: &mut Families) {
    let models = app.metrics.models();
    let endings = models.iter().flat_map(|(model, of)| {
        of.endings().map(move |([mode, protocol, class, code], count)| {
            let of = [("model", &**model), ("mode", mode), ("protocol", protocol)];
            (labels(&[&of[..], &[("class", class), ("code", code)]].concat()), count)
        })
    });
    let help = "Requests of known callers about models, by how they ended.";
    out.put("sealgate_requests_total", COUNTER, help, endings);
    let rows = models
        .iter()
        .map(|(model, of)| (labels(&[("model", model)]), of.rows.load(Ordering::Relaxed)));
    out.put("sealgate_rows_total", COUNTER, "Rows that were scored.", rows);
    let of = |(model, _): &'_ (Box<str>, Arc<OfModel>)| model.clone();
    let names: Vec<_> = models.iter().map(of).collect();
    let help = "From the verified token to the answer.";
    let whole =
        names.iter().zip(&models).map(|(name, (_, of))| (vec![("model", &**name)], &of.whole));
    out.histograms("sealgate_request_seconds", help, whole);
    for stage in Stage::ALL {
        let (name, help) = of_stage(stage);
        let times = names.iter().zip(&models).flat_map(|(name, (_, of))| {
            let own = of.stages().filter(move |(one, _)| *one == stage);
            own.map(move |(_, times)| (vec![("model", &**name)], times))
        });
        out.histograms(name, help, times);
    }
    let unknown = &app.journal.counts.unauthenticated;
    let unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    out.put(
        "sealgate_unauthenticated_total",
        COUNTER,
        "Requests that were refused before anybody was known, by code.",
        unknown.into_iter().map(|(code, count)| (labels(&[("code", code)]), count)),
    );
    let quarantined = app.quarantine.count(Instant::now());
    let help = "Callers who were there at two crashes and are not let in.";
    out.one("sealgate_callers_quarantined", GAUGE, help, quarantined);
}

const fn of_stage(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Queue => ("sealgate_request_queue_seconds", "Waiting for a thread of the worker."),
        Stage::Hop => ("sealgate_request_hop_seconds", "From the gateway to the worker and back."),
        Stage::Infer => ("sealgate_request_infer_seconds", "Computing, of shared passes the part."),
        Stage::AuditWait => {
            ("sealgate_request_audit_wait_seconds", "From the answer to its durable record.")
        }
    }
}

fn edges(app: &App, out: &mut Families) {
    let events = app.edges.iter().flat_map(|(listener, counters)| {
        events(counters).map(|(event, counter)| {
            let of = [("listener", *listener), ("event", event)];
            (labels(&of), counter.load(Ordering::Relaxed))
        })
    });
    let help = "What the listeners have seen of connections and requests.";
    out.put("sealgate_edge_events_total", COUNTER, help, events.collect::<Vec<_>>());
}

const fn events(counters: &EdgeCounters) -> [(&'static str, &AtomicU64); 12] {
    [
        ("accepted", &counters.accepted),
        ("accept_failed", &counters.accept_failed),
        ("refused_total", &counters.refused_total),
        ("refused_address", &counters.refused_address),
        ("refused_proxy_header", &counters.refused_proxy_header),
        ("handshake_failed", &counters.handshake_failed),
        ("handshake_timed_out", &counters.handshake_timed_out),
        ("first_byte_timed_out", &counters.first_byte_timed_out),
        ("header_timed_out", &counters.header_timed_out),
        ("idle_timed_out", &counters.idle_timed_out),
        ("requests_refused", &counters.requests_refused),
        ("requests", &counters.requests),
    ]
}

fn places(app: &App, out: &mut Families) {
    let listeners = [("public", &app.capacity.in_flight), ("admin", &app.admin_capacity.in_flight)];
    let by = |count: fn(&Places) -> usize| {
        listeners.map(|(listener, places)| (labels(&[("listener", listener)]), count(places)))
    };
    let help = "Requests that have a place.";
    out.put("sealgate_requests_in_flight", GAUGE, help, by(Places::taken));
    let help = "Requests that wait in line for a place.";
    out.put("sealgate_requests_in_line", GAUGE, help, by(Places::waiting));
}

fn records(app: &App, out: &mut Families) {
    let (journal, counts) = (&app.journal, &app.journal.counts);
    let writable = u8::from(journal.takes_records());
    out.one("sealgate_audit_writable", GAUGE, "Whether the log takes records.", writable);
    let help = "Whether tiles and checkpoints are published.";
    out.one("sealgate_audit_published", GAUGE, help, u8::from(journal.is_published()));
    let help = "Whether the copy of the last checkpoint is not where it should be.";
    let copy_failed = u8::from(journal.health().checkpoint_copy_failed);
    out.one("sealgate_audit_checkpoint_copy_failed", GAUGE, help, copy_failed);
    out.put(
        "sealgate_audit_records_total",
        COUNTER,
        "Records of this run, by what became of them.",
        by("result", [("durable", &counts.durable), ("lost", &counts.lost)]),
    );
    let waiting = counts.waiting.load(Ordering::Relaxed);
    let help = "Records that are not known to be durable yet.";
    out.one("sealgate_audit_records_waiting", GAUGE, help, waiting);
    let help = "Until a record is durable that somebody waits for.";
    out.histograms("sealgate_audit_durable_seconds", help, [(Vec::new(), &counts.lag)]);
    let free = journal.free_bytes().map(|bytes| ("", bytes));
    out.put("sealgate_audit_disk_free_bytes", GAUGE, "Free on the log's disk.", free);
    let help = "Below so much nothing is answered.";
    out.one("sealgate_audit_disk_low_water_bytes", GAUGE, help, journal.low_water_bytes());
    let age = journal.checkpointed_at().and_then(|at| SystemTime::now().duration_since(at).ok());
    let age = age.map(|age| ("", age.as_secs_f64()));
    let help = "Since the newest checkpoint; one is made when records come.";
    out.put("sealgate_audit_checkpoint_age_seconds", GAUGE, help, age);
}

fn workers(app: &App, out: &mut Families) {
    let workers = &app.metrics.workers;
    out.put(
        "sealgate_worker_starts_total",
        COUNTER,
        "Starts of workers, by what came of them.",
        by("result", [("answers", &workers.started), ("failed", &workers.failed)]),
    );
    out.put(
        "sealgate_worker_ends_total",
        COUNTER,
        "Ends of workers; crashed: by a fault while it had requests.",
        by("how", [("ended", &workers.ended), ("crashed", &workers.crashed)]),
    );
    let help = "From the spawn of a worker until it can be asked.";
    out.histograms("sealgate_worker_start_seconds", help, [(Vec::new(), &workers.start)]);
    let steps = workers.steps();
    let steps = steps.iter().map(|(step, times)| (vec![("step", *step)], &**times));
    out.histograms("sealgate_worker_start_step_seconds", "The same by step.", steps);
}

/// Counters with one label.
fn by<const N: usize>(label: &str, counters: [(&str, &AtomicU64); N]) -> [(String, u64); N] {
    counters.map(|(value, counter)| (labels(&[(label, value)]), counter.load(Ordering::Relaxed)))
}

/// Pools of one version together, whoever has them.
fn pools(app: &App, out: &mut Families) {
    let mut versions: BTreeMap<(String, String), Vec<Standing>> = BTreeMap::new();
    for pool in app.models.pools() {
        let artifact = pool.artifact();
        let key = (artifact.name.clone(), artifact.version.clone());
        versions.entry(key).or_default().push(pool.standing());
    }
    let mut put = |name: &str, help: &str, each: Each<'_>| {
        let values = versions.iter().flat_map(|((model, version), pools)| {
            let of = [("model", model.as_str()), ("version", version.as_str())];
            let own = each(pools).into_iter();
            own.map(move |(state, value)| (labels(&[&of[..], &state[..]].concat()), value))
        });
        out.put(name, GAUGE, help, values);
    };
    put("sealgate_workers", "Worker processes, by state.", &|pools| {
        vec![
            (vec![("state", "ready")], sum(pools, |pool| pool.ready)),
            (vec![("state", "starting")], sum(pools, |pool| pool.starting)),
            (vec![("state", "draining")], sum(pools, |pool| pool.draining)),
        ]
    });
    put("sealgate_workers_wanted", "Workers that the scaler wants.", &|pools| {
        only(sum(pools, |pool| pool.last().map_or(pool.ready, |last| last.wanted)))
    });
    put("sealgate_workers_needed", "Workers that the load needs: Ro of R = Ra/Ro.", &|pools| {
        only(needed(pools))
    });
    put("sealgate_scaling_ratio", "R = Ra/Ro: workers ready over workers needed.", &|pools| {
        let needed = needed(pools);
        if needed > 0.0 { only(sum(pools, |pool| pool.ready) / needed) } else { Vec::new() }
    });
    put("sealgate_requests_present", "Requests that wait for or have a worker.", &|pools| {
        only(sum(pools, |pool| pool.in_flight))
    });
    put("sealgate_requests_waiting", "Requests that wait for a worker.", &|pools| {
        only(sum(pools, |pool| pool.waiting))
    });
    put("sealgate_pools_failing", "Pools whose workers keep dying.", &|pools| {
        only(sum(pools, |pool| usize::from(pool.failing_for_s.is_some())))
    });
}

/// What is counted of a version's pools: labels of its own each, and the number.
type Each<'a> = &'a dyn Fn(&[Standing]) -> Vec<(Vec<(&'static str, &'static str)>, f64)>;

fn only(value: f64) -> Vec<(Vec<(&'static str, &'static str)>, f64)> {
    vec![(Vec::new(), value)]
}

#[expect(clippy::cast_precision_loss, reason = "there are never so many")]
fn sum(pools: &[Standing], count: impl Fn(&Standing) -> usize) -> f64 {
    pools.iter().map(count).sum::<usize>() as f64
}

fn needed(pools: &[Standing]) -> f64 {
    pools.iter().filter_map(|pool| Some(pool.last()?.needed)).sum()
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
