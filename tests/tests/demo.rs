//! `dermalia demo` as somebody meets it who has just cloned the project.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{lines, text};

/// The demo, with its temporary folder where the test can look for it.
fn demo(at: &TempDir, args: &[&str]) -> Child {
    Command::new(dermalia_tests::dermalia())
        .args(["demo", "--listen", "127.0.0.1:0", "--json"])
        .args(args)
        .env("TMPDIR", at.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_empty(at: &TempDir) -> bool {
    fs::read_dir(at.path()).unwrap().next().is_none()
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

/// The answer's head and body.
fn get(url: &str) -> (String, String) {
    let (address, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[test]
fn the_demo_prints_its_steps_and_a_link_that_it_serves_until_interrupted() {
    let at = tempfile::tempdir().unwrap();
    let output = demo(&at, &["--size", "512", "--no-serve"])
        .wait_with_output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = lines(text(&output.stdout));
    let (link, steps) = printed.split_last().unwrap();
    let names: Vec<&str> = steps.iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["scan", "upload", "analyze", "report", "deliver"]);
    assert!(link["link"].as_str().unwrap().contains("/r/"));
    assert!(steps.iter().all(|s| s["seconds"].as_f64().unwrap() >= 0.0));
    assert!(is_empty(&at), "the temporary folder is gone");

    let mut child = demo(&at, &["--size", "512", "--seed", "2"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let link = loop {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "no link");
        let value: Value = serde_json::from_str(&line).unwrap();
        if let Some(link) = value["link"].as_str() {
            break link.to_owned();
        }
    };
    let (head, body) = get(&link);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for header in [
        "content-type: text/html",
        "content-security-policy: ",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "cache-control: private, no-store",
    ] {
        assert!(head.contains(header), "{header}\n{head}");
    }
    assert!(body.contains("Alex"));
    let middle = link.len() - 40;
    let other = if link.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let forged = [&link[..middle], other, &link[middle + 1..]].concat();
    assert!(get(&forged).0.starts_with("http/1.1 404"));
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(is_empty(&at), "the temporary folder is gone");
    for personal in ["Alex", "example.org", "/r/"] {
        assert!(!text(&output.stderr).contains(personal), "{personal}");
    }

    // Interrupted while it works: no page, so no success, and nothing left behind.
    let mut child = demo(&at, &["--size", "4096"]);
    while is_empty(&at) {
        assert!(child.try_wait().unwrap().is_none(), "ended too early");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("stopped"));
    assert!(is_empty(&at), "the temporary folder is gone");
}
