//! The review page, served over TLS for a demo's reviewers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Demo, Https, Reply, binary, wait_until};

const SOON: Duration = Duration::from_secs(20);

pub struct Pages {
    child: Child,
    pub https: Https,
}

impl Pages {
    pub fn start(demo: &Demo) -> Self {
        let address = free_address();
        let config = demo.state().join("review.toml");
        fs::write(&config, configuration(demo, &address)).unwrap();
        let child = Command::new(binary("sealgate"))
            .args(["audit", "serve", demo.fact("audit"), "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let https = Https::new(&format!("https://{address}"), Path::new(demo.fact("ca")));
        let pages = Self { child, https };
        wait_until("the pages", SOON, || {
            pages.https.try_request("GET", "/enter", &[], &[]).is_some()
        });
        pages
    }

    pub fn sign_in(&self, token: &str) -> Reply {
        let origin = self.https.url();
        let form = format!("token={token}");
        self.https.request("POST", "/enter", &[("Origin", &origin)], form.as_bytes())
    }

    pub fn look(&self, cookie: &str) -> Reply {
        self.https.request("GET", "/requests", &[("Cookie", cookie)], &[])
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Beside the demo's own files: paths are meant from there.
pub fn configuration(demo: &Demo, address: &str) -> String {
    let admin = demo.fact("admin_url");
    format!(
        "listen = \"{address}\"\nhost = \"{address}\"\n\
         [tls]\ncert = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n\
         [gateway]\nadmin_url = \"{admin}\"\nca = \"tls/ca.pem\"\n"
    )
}

pub fn reviewer(demo: &Demo) -> String {
    demo.token_for(&["--subject", "rev", "--group", "reviewers"])
}
