//! Requests that are answered together, compared with the same requests answered one by one: a
//! whole service on a socket pair, in this process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;
use sealgate_keys::control::{gateway_ends, worker_ends};
use sealgate_keys::{
    Action, AnswerOpener, Cleartext, Grant, InnerAnswer, InnerRequest, Keyset, Mode, OpenedAnswer,
    ReleaseProfile, RequestSealer, SessionSecret,
};
use sealgate_model::{
    Activation, Artifact, DataSource, Dense, Digest, FORMAT, Feature, LayerWeights, Manifest,
    Optimiser, Provenance, Quantity, Standardisation, Task, WeightFormat,
};

use super::*;
use crate::batching::Pass;
use crate::session::{SelfDescription, Voucher};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_request_is_answered_together_as_it_is_alone(
        asked in prop::collection::vec(ask(), 1..24),
        rows_max in 1_usize..40,
    ) {
        let (mut together, mut alone) = (Scene::new(rows_max), Scene::new(1));
        let sealed = asked.iter().map(|ask| together.seal(ask)).collect();
        together.service.answer(sealed).unwrap();
        for ask in &asked {
            let sealed = alone.seal(ask);
            alone.service.answer(vec![sealed]).unwrap();
        }
        let (together, alone) = (together.answers(), alone.answers());
        prop_assert_eq!(together.len(), asked.len());
        prop_assert_eq!(together, alone);
    }
}

#[test]
fn a_request_that_is_refused_costs_its_neighbours_nothing() {
    let good = Ask { rows: 2, seed: 1, ..Ask::default() };
    let bad = [Ask { what: What::TooLarge, ..good }, Ask { what: What::NoNumber, ..good }];
    let mut scene = Scene::new(256);
    let sealed = [good, bad[0], good, bad[1], good].iter().map(|ask| scene.seal(ask)).collect();
    scene.service.answer(sealed).unwrap();
    let answers = scene.answers();
    let status: Vec<u16> = answers.values().map(|answer| answer.0).collect();
    assert_eq!(status, [200, 400, 200, 400, 200]);
    assert_eq!(answers[&0], answers[&2]);
    assert_eq!(answers[&0], answers[&4]);
}

