//! A package in a folder of its own, and the function that starts from it.

use std::path::Path;
use std::time::SystemTime;

use sealgate_keys::ohttp::{Aead, Kem, KeyList, ResponseOpener, seal};
use sealgate_keys::{Cleartext, InnerRequest};
use sealgate_lambda::{Config, Handler, Package, StartError, keys};
use sealgate_model::{
    Activation, Artifact, DataSource, Dense, Digest, FORMAT, Feature, LayerWeights, Manifest,
    Optimiser, Provenance, Task, WeightFormat,
};
use serde_json::Value;

pub const BOTH: &str = "plain = true\n[sealed]\nkeys = 'function.keys'\nreplay_folder = 'opened'\n";
pub const SEALED: &str = "[sealed]\nkeys = 'function.keys'\nreplay = 'at-least-once'\n";
pub const PLAIN: &str = "plain = true\n";

/// A package in a folder of its own, started.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub handler: Handler,
    pub shown: Vec<u8>,
    pub voucher: String,
}

/// The same package, started again.
pub struct Next(Handler);

impl Scene {
    pub fn new(how: &str) -> Self {
        Self::with(how, "full")
    }

    pub fn with(how: &str, release: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let toml = format!(
            "name = 'm'\nversion = '1'\nmodel = 'model.safetensors'\nrelease = '{release}'\nrows_max = 64\n\
             {how}[kek]\nkey_file = 'kek'\n"
        );
        std::fs::create_dir(path("opened")).unwrap();
        std::fs::write(path("function.toml"), toml).unwrap();
        std::fs::write(path("model.safetensors"), artifact(0.25)).unwrap();
        std::fs::write(path("bootstrap"), b"a program").unwrap();
        sealgate_keys::key_file::create(&path("kek"), &[7; 32]).unwrap();
        let package = package(folder.path()).unwrap();
        let made = how
            .contains("[sealed]")
            .then(|| keys::make(&package, 1, &path("function.keys")).unwrap());
        let handler = open(folder.path()).unwrap();
        let (shown, voucher) = made.map(|made| (made.shown, made.voucher)).unwrap_or_default();
        Self { folder, handler, shown, voucher }
    }

    pub fn restarted(&self) -> Next {
        Next(open(self.folder.path()).unwrap())
    }

    pub fn ask(&self, event: &Value) -> Value {
        serde_json::from_slice(&self.handler.answer(event.to_string().as_bytes())).unwrap()
    }

    pub fn key_list(&self) -> Vec<u8> {
        self.handler.function().key_list().to_vec()
    }

    pub fn seal(&self, kem: Kem, dated: bool) -> (Vec<u8>, ResponseOpener) {
        let date = httpdate::fmt_http_date(SystemTime::now()).into_bytes();
        let request = InnerRequest {
            method: "POST".into(),
            path: "/invocations".into(),
            headers: dated.then(|| ("date".to_owned(), date)).into_iter().collect(),
            body: Cleartext::new(br#"{"x":[0.5,1.5]}"#.to_vec()),
        };
        let list = KeyList::decode(&self.key_list()).unwrap();
        let message = request.encode().unwrap();
        seal(list.key(kem).unwrap(), Aead::Aes256Gcm, message.expose()).unwrap()
    }
}

impl Next {
    pub fn ask(&self, event: &Value) -> Value {
        serde_json::from_slice(&self.0.answer(event.to_string().as_bytes())).unwrap()
    }
}

fn package(folder: &Path) -> Result<Package, StartError> {
    let config = Config::read(&folder.join("function.toml"))?;
    Package::open(config, &folder.join("bootstrap"))
}

pub fn open(folder: &Path) -> Result<Handler, StartError> {
    package(folder)?.handler()
}

pub fn artifact(bias: f32) -> Vec<u8> {
    let feature = |name: &str| Feature { name: name.into(), unit: "1".into(), range: None };
    let manifest = Manifest {
        format: FORMAT,
        name: "sample".into(),
        architecture: vec![Dense { units: 1, activation: Activation::Sigmoid }],
        weights: WeightFormat::F32,
        input: "x".into(),
        output: "y".into(),
        features: vec![feature("a"), feature("b")],
        standardisation: None,
        task: Task::Binary { classes: ["no".into(), "yes".into()], positive: "yes".into() },
        provenance: Provenance::Trained {
            dataset: DataSource { name: "none".into(), sha256: Digest::of(b""), rows: 1 },
            seed: 1,
            epochs: 1,
            optimiser: Optimiser { name: "none".into(), learning_rate: 0.1, batch_rows: 1 },
            engine: sealgate_model::Engine { name: "none".into(), version: "0".into() },
            early_stopping: None,
        },
    };
    let layer = LayerWeights { weight: vec![0.25, -0.5], bias: vec![bias] };
    Artifact::encode(&manifest, &[layer]).unwrap()
}
