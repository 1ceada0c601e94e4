//! A browser, by the W3C WebDriver protocol.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::ask;

/// One Chromium with one window, headless.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// `None`, said aloud, where there is no browser; with `CI` set that is a failure.
    pub fn open() -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            assert!(env::var_os("CI").is_none(), "no `chromedriver`: .ci/run installs it");
            // Past the test's own capture: whoever runs the tests must see it.
            let said = b"\nSKIPPED: no `chromedriver`, so nothing was tried in a browser\n";
            std::io::stderr().write_all(said).unwrap();
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let started = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').parse::<u16>().unwrap())
        });
        let address = SocketAddr::from(([127, 0, 0, 1], started.unwrap()));
        let mut browser = Self { driver, address, session: String::new() };
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments },
            // Of pages over TLS the authority is made in the test.
            "acceptInsecureCerts": true,
        } } });
        let session = browser.send("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    /// Opens a URL and waits until it is loaded.
    pub fn go(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// The text of the first element that is selected, as it is seen.
    pub fn text(&self, selector: &str) -> String {
        let element = self.element(selector);
        self.command("GET", &format!("/element/{element}/text"), &Value::Null)
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("/element/{element}/click"), &json!({}));
    }

    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses a key, whatever has the focus.
    pub fn press(&self, key: char) {
        let key = key.to_string();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }] });
        self.command("POST", "/actions", &actions);
    }

    /// What a function body returns in the page.
    pub fn evaluate(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The cookies that the page's site has here, those that no script sees among them.
    pub fn cookies(&self) -> Vec<Value> {
        let cookies = self.command("GET", "/cookie", &Value::Null);
        cookies.as_array().unwrap().clone()
    }

    /// Waits until a function body returns true in the page.
    pub fn until(&self, script: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.evaluate(script) != true {
            assert!(Instant::now() < deadline, "not in time: {script}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Looks as somebody does who prefers `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.command("POST", "/goog/cdp/execute", &command);
    }

    /// Keeps a picture, if `SCREENSHOTS` names a folder for them.
    pub fn picture(&self, name: &str) {
        let Some(folder) = env::var_os("SCREENSHOTS") else { return };
        for scheme in ["light", "dark"] {
            self.prefer(scheme);
            let picture = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
            let picture = self.command("POST", "/goog/cdp/execute", &picture);
            let file = std::path::Path::new(&folder).join(format!("{name}-{scheme}.png.base64"));
            fs::write(file, picture["data"].as_str().unwrap()).unwrap();
        }
        self.prefer("light");
    }

    fn element(&self, selector: &str) -> String {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.command("POST", "/element", &by);
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("/session/{}{path}", self.session), body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let host = self.address.to_string();
        let headers = [("host", host.as_str()), ("content-type", "application/json")];
        let answer = ask(self.address, &format!("{method} {path}"), &headers, &body);
        let mut value: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.session.is_empty() {
            self.command("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
