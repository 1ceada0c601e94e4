//! Requests, byte by byte, and pages to send them to.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test may panic")]

mod exchange;

use std::net::SocketAddr;
use std::path::PathBuf;

use sealgate_audit::VerifyOptions;
use sealgate_review::beside;
use sealgate_review::page::{PageOptions, Pages};
use tokio::sync::oneshot;

pub use exchange::{Answer, ask};

use crate::scene::Scene;

/// Pages that are being served until this is dropped.
pub struct Served {
    pub address: SocketAddr,
    /// Opens them, once.
    pub url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    pub fn new(scene: &Scene, policies: Option<PathBuf>) -> Self {
        // The index is there before the pages are, as `sealgate audit serve` sees to.
        scene.index();
        let options = PageOptions {
            dir: scene.dir(),
            index: beside(&scene.dir()),
            policies,
            against: VerifyOptions::default(),
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let pages = Pages::bind("127.0.0.1:0".parse().unwrap(), &options).await.unwrap();
                ready.send(pages.url().to_owned()).unwrap();
                pages
                    .serve(async {
                        let _ = stopped.await;
                    })
                    .await
                    .unwrap();
            });
            runtime.shutdown_background();
        });
        let url: String = bound.recv().unwrap();
        let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let address = address.parse().unwrap();
        Self { address, url, stop: Some(stop), thread: Some(thread) }
    }

    /// The path and query that open the pages.
    pub fn entrance(&self) -> &str {
        self.url.split_once(&self.address.to_string()).unwrap().1
    }

    /// Asks by the right name.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let host = self.address.to_string();
        let headers = [&[("host", host.as_str())], headers].concat();
        ask(self.address, &format!("GET {path}"), &headers, "")
    }

    /// Uses the URL up, and gives the cookie.
    pub fn enter(&self) -> String {
        let entered = self.get(self.entrance(), &[]);
        assert_eq!(entered.status, 200, "{}", entered.body);
        entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