#[test]
fn a_frame_that_does_not_open_costs_its_neighbours_nothing() {
    let mut scene = Scene::new(256);
    let good = Ask { rows: 2, seed: 1, ..Ask::default() };
    let mut sealed: Vec<_> = [good; 3].iter().map(|ask| scene.seal(ask)).collect();
    *sealed[1].payload.last_mut().unwrap() ^= 1;
    scene.service.answer(sealed).unwrap();
    assert_eq!(scene.answers().into_keys().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_joint_pass_that_panics_costs_nobody_an_answer() {
    let good = Ask { rows: 2, seed: 1, ..Ask::default() };
    let mut scene = Scene::new(256);
    scene.answer_with(&[good; 3], &|_| panic!("in the middle of a pass"));
    let answers = scene.answers();
    assert!(answers.len() == 3 && answers.values().all(|answer| answer.0 == 200));
}

#[test]
fn rows_of_two_tenants_are_in_two_passes_unless_the_grants_say_otherwise() {
    let ours = Ask { rows: 1, tenant: 1, ..Ask::default() };
    let theirs = Ask { tenant: 2, ..ours };
    let across = |ask| Ask { across: true, ..ask };
    for (asked, expected) in [
        ([ours, theirs, ours, theirs, ours], vec![3, 2]),
        ([across(ours), across(theirs), ours, across(ours), theirs], vec![3]),
    ] {
        let mut scene = Scene::new(256);
        let model = scene.service.model.read().unwrap().clone().unwrap();
        let passes = RefCell::new(Vec::new());
        scene.answer_with(&asked, &|rows| {
            passes.borrow_mut().push(rows.len());
            model.model.infer_together(rows)
        });
        assert_eq!(passes.into_inner(), expected);
        assert_eq!(scene.answers().len(), asked.len());
    }
}

#[test]
fn a_model_of_every_task_answers() {
    let names = |count: usize| (0..count).map(|at| format!("n{at}")).collect::<Vec<_>>();
    let targets = vec![Quantity { name: "dose".into(), unit: "mg".into() }];
    for (task, units, activation) in [
        (Task::Multiclass { classes: names(3) }, 3, Activation::Softmax),
        (Task::Multilabel { labels: names(2) }, 2, Activation::Sigmoid),
        (Task::Regression { targets }, 1, Activation::Linear),
    ] {
        let mut scene = Scene::with(256, task, Dense { units, activation });
        let sealed = [1, 2].map(|seed| scene.seal(&Ask { rows: 4, seed, ..Ask::default() }));
        scene.service.answer(sealed.into()).unwrap();
        for (status, rows, body) in scene.answers().into_values() {
            assert_eq!((status, rows), (200, 4), "{body}");
            assert!(body.contains(&format!(r#""shape":[4,{units}]"#)), "{body}");
        }
    }
}

#[test]
fn a_request_holds_no_more_rows_than_fit_into_what_one_may_take() {
    let mut scene = Scene::bare(256, 4 << 10);
    scene.bring_up(artifact(binary(), SIGMOID));
    let most = {
        let model = scene.service.model.read().unwrap().clone().unwrap();
        scene.service.pipeline(&model).rows_max
    };
    assert!((1..64).contains(&most), "{most}");
    let sealed = [most, most + 1].map(|rows| scene.seal(&Ask { rows, ..Ask::default() }));
    scene.service.answer(sealed.into()).unwrap();
    let answers = scene.answers();
    assert_eq!((answers[&0].0, answers[&0].1), (200, u32::try_from(most).unwrap()));
    let (status, rows, body) = &answers[&1];
    assert_eq!((*status, *rows), (413, 0));
    assert!(body.contains("too_many_rows") && body.contains(&most.to_string()), "{body}");
}

#[test]
fn a_model_whose_row_takes_more_than_a_request_may_is_refused() {
    let classes = (0..2_000).map(|at| format!("n{at}")).collect();
    let head = Dense { units: 2_000, activation: Activation::Softmax };
    let said = Scene::bare(256, 4 << 10).load(artifact(Task::Multiclass { classes }, head));
    let ToGateway::LoadRefused { reason } = said else { panic!("{said:?}") };
    assert!(reason.contains("`request_bytes_max`, which is 4096"), "{reason}");
}

/// What is asked, by whom.
#[derive(Debug, Clone, Copy, Default)]
struct Ask {
    tenant: usize,
    caller: usize,
    across: bool,
    rows: usize,
    seed: u32,
    what: What,
}

#[derive(Debug, Clone, Copy, Default)]
enum What {
    #[default]
    Rows,
    /// The network overflows on one of the rows.
    TooLarge,
    /// A body that is refused before there are rows.
    NoNumber,
    Metadata,
}

fn ask() -> impl Strategy<Value = Ask> {
    let what = prop_oneof![
        8 => Just(What::Rows),
        1 => Just(What::TooLarge),
        1 => Just(What::NoNumber),
        1 => Just(What::Metadata),
    ];
    (0..3_usize, 0..2_usize, any::<bool>(), 1..12_usize, any::<u32>(), what).prop_map(
        |(tenant, caller, across, rows, seed, what)| Ask {
            tenant,
            caller,
            across,
            rows,
            seed,
            what,
        },
    )
}

/// A service with a model, and the gateway's end of its session.
struct Scene {
    service: Service,
    sealer: RequestSealer,
    waiting: Vec<AnswerOpener>,
    gateway: BufReader<UnixStream>,
    open: ControlOpener,
}

impl Scene {
    fn new(batch_rows_max: usize) -> Self {
        Self::with(batch_rows_max, binary(), SIGMOID)
    }

    fn with(batch_rows_max: usize, task: Task, head: Dense) -> Self {
        let mut scene = Self::bare(batch_rows_max, 1 << 20);
        scene.bring_up(artifact(task, head));
        scene
    }

    /// Without a model.
    fn bare(batch_rows_max: usize, request_bytes_max: usize) -> Self {
        let secret = SessionSecret::from_bytes([7; 32]);
        let (gateway, worker) = UnixStream::pair().unwrap();
        let (seal, _) = worker_ends(&secret);
        let of = SelfDescription { engine: "flex".into(), threads: 1, ..Default::default() };
        let limits = Limits {
            queue_requests_max: 64,
            rows_max: 64,
            request_bytes_max,
            batch_rows_max,
            threads: 1,
        };
        let service = Service::new(
            RequestOpener::new(&secret),
            Box::new(worker),
            seal,
            Clients::new(of, Voucher::Nobody).unwrap(),
            Head::new(Vec::new()),
            Device::flex(),
            limits,
        );
        let sealer = RequestSealer::new(&secret, Instant::now());
        let (_, open) = gateway_ends(&secret);
        let gateway = BufReader::new(gateway);
        Self { service, sealer, waiting: Vec::new(), gateway, open }
    }

    fn told(&mut self) -> ToGateway {
        let (header, mut payload) =
            read_frame(&mut self.gateway, PAYLOAD_BYTES_MAX).unwrap().unwrap();
        self.open.open(&header, &mut payload).unwrap()
    }

    /// Hands over a model; what the worker says to it.
    fn load(&mut self, file: Vec<u8>) -> ToGateway {
        let mut incoming = None;
        let load = ToWorker::Load {
            model: "sample".into(),
            version: "1".into(),
            digest: *Digest::of(&file).as_bytes(),
            bytes: file.len() as u64,
            dek: None,
        };
        for message in [load, ToWorker::Part(file)] {
            self.service.control(message, &mut incoming).unwrap();
        }
        self.told()
    }

    /// Loads the model and offers keys, as a gateway does.
    fn bring_up(&mut self, file: Vec<u8>) {
        let loaded = self.load(file);
        assert!(matches!(loaded, ToGateway::Loaded { .. }), "{loaded:?}");
        let mut incoming = None;
        let keys =
            ToWorker::NewKeys { x_wing_id: 1, x25519_id: 2, active_ms: 60_000, overlap_ms: 60_000 };
        self.service.control(keys, &mut incoming).unwrap();
        let ToGateway::Keys { keyset, .. } = self.told() else { panic!("no keys") };
        let keyset_digest = Keyset::decode(&keyset).unwrap().digest();
        self.service.control(ToWorker::Offered { keyset_digest }, &mut incoming).unwrap();
        assert!(self.service.clients.offered().is_some());
    }

    fn seal(&mut self, ask: &Ask) -> Arrived {
        let describe = matches!(ask.what, What::Metadata);
        let grant = Grant {
            request_id: [1; 16],
            caller: format!("c-{}", ask.caller),
            tenant: ["", "general-hospital", "lakeside-clinic"][ask.tenant].into(),
            model: "sample".into(),
            version: None,
            action: if describe { Action::DescribeModel } else { Action::Infer },
            rows_reserved: 64,
            declared_fields: vec![],
            release: ReleaseProfile::Full,
            policy_digest: [2; 32],
            mode: Mode::GatewaySealed,
            ciphertext_sha256: None,
            valid_ms: 10_000,
            batch_across_tenants: ask.across,
        };
        let message = message(ask).encode().unwrap();
        let sealed = self.sealer.seal(&grant, message.expose(), Instant::now());
        let (frame, opener) = sealed.unwrap();
        self.waiting.push(opener);
        let (header, payload) = read_frame(&mut &*frame, PAYLOAD_BYTES_MAX).unwrap().unwrap();
        Arrived { header, payload, at: Instant::now() }
    }

    /// Answers as the service does, but for the pass through the network.
    fn answer_with(&mut self, asked: &[Ask], pass: Pass<'_>) {
        let sealed: Vec<_> = asked.iter().map(|ask| self.seal(ask)).collect();
        let service = &self.service;
        let model = service.model.read().unwrap().clone().unwrap();
        let pipeline = service.pipeline(&model);
        let open = |request| pipeline.open(request).ok().unwrap();
        let mut waiting: Vec<_> = sealed.into_iter().map(open).collect();
        service.batching.score(&mut waiting.iter_mut().collect::<Vec<_>>(), pass);
        for (id, request) in waiting.into_iter().enumerate() {
            service.reply((0, id as u64), pipeline.answer(request)).unwrap();
        }
    }

    /// Status, rows and body of each answer, by the place of its request. Whoever got an answer to
    /// another's request could not open it.
    fn answers(self) -> BTreeMap<u64, (u16, u32, String)> {
        let Self { service, waiting, mut gateway, .. } = self;
        drop(service);
        let mut waiting: BTreeMap<_, _> = waiting.into_iter().map(|o| (o.key().1, o)).collect();
        let mut answers = BTreeMap::new();
        while let Some((header, mut payload)) = read_frame(&mut gateway, PAYLOAD_BYTES_MAX).unwrap()
        {
            if header.kind != Kind::Answer {
                continue;
            }
            let opener = waiting.remove(&header.id).unwrap();
            let OpenedAnswer { outcome, message } = opener.open(&header, &mut payload).unwrap();
            let InnerAnswer { status, body, .. } = InnerAnswer::decode(message.expose()).unwrap();
            let body = String::from_utf8(body.into_public()).unwrap();
            assert_eq!(status, outcome.status);
            answers.insert(header.id, (status, outcome.rows, body));
        }
        answers
    }
}

fn binary() -> Task {
    Task::Binary { classes: ["no", "yes"].map(str::to_owned), positive: "yes".into() }
}

const SIGMOID: Dense = Dense { units: 1, activation: Activation::Sigmoid };

fn message(ask: &Ask) -> InnerRequest {
    let (mut state, count) = (ask.seed, ask.rows * FEATURES);
    let mut values: Vec<String> = (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{:.4}", f64::from(state) / f64::from(u32::MAX) - 0.5)
        })
        .collect();
    let last = values.last_mut().unwrap();
    match ask.what {
        What::TooLarge => "3e38".clone_into(last),
        What::NoNumber => "\"x\"".clone_into(last),
        What::Rows | What::Metadata => {}
    }
    let body = format!(
        r#"{{"inputs":[{{"name":"x","shape":[{},{FEATURES}],"datatype":"FP32","data":[{}]}}]}}"#,
        ask.rows,
        values.join(",")
    );
    let describe = matches!(ask.what, What::Metadata);
    InnerRequest {
        method: if describe { "GET" } else { "POST" }.into(),
        path: if describe { "/v2/models/sample" } else { "/v2/models/sample/infer" }.into(),
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: Cleartext::new(if describe { Vec::new() } else { body.into_bytes() }),
    }
}

/// The last value may be so large that what is above its mean is no number.
fn artifact(task: Task, head: Dense) -> Vec<u8> {
    let wave = |count: usize| (0..count).map(|at| (at as f32 * 0.7).sin()).collect::<Vec<f32>>();
    let feature = |at| Feature { name: format!("f{at}"), unit: "1".into(), range: None };
    let manifest = Manifest {
        format: FORMAT,
        name: "sample".into(),
        architecture: vec![Dense { units: 19, activation: Activation::Relu }, head],
        weights: WeightFormat::F32,
        input: "x".into(),
        output: "y".into(),
        features: (0..FEATURES).map(feature).collect(),
        standardisation: Some(Standardisation {
            mean: [vec![0.1; FEATURES - 1], vec![-1e38]].concat(),
            std: [vec![1.0; FEATURES - 1], vec![1e38]].concat(),
        }),
        task,
        provenance: Provenance::Trained {
            dataset: DataSource { name: "none".into(), sha256: Digest::of(b""), rows: 1 },
            seed: 1,
            epochs: 1,
            optimiser: Optimiser { name: "none".into(), learning_rate: 0.1, batch_rows: 1 },
            engine: sealgate_model::Engine { name: "none".into(), version: "0".into() },
            early_stopping: None,
        },
    };
    let layer = |inputs: usize, units: usize| LayerWeights {
        weight: wave(inputs * units),
        bias: wave(units),
    };
    Artifact::encode(&manifest, &[layer(FEATURES, 19), layer(19, head.units as usize)]).unwrap()
}

const FEATURES: usize = 7;
